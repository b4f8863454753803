"""A receipt printer: its state by its own status bytes, and a slip that is sent whole or refused with the reason."""

from __future__ import annotations

import fcntl
import os
import select
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.device import printer
from appliance.device.printer import SAYS, Printer, State
from appliance.errors import Unavailable
from tests.device.fake_printer import OKAY, FakePrinter


@pytest.fixture
def plugged() -> Iterator[Callable[..., FakePrinter]]:
    made: list[FakePrinter] = []

    def plug(status: dict[int, int] | None = OKAY, reads: bool = True) -> FakePrinter:
        made.append(FakePrinter(status, reads))
        return made[-1]

    yield plug
    for one in made:
        one.close()


def arrived(fake: FakePrinter, what: bytes) -> bytes:
    until = time.monotonic() + 10
    while what not in fake.printed and time.monotonic() < until:
        time.sleep(0.01)
    return fake.printed


def test_a_ready_printer_says_so(plugged: Callable[..., FakePrinter]) -> None:
    state = Printer(plugged().path).state()
    assert state == State(answers=True, found=())
    assert state.ready is True


@pytest.mark.parametrize(
    ("kind", "byte", "found", "ready"),
    [
        (4, 0x72, ("no_paper",), False),
        (4, 0x1E, ("paper_low",), True),
        (2, 0x16, ("cover_open",), False),
        (3, 0x1A, ("cutter",), False),
        (3, 0x32, ("fault",), False),
        (1, 0x1A, ("offline",), False),
    ],
)
def test_what_it_reports_has_a_name_and_a_remedy(
    plugged: Callable[..., FakePrinter], kind: int, byte: int, found: tuple[str, ...], ready: bool
) -> None:
    state = Printer(plugged(OKAY | {kind: byte}).path).state()
    assert (state.found, state.ready) == (found, ready)
    assert set(found) <= set(SAYS)


def test_one_that_answers_nothing_is_neither_ready_nor_failed(plugged: Callable[..., FakePrinter]) -> None:
    assert Printer(plugged(None).path).state().ready is None


def test_a_byte_that_is_no_status_is_not_taken_for_one(plugged: Callable[..., FakePrinter]) -> None:
    assert Printer(plugged(dict.fromkeys(OKAY, 0x41)).path).state().answers is False


def test_a_slip_is_chinese_text_between_start_and_cut(plugged: Callable[..., FakePrinter]) -> None:
    fake = plugged()
    assert Printer(fake.path).slip(["打印测试", "ok"]).ready is True
    whole = b"\x1b@\x1c&" + "打印测试\nok\n".encode("gb18030") + b"\x1dVB\x00"
    assert arrived(fake, b"\x1dVB\x00") == whole


def test_a_silent_printer_is_sent_the_slip_all_the_same(plugged: Callable[..., FakePrinter]) -> None:
    fake = plugged(None)
    assert Printer(fake.path).slip(["ok"]).answers is False
    assert b"ok\n" in arrived(fake, b"\x1dVB\x00")


def test_a_printer_without_paper_is_sent_nothing(plugged: Callable[..., FakePrinter]) -> None:
    fake = plugged(OKAY | {4: 0x72, 1: 0x1A})
    with pytest.raises(Unavailable, match="out of paper") as refused:
        Printer(fake.path).slip(["ok"])
    assert "请装上纸卷" in refused.value.remedy
    assert Printer(fake.path).state().ready is False  # asked again: whatever was sent before it has arrived
    assert fake.printed == b""


def test_one_that_takes_no_more_is_given_up(
    plugged: Callable[..., FakePrinter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printer, "TAKES_S", 0.3)
    monkeypatch.setattr(printer, "ANSWER_S", 0.05)
    fake = plugged(reads=False)
    with pytest.raises(Unavailable, match=r"expected it to take \d+ bytes, got at most \d+ taken"):
        Printer(fake.path).slip(["x" * 4000] * 40)


def test_a_second_job_meanwhile_is_told_to_wait(plugged: Callable[..., FakePrinter]) -> None:
    fake = plugged()
    other = os.open(fake.path, os.O_RDWR | os.O_NOCTTY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Unavailable) as refused:
            Printer(fake.path).state()
        assert "Another program prints" in refused.value.remedy
    finally:
        os.close(other)
    assert Printer(fake.path).state().ready is True


def test_no_device_and_no_printer_are_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such file"):
        Printer(str(tmp_path / "lp0")).state()
    (tmp_path / "file").write_text("kept")
    with pytest.raises(Unavailable, match="not a character device"):
        Printer(str(tmp_path / "file")).slip(["x"])
    assert (tmp_path / "file").read_text() == "kept"


def test_one_that_is_unplugged_is_gone(plugged: Callable[..., FakePrinter]) -> None:
    fake = plugged(reads=False)
    device = Printer(fake.path)
    os.close(fake._end)
    fake._end = os.open(os.devnull, os.O_RDONLY)
    with pytest.raises(Unavailable, match="expected a device"):
        device.state()


def test_nothing_stays_open(plugged: Callable[..., FakePrinter]) -> None:
    fake = plugged()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        Printer(fake.path).slip(["ok"])
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_what_a_usb_printer_has_not_sent_yet_is_waited_for(
    plugged: Callable[..., FakePrinter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its device takes the slip and sends it on after the call, as the kernel's usblp does; closing loses the rest."""
    monkeypatch.setattr(printer, "TAKES_S", 0.2)
    waits, written = printer._waits, []
    write = os.write

    def taken(device: int, data: bytes) -> int:
        written.append(data)
        return write(device, data)

    def busy(device: int, event: int, seconds: float) -> bool:
        sending = bool(written) and written[-1].endswith(b"\x1dVB\x00")
        if event == select.POLLOUT and sending:
            time.sleep(min(seconds, 0.05))
            return False
        return waits(device, event, seconds)

    monkeypatch.setattr(printer.os, "write", taken)
    monkeypatch.setattr(printer, "_waits", busy)
    with pytest.raises(Unavailable, match="nothing more in"):
        Printer(plugged().path).slip(["ok"])


def test_a_serial_printer_that_is_pulled_while_it_is_set_up_is_named(
    plugged: Callable[..., FakePrinter], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_device: int) -> None:
        raise termios.error(5, "Input/output error")

    fake = plugged()
    monkeypatch.setattr(printer.tty, "setraw", gone)
    with pytest.raises(Unavailable, match="got Input/output error"):
        Printer(fake.path).state()
