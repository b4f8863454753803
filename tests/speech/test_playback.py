"""One open loudspeaker: the format that the device wants, a new look where it is not there, and what it plays."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from appliance.speech import faults
from appliance.speech import playback as module
from appliance.speech.devices import PortAudio
from appliance.speech.faults import Absent, Busy, Lost, Refused
from appliance.speech.playback import Playback, open_output
from appliance.speech.playout import Playout
from tests.speech.fake_sounddevice import FakeSounddevice, PortAudioError, device


class FakeOutput:
    """An open stream that asks for sound when a test says so."""

    latency = 0.03

    def __init__(
        self, channels: int, callback: Callable[..., None], finished: Callable[[], None], closed: Callable[[], None]
    ) -> None:
        self.channels = channels
        self._callback, self.die, self._closed = callback, finished, closed
        self.starts: PortAudioError | None = None

    def start(self) -> None:
        if self.starts:
            raise self.starts

    def close(self) -> None:
        self._closed()

    def ask(self, frames: int = 160, *, late: bool = False) -> np.ndarray:
        out = np.full((frames, self.channels), 9, np.float32)
        self._callback(out, frames, None, late)
        return out


class FakeSpeakers(FakeSounddevice):
    """The fake module with outputs."""

    def __init__(self, *plugged: dict[str, Any]) -> None:
        super().__init__(*plugged)
        self.outputs: list[FakeOutput] = []
        self.latencies: list[float] = []

    def OutputStream(  # noqa: N802 - its name
        self,
        *,
        device: int,
        samplerate: int,
        channels: int,
        dtype: str,
        latency: float,
        callback: Callable[..., None],
        finished_callback: Callable[[], None],
    ) -> FakeOutput:
        self._check()
        self.asked.append((samplerate, channels))
        found = self._listed[device]
        if found not in self.plugged:
            raise PortAudioError("Illegal combination of I/O devices", -9993)
        if found["error"]:
            raise PortAudioError(*found["error"])
        if samplerate not in found["rates"]:
            raise PortAudioError("Error opening OutputStream: Invalid sample rate", -9997)
        if channels not in found.get("shapes", range(1, found["max_output_channels"] + 1)):
            raise PortAudioError("Error opening OutputStream: Invalid number of channels", -9998)
        assert dtype == "float32"
        self.latencies.append(latency)
        self.open += 1
        self.outputs.append(FakeOutput(channels, callback, finished_callback, self._closed))
        return self.outputs[-1]


def speaker(name: str = "speaker", **more: Any) -> dict[str, Any]:
    return device(name, inputs=0, **{"outputs": 2, **more})


def opened(fake: FakeSpeakers, name: str = "", **options: Any) -> Playback:
    return open_output(name, port=PortAudio(lambda: fake), **options)


def test_the_device_has_its_own_rate_and_two_channels() -> None:
    fake = FakeSpeakers(speaker(rates=(44_100, 48_000), outputs=6))
    found = opened(fake, latency_s=0.05)
    assert (found.device, found.rate, found.channels, found.latency_s) == ("speaker", 44_100, 2, 0.03)
    assert (fake.asked, fake.latencies) == ([(44_100, 2)], [0.05])


def test_a_device_with_one_channel_and_one_that_has_only_many() -> None:
    assert opened(FakeSpeakers(speaker(outputs=1))).channels == 1
    assert opened(FakeSpeakers(speaker(outputs=8) | {"shapes": (8,)})).channels == 8


def test_a_rate_that_is_refused_gives_way() -> None:
    lying = speaker(rates=(48_000,)) | {"default_samplerate": 44_100.0}
    assert opened(FakeSpeakers(lying)).rate == 48_000
    fake = FakeSpeakers(speaker(rates=(48_000,)))
    assert opened(fake, rate=22_050).rate == 48_000
    assert fake.asked[0] == (22_050, 2)


def test_a_device_that_refuses_all() -> None:
    fake = FakeSpeakers(speaker() | {"rates": (12_345,)})
    with pytest.raises(Refused, match="48000 Hz with 2 channels, got: this rate is not possible"):
        opened(fake)
    assert fake.open == 0


def test_a_busy_device() -> None:
    fake = FakeSpeakers(speaker() | {"error": ("Device unavailable", -9985)})
    with pytest.raises(Busy):
        opened(fake)
    assert fake.open == 0


def test_a_device_that_came_later_is_found_by_a_new_look() -> None:
    fake = FakeSpeakers()
    port = PortAudio(lambda: fake)
    with pytest.raises(Absent):
        open_output("usb", port=port)
    fake.plugged.append(speaker("USB Audio"))
    assert open_output("usb", port=port).device == "USB Audio"


def test_an_open_microphone_makes_way(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeSpeakers(speaker("a"))
    port = PortAudio(lambda: fake)
    held = open_output("a", port=port)
    fake.plugged.append(speaker("b"))

    def microphone() -> None:
        while not port.wanted:
            time.sleep(0.001)
        held.close()
        port.refresh()

    thread = threading.Thread(target=microphone)
    thread.start()
    assert open_output("b", port=port).device == "b"
    thread.join()
    monkeypatch.setattr(module, "_LOOK_S", 0.1)
    fake.plugged.append(speaker("c"))
    with pytest.raises(Absent, match="a device called 'c'"):
        open_output("c", port=port)  # b is open, and nobody makes way


def test_why_a_device_is_not_seen_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeSpeakers()
    monkeypatch.setattr(faults, "holders", lambda side: (f"card1/pcm0{side}: mpv (4711)",))
    with pytest.raises(Busy, match=r"held by card1/pcm0p: mpv \(4711\)"):
        opened(fake)
    monkeypatch.setattr(faults, "denied", lambda side: (f"/dev/snd/pcmC1D0{side}",))
    with pytest.raises(Refused, match="none for /dev/snd/pcmC1D0p"):
        opened(fake)


def test_what_it_plays_and_when_it_says_that_it_ended() -> None:
    fake = FakeSpeakers(speaker())
    sink = opened(fake)
    stream = fake.outputs[0]
    assert not stream.ask().any(), "silence before the start"
    playout, told = Playout(sink.rate, 1.0), []
    playout.put(np.ones(200, np.float32))
    playout.end()
    sink.start(playout, lambda: told.append(1))
    assert stream.ask(late=True).all()
    assert sink.underflows == 0, "the first one is always late"
    assert not told
    assert np.count_nonzero(stream.ask(late=True)) == 2 * 40
    assert sink.underflows == 1
    assert told == [1]
    assert not stream.ask().any(), "silence until it is closed, so that nothing in the buffer is lost"
    assert told == [1]
    stream.die()
    assert told == [1, 1], "and when the device gives up"
    sink.close()
    assert fake.open == 0


def test_a_device_that_does_not_start() -> None:
    fake = FakeSpeakers(speaker())
    sink = opened(fake)
    fake.outputs[0].starts = PortAudioError("Unanticipated host error", -9999, (0, -19, "No such device"))
    with pytest.raises(Lost, match="No such device"):
        sink.start(Playout(sink.rate, 1.0), lambda: None)
