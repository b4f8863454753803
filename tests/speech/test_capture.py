"""One open microphone: the format that the device wants, and a new look where it is not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from appliance.speech import faults
from appliance.speech.capture import open_input
from appliance.speech.devices import PortAudio
from appliance.speech.faults import Absent, Busy, Refused
from tests.speech.fake_sounddevice import FakeSounddevice, device


def test_the_device_has_its_own_rate_and_channels_and_is_never_asked_for_16_khz() -> None:
    fake = FakeSounddevice(device("mic", rates=(44_100, 48_000), inputs=4))
    opened = open_input(port=PortAudio(lambda: fake))
    assert (opened.rate, opened.channels, opened.device) == (44_100, 4, "mic")
    assert fake.asked == [(44_100, 4)]


def test_a_rate_that_is_refused_gives_way_to_the_devices_own() -> None:
    fake = FakeSounddevice(device("mic", rates=(48_000,), inputs=1))
    assert open_input(rate=16_000, port=PortAudio(lambda: fake)).rate == 48_000
    assert fake.asked == [(16_000, 1), (48_000, 1)]


def test_a_device_that_refuses_the_rate_it_names() -> None:
    lying = device("mic", rates=(48_000,), inputs=1) | {"default_samplerate": 44_100.0}
    fake = FakeSounddevice(lying)
    assert open_input(port=PortAudio(lambda: fake)).rate == 48_000


def test_a_sound_server_is_asked_for_what_devices_have() -> None:
    fake = FakeSounddevice(device("pulse", rates=(44_100, 48_000), inputs=32))
    opened = open_input(port=PortAudio(lambda: fake))
    assert (opened.rate, opened.channels) == (48_000, 2)


def test_a_device_that_refuses_all() -> None:
    fake = FakeSounddevice(device("mic", inputs=1) | {"rates": (12_345,)})
    with pytest.raises(Refused, match="48000 Hz with 1 channels, got: this rate is not possible") as refused:
        open_input(port=PortAudio(lambda: fake))
    assert "采样率" in refused.value.account
    assert fake.open == 0


def test_a_device_that_came_later_is_found_by_a_new_look() -> None:
    fake = FakeSounddevice()
    port = PortAudio(lambda: fake)
    with pytest.raises(Absent):
        open_input("usb", port=port)
    fake.plugged.append(device("USB Audio"))
    assert open_input("usb", port=port).device == "USB Audio"


def test_another_stream_keeps_from_looking_and_is_asked_to_make_way() -> None:
    fake = FakeSounddevice(device("a"))
    port = PortAudio(lambda: fake)
    first = open_input(port=port)
    fake.plugged.append(device("b"))
    with pytest.raises(Absent, match="a device called 'b', got 'a'"):
        open_input("b", port=port)
    assert first.wanted
    first.close()
    assert open_input("b", port=port).device == "b"


def test_why_a_device_is_not_seen_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeSounddevice()
    monkeypatch.setattr(faults, "holders", lambda side: ("card1/pcm0c: arecord (4711)",))
    with pytest.raises(Busy, match=r"held by card1/pcm0c: arecord \(4711\)"):
        open_input(port=PortAudio(lambda: fake))
    monkeypatch.setattr(faults, "denied", lambda side: ("/dev/snd/pcmC1D0c",))
    with pytest.raises(Refused, match="none for /dev/snd/pcmC1D0c") as refused:
        open_input(port=PortAudio(lambda: fake))
    assert "usermod -aG audio" in refused.value.remedy


def test_the_callback_does_nothing_but_write_and_count() -> None:
    fake = FakeSounddevice(device("mic", inputs=2))
    opened = open_input(port=PortAudio(lambda: fake))
    sound = np.linspace(-1, 1, 960, dtype=np.float32)
    fake.stream.say(sound, flags=True)
    assert opened.overflows == 1
    assert np.array_equal(opened.ring.read(10_000, 0), np.repeat(sound, 2))
    assert not opened.ended
    fake.stream.die()
    assert opened.ended
    opened.close()
    assert fake.open == 0
