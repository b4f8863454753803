"""What PortAudio's numbers and Linux' files say of a device that does not open."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from appliance.speech.faults import Absent, Busy, Lost, Refused, SoundFault, WrongShape, denied, fault_of, holders


@pytest.mark.parametrize(
    ("error", "kind", "state"),
    [
        (("Invalid sample rate", -9997), WrongShape, "refused"),
        (("Invalid number of channels", -9998), WrongShape, "refused"),
        (("Sample format not supported", -9994), WrongShape, "refused"),
        (("Device unavailable", -9985), Busy, "busy"),
        (("Unanticipated host error", -9999, (0, -16, "Device or resource busy")), Busy, "busy"),
        (("Unanticipated host error", -9999, (0, -13, "Permission denied")), Refused, "refused"),
        (("Unanticipated host error", -9999, (0, -111, "Connection refused")), Lost, "lost"),
        (("Invalid device", -9996), Absent, "absent"),
        (("Illegal combination of I/O devices", -9993), Lost, "lost"),
        (("no number",), Lost, "lost"),
    ],
)
def test_numbers(error: tuple[object, ...], kind: type[SoundFault], state: str) -> None:
    fault = fault_of(Exception(*error), "USB Audio", "48000 Hz with 2 channels")
    assert type(fault) is kind
    assert fault.state == state
    assert "USB Audio" in fault.detail
    assert str(error[0]) in fault.detail or "Permission denied" in fault.detail
    chinese, english = fault.account.split(" / ", 1)
    assert "→" in chinese
    assert "→" in english
    assert any("一" <= letter <= "鿿" for letter in chinese)
    assert not any("一" <= letter <= "鿿" for letter in english)


def test_what_this_user_may_not_open(tmp_path: Path) -> None:
    for name in ("controlC0", "pcmC0D0c", "pcmC0D0p", "pcmC1D0c"):
        (tmp_path / name).touch()
    assert denied("c", tmp_path) == ()

    def not_the_second(path: Path, mode: int) -> bool:
        assert mode == os.R_OK | os.W_OK
        return path.name != "pcmC1D0c"

    assert denied("c", tmp_path, not_the_second) == (str(tmp_path / "pcmC1D0c"),)
    assert denied("p", tmp_path, lambda *_: False) == (str(tmp_path / "pcmC0D0p"),)
    assert denied("c", tmp_path / "none") == ()


def test_who_holds_a_device(tmp_path: Path) -> None:
    cards, processes = tmp_path / "asound", tmp_path / "proc"
    for card, text in {"card0": "closed\n", "card1": "state: RUNNING\nowner_pid   : 4711\nhw_ptr : 1\n"}.items():
        (cards / card / "pcm0c/sub0").mkdir(parents=True)
        (cards / card / "pcm0c/sub0/status").write_text(text)
    assert holders("c", cards, processes) == ("card1/pcm0c: ? (4711)",)
    (processes / "4711").mkdir(parents=True)
    (processes / "4711/comm").write_text("arecord\n")
    assert holders("c", cards, processes) == ("card1/pcm0c: arecord (4711)",)
    assert holders("p", cards, processes) == ()
