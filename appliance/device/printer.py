"""A receipt printer that speaks ESC/POS: what state it is in, and a slip of text.

Commands by Epson's ESC/POS command reference (DLE EOT n, ESC @, FS &, GS V): what the thermal printers of counters
take, whoever makes them. Text goes as GB18030, the code of Chinese printers' own characters. Every wait is bounded: a
printer without paper takes nothing more, and a device of the kernel would wait for it for ever.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
import termios
import time
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from appliance.errors import Unavailable

ANSWER_S = 0.5
"""Longest wait for one byte of status; the reference has a printer answer at once, offline and without paper too."""
TAKES_S = 5.0
"""Longest wait for a printer to take more of a slip."""

_START = b"\x1b@\x1c&"  # ESC @: as after power-on; FS &: Chinese characters
_END = b"\x1dVB\x00"  # GS V B 0: feed to the cutter and cut; without a cutter it only feeds
_FIXED, _FIXED_IS = 0x93, 0x12
"""Bits that every byte of status has, so that nothing else is taken for one."""
_STATUS = (
    # DLE EOT n, bits, what they say. Paper first: an empty printer is offline for that reason.
    (4, 0x60, "no_paper"),
    (2, 0x04, "cover_open"),
    (3, 0x08, "cutter"),
    (3, 0x64, "fault"),
    (1, 0x08, "offline"),
    (4, 0x0C, "paper_low"),
)
SAYS = {
    "no_paper": ("没有纸：请装上纸卷", "it is out of paper: put in a roll"),
    "cover_open": ("盖子没有关好：请关上", "its cover is open: close it"),
    "cutter": ("切刀卡住：请关电源，取出卡纸", "its cutter is stuck: switch it off and take out the paper"),
    "fault": ("打印机报告故障：请关电源再开", "it reports a fault: switch it off and on"),
    "offline": ("打印机处于脱机状态", "it is offline"),
    "paper_low": ("纸快用完：请准备纸卷", "its paper is nearly used up: have a roll at hand"),
}
"""What a printer may report, in Chinese and English, the most pressing first."""


@dataclass(frozen=True, slots=True)
class State:
    """What a printer says of itself."""

    answers: bool
    """False for one that takes text and answers nothing, as many of the cheaper ones do."""
    found: tuple[str, ...]
    """Names in `SAYS`."""

    @property
    def ready(self) -> bool | None:
        """Whether it would print now; None where it answers nothing."""
        return not set(self.found) - {"paper_low"} if self.answers else None


class Printer:
    """The printer at a character device, `/dev/usb/lp0` say. It is opened for one job and closed again."""

    def __init__(self, path: str) -> None:
        self.path = path

    def state(self) -> State:
        """Ask it. Raises Unavailable where there is no such device, or somebody else prints."""
        with self._opened() as device:
            return _asked(device)

    def slip(self, lines: Sequence[str]) -> State:
        """Print lines of text and cut; the state is the one before it.

        Raises Unavailable where the printer cannot be reached, says that it would not print, or takes no more.
        """
        with self._opened() as device:
            state = _asked(device)
            if state.ready is False:
                chinese, english = SAYS[state.found[0]]
                raise Unavailable(
                    f"printer: expected one that prints, got {english}", remedy=(chinese, english), retry_after=10
                )
            _write(device, _START + "".join(f"{line}\n" for line in lines).encode("gb18030", "replace") + _END)
        return state

    @contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            device = os.open(self.path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as error:
            raise self._lacks(error) from error
        try:
            if not stat.S_ISCHR(os.fstat(device).st_mode):
                raise self._lacks(OSError(errno.ENODEV, "not a character device"))
            fcntl.flock(device, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.isatty(device):
                tty.setraw(device)
                termios.tcflush(device, termios.TCIFLUSH)
            yield device
        except (OSError, termios.error) as error:  # the latter is no OSError, and has the same number and text
            raise self._lacks(OSError(*error.args)) from error
        except Unavailable:
            with suppress(termios.error):  # no terminal, or gone meanwhile
                termios.tcflush(device, termios.TCOFLUSH)  # else closing waits for what it does not take
            raise
        finally:
            os.close(device)

    def _lacks(self, error: OSError) -> Unavailable:
        if error.errno in (errno.EBUSY, errno.EAGAIN):
            remedy = ("另一个程序正在打印：请稍候重试", "Another program prints: try again in a moment")
        elif error.errno in (errno.EACCES, errno.EPERM):
            remedy = (
                "服务要属于 lp 组（串口：dialout）：见 docs/service-page.md",
                "The service has to be in the group lp (serial: dialout): docs/service-page.md",
            )
        else:
            remedy = (
                "检查电源和 USB 线，以及设置 printer 的路径",
                "Check its power, its cable and the path in the setting `printer`",
            )
        return Unavailable(
            f"printer: expected a device at {self.path}, got {error.strerror or error}", remedy=remedy, retry_after=10
        )


def _asked(device: int) -> State:
    """Each kind of status once; the first that is not answered ends it."""
    bits: dict[int, int] = {}
    for kind in (1, 2, 3, 4):
        _drained(device)
        _write(device, bytes((0x10, 0x04, kind)))
        byte = _answer(device)
        if byte is None:
            return State(answers=False, found=())
        bits[kind] = byte
    return State(answers=True, found=tuple(name for kind, mask, name in _STATUS if bits[kind] & mask))


def _answer(device: int) -> int | None:
    """The next byte that is a status; None when none came in time."""
    until = time.monotonic() + ANSWER_S
    while (left := until - time.monotonic()) > 0:
        if not _waits(device, select.POLLIN, left):
            return None
        try:
            came = os.read(device, 1)
        except BlockingIOError:
            continue
        if not came:
            # A printer's device that has nothing says so by an end of file, and is asked again.
            time.sleep(min(0.02, left))
        elif came[0] & _FIXED == _FIXED_IS:
            return came[0]
    return None


def _drained(device: int) -> None:
    """Forget what it said unasked."""
    for _ in range(64):
        try:
            if not _waits(device, select.POLLIN, 0) or not os.read(device, 256):
                return
        except BlockingIOError:
            return


def _write(device: int, data: bytes) -> None:
    """All of it, until the device would take more; raises Unavailable when the printer takes nothing for TAKES_S.

    A USB printer's device (usblp) buffers nothing: what it has not sent when it is closed is lost, and it says by being
    ready again that it has sent it.
    """
    sent, until = 0, time.monotonic() + TAKES_S
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise Unavailable(
                f"printer: expected it to take {len(data)} bytes, got at most {sent} taken and nothing more in "
                f"{TAKES_S:g} s",
                remedy=("请看纸、盖子和指示灯，然后重试", "Look at its paper, cover and lamps, then try again"),
                retry_after=10,
            )
        if not _waits(device, select.POLLOUT, left):
            continue
        if sent == len(data):
            return
        try:
            sent += os.write(device, data[sent:])
        except BlockingIOError:
            time.sleep(min(0.02, left))  # a kernel's printer without paper says that it takes more, and does not
        else:
            until = time.monotonic() + TAKES_S


def _waits(device: int, event: int, seconds: float) -> bool:
    """True once `event` is there; raises OSError when the device is gone."""
    poll = select.poll()
    poll.register(device, event)
    ready = poll.poll(seconds * 1000)
    if any(what & (select.POLLHUP | select.POLLNVAL) for _, what in ready):
        raise OSError(errno.ENODEV, "the device is gone")
    return any(what & (event | select.POLLERR) for _, what in ready)
