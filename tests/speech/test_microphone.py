"""The microphone: its states and retries on a fake device, and its sound through PortAudio and a virtual card."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.speech.capture import open_input
from appliance.speech.devices import PortAudio
from appliance.speech.meter import FLOOR_DB
from appliance.speech.microphone import KEPT_S, UNWELL, Microphone, MicrophoneState, Patience
from appliance.speech.resample import RATE
from tests.soundcard import SoundCard
from tests.speech.fake_sounddevice import FakeSounddevice, device
from tests.speech.sounds import tone, wav

PATIENCE_S = 30.0
QUICK = Patience(silent=0.3, still=0.5, first=0.02, most=0.05)
NOISE = 0.1 * np.random.default_rng(11).standard_normal(48_000)


class Events:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, event: str, /, **fields: object) -> None:
        self.heard.append((event, fields))

    @property
    def states(self) -> list[str]:
        return [str(fields["state"]) for event, fields in self.heard if event == "microphone"]

    @property
    def causes(self) -> list[str]:
        return [str(fields["cause"]) for event, fields in self.heard if event == "microphone_loss"]


@pytest.fixture
def fake() -> FakeSounddevice:
    return FakeSounddevice(device("USB Audio", rates=(48_000,)))


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def port(fake: FakeSounddevice) -> PortAudio:
    return PortAudio(lambda: fake)


@pytest.fixture
def microphone(port: PortAudio, events: Events) -> Iterator[Microphone]:
    with Microphone("usb", open=lambda name: open_input(name, port=port), listener=events, patience=QUICK) as opened:
        yield opened


def eventually(true: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def in_state(microphone: Microphone, *states: str) -> MicrophoneState:
    eventually(lambda: microphone.state.state in states)
    return microphone.state


def say_until(fake: FakeSounddevice, true: Callable[[], object], sound: np.ndarray = NOISE[:4800]) -> None:
    """Keep speaking, as a device does that is on."""

    def said() -> object:
        fake.stream.say(sound)
        return true()

    eventually(said)


def test_off_then_opening_then_listening_then_off(fake: FakeSounddevice, port: PortAudio, events: Events) -> None:
    microphone = Microphone("usb", open=lambda name: open_input(name, port=port), listener=events)
    assert microphone.state == MicrophoneState(state="off", device="usb")
    microphone.start()
    microphone.start()
    eventually(lambda: fake.streams)
    fake.stream.say(tone(48_000, 1.0))
    state = in_state(microphone, "listening")
    eventually(lambda: microphone.state.peak_db == pytest.approx(-6.0, abs=0.1))
    assert (state.device, state.rate, state.channels, state.reason) == ("USB Audio", 48_000, 2, "")
    assert -12 < microphone.state.level_db < -6
    microphone.close()
    microphone.close()
    assert microphone.state.state == "off"
    assert microphone.state.level_db == FLOOR_DB
    assert fake.open == 0
    assert events.states == ["opening", "listening", "off"]
    microphone.start()
    eventually(lambda: len(fake.streams) == 2)
    microphone.close()


def test_what_is_said_is_read_at_16_khz(fake: FakeSounddevice, microphone: Microphone) -> None:
    eventually(lambda: fake.streams)
    fake.stream.say(tone(48_000, 1.0, pitch=440))
    fake.stream.die()  # the end is given out too
    heard = np.zeros(0, np.float32)
    while len(heard) < RATE:
        piece = microphone.read(PATIENCE_S)
        assert piece.dtype == np.float32
        assert len(piece), "the end is missing"
        heard = np.concatenate([heard, piece])
    assert heard[500:-500] == pytest.approx(tone(RATE, 1.0, pitch=440)[500:-500], abs=1e-3)


def test_without_sound_a_read_is_empty(microphone: Microphone) -> None:
    assert microphone.read(0.0).shape == (0,)


def test_muted_and_unmuted(fake: FakeSounddevice, microphone: Microphone) -> None:
    eventually(lambda: fake.streams)
    say_until(fake, lambda: microphone.state.state == "muted", np.zeros(4800))
    state = microphone.state
    assert state.level_db == FLOOR_DB
    assert "静音" in state.reason
    assert "mute key" in state.reason
    assert len(microphone.read(0)), "a muted microphone is read all the same"
    assert microphone.fault is None
    say_until(fake, lambda: microphone.state.state == "listening")
    assert microphone.state.reason == ""


@pytest.mark.parametrize(
    ("error", "state", "words"),
    [
        (("Device unavailable", -9985), "busy", ("被其他程序占用", "End the program")),
        (("Unanticipated host error", -9999, (0, -13, "Permission denied")), "refused", ("usermod", "log in again")),
        (("Sample format not supported", -9994), "refused", ("采样率", "arecord --dump-hw-params")),
    ],
)
def test_a_device_that_does_not_open_is_tried_until_it_does(
    error: tuple[object, ...], state: str, words: tuple[str, ...]
) -> None:
    found = device("USB Audio") | {"error": error}
    fake = FakeSounddevice(found)
    port = PortAudio(lambda: fake)
    with Microphone("usb", open=lambda name: open_input(name, port=port), patience=QUICK) as microphone:
        told = in_state(microphone, state)
        assert all(word in told.reason for word in words), told.reason
        assert microphone.fault is not None
        eventually(lambda: microphone.state.retries >= 3)
        assert microphone.state.state == state
        found["error"] = None
        fake.plugged[:] = fake._listed = [found]
        eventually(lambda: fake.streams)
        fake.stream.say(NOISE)
        assert in_state(microphone, "listening").retries == 0
        assert microphone.fault is None


def test_a_device_that_is_plugged_in_later(events: Events) -> None:
    fake = FakeSounddevice()
    port = PortAudio(lambda: fake)
    with Microphone(
        "usb", open=lambda name: open_input(name, port=port), listener=events, patience=QUICK
    ) as microphone:
        assert "appliance mic list" in in_state(microphone, "absent").reason
        fake.plugged.append(device("USB Audio"))
        eventually(lambda: fake.streams)
        fake.stream.say(NOISE)
        in_state(microphone, "listening")
    assert events.states == ["opening", "absent", "listening", "off"]


def test_a_plug_pulled_out_and_put_in_again(fake: FakeSounddevice, microphone: Microphone, events: Events) -> None:
    eventually(lambda: fake.streams)
    fake.stream.say(NOISE)
    in_state(microphone, "listening")
    there, fake.plugged[:] = list(fake.plugged), []
    fake.stream.die()
    assert "已断开" in in_state(microphone, "lost").reason
    in_state(microphone, "absent")
    assert fake.open == 0
    fake.plugged[:] = there
    eventually(lambda: len(fake.streams) == 2)
    fake.stream.say(NOISE)
    in_state(microphone, "listening")
    assert events.states == ["opening", "listening", "lost", "absent", "listening"]
    assert len(microphone.read(0)), "what was said before the plug was pulled is there"


def test_a_device_from_which_nothing_comes_is_lost_and_opened_again(
    fake: FakeSounddevice, microphone: Microphone
) -> None:
    eventually(lambda: fake.streams)
    state = in_state(microphone, "lost")
    assert "got none for 0.3 s" in state.reason
    eventually(lambda: len(fake.streams) >= 3)
    assert fake.open <= 1


def test_losses_are_counted_and_told(fake: FakeSounddevice, microphone: Microphone, events: Events) -> None:
    eventually(lambda: fake.streams)
    fake.stream.say(NOISE, flags=True)
    eventually(lambda: microphone.state.overflows == 1)
    fake.stream.say(NOISE, flags=True)
    eventually(lambda: microphone.state.overflows == 2)
    assert events.causes == ["device", "device"]


def test_what_no_reader_fetched_is_counted_and_told(
    fake: FakeSounddevice, microphone: Microphone, events: Events
) -> None:
    eventually(lambda: fake.streams)
    say_until(fake, lambda: microphone.state.unread_s > 0, NOISE)
    fake.stream.say(NOISE)
    eventually(lambda: "reader" in events.causes)
    assert len(microphone.read(0)) == RATE
    assert KEPT_S > 10


def test_a_microphone_makes_way_for_a_new_look_at_the_devices(
    fake: FakeSounddevice, port: PortAudio, microphone: Microphone, events: Events
) -> None:
    eventually(lambda: fake.streams)
    fake.stream.say(NOISE)
    in_state(microphone, "listening")
    fake.plugged.append(device("box", inputs=0, outputs=2))
    assert port.outputs() == ()
    assert not port.refresh()
    say_until(fake, port.outputs)
    eventually(lambda: len(fake.streams) == 2)
    fake.stream.say(NOISE)
    assert not set(events.states) & set(UNWELL)


def test_a_defect_in_a_binding_does_not_end_the_retries(fake: FakeSounddevice, port: PortAudio) -> None:
    broken = True

    def opening(name: str) -> Any:
        if broken:
            raise KeyError("hostapi")
        return open_input(name, port=port)

    with Microphone(open=opening, patience=QUICK) as microphone:
        assert "KeyError" in in_state(microphone, "lost").reason
        broken = False
        eventually(lambda: fake.streams)
        fake.stream.say(NOISE)
        in_state(microphone, "listening")


def test_retries_wait_longer_and_longer() -> None:
    waits = [Patience(first=0.5, most=10).before(retry) for retry in (1, 2, 3, 4, 5, 6, 1000)]
    assert waits == [0.5, 1, 2, 4, 8, 10, 10]


# On PortAudio, ALSA and PulseAudio

EAR = """
import json, sys, threading
import numpy as np
from appliance.speech.capture import open_input
from appliance.speech.microphone import Microphone
rate, out = int(sys.argv[1]), sys.argv[2]
def tell(event, /, **fields): print(json.dumps({"event": event, **fields}), flush=True)
leave = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), leave.set()), daemon=True).start()
pieces = []
with Microphone(open=lambda name: open_input(name, rate=rate), listener=tell) as microphone:
    while not leave.is_set():
        pieces.append(microphone.read(0.1))
    state = microphone.state
