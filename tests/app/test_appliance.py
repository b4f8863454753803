"""The door: limits, shares, deadlines, what is heard, what is forgotten."""

from __future__ import annotations

import os
import threading
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
    InvalidInput,
    PackInvalid,
    TooManyRequests,
    Unavailable,
)
from appliance.settings import Settings
from appliance.values import Entity, Intent, Parse, Turn
from tests.app.doors import Ear, Eye, Heard, replace_rooms


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
