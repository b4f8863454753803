"""The encoder's tokenizer for the library `tokenizers`: a unigram model (Kudo 2018) over any subset of its pieces."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

UNKNOWN, PADDING, BEGIN, END = "<unk>", "<pad>", "<s>", "</s>"
SPECIAL = (BEGIN, PADDING, END, UNKNOWN)
"""In the order in which multilingual-e5-small numbers them, 0 to 3."""


def charsmap() -> bytes:
    """SentencePiece's normalisation `nmt_nfkc` as its library compiles it, taken from a throw-away model."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder) / "throwaway"
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["a b c d e f g"] * 10),
            model_prefix=str(prefix),
            vocab_size=12,
            hard_vocab_limit=False,
            normalization_rule_name="nmt_nfkc",
            minloglevel=2,
        )
        proto = sentencepiece_model_pb2.ModelProto()
        proto.ParseFromString(prefix.with_suffix(".model").read_bytes())
        compiled: bytes = proto.normalizer_spec.precompiled_charsmap
        return compiled


def build(pieces: Sequence[tuple[str, float]], *, precompiled: bytes | None) -> Any:
    """A `tokenizers.Tokenizer` over (piece, log-probability) pairs, the four SPECIAL first.

    With `precompiled` the text is normalised as SentencePiece does it (nmt_nfkc); without, by Unicode's NFKC alone.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    if tuple(piece for piece, _ in pieces[:4]) != SPECIAL:
        raise ValueError(f"pieces: expected {SPECIAL} first, got {[piece for piece, _ in pieces[:4]]}")
    tokenizer = Tokenizer(models.Unigram(list(pieces), unk_id=SPECIAL.index(UNKNOWN), byte_fallback=False))
    first = normalizers.Precompiled(precompiled) if precompiled is not None else normalizers.NFKC()
    tokenizer.normalizer = normalizers.Sequence([first, normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="\u2581", prepend_scheme="always")
    begin, end = SPECIAL.index(BEGIN), SPECIAL.index(END)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A {END}", pair=f"{BEGIN} $A {END} {END} $B {END}", special_tokens=[(BEGIN, begin), (END, end)]
    )
    return tokenizer


def save(tokenizer: Any, folder: Path, longest: int) -> None:
    """Write `tokenizer.json` and what transformers wants beside it (optimum insists on the class)."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    said: Mapping[str, object] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": longest,
        "bos_token": BEGIN,
        "eos_token": END,
        "cls_token": BEGIN,
        "sep_token": END,
        "pad_token": PADDING,
        "unk_token": UNKNOWN,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(said, indent=1) + "\n", "utf-8")
