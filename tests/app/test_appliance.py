"""The door: limits, shares, deadlines, what is heard, what is forgotten."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from appliance.app.appliance import Appliance
from appliance.app.build import build
from appliance.app.rooms import Rooms
from appliance.app.share import SessionShare
from appliance.errors import (
    ApplianceError,
    DeadlineExceeded,
    InvalidInput,
    Overloaded,
    PackInvalid,
    TooManyRequests,
    Unavailable,
)
from appliance.settings import Settings
from appliance.values import Entity, Intent, OcrLine, OcrResult, Parse, Transcript, Turn
from appliance.vision.watch import Watch


class Ear:
    """Fake hearing: says what it was told to have heard."""

    def __init__(self, text: str) -> None:
        self.text = text

    def transcribe(self, data: bytes, language: str, *, deadline: float | None = None) -> Transcript:
        return Transcript(self.text, 0.9 if self.text else 0.0, language, engine="fake-ear", timings_ms={"asr": 1.0})


class Eye:
    """Fake reader: waits until it is let go, then reads one line."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.go = threading.Event()

    def read(
        self, image: object, *, size: object = None, deadline: float | None = None, watch: object = None
    ) -> OcrResult:
        self.entered.release()
        assert self.go.wait(10)
        line = OcrLine("SF1392847561002", 0.9, ((0, 0), (9, 0), (9, 9), (0, 9)))
        return OcrResult((line,), 10, 10, "fake-eye", {"detect": 1.0})


class Heard:
    """Listener that keeps what it hears."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Mapping[str, object]]] = []

    def __call__(self, event: str, /, **fields: object) -> None:
        self.events.append((event, fields))

    def of(self, name: str) -> list[Mapping[str, object]]:
        return [fields for event, fields in self.events if event == name]


@pytest.fixture(scope="module")
def ear() -> Heard:
    """Hears everything of this module's rooms."""
    return Heard()


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory, ear: Heard) -> Iterator[Rooms]:
    """Real rooms without networks, built once."""
    settings = Settings(
        data_dir=str(tmp_path_factory.mktemp("data")), admitted=4, image_jobs=2, session_jobs=1, sessions=1000
    )
    with build(settings, senses=(), listener=ear) as built:
        yield built._rooms


@pytest.fixture
def heard(ear: Heard) -> Heard:
    """What is heard from here on."""
    ear.events.clear()
    return ear


@pytest.fixture
def appliance(rooms: Rooms, heard: Heard) -> Iterator[Appliance]:
    """A door of its own, with its own gates, before the shared rooms."""
    with Appliance(rooms, ExitStack()) as door:
        yield door


def replace_rooms(appliance: Appliance, **rooms: object) -> None:
    appliance._rooms = replace(appliance._rooms, **rooms)  # type: ignore[arg-type]


def test_a_turn_is_answered_with_its_timings(appliance: Appliance, heard: Heard) -> None:
    reply = appliance.turn(Turn("厕所在哪里"))
    assert reply.parse.intent.name == "facility_location"
    assert set(reply.timings_ms) >= {"understand", "dialogue", "total"}
    assert reply.backends == {"language": "templates"}
    (timed,) = heard.of("timings")
    assert timed["door"] == "turn"
    assert heard.of("outcome")


@pytest.mark.parametrize("text", ["", "好" * 513])
def test_text_has_limits(appliance: Appliance, text: str) -> None:
    with pytest.raises(InvalidInput, match="expected 1 to 512 characters"):
        appliance.turn(Turn(text))


def test_readiness_needs_words_only_and_everything_off_says_why(appliance: Appliance) -> None:
    assert appliance.ready()
    assert {f.name for f in appliance.features() if f.state == "off"} == {
        "ocr",
        "vad",
        "asr",
        "microphone",
        "speech",
        "camera",
    }
    with pytest.raises(Unavailable, match="reading is off") as caught:
        appliance.read(b"")
    assert caught.value.remedy == "此命令不加载 / not loaded for this command"
    with pytest.raises(ApplianceError):
        appliance.hear(b"not a recording")


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


def test_a_recording_becomes_a_turn(appliance: Appliance) -> None:
    replace_rooms(appliance, hearing=Ear("洗衣液在哪"))
    reply = appliance.hear(b"")
    assert (reply.turn.source, reply.parse.intent.name) == ("audio", "find_product")
    assert reply.backends["asr"] == "fake-ear"
    assert reply.transcript is not None
    assert "asr" in reply.timings_ms


@pytest.mark.parametrize("language, words", [("zh", "没有听"), ("en", "hear")])
def test_silence_is_answered_as_silence_and_keeps_the_task(appliance: Appliance, language: str, words: str) -> None:
    session = appliance.turn(Turn("我要退货", language=language)).session
    replace_rooms(appliance, hearing=Ear(""))
    reply = appliance.hear(b"", session, language)
    assert words in reply.answer.text
    assert reply.answer.outcome in ("not_understood", "pending")
    assert reply.answer.flow == "return_exchange"


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


def test_suggestions_pass_no_gate_and_are_heard_of_by_nobody(appliance: Appliance, heard: Heard) -> None:
    before = appliance.status()["admitted"]
    (first, *_) = appliance.suggest("xiyiye")
    assert (first.label, first.intent) == ("洗衣液", "find_product")
    assert appliance.suggest("sham", "en", 1)[0].label == "shampoo"
    assert "手机" not in [s.label for s in appliance.suggest("shouji", limit=20)]  # asked for, but not sold here
    with pytest.raises(InvalidInput):
        appliance.suggest("")
    assert appliance.status()["admitted"] == before
    assert not heard.events


