"""Which word each character stands in, by a real tokenizer."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from appliance.errors import ModelCorrupt
from appliance.language.segment import UNKNOWN, Segmenter

PIECES = ("<s>", "<pad>", "</s>", "<unk>", "\u2581", "洗衣液", "在", "哪里", "洗", "衣", "milk", "\u2581milk")


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    made = Tokenizer(models.Unigram([(piece, -float(len(PIECES) - n)) for n, piece in enumerate(PIECES)], unk_id=3))
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    path = tmp_path_factory.mktemp("words") / "words.json"
    made.save(str(path))
    return Segmenter(path)


def test_each_character_has_the_number_of_its_word(segmenter: Segmenter) -> None:
    found = segmenter.words("洗衣液在哪里")
    assert found.tolist() == [PIECES.index(word) for word in ("洗衣液",) * 3 + ("在",) + ("哪里",) * 2]
    assert found.dtype.name == "int64"


def test_what_no_piece_covers_is_unknown(segmenter: Segmenter) -> None:
    assert segmenter.words("洗𠮷在").tolist() == [PIECES.index("洗"), UNKNOWN, PIECES.index("在")]


@pytest.mark.parametrize("text", ["", "a", " ", "在 milk 在", "洗衣液" * 60, "①½ﾊ在"])
def test_there_is_one_number_for_each_character(segmenter: Segmenter, text: str) -> None:
    assert segmenter.words(text).shape == (len(text),)
    assert segmenter.pieces == len(PIECES)


def test_what_is_no_tokenizer_is_named(tmp_path: Path) -> None:
    (tmp_path / "words.json").write_text("{}")
    with pytest.raises(ModelCorrupt, match=r"words\.json: expected a tokenizer"):
        Segmenter(tmp_path / "words.json")
