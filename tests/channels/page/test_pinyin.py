"""Pinyin: how letters divide, which characters they write, and which words they stand for."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.fixture
def page(serve, kiosk) -> Page:
    return kiosk(serve())


def pinyin(page: Page, function: str, *arguments: object) -> object:
    """What a function of the module says."""
    call = f"async (given) => (await import('/assets/pinyin.js')).{function}(...given)"
    return page.evaluate(call, list(arguments))


def test_letters_divide_into_syllables(page: Page) -> None:
    divided = {
        "xiyiye": "xi yi ye",
        "xyy": "x y y",
        "xian": "xian",
        "xi'an": "xi an",
        "jianguo": "jian guo",
        "shouyintai": "shou yin tai",
        "zhg": "zh g",
        "tuih": "tui h",
        "nvshi": "nv shi",
        "lue": "lue",
    }
    found = {letters: pinyin(page, "pieces", letters) for letters in divided}
    assert {letters: " ".join(found[letters] or ()) for letters in found} == divided
    assert pinyin(page, "pieces", "uv") is None


def test_characters_of_the_first_syllable(page: Page) -> None:
    first = pinyin(page, "characters", "xiyiye")
    assert isinstance(first, list)
    assert {"text": "洗", "used": 2} in first
    assert len({each["text"] for each in first}) == len(first)
    assert pinyin(page, "characters", "xi'an")[0]["used"] == 3  # type: ignore[index]
    lengths = [each["used"] for each in pinyin(page, "characters", "xian")]  # type: ignore[union-attr]
    assert list(dict.fromkeys(lengths)) == [4, 3, 2]  # 先 and, further on, 夏 and 西
    initial = [each["text"] for each in pinyin(page, "characters", "x")]  # type: ignore[union-attr]
    assert {"现", "新", "学"} <= set(initial)
    assert pinyin(page, "characters", "uv") == []


def test_every_syllable_has_characters_and_none_is_lost(page: Page) -> None:
    said = page.evaluate(
        """async () => {
          const { characters } = await import('/assets/pinyin.js');
          const module = await import('/assets/vendor/simple-keyboard-layouts-3.4.265/chinese.js');
          const table = module.default.layoutCandidates;
          return Object.keys(table).filter((s) => characters(s)[0]?.text !== table[s].split(' ')[0]);
        }"""
    )
    assert said == []


@pytest.mark.parametrize("letters", ["xiyiye", "xyy", "xiyy", "xiyiy", "xi'yi'ye", "xyye"])
def test_words_by_syllables_initials_and_both(page: Page, letters: str) -> None:
    texts = ["洗衣液", "洗衣液在哪里", "洗衣用品", "洗手间在哪"]
    assert pinyin(page, "wordsFor", letters, texts) == ["洗衣液"]


def test_words_within_a_question_and_those_that_do_not_fit(page: Page) -> None:
    texts = ["洗衣液在哪里", "洗手间在哪"]
    assert pinyin(page, "wordsFor", "zaina", texts) == ["在哪"]
    assert pinyin(page, "wordsFor", "xi", texts) == ["洗"]
    assert pinyin(page, "wordsFor", "shj", ["生活家电"]) == ["生活家"]
    assert pinyin(page, "wordsFor", "yinhang", ["银行在哪"]) == ["银行"]
    assert pinyin(page, "wordsFor", "xiyiyex", texts) == []
    assert pinyin(page, "wordsFor", "xiy", ["laundry liquid", ""]) == []
