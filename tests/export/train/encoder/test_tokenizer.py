"""The tokenizer cuts text as SentencePiece does, with the numbers of the encoder."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import sentencepiece  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402

from export.train import corpus, sentences  # noqa: E402
from export.train.encoder import tokenizer  # noqa: E402

pytestmark = pytest.mark.torch
SPECIAL = tuple((piece, 0.0) for piece in tokenizer.SPECIAL)
PIECES = (
    *SPECIAL,
    ("▁", -3.0),
    ("洗衣", -4.0),
    ("衣液", -4.5),
    ("洗衣液", -9.5),
    *((character, -5.0) for character in "洗衣液在哪"),
    ("▁where", -5.0),
    ("kg", -6.0),
    ("k", -7.0),
    ("g", -7.0),
)


@pytest.fixture(scope="module")
def charsmap() -> bytes:
    return tokenizer.charsmap()


def best(text: str) -> float:
    """The likeliest way to cut `text`, tried in full."""
    known = dict(PIECES[4:])

    @functools.lru_cache(None)
    def rest(at: int) -> float:
        if at == len(text):
            return 0.0
        ways = [known[text[at:end]] + rest(end) for end in range(at + 1, len(text) + 1) if text[at:end] in known]
        return max(ways, default=float("-inf"))

    return rest(0)


@pytest.mark.parametrize("text", ["洗衣液在哪", "在哪洗衣", "液洗衣液", "where洗衣液", "kg"])
def test_the_likeliest_way_to_cut_is_taken(text: str) -> None:
    found = tokenizer.build(PIECES, precompiled=None).encode(text, add_special_tokens=False)
    known = dict(PIECES)
    assert "".join(found.tokens) == "▁" + text
    assert sum(known[piece] for piece in found.tokens) == pytest.approx(best("▁" + text))


def test_a_sentence_begins_and_ends_with_its_marks() -> None:
    made = tokenizer.build(PIECES, precompiled=None)
    assert made.encode("洗衣").tokens == ["<s>", "▁", "洗衣", "</s>"]
    assert made.encode("洗衣").ids == [0, 4, 5, 2]
    assert made.encode("").ids == [0, 2]
    assert made.encode("洗衣", "在").tokens == ["<s>", "▁", "洗衣", "</s>", "</s>", "▁", "在", "</s>"]


def test_what_is_not_listed_is_unknown() -> None:
    found = tokenizer.build(PIECES, precompiled=None).encode("洗ы衣")
    assert found.tokens == ["<s>", "▁", "洗", "ы", "衣", "</s>"]
    assert found.ids[3] == tokenizer.SPECIAL.index(tokenizer.UNKNOWN)


@pytest.mark.parametrize("compiled", [True, False])
def test_widths_and_spaces_are_made_uniform(charsmap: bytes, compiled: bool) -> None:
    made = tokenizer.build(PIECES, precompiled=charsmap if compiled else None)
    wanted = made.encode("where 洗衣液 kg").ids
    assert 3 not in wanted
    assert made.encode("ｗｈｅｒｅ　洗衣液   ㎏").ids == wanted


def test_pieces_are_put_together_again() -> None:
    made = tokenizer.build(PIECES, precompiled=None)
    assert made.decode(made.encode("where 洗衣液在哪", add_special_tokens=False).ids) == "where 洗衣液在哪"


@pytest.mark.parametrize("pieces", [(), PIECES[1:], (("<pad>", 0.0), ("<s>", 0.0), *PIECES[2:]), PIECES[4:]])
def test_the_special_pieces_come_first(pieces: tuple[tuple[str, float], ...]) -> None:
    with pytest.raises(ValueError, match=r"^pieces: expected \('<s>', '<pad>', '</s>', '<unk>'\) first, got"):
        tokenizer.build(pieces, precompiled=None)


def test_text_is_cut_as_sentencepiece_cuts_it(tmp_path: Path, charsmap: bytes) -> None:
    texts = [sentence.text for sentence in sentences.load(corpus.DATA, "train")]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts[:2500]),
        model_prefix=str(tmp_path / "small"),
        vocab_size=2500,
        hard_vocab_limit=False,
        normalization_rule_name="nmt_nfkc",
        bos_id=0, pad_id=1, eos_id=2, unk_id=3,
        num_threads=1,
        minloglevel=2,
    )  # fmt: skip
    reference = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "small.model"))
    pieces = [(reference.id_to_piece(n), reference.get_score(n)) for n in range(reference.get_piece_size())]
    made = tokenizer.build(pieces, precompiled=charsmap)
    # No space at the end: there SentencePiece drops it, and the appliance's cleaned text has none.
    odd = ["ＡＢＣ１２３", "㎏ ½ ①", "  a   b", "請問\u3000洗衣液", "é e\u0301", "ﬁ\u200bx", "😀洗", "…", "ｶﾞ", ""]
    for text in [*texts[::23], *odd]:
        assert made.encode(text, add_special_tokens=False).ids == reference.encode(text), text


def test_a_folder_is_what_transformers_reads(tmp_path: Path) -> None:
    made = tokenizer.build(PIECES, precompiled=None)
    tokenizer.save(made, tmp_path / "there", 64)
    again = Tokenizer.from_file(str(tmp_path / "there" / "tokenizer.json"))
    assert again.encode("洗衣液 where").ids == made.encode("洗衣液 where").ids
    read: Any = AutoTokenizer.from_pretrained(tmp_path / "there")
    assert read("洗衣液 where")["input_ids"] == made.encode("洗衣液 where").ids
    assert (read.bos_token_id, read.pad_token_id, read.eos_token_id, read.unk_token_id) == (0, 1, 2, 3)
    assert read.model_max_length == 64
    assert read(["洗衣", "在"], padding=True)["attention_mask"] == [[1, 1, 1, 1], [1, 1, 1, 1]]
    said = json.loads((tmp_path / "there" / "tokenizer_config.json").read_text("utf-8"))
    assert said["tokenizer_class"] == "PreTrainedTokenizerFast"
