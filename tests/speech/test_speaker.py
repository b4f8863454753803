"""The loudspeaker on a sink of its own making: one sound at a time, stopping, and every way in which a device fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from appliance.errors import BackendFailed, InvalidInput, Unavailable
from appliance.speech import speaker as module
from appliance.speech.faults import Absent, Busy, Lost, SoundFault
from appliance.speech.playout import Playout
from appliance.speech.speaker import Speaker
from appliance.values import Audio

RATE = 16_000


class FakeSink:
    """A device whose clock runs ten times as fast; `behaviour`: play, freeze (no call), vanish (ends early), hang."""

    device, rate, channels, latency_s = "fake", RATE, 2, 0.005

    def __init__(self, behaviour: str = "play") -> None:
        self._behaviour = behaviour
        self.underflows = 0
        self.closed = threading.Event()
        self.heard: list[np.ndarray] = []
        self._thread: threading.Thread | None = None

    def start(self, playout: Playout, ended: Callable[[], None]) -> None:
        if self._behaviour == "refuse":
            raise Busy("fake: expected it free, got busy")
        self._thread = threading.Thread(target=self._run, args=(playout, ended), daemon=True)
        self._thread.start()

    def _run(self, playout: Playout, ended: Callable[[], None]) -> None:
        told = False
        for count in range(100_000):
            if self.closed.is_set() or self._behaviour == "freeze":
                return
            out = np.empty((160, 2), np.float32)
            more = playout.fill(out)
            self.heard.append(out[:, 0])
            if self._behaviour == "vanish" and count == 5:
                ended()
                return
            if not more and not told:
                told = True
                ended()
            time.sleep(0.001)

    def close(self) -> None:
        self.closed.set()
        if self._behaviour == "hang":
            time.sleep(1)
        if self._thread is not None:
            self._thread.join(10)

    @property
    def sound(self) -> np.ndarray:
        return np.concatenate(self.heard) if self.heard else np.zeros(0, np.float32)


class Shop:
    """Opens what is next: sinks by their behaviour, or faults."""

    def __init__(self, *following: str | SoundFault) -> None:
        self._following = list(following)
        self.sinks: list[FakeSink] = []
        self.open_at_once = 0

    def __call__(self, name: str) -> FakeSink:
        following = self._following.pop(0) if self._following else "play"
        if isinstance(following, SoundFault):
            raise following
        assert all(sink.closed.is_set() for sink in self.sinks), "one device at a time"
        self.sinks.append(FakeSink(following))
        return self.sinks[-1]


def tone(seconds: float = 0.3, level: float = 0.5) -> Audio:
    at = np.arange(round(seconds * RATE)) / RATE
    return Audio((level * np.cos(2 * np.pi * 440 * at)).astype(np.float32), RATE)


def test_a_sound_is_played_whole() -> None:
    shop, told = Shop(), []
    speaker = Speaker("desk", open=shop, listener=lambda event, **fields: told.append((event, fields)))
    assert (speaker.state.state, speaker.state.device) == ("idle", "desk")
    playing = speaker.play(tone())
    assert playing.wait(30)
    assert (playing.done, playing.error, playing.stopped) == (True, None, False)
    np.testing.assert_array_equal(shop.sinks[0].sound[: len(tone().samples)], tone().samples)
    assert playing.played_s == pytest.approx(0.3)
    state = speaker.state
    assert (state.state, state.device, state.rate, state.channels) == ("idle", "fake", RATE, 2)
    assert [fields["state"] for event, fields in told if event == "speaker"] == ["playing", "idle"]
    speaker.close()
    assert speaker.state.state == "off"


def test_sounds_are_played_as_they_are_made() -> None:
    shop, first = Shop(), threading.Event()

    def made() -> Iterator[Audio]:
        yield tone(0.1)
        first.set()
        while not any(block.any() for block in shop.sinks[0].heard):
            time.sleep(0.001)  # the second is made while the first is heard
        yield tone(0.1)

    with Speaker(open=shop) as speaker:
        playing = speaker.play(made())
        assert playing.wait(30)
        assert playing.error is None
        assert playing.played_s == pytest.approx(0.2)


def test_nothing_opens_no_device() -> None:
    shop = Shop()
    with Speaker(open=shop) as speaker:
        assert speaker.play([]).wait(30)
    assert not shop.sinks


def test_stop() -> None:
    shop = Shop()
    with Speaker(open=shop) as speaker:
        playing = speaker.play(tone(60))
        while playing.played_s < 0.1:
            time.sleep(0.001)
        speaker.stop()
        assert playing.wait(30)
        assert (playing.stopped, playing.error) == (True, None)
        assert playing.played_s < 30
        assert np.abs(np.diff(shop.sinks[0].sound)).max() < 0.25, "faded, not cut"
        assert speaker.state.state == "idle"


def test_a_stop_before_the_device_is_open() -> None:
    gate = threading.Event()

    def slow(name: str) -> FakeSink:
        gate.wait(30)
        return shop(name)

    shop = Shop()
    with Speaker(open=slow) as speaker:
        playing = speaker.play(tone(60))
        playing.stop()
        gate.set()
        assert playing.wait(30)
        assert playing.played_s < 1


def test_a_stop_while_the_first_sound_is_made() -> None:
    gate, shop = threading.Event(), Shop()

    def made() -> Iterator[Audio]:
        gate.wait(30)
        yield tone()

    with Speaker(open=shop) as speaker:
        playing = speaker.play(made())
        playing.stop()
        gate.set()
        assert playing.wait(30)
    assert not shop.sinks


def test_one_at_a_time() -> None:
    shop = Shop()
    with Speaker(open=shop) as speaker:
        sounds = [speaker.play(tone(60)) for _ in range(5)]
        last = speaker.play(tone(0.1))
        assert last.wait(30)
        assert all(playing.wait(30) and playing.stopped for playing in sounds)
        assert (last.stopped, last.error) == (False, None)


def test_volume() -> None:
    shop = Shop()
    speaker = Speaker(volume=0.5, open=shop)
    speaker.play(tone()).wait(30)
    np.testing.assert_allclose(shop.sinks[0].sound[:4000], 0.5 * tone().samples[:4000], atol=1e-6)
    playing = speaker.play(tone(60))
    while playing.played_s < 0.1:
        time.sleep(0.001)
    speaker.volume = 0
    heard = len(shop.sinks[1].heard)
    while len(shop.sinks[1].heard) < heard + 20:
        time.sleep(0.001)
    assert not shop.sinks[1].heard[-1].any()
    assert speaker.state.volume == speaker.volume == 0
    speaker.close()
    for volume in (-0.1, 1.1, float("nan")):
        with pytest.raises(InvalidInput):
            speaker.volume = volume
        with pytest.raises(InvalidInput):
            Speaker(volume=volume)


@pytest.mark.parametrize("fault", [Absent("not there"), Busy("taken"), Lost("gone")])
def test_a_device_that_does_not_open_is_shown_and_tried_again(fault: SoundFault) -> None:
    with Speaker("desk", open=Shop(fault, "play")) as speaker:
        playing = speaker.play(tone())
        assert playing.wait(30)
        assert playing.error is speaker.fault is fault
        state = speaker.state
        assert (state.state, state.failures) == (fault.state, 1)
        assert fault.detail in state.reason
        playing = speaker.play(tone())
        assert playing.wait(30)
        assert playing.error is speaker.fault is None
        assert (speaker.state.state, speaker.state.reason, speaker.state.failures) == ("idle", "", 0)


@pytest.mark.parametrize(("behaviour", "state"), [("freeze", "lost"), ("vanish", "lost"), ("refuse", "busy")])
def test_a_device_that_fails_while_it_plays(monkeypatch: pytest.MonkeyPatch, behaviour: str, state: str) -> None:
    monkeypatch.setattr(module, "SILENT_S", 0.1)
    monkeypatch.setattr(module, "_TICK_S", 0.02)
    with Speaker(open=Shop(behaviour, "play")) as speaker:
        playing = speaker.play(tone(2))
        assert playing.wait(30)
        assert isinstance(playing.error, SoundFault)
        assert speaker.state.state == state
        playing = speaker.play(tone())
        assert playing.wait(30)
        assert playing.error is None


def test_a_device_that_does_not_close_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CLOSING_S", 0.05)
    speaker = Speaker(open=Shop("hang"))
    playing = speaker.play(tone())
    assert playing.wait(30)
    assert playing.error is None


def test_a_sound_that_cannot_be_made() -> None:
    def failing(error: Exception, after: int) -> Iterator[Audio]:
        for _ in range(after):
            yield tone(0.1)
        raise error

    with Speaker(open=Shop()) as speaker:
        for after in (0, 1):
            typed = Unavailable("no voice")
            playing = speaker.play(failing(typed, after))
            assert playing.wait(30)
            assert playing.error is typed
            playing = speaker.play(failing(RuntimeError("oops"), after))
            assert playing.wait(30)
            assert isinstance(playing.error, BackendFailed)
        assert speaker.state.state == "idle", "the device is well"
        bad = Audio(np.float32([np.nan]), RATE)
        with pytest.raises(InvalidInput):
            speaker.play(bad)
        playing = speaker.play([tone(0.1), bad])
        assert playing.wait(30)
        assert isinstance(playing.error, InvalidInput)


def test_after_close() -> None:
    speaker = Speaker(open=Shop())
    playing = speaker.play(tone(60))
    speaker.close()
    speaker.close()
    assert playing.wait(30)
    with pytest.raises(Unavailable, match="got closed"):
        speaker.play(tone())


def test_holes_are_told() -> None:
    class Leaky(FakeSink):
        def start(self, playout: Playout, ended: Callable[[], None]) -> None:
            self.underflows = 3
            super().start(playout, ended)

    told: list[tuple[str, dict[str, object]]] = []
    with Speaker(open=lambda name: Leaky(), listener=lambda event, **fields: told.append((event, fields))) as speaker:
        assert speaker.play(tone()).wait(30)
        assert speaker.state.underflows == 3
    assert ("speaker_loss", {"underflows": 3, "gap_s": 0.0}) in told
