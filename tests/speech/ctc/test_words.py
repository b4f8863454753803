"""Tokens written as words with times, and SenseVoice's tags."""

from __future__ import annotations

import numpy as np
import pytest

from appliance.inference.ctc import Decoded
from appliance.speech.asr import join_words
from appliance.speech.ctc.tags import Tags, read_tags
from appliance.speech.ctc.tokens import Tokens
from appliance.speech.ctc.words import Clock, words

CLOCK = Clock(1.0, 0.1, 9.0)


def decoded(count: int, sure: list[float] | None = None) -> Decoded:
    """Token 1, 2, 3... each two steps long, one step apart."""
    starts = np.arange(count, dtype=np.int64) * 3
    confidences = np.array(sure or [0.5] * count, np.float32)
    return Decoded(np.arange(1, count + 1), confidences, starts, starts + 2, starts)


def said(*texts: str) -> list[str]:
    return [word.text for word in words(Tokens(("_", *texts), 0), decoded(len(texts)), CLOCK)]


@pytest.mark.parametrize(
    "texts, expected",
    [
        (("你", "好"), ["你", "好"]),
        (("▁hel", "lo", "▁world"), ["hello", "world"]),
        (("▁i", "phone", "十", "五"), ["iphone", "十", "五"]),
        (("十", "▁", "g", "b"), ["十", "gb"]),
        (("你好", "吗"), ["你", "好", "吗"]),
        (("H", "I", "|", "|", "O"), ["HI", "O"]),
        (("▁it", "'", "s"), ["it's"]),
        (("▁wi", "-", "fi"), ["wi-fi"]),
        (("好", "。", "▁yes", ","), ["好。", "yes,"]),
        (("。", "好"), ["。", "好"]),
        (("<s>", "好", "<unk>", "<|HAPPY|>"), ["好"]),
        (("<0xE4>", "<0xBD>", "<0xA0>", "好"), ["你", "好"]),
        (("<0xE4>", "<0xBD>", "好"), ["好"]),
        (("▁안녕", "하세요"), ["안녕하세요"]),
        (("カ", "ー", "ド"), ["カ", "ー", "ド"]),
        ((), []),
    ],
)
def test_words(texts: tuple[str, ...], expected: list[str]) -> None:
    assert said(*texts) == expected


def test_times_and_confidences() -> None:
    tokens = Tokens(("_", "▁hel", "lo", "你", "。"), 0)
    hello, you = words(tokens, decoded(4, [0.2, 0.4, 0.9, 0.1]), CLOCK)
    assert (round(hello.start, 6), round(hello.end, 6)) == (1.0, 1.5)
    assert hello.confidence == pytest.approx(0.3)
    assert (you.text, round(you.start, 6), round(you.end, 6)) == ("你。", 1.6, 1.8)
    assert you.confidence == pytest.approx(0.9)


def test_a_token_of_several_characters_is_divided() -> None:
    first, second = words(Tokens(("_", "你好"), 0), decoded(1), CLOCK)
    assert (round(first.end, 6), round(second.start, 6), round(second.end, 6)) == (1.1, 1.1, 1.2)


def test_no_word_reaches_beyond_its_segment() -> None:
    (word,) = words(Tokens(("_", "好"), 0), decoded(1), Clock(1.0, 0.1, 1.05))
    assert (word.start, word.end) == (1.0, 1.05)


def test_words_are_joined_as_people_write_them() -> None:
    assert join_words(said("▁i", "phone", "十", "五", "。", "▁turn", "▁on")) == "iphone十五。turn on"


def test_tags() -> None:
    assert read_tags(["<|yue|>", "<|HAPPY|>", "<|BGM|>", "<|withitn|>"]) == Tags("yue", "HAPPY", "BGM", "withitn")
    assert read_tags(["你", "<|zh|>", "<|en|>", "<|what|>", "zh"]) == Tags("zh")
    assert read_tags(["<|nospeech|>", "<|EMO_UNKNOWN|>", "<|Event_UNK|>"]).silent
    assert not read_tags([]).silent
