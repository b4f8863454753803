"""The technician's test of the printer: what it says of itself, and a slip to hold in the hand."""

from __future__ import annotations

import datetime

from appliance import __version__
from appliance.device.printer import SAYS, Printer, State
from appliance.errors import Both, Unavailable

NO_PRINTER = (
    "未配置打印机：设置 APPLIANCE_PRINTER 为设备路径（如 /dev/usb/lp0）后重启",
    "no printer is configured: set APPLIANCE_PRINTER to its device, /dev/usb/lp0 say, and restart",
)
SILENT = ("接上了，但不报告状态：请打印测试页来看", "it is there and answers no status: print the slip and look")
READY = ("正常", "ready")


def printer_json(path: str) -> dict[str, object]:
    """State (off, ready, silent, failed) and reasons of the printer at `path`, without printing; empty: none is set."""
    if not path:
        return _told("off", path, (NO_PRINTER,))
    try:
        state = Printer(path).state()
    except Unavailable as error:
        chinese, english = error.both
        return _told("failed", path, ((chinese, f"{error.detail}: {english}"),))
    return _shown(path, state)


def print_slip(path: str) -> dict[str, object]:
    """Print it and say what the printer said before it; raises Unavailable where it cannot be printed."""
    if not path:
        raise Unavailable("printer: expected one in the settings, got none", remedy=NO_PRINTER, retry_after=60)
    return _shown(path, Printer(path).slip(slip_lines(datetime.datetime.now().astimezone())))


def slip_lines(now: datetime.datetime) -> list[str]:
    """Characters of both halves of a paper's width, digits to look for lost columns, and when and by what."""
    return [
        "打印测试 / Printer test",
        now.isoformat(" ", "seconds"),
        f"appliance {__version__}",
        "-" * 32,
        "中文：永和九年，岁在癸丑。￥39.90",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "abcdefghijklmnopqrstuvwxyz",
        "0123456789" * 3 + "01",  # 32 columns: paper of 58 mm
        "0123456789" * 4 + "01234567",  # 48 columns: paper of 80 mm; on the other it wraps
        "-" * 32,
        "",
    ]


def _shown(path: str, state: State) -> dict[str, object]:
    if not state.answers:
        return _told("silent", path, (SILENT,))
    found = tuple(SAYS[name] for name in state.found)
    return _told("ready" if state.ready else "failed", path, found or (READY,))


def _told(state: str, path: str, reasons: tuple[Both, ...]) -> dict[str, object]:
    zh, en = "；".join(zh for zh, _ in reasons), "; ".join(en for _, en in reasons)
    return {"state": state, "device": path, "reason": f"{zh} / {en}"}
