"""Transcripts by stretches of speech, also where a recogniser tells less than others."""

from __future__ import annotations

import pytest

from appliance.channels.http.openai_written import srt, stretches, verbose, vtt
from appliance.values import Segment, Transcript, Word

PLACES = (Segment(0.0, 1.0), Segment(2.0, 3.0), Segment(4.0, 5.0))


def test_words_go_to_the_stretch_in_which_their_middle_lies_and_empty_stretches_are_left_out():
    words = (Word("one", 0.1, 0.9, 0.8), Word("two", 0.8, 1.1, 0.6), Word("three", 4.1, 5.2, 0.5))
    found = stretches(Transcript("one two three", 0.6, "en", words, segments=PLACES, seconds=5.0))
    assert [(one.start, one.end, one.text) for one in found] == [(0.0, 1.0, "one two"), (4.0, 5.0, "three")]
    assert found[0].confidence == pytest.approx(0.7)


def test_without_times_it_is_one_stretch_with_the_text_as_it_is_written():
    (one,) = stretches(Transcript("下午3点\n半", 0.6, "zh", segments=PLACES, seconds=6.0))
    assert (one.start, one.end, one.text, one.confidence) == (0.0, 5.0, "下午3点 半", 0.6)
    (whole,) = stretches(Transcript("你好", 0.6, "zh", seconds=6.0))
    assert (whole.start, whole.end) == (0.0, 6.0)
    spoken = (Word("三点", 2.1, 2.5, 0.9), Word("半", 2.5, 2.8, 0.9))
    (written,) = stretches(Transcript("3点半", 0.9, "zh", spoken, segments=PLACES, seconds=6.0))
    assert (written.start, written.end, written.text) == (2.0, 3.0, "3点半")


def test_hours_are_hours_and_no_confidence_is_no_infinity():
    late = Transcript("好", 0.0, "zh", (), seconds=7322.0, segments=(Segment(3599.9996, 7321.5),))
    assert srt(late).splitlines()[1] == "01:00:00,000 --> 02:02:01,500"
    assert "01:00:00.000 --> 02:02:01.500" in vtt(late)
    (segment,) = verbose(late, ("segment",))["segments"]
    assert segment["avg_logprob"] == pytest.approx(-11.51, abs=0.01)
