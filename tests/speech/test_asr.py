"""What recognisers share: words joined as people write them, and transcripts."""

from __future__ import annotations

import pytest

from appliance.speech.asr import join_words, transcript
from appliance.values import Word


@pytest.mark.parametrize(
    "words, text",
    [
        ([], ""),
        (["你好"], "你好"),
        (["洗衣液", "在", "哪里"], "洗衣液在哪里"),
        (["我", "想", "买", "iphone", "十", "五"], "我想买iphone十五"),
        (["where", "is", "the", "milk"], "where is the milk"),
        (["打开", "wi", "fi", "设置"], "打开wi fi设置"),
        (["화장실이", "어디에"], "화장실이 어디에"),
        (["水", "を", "カフェ"], "水をカフェ"),
        (["〇", "一", "〇"], "〇一〇"),
        (["that's", "", "it"], "that's it"),
    ],
)
def test_words_are_joined_as_people_write_them(words: list[str], text: str) -> None:
    assert join_words(words) == text


def test_a_transcript_is_as_sure_as_its_words_are_on_average() -> None:
    words = (Word("退", 0.1, 0.3, 1.0), Word("货", 0.3, 0.5, 0.5))
    heard = transcript(words, language="zh", engine="vosk:x", seconds=1.5)
    assert (heard.text, heard.confidence, heard.words) == ("退货", 0.75, words)
    assert (heard.language, heard.engine, heard.seconds) == ("zh", "vosk:x", 1.5)


def test_a_transcript_without_words_is_not_sure_of_anything() -> None:
    heard = transcript((), language="zh", engine="vosk:x", seconds=1.5)
    assert (heard.text, heard.confidence, heard.words) == ("", 0.0, ())
