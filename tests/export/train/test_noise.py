"""Noise sounds like what it replaces, moves mentions along, and is the same for the same seed."""

from __future__ import annotations

import re

import pytest

from appliance.language.pinyin import fold_syllable, read_table
from export.train.noise import Noise, is_common, sound_numbers
from export.train.sentences import Sentence, Span

LONG = Sentence(
    "你好，我想问一下洗衣液在哪里，还有红色的毛巾多少钱？",
    "find_product",
    (Span(8, 11, "product"), Span(17, 19, "colour"), Span(20, 22, "product")),
    "neu",
    "plain",
)


@pytest.fixture(scope="module")
def folded() -> dict[str, str]:
    return {chr(code): fold_syllable(found.split(",")[0]) for code, found in read_table().items()}


def test_common_characters_are_the_3755_of_gb_2312() -> None:
    # Its level 1 ends with 座 in the order of pinyin; 亍 is the first of the rare ones.
    assert sum(is_common(chr(code)) for code in range(0x3400, 0xA000)) == 3755
    assert all(map(is_common, "啊的洗座"))
    assert not any(map(is_common, "亍龘請a1，。 あ"))


def test_pieces_that_sound_alike_have_one_number() -> None:
    numbers = sound_numbers(["洗", "喜", "在", "四", "是", "洗衣", "a", "1", "", "▁"])
    assert numbers[0] == numbers[1] != numbers[2]
    assert numbers[3] == numbers[4]  # 是 shì and 四 sì are often not told apart
    assert min(numbers[:5]) > 0
    assert numbers[5:] == [0, 0, 0, 0, 0]
    assert sound_numbers([]) == []


def test_the_same_seed_draws_the_same() -> None:
    assert [Noise(3).of(LONG, 0.5)] * 2 == [Noise(3).of(LONG, 0.5), Noise(3).of(LONG, 0.5)]
    one, two = Noise(3), Noise(4)
    assert [one.of(LONG, 0.5) for _ in range(5)] != [two.of(LONG, 0.5) for _ in range(5)]


def test_without_a_rate_only_punctuation_goes() -> None:
    noise = Noise(1)
    found = {noise.of(LONG, 0.0).text for _ in range(20)}
    assert found == {LONG.text, re.sub("[，？]", "", LONG.text)}


def test_labels_stay() -> None:
    found = Noise(5).of(LONG, 0.9)
    assert (found.label, found.polarity, found.style, found.spanned) == ("find_product", "neu", "plain", True)


def test_mentions_move_with_their_characters() -> None:
    # Digits are never changed, so a mention of digits must read the same wherever it has gone.
    text = "我的，快递，13800138000，到了没有，取货码，4567，呢"
    phone, code = text.index("13800138000"), text.index("4567")
    sentence = Sentence(text, spans=(Span(phone, phone + 11, "phone"), Span(code, code + 4, "pickup_code")))
    noise, moved = Noise(2), set[int]()
    for _ in range(200):
        found = noise.of(sentence, 0.8)
        assert [found.text[span.start : span.end] for span in found.spans] == ["13800138000", "4567"]
        assert [span.type for span in found.spans] == ["phone", "pickup_code"]
        moved.add(found.spans[1].start - code)
    assert min(moved) < 0
    assert len(moved) > 3


def test_mentions_stay_inside_in_order_and_are_never_empty() -> None:
    noise, counts = Noise(9), set[int]()
    sentence = Sentence("盐和糖", spans=(Span(0, 1, "product"), Span(2, 3, "product")))
    for _ in range(500):
        found = noise.of(sentence, 1.0)
        edges = [edge for span in found.spans for edge in (span.start, span.end)]
        assert edges == sorted(edges)
        assert all(0 <= span.start < span.end <= len(found.text) for span in found.spans)
        counts.add(len(found.spans))
    assert counts >= {1, 2}  # one whose character was lost is gone


def test_what_takes_a_characters_place_sounds_like_it(folded: dict[str, str]) -> None:
    noise, seen = Noise(4), set[str]()
    for _ in range(300):
        found = noise.of(Sentence("洗"), 1.0).text
        assert found in ("洗", "洗洗") or (len(found) == 1 and is_common(found))
        assert {folded[character] for character in found} == {folded["洗"]}
        seen.add(found)
    assert len(seen) > 5
    assert "洗洗" in seen


def test_a_character_without_homophones_is_kept_lost_or_doubled() -> None:
    noise = Noise(6)
    found = {noise.of(Sentence("aQ"), 1.0).text for _ in range(2000)}
    assert found == {a + b for a in ("", "a", "aa") for b in ("", "Q", "QQ")} - {""}


@pytest.mark.parametrize("text", ["，", "？！", "a", " "])
def test_a_sentence_of_which_nothing_would_be_left_stays(text: str) -> None:
    noise = Noise(7)
    found = [noise.of(Sentence(text), 1.0).text for _ in range(200)]
    assert text in found
    assert all(said.strip() or said == text for said in found)


def test_nothing_stays_nothing() -> None:
    assert Noise(1).of(Sentence(""), 1.0) == Sentence("")


def test_about_the_rate_of_the_characters_is_changed(folded: dict[str, str]) -> None:
    alike = [c for c, sound in folded.items() if is_common(c) and sound == folded["洗"]]
    found = Noise(8).of(Sentence("洗" * 20_000), 0.2).text
    # Seven of ten draw one of those that sound alike, itself among them; 9 of 100 are lost, 6 doubled.
    other = sum(character != "洗" for character in found)
    assert other / 20_000 == pytest.approx(0.2 * 0.7 * (1 - 1 / len(alike)), abs=0.01)
    assert len(found) / 20_000 == pytest.approx(1 - 0.2 * (0.09 - 0.06), abs=0.005)
