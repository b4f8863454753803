"""Listening and speaking beside the requests pay for themselves, and once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from appliance.app.metered import MeteredUtterances, MeteredVoice
from appliance.device.bill import charge, paying
from appliance.values import Audio
from tests.device.test_bill import Desk


class Ears:
    """An endpointer that hears nothing, and takes a while for that."""

    def __init__(self, work: Callable[[float], None]) -> None:
        self._work = work
        self.stages: list[str] = []
        self.speaking = True

    def feed(self, samples: np.ndarray) -> list[object]:
        given = charge()
        assert given is not None
        self.stages.append(f"{given.bill.door} {given.stage}")
        self._work(1.0)
        return []

    def flush(self) -> list[object]:
        return self.feed(np.zeros(0, np.float32))


class Speech:
    name, languages = "fake", ("zh",)

    def __init__(self, work: Callable[[float], None]) -> None:
        self._work = work
        self.stopped = 0

    def probe(self) -> None:
        raise LookupError

    def say(self, text: str, language: str) -> Audio:
        self._work(2.0)
        return Audio(np.zeros(1, np.float32), 8000)

    def stop(self) -> None:
        self.stopped += 1

    def close(self) -> None:
        self.stopped += 10


def test_each_piece_of_sound_is_paid_for_as_listening() -> None:
    desk = Desk()
    ears = Ears(desk.work)
    utterances = MeteredUtterances(ears, None, bills=desk.bills)  # type: ignore[arg-type]
    assert utterances.feed(np.zeros(512, np.float32)) == []
    assert utterances.finish() == []
    desk.later()
    assert ears.stages == ["listen vad", "listen vad"]
    assert [(said["door"], said["stages"]["vad"]) for said in desk.said()] == [("listen", pytest.approx(6.0))] * 2
    desk.measured = False
    assert charge() is None


def test_who_listens_to_nobody_is_at_rest() -> None:
    desk = Desk()
    ears = Ears(desk.work)
    ears.speaking = False
    utterances = MeteredUtterances(ears, None, bills=desk.bills)  # type: ignore[arg-type]
    for _ in range(10):
        utterances.feed(np.zeros(512, np.float32))
    assert desk.sharing.idle_watts == 10.0, "what it draws while it listens is what it draws at rest"
    assert desk.open().begin("detect").net
    ears.speaking = True
    before = len(desk.sharing._idle._recent)
    for _ in range(10):
        utterances.feed(np.zeros(512, np.float32))
    assert len(desk.sharing._idle._recent) == before, "somebody speaks: that is work"


def test_a_voice_is_paid_by_who_asked_for_it_and_else_for_itself() -> None:
    desk = Desk()
    voice = MeteredVoice(Speech(desk.work), desk.bills)
    voice.say("您好", "zh")
    bill = desk.open("speak")
    with paying(bill):
        voice.say("您好", "zh")
    bill.close()
    desk.later()
    joules = {said["door"]: said["stages"].get("speech") for said in desk.said()}
    assert joules == {"say": pytest.approx(12.0), "speak": pytest.approx(12.0)}


def test_a_metered_voice_is_otherwise_the_voice() -> None:
    desk = Desk()
    inner = Speech(desk.work)
    voice = MeteredVoice(inner, desk.bills)
    assert (voice.name, voice.languages) == ("fake", ("zh",))
    with pytest.raises(LookupError):
        voice.probe()
    voice.stop()
    voice.close()
    assert inner.stopped == 11