def test_one_session_has_its_share(appliance: Appliance) -> None:
    session = appliance.turn(Turn("你好")).session
    eye = Eye()
    replace_rooms(appliance, reader=eye, decode=lambda data: (np.zeros((10, 10, 3), np.uint8), (10, 10)))
    thread = threading.Thread(target=appliance.look, args=(b"", session))
    thread.start()
    assert eye.entered.acquire(timeout=10)
    with pytest.raises(TooManyRequests, match="at most 1"):
        appliance.turn(Turn("你好"), session)
    assert appliance.turn(Turn("你好")).session != session
    eye.go.set()
    thread.join()
    assert appliance.turn(Turn("你好"), session).session == session


def test_a_share_is_given_back_after_a_failure() -> None:
    share = SessionShare(1)
    with pytest.raises(KeyError), share.of("a"):
        raise KeyError
    with share.of("a"), share.of("b"), share.of(None), pytest.raises(TooManyRequests), share.of("a"):
        pass
    assert not share._busy


def test_an_ended_session_is_gone(appliance: Appliance) -> None:
    before = appliance.status()["sessions"]
    session = appliance.turn(Turn("我要退货")).session
    assert appliance.status()["sessions"] == before + 1
    assert appliance.end(session)
    assert not appliance.end(session)
    assert appliance.status()["sessions"] == before
    assert appliance.turn(Turn("你好"), session).session != session


def test_the_greeting_speaks_both_languages(appliance: Appliance) -> None:
    chinese, english = appliance.greeting(), appliance.greeting("en")
    assert chinese["suggestions"]
    assert chinese["title"] != english["title"]
    assert str(english["welcome"]).isascii()
    assert chinese["idle_s"] == Settings().page_idle_s
    assert chinese["attract_s"] == Settings().page_attract_s
    assert chinese["forget_s"] == Settings().session_idle_s
    asks = chinese["asks"]
    assert isinstance(asks, dict)
    assert asks["track_parcel"] == {"tracking_no": ["tracking_no"]}
    assert asks["pick_up_parcel"]["pickup_code"] == ["pickup_code", "tracking_no"]
    assert "store_hours" not in asks


def test_a_broken_pack_ends_the_start_and_leaves_nothing_open(tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(PackInvalid):
        build(Settings(data_dir=str(tmp_path), pack="no-such-pack"), senses=())
    assert threading.active_count() == before


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    appliance = build(Settings(data_dir=str(tmp_path)), senses=())
    appliance.close()
    appliance.close()


def test_structure_that_the_pack_does_not_know_is_refused(appliance: Appliance) -> None:
    with pytest.raises(InvalidInput, match=r"intent: expected one of the pack's, got 'zz_top'"):
        appliance.turn(Turn("你好", source="tap", intent=Intent("zz_top", 1.0)))
    with pytest.raises(InvalidInput, match="entities: expected a type of the pack"):
        appliance.turn(Turn("你好", source="barcode", entities=(Entity("password", "你好", "x", 0, 2),)))
    assert appliance.turn(Turn("走了", source="tap", intent=Intent("goodbye", 1.0))).backends == {"language": "given"}


def test_a_required_feature_that_is_off_means_not_ready(tmp_path: Path) -> None:
    with build(Settings(data_dir=str(tmp_path), required=("language", "asr")), senses=()) as built:
        assert not built.ready()
        assert {f.name for f in built.features() if f.required} == {"language", "asr"}
        assert built.turn(Turn("你好")).parse.intent.name == "greet"


def test_an_appliance_that_stops_is_no_longer_ready(rooms: Rooms) -> None:
    door = Appliance(rooms, ExitStack())
    assert door.ready()
    door.close()
    assert not door.ready()


def test_a_defect_in_one_round_does_not_end_forgetting(rooms: Rooms, heard: Heard) -> None:
    rounds = threading.Semaphore(0)

    class Faulty:
        """Fake dialogue whose sweep meets a defect each time."""

        def sweep(self) -> None:
            rounds.release()
            raise KeyError("13812345678")

    with Appliance(replace(rooms, dialogue=Faulty()), ExitStack()):  # type: ignore[arg-type]  # only its sweep is used
        assert rounds.acquire(timeout=10)
        assert rounds.acquire(timeout=10), "the sweeper ended with the first defect"
    failed = heard.of("sweep_failed")
    assert str(failed[0]["code"]).startswith("KeyError")
    assert "138" not in str(failed)


def test_more_turns_than_the_cores_can_think_about_wait_for_their_place(
    rooms: Rooms, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    real, go, inside = rooms.parser, threading.Event(), threading.Semaphore(0)

    class Slow:
        """Fake parser that thinks until it is told to go on."""

        def parse(self, turn: Turn) -> Parse:
            inside.release()
            assert go.wait(20)
            return real.parse(turn)

    slow = replace(rooms, parser=Slow())  # type: ignore[arg-type]  # only its parse is used
    with Appliance(slow, ExitStack()) as door, ThreadPoolExecutor(4) as people:
        asked = [people.submit(door.turn, Turn("厕所在哪")) for _ in range(4)]
        try:
            assert inside.acquire(timeout=10)
            assert inside.acquire(timeout=10)
            assert not inside.acquire(timeout=0.3), "a third was let in beside two"
        finally:
            go.set()
        assert all(one.result(20).answer.text for one in asked)