tell("end", rate=state.rate, channels=state.channels, overflows=state.overflows, unread_s=state.unread_s)
np.save(out, np.concatenate(pieces))
"""


class Ear:
    """A microphone in a process of its own."""

    def __init__(self, card: SoundCard, folder: Path, *, rate: int = 0) -> None:
        self._out = folder / "heard.npy"
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._child = card.spawn(sys.executable, "-c", EAR, str(rate), str(self._out), **options)
        self.told: list[dict[str, Any]] = []

    def until(self, **wanted: object) -> dict[str, Any]:
        """The next event that has these fields."""
        deadline = threading.Timer(60, self._child.kill)
        deadline.start()
        try:
            for line in self._child.stdout:  # type: ignore[union-attr]
                self.told.append(json.loads(line))
                if wanted.items() <= self.told[-1].items():
                    return self.told[-1]
        finally:
            deadline.cancel()
        raise AssertionError(f"expected {wanted}, got {self.told}")

    def end(self) -> tuple[dict[str, Any], np.ndarray]:
        """Its last words, and all that it heard at 16 kHz."""
        self._child.stdin.write("\n")  # type: ignore[union-attr]
        self._child.stdin.flush()  # type: ignore[union-attr]
        last = self.until(event="end")
        assert self._child.wait(30) == 0
        return last, np.load(self._out)


@pytest.fixture
def card() -> Iterator[SoundCard]:
    with SoundCard() as card:
        yield card


@pytest.fixture
def speech(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A WAV file at 16 kHz and its samples: noise below 3 kHz whose level goes up and down as speech does."""
    at = np.arange(2 * RATE) / RATE
    dull = np.convolve(NOISE[: len(at)], np.hanning(9) / 4, "same")
    words = np.abs(np.sin(2 * np.pi * 2.5 * at)) * dull
    path = tmp_path / "speech.wav"
    path.write_bytes(wav(words))
    return path, np.frombuffer(path.read_bytes()[44:], "<i2").astype(np.float32) / 32768


