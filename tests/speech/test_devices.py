"""Devices by name, and the one PortAudio that the microphone and the speaker share."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

from appliance.speech.devices import Device, PortAudio, find
from appliance.speech.faults import Absent, Lost
from tests.soundcard import SoundCard
from tests.speech.fake_sounddevice import FakeSounddevice, device


@pytest.fixture
def card() -> Iterator[SoundCard]:
    with SoundCard() as card:
        yield card


def listed(*names: str) -> list[Device]:
    return [Device(at, name, "ALSA", 2, 48_000, at == 1) for at, name in enumerate(names)]


SOME = listed("HDA Intel: ALC257 (hw:0,0)", "default", "USB Audio: - (hw:1,0)", "USB Audio Pro: - (hw:2,0)")


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("", 1),
        ("default", 1),
        ("DEFAULT", 1),
        ("intel", 0),
        ("hw:2,0", 3),
        ("USB Audio: - (hw:1,0)", 2),
        ("usb audio: - (hw:1,0), alsa", 2),
        ("audio pro", 3),
        ("USB Audio Pro: - (hw:7,0)", 3),  # it got another number when it was plugged in again
    ],
)
def test_by_name_or_a_part_of_it(name: str, index: int) -> None:
    assert find(SOME, name).index == index


@pytest.mark.parametrize(("name", "said"), [("usb", "2 of them: 'USB Audio: - (hw:1,0)'"), ("webcam", "'default'")])
def test_no_device_or_several_are_absent_and_the_names_are_said(name: str, said: str) -> None:
    with pytest.raises(Absent, match=f"a device called '{name}'") as refused:
        find(SOME, name)
    assert said in refused.value.detail
    assert "appliance mic list" in refused.value.account
    assert refused.value.state == "absent"


def test_no_default_device() -> None:
    with pytest.raises(Absent, match="a default device, got none"):
        find([], "")


def test_a_name_of_the_card_alone_is_no_name() -> None:
    with pytest.raises(Absent):
        find(listed("a (hw:0,0)", "b (hw:1,0)"), "(hw:9,9)")


def test_inputs_and_outputs_apart() -> None:
    fake = FakeSounddevice(device("mic", rates=(44_100,), inputs=1), device("box", inputs=0, outputs=2))
    port = PortAudio(lambda: fake)
    assert port.inputs() == (Device(0, "mic", "ALSA", 1, 44_100, True),)
    assert port.outputs() == (Device(1, "box", "ALSA", 2, 48_000, True),)


def test_a_new_device_is_seen_when_no_stream_is_open() -> None:
    fake = FakeSounddevice(device("old"))
    port = PortAudio(lambda: fake)
    stream = port.open(lambda binding: binding.InputStream(**stream_of(0)))
    fake.plugged.append(device("new"))
    assert not port.refresh()
    assert port.wanted
    assert [found.name for found in port.inputs()] == ["old"]
    port.close(stream)
    assert port.refresh()
    assert not port.wanted
    assert [found.name for found in port.inputs()] == ["old", "new"]


def test_nobody_makes_way_in_vain() -> None:
    """With a second stream open, closing one would bring no new look, over and over."""
    fake = FakeSounddevice(device("old"))
    port = PortAudio(lambda: fake)
    streams = [port.open(lambda binding: binding.InputStream(**stream_of(0))) for _ in range(2)]
    assert not port.refresh()
    assert not port.wanted
    port.close(streams[0])
    assert port.wanted
    port.close(streams[1])
    assert port.refresh()


def stream_of(index: int) -> dict[str, object]:
    shape = {"device": index, "samplerate": 48_000, "channels": 1, "dtype": "float32", "latency": 0.1}
    return shape | {"callback": lambda *_: None, "finished_callback": lambda: None}


def test_a_stream_that_does_not_open_keeps_nobody_from_looking() -> None:
    fake = FakeSounddevice(device("mic") | {"error": ("Device unavailable", -9985)})
    port = PortAudio(lambda: fake)
    with pytest.raises(fake.PortAudioError):
        port.open(lambda binding: binding.InputStream(**stream_of(0)))
    assert port.refresh()


def test_a_start_that_failed_is_made_good_by_the_next() -> None:
    fake = FakeSounddevice(device("mic"))
    port = PortAudio(lambda: fake)
    fake.fails = True
    for _ in range(2):
        with pytest.raises(Lost, match="expected it to start"):
            port.refresh()
        assert port.inputs() == ()
    fake.fails = False
    assert port.refresh()
    assert len(port.inputs()) == 1


def test_a_machine_without_portaudio(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(Absent, match="PortAudio library not found") as refused:
        PortAudio().inputs()
    assert "libportaudio2" in refused.value.remedy


def test_a_library_that_hangs_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    from appliance.speech import devices

    monkeypatch.setattr(devices, "PATIENCE_S", 0.05)
    fake = FakeSounddevice(device("mic"))
    port = PortAudio(lambda: fake)
    hangs, let_go = threading.Event(), threading.Event()

    def hanging(binding: FakeSounddevice) -> object:
        hangs.set()
        let_go.wait(30)
        return binding.InputStream(**stream_of(0))

    other = threading.Thread(target=lambda: port.open(hanging))
    other.start()
    assert hangs.wait(30)
    try:
        with pytest.raises(Lost, match="hangs"):
            port.inputs()
    finally:
        let_go.set()
        other.join()
    assert len(port.inputs()) == 1


def test_the_real_library_lists_a_real_card(card: SoundCard) -> None:
    script = "import dataclasses, json; from appliance.speech.devices import *"
    script += "; print(json.dumps([dataclasses.asdict(find(side(), '')) for side in (inputs, outputs)]))"
    for side in json.loads(card.python(script)):
        assert side["name"] == "default"
        assert side["host"] == "ALSA"
        assert side["default"] is True
        assert side["channels"] >= 1
        assert side["rate"] >= 8_000
