"""Texts to the numbers of their pieces, by small real tokenizers."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

from appliance.errors import BackendFailed, ModelCorrupt
from appliance.language.tokenise import BUCKET, Tokeniser

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "\u2581", "退货", "我要", "退", "货", "我", "要", "快", "递"]
BEGIN, PAD, END, UNKNOWN = range(4)


def ends(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", BEGIN), ("</s>", END)]
    )
    return tokenizer


@pytest.fixture
def unigram(tmp_path: Path) -> Path:
    """As the encoder's own: a Unigram model whose padding is not number 0."""
    scored = [(piece, 0.0 if number < 4 else -float(number)) for number, piece in enumerate(PIECES)]
    tokenizer = ends(Tokenizer(models.Unigram(scored, unk_id=UNKNOWN, byte_fallback=False)))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    """A WordLevel model of single characters, with ends."""
    tokenizer = ends(Tokenizer(models.WordLevel({piece: at for at, piece in enumerate(PIECES)}, unk_token="<unk>")))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.save(str(tmp_path / "letters.json"))
    return tmp_path / "letters.json"


def rows(found: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]) -> list[list[int]]:
    """Numbers that the mask lets count."""
    return [ids[mask == 1].tolist() for ids, mask in zip(found["input_ids"], found["attention_mask"], strict=True)]


def test_one_text_is_one_row_padded_at_its_end(unigram: Path) -> None:
    found = Tokeniser(unigram, 32).encode("我要退货")
    assert set(found) == {"input_ids", "attention_mask"}
    pieces = [BEGIN, PIECES.index("\u2581"), PIECES.index("我要"), PIECES.index("退货"), END]
    assert found["input_ids"].tolist() == [pieces + [PAD] * 3]
    assert found["attention_mask"].tolist() == [[1] * 5 + [0] * 3]
    assert {array.dtype for array in found.values()} == {np.dtype(np.int64)}


def test_padding_is_zero_where_the_tokenizer_names_none(tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "我": 1}, unk_token="<unk>"))
    tokenizer.save(str(tmp_path / "bare.json"))
    assert Tokeniser(tmp_path / "bare.json", 8).encode("我")["input_ids"].tolist() == [[1] + [0] * 7]


def test_characters_that_it_never_saw_are_unknown(letters: Path) -> None:
    assert rows(Tokeniser(letters, 32).encode("我😀要")) == [[BEGIN, 9, UNKNOWN, 10, END]]


def test_an_empty_text_is_its_two_ends(unigram: Path) -> None:
    found = Tokeniser(unigram, 32).encode("")
    assert rows(found) == [[BEGIN, END]]
    assert found["input_ids"].shape == (1, BUCKET)


@pytest.mark.parametrize(("characters", "width"), [(1, 8), (6, 8), (7, 16), (14, 16), (15, 24)])
def test_lengths_are_filled_up_to_a_multiple(letters: Path, characters: int, width: int) -> None:
    found = Tokeniser(letters, 512).encode("我" * characters)
    assert found["input_ids"].shape == found["attention_mask"].shape == (1, width)
    assert found["attention_mask"].sum() == characters + 2


@pytest.mark.parametrize(("characters", "kept"), [(3, 3), (4, 4), (5, 4), (500, 4)])
def test_a_long_text_is_cut_and_keeps_its_end(letters: Path, characters: int, kept: int) -> None:
    longest = 6
    assert rows(Tokeniser(letters, longest).encode("退" * characters)) == [[BEGIN, *[7] * kept, END]]


def test_several_texts_are_as_each_by_itself(unigram: Path) -> None:
    tokeniser = Tokeniser(unigram, 12)
    texts = ["我要退货", "", "快递" * 20, "退", "我 要 快 递 退货"]
    together = tokeniser.batch(texts)
    assert rows(together) == [row for text in texts for row in rows(tokeniser.encode(text))]
    assert together["input_ids"].shape == (5, 16)
    assert set(together["input_ids"][together["attention_mask"] == 0].tolist()) == {PAD}
    # Nothing counts behind the first padding.
    assert (np.diff(together["attention_mask"], axis=1) <= 0).all()


def test_no_texts_have_no_rows(unigram: Path) -> None:
    assert {array.shape for array in Tokeniser(unigram, 12).batch([]).values()} == {(0, BUCKET)}


def test_many_threads_get_the_same_numbers(unigram: Path) -> None:
    tokeniser = Tokeniser(unigram, 24)
    texts = ["我要退货", "快递", "退" * 40, ""] * 25
    alone = [rows(tokeniser.encode(text)) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda text: rows(tokeniser.encode(text)), texts)) == alone


@pytest.mark.parametrize("content", ["", "not json", "{}", '{"model": {"type": "Unigram"}}'])
def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content, "utf-8")
    with pytest.raises(ModelCorrupt, match=r"^tokenizer\.json: expected a tokenizer, got "):
        Tokeniser(tmp_path / "tokenizer.json", 8)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelCorrupt, match=r"^gone\.json: expected a tokenizer, got "):
        Tokeniser(tmp_path / "gone.json", 8)


def test_without_the_library_it_says_what_to_install(unigram: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(BackendFailed, match=r"^tokenizers: expected to import, got ") as caught:
        Tokeniser(unigram, 8)
    assert "pip install tokenizers" in caught.value.remedy
