"""Photos and recordings: their own gates, their deadlines, and what is not worth a turn."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from appliance.app.appliance import Appliance
from appliance.errors import (
    DeadlineExceeded,
    Overloaded,
    Unavailable,
)
from appliance.values import OcrLine, OcrResult, Turn
from appliance.vision.watch import Watch
from tests.app.doors import Eye, Heard, replace_rooms


class Late:
    """A reader to whom every deadline has passed."""

    def read(self, *_: object, **__: object) -> OcrResult:
        raise DeadlineExceeded("reading an image: expected an end before the deadline, got 0.1 s past it")


@pytest.mark.parametrize("asked_s", [None, 0.25, 30.0])
def test_who_chose_a_short_deadline_is_told_to_choose_a_longer_one(appliance: Appliance, asked_s: float | None) -> None:
    replace_rooms(appliance, reader=Late(), decode=lambda _: (np.zeros((4, 4, 3), np.uint8), (4, 4)))
    with pytest.raises(DeadlineExceeded) as caught:
        appliance.read(b"", deadline_s=asked_s)
    error = caught.value
    chinese, english = error.remedy.split(" / ")
    if asked_s == 0.25:
        assert error.wait_s is None
        assert "within the 250 ms asked for" in error.detail
        assert "deadline_ms" in chinese
        assert "Allow more milliseconds: deadline_ms may be up to 30000" in english
    else:
        assert error.wait_s == 1
        assert "too busy" in english


def test_images_are_admitted_by_their_own_gate(appliance: Appliance, heard: Heard) -> None:
    eye = Eye()
    replace_rooms(appliance, reader=eye, decode=lambda data: (np.zeros((10, 10, 3), np.uint8), (10, 10)))
    replies: list[object] = []
    threads = [threading.Thread(target=lambda: replies.append(appliance.look(b""))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert eye.entered.acquire(timeout=10)
    with pytest.raises(Overloaded) as refused:
        appliance.read(b"")
    assert refused.value.retry_after is not None
    assert refused.value.retry_after >= 1
    assert appliance.turn(Turn("你好")).parse.intent.name == "greet"  # words go on
    admitted = appliance.status()["admitted"]
    assert isinstance(admitted, dict)
    assert (admitted["image"]["in_use"], admitted["image"]["shed"]) == (2, 1)
    eye.go.set()
    for thread in threads:
        thread.join()
    assert len(replies) == 2
    assert [shed["name"] for shed in heard.of("shed")] == ["image"]


def test_half_a_text_that_nobody_waits_for_is_no_turn(appliance: Appliance) -> None:
    class Half:
        """Fake reader: reads one of two lines, as if stopped or out of time."""

        def read(self, image: object, **_: object) -> OcrResult:
            return OcrResult((OcrLine("我要退货", 0.9, ((0, 0), (9, 0), (9, 9), (0, 9))),), 10, 10, "half", unread=1)

    replace_rooms(appliance, reader=Half(), decode=lambda data: (np.zeros((10, 10, 3), np.uint8), (10, 10)))
    session = appliance.turn(Turn("你好")).session
    with pytest.raises(Unavailable, match="the reading stopped"):
        appliance.look(b"", session, watch=Watch(stopped=lambda: True))
    assert appliance.turn(Turn("你好"), session).session == session
    assert appliance.read(b"", watch=Watch(stopped=lambda: True)).partial


def test_what_is_not_worth_a_turn_opens_no_session(appliance: Appliance) -> None:
    class Whole:
        """Fake reader: reads one line."""

        def read(self, image: object, **_: object) -> OcrResult:
            return OcrResult((OcrLine("我要退货", 0.9, ((0, 0), (9, 0), (9, 9), (0, 9))),), 10, 10, "whole")

    replace_rooms(appliance, reader=Whole(), decode=lambda data: (np.zeros((10, 10, 3), np.uint8), (10, 10)))
    before, asked = appliance.status()["sessions"], []

    def enough(ocr: OcrResult) -> bool:
        asked.append(ocr.text)
        return len(asked) > 1

    with pytest.raises(Unavailable, match="worth a turn"):
        appliance.look(b"", watch=Watch(enough=enough))
    assert appliance.status()["sessions"] == before
    assert appliance.look(b"", watch=Watch(enough=enough)).turn.text == "我要退货"
    assert asked == ["我要退货"] * 2


@pytest.mark.parametrize(
    ("language", "words"), [("zh", ("只读出了一部分", "1 行", "再试一次")), ("en", ("part of the photo", "try again"))]
)
def test_a_reading_out_of_time_is_not_answered_as_if_it_were_whole(
    appliance: Appliance, language: str, words: tuple[str, ...]
) -> None:
    class Short:
        """Fake reader: out of time after the first of two lines."""

        def __init__(self, text: str) -> None:
            self.text = text

        def read(self, image: object, **_: object) -> OcrResult:
            return OcrResult((OcrLine(self.text, 0.9, ((0, 0), (9, 0), (9, 9), (0, 9))),), 10, 10, "short", unread=1)

    replace_rooms(appliance, reader=Short("欢迎光临"), decode=lambda data: (np.zeros((10, 10, 3), np.uint8), (10, 10)))
    reply = appliance.look(b"", language=language, deadline_s=0.1)
    assert reply.ocr is not None
    assert reply.ocr.partial
    assert reply.turn.partial
    assert reply.answer.outcome == "not_understood"
    assert all(word in reply.answer.text for word in (*words, "欢迎光临"))
    # A number is taken from it, but never used unasked.
    replace_rooms(appliance, reader=Short("SF1392847561002"))
    reply = appliance.look(b"", reply.session, language)
    assert (reply.answer.flow, reply.answer.expects) == ("track_parcel", "tracking_no")
    assert reply.answer.outcome == "pending"
    assert all(word in reply.answer.text for word in (*words, "SF1392847561002"))
    assert {"affirm", "deny"} <= {suggestion.intent for suggestion in reply.answer.suggestions}
    assert appliance.turn(Turn("对", language=language), reply.session).answer.outcome != "pending"