def test_a_wav_file_comes_through_portaudio_sample_by_sample(
    card: SoundCard, speech: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    path, said = speech
    ear = Ear(card, tmp_path, rate=RATE)
    ear.until(state="listening")
    assert card.speak(path).wait(60) == 0
    time.sleep(0.5)
    last, heard = ear.end()
    assert last == {"event": "end", "rate": RATE, "channels": 2, "overflows": 0, "unread_s": 0.0}
    begin = np.flatnonzero(heard)[0] - np.flatnonzero(said)[0]
    assert np.array_equal(heard[begin : begin + len(said)], said)


def test_at_the_devices_own_rate_it_is_the_same_sound(
    card: SoundCard, speech: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    path, said = speech
    ear = Ear(card, tmp_path)
    ear.until(state="listening")
    assert card.speak(path).wait(60) == 0
    time.sleep(0.5)
    last, heard = ear.end()
    assert last["rate"] != RATE
    assert last["overflows"] == 0
    lags = np.correlate(heard, said[4000:12_000], "valid")
    begin = int(lags.argmax()) - 4000
    part = heard[begin : begin + len(said)]
    assert np.corrcoef(part, said)[0, 1] > 0.98


def test_a_sound_server_killed_and_started_again(
    card: SoundCard, speech: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    path, said = speech
    ear = Ear(card, tmp_path)
    ear.until(state="listening")
    card.kill()
    assert "声音服务" in ear.until(state="lost")["reason"]
    ear.until(state="absent")
    card.start()
    ear.until(state="listening")
    assert card.speak(path).wait(60) == 0
    time.sleep(0.5)
    _, heard = ear.end()
    level = np.sqrt(np.mean(heard[heard != 0] ** 2))
    assert level == pytest.approx(np.sqrt(np.mean(said**2)), rel=0.3)


def test_a_sound_server_that_comes_after_the_appliance(card: SoundCard, tmp_path: Path) -> None:
    card.kill()
    ear = Ear(card, tmp_path)
    assert "appliance mic list" in ear.until(state="absent")["reason"]
    card.start()
    ear.until(state="listening")
    ear.end()


def test_the_mute_key(card: SoundCard, tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav(0.1 * np.random.default_rng(3).standard_normal(40 * RATE).clip(-3, 3)))
    player = card.speak(path)
    ear = Ear(card, tmp_path)
    ear.until(state="listening")
    card.mute()
    assert "静音" in ear.until(state="muted")["reason"]
    card.mute(False)
    ear.until(state="listening")
    player.kill()
    ear.end()


def test_a_server_that_hangs_is_lost_and_comes_back(card: SoundCard, tmp_path: Path) -> None:
    ear = Ear(card, tmp_path)
    ear.until(state="listening")
    card.freeze()
    assert "got none for 2 s" in ear.until(state="lost")["reason"]
    card.thaw()
    ear.until(state="listening")
    ear.end()
