"""A student of one width and tokenizer learns from a BERT of another."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::UserWarning")]

from tokenizers import Tokenizer, models, pre_tokenizers, processors  # noqa: E402
from transformers import BertConfig, BertModel  # noqa: E402

from export.train import bundle, understand  # noqa: E402
from export.train.encoder import tokenizer  # noqa: E402
from export.train.fit import Schedule  # noqa: E402
from export.train.material import Material  # noqa: E402
from export.train.sentences import Sentence  # noqa: E402
from export.train.student import Size, Taught  # noqa: E402

GOODS = "奶米油盐酱醋茶糖果酒"
TEXTS = [(f"{verb}{good}{end}", label) for good in GOODS for verb, end, label in (
    ("买", "吗", "stock"), ("看", "呢", "find"), ("退", "了", "return"))]  # fmt: skip


def encoder(folder: Path, width: int, tokens: Tokenizer, **more: int) -> Path:
    """A BERT with random weights, as the encoder stage writes one."""
    torch.manual_seed(1)
    sizes = {"num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 2 * width} | more
    config = BertConfig(vocab_size=tokens.get_vocab_size(), hidden_size=width, max_position_embeddings=64, **sizes)
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    tokens.save(str(folder / "tokenizer.json"))
    return folder


def word_pieces() -> Tokenizer:
    """A BERT's own tokenizer."""
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *sorted({c for text, _ in TEXTS for c in text})]
    made = Tokenizer(models.WordPiece({piece: n for n, piece in enumerate(known)}, unk_token="[UNK]"))  # noqa: S106
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return made


def unigrams() -> Tokenizer:
    """The tokenizer of multilingual-e5-small's kind."""
    letters = sorted({c for text, _ in TEXTS for c in text})
    return tokenizer.build([*((s, 0.0) for s in tokenizer.SPECIAL), *((c, -3.0) for c in ["\u2581", *letters])],
                           precompiled=None)  # fmt: skip


def test_a_wider_bert_with_word_pieces_teaches_a_narrow_student(tmp_path: Path) -> None:
    found = [Sentence(text, label, polarity="neu") for text, label in TEXTS]
    material = Material(tuple(found[6:]), tuple(found[:6]))
    large = encoder(tmp_path / "large", 48, word_pieces(), num_hidden_layers=6, num_attention_heads=4)
    body = encoder(tmp_path / "body", 32, unigrams())
    teacher = understand.teach(large, material, tmp_path / "teacher", Schedule(epochs=2, batch=8, rate=1e-3))
    schedule = Schedule(epochs=2, batch=8, rate=1e-3)
    student = understand.distil(
        teacher, material, tmp_path / "student", Size(2, 100, 32), schedule, versions=1, body=body
    )
    assert student.model.encoder.config.hidden_size == 32
    assert student.model.encoder.config.num_hidden_layers == 2
    logits, _, vectors = bundle.load(tmp_path / "student").read([text for text, _ in TEXTS])
    assert logits.shape == (len(TEXTS), 3)
    assert vectors.shape == (len(TEXTS), 32)
    kept = set(torch.load(tmp_path / "student" / "model.pt", weights_only=True))
    assert not any("bridge" in name for name in kept)


def test_the_teacher_is_heard_through_the_bridges(tmp_path: Path) -> None:
    body = encoder(tmp_path / "body", 32, unigrams())
    large = encoder(tmp_path / "large", 48, unigrams())
    make = understand.Understander
    student, teacher = (make(understand.load_encoder(p), 3, 3, 0, understand.Weights()) for p in (body, large))
    taught = Taught(student, understand.Lessons(), teacher)
    ids = torch.tensor([[0, 5, 6, 2]])
    labels = {name: torch.tensor([understand.IGNORED]) for name in ("intent", "polarity", "question")}
    signals = {"teacher_logits": torch.randn(1, 6), "teacher_means": torch.randn(1, 3, 48)}
    taught(ids, torch.ones_like(ids), **labels, **signals)["loss"].backward()
    assert taught.bridges is not None
    assert all(bridge.weight.grad.abs().sum() > 0 for bridge in taught.bridges)
