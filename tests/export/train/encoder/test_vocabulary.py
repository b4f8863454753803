"""Which pieces a Chinese kiosk keeps of an encoder for all languages."""

from __future__ import annotations

import pytest

from export.train.encoder import vocabulary
from export.train.encoder.vocabulary import chosen, is_han

SPECIAL = {"bos": 0, "pad": 1, "eos": 2, "unk": 3}


def kept(*pieces: str, used: tuple[str, ...] = ()) -> set[str]:
    """Of `pieces`, most probable first, those that are kept."""
    listed = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((piece, -1.0) for piece in pieces)]
    numbers = [number for number, (piece, _) in enumerate(listed) if piece in used]
    found = chosen(listed, SPECIAL, numbers)
    assert found == sorted(set(found))
    assert found[:4] == [0, 1, 2, 3]
    return {listed[number][0] for number in found[4:]}


@pytest.mark.parametrize("character", ["一", "龥", "洗", "㐀", "豈", "鿿"])
def test_chinese_characters(character: str) -> None:
    assert is_han(character)


@pytest.mark.parametrize("character", ["a", "1", "。", "あ", "ア", "한", "Ａ", "○"])
def test_other_characters(character: str) -> None:
    assert not is_han(character)


def test_chinese_digits_and_punctuation_stay() -> None:
    wanted = {"洗", "洗衣液", "▁洗", "12", "▁2026", "，", "。", "？！", "5号", "：", "—", "￥", "…", "▁", "▁-"}
    assert kept(*wanted) == wanted


def test_other_scripts_go() -> None:
    assert kept("привет", "▁한국", "ひらがな", "カタカナ", "é", "▁être", "สวัสดี", "ß", "٣", "洗ы", "©é") == set()


def test_common_latin_pieces_stay_and_rare_ones_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "ENGLISH_PIECES", 7)  # the four special ones are Latin, too
    found = kept("▁the", "ing", "Wi-Fi", "rare", "▁rarer", "z", "▁Q")
    # Single letters spell whatever is not listed.
    assert found == {"▁the", "ing", "Wi-Fi", "z", "▁Q"}


def test_what_the_projects_text_uses_stays_whatever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "ENGLISH_PIECES", 0)
    assert kept("привет", "é", "rare", "пока", used=("привет", "rare")) == {"привет", "rare"}


def test_special_pieces_stay_wherever_they_stand() -> None:
    pieces = [("а", -1.0), ("<pad>", 0.0), ("б", -1.0), ("<unk>", 0.0)]
    assert chosen(pieces, {"pad": 1, "unk": 3}) == [1, 3]
