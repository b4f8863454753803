"""Why a sound device does not work, as typed errors, and how PortAudio's numbers become one of them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from appliance.errors import Both, Unavailable

_INVALID_DEVICE, _INVALID_RATE, _INVALID_CHANNELS, _INVALID_FORMAT = -9996, -9997, -9998, -9994
_UNAVAILABLE, _HOST_ERROR = -9985, -9999
_SHAPE = {_INVALID_RATE: "rate", _INVALID_CHANNELS: "number of channels", _INVALID_FORMAT: "sample format"}


class SoundFault(Unavailable):
    """A sound device cannot be used now; a retry may succeed."""

    title = "声音设备不可用"
    state = "lost"
    """What a microphone is while this lasts: `absent`, `busy`, `refused` or `lost`."""


class Absent(SoundFault):
    """There is no such device."""

    title, state = "没有找到声音设备", "absent"
    fix = "请接好设备，用 appliance mic list 查看设备名；接好后会自动恢复"
    default_remedy = "Plug it in and compare its name with `appliance mic list`; it is used as soon as it is there"


class Busy(SoundFault):
    """Another program holds the device."""

    title, state = "声音设备被其他程序占用", "busy"
    fix = "请关闭占用它的程序，或安装 libasound2-plugins 并经 PulseAudio 共用；释放后会自动恢复"
    default_remedy = (
        "End the program that holds it, or share it through PulseAudio (apt-get install libasound2-plugins); "
        "it is used as soon as it is free"
    )


class Refused(SoundFault):
    """The device is there and does not open: no permission, or no format that both sides know."""

    title, state = "声音设备拒绝打开", "refused"
    fix = "请确认当前用户在 audio 组中，并检查设备支持的采样率（arecord --dump-hw-params）"
    default_remedy = "Let this user join the group audio, and look at the device's rates: arecord --dump-hw-params"


class Lost(SoundFault):
    """The device or the sound server was there, and answers no more."""

    title, state = "声音设备已断开", "lost"
    fix = "请检查插头和声音服务（PulseAudio 或 PipeWire）；恢复后会自动继续"
    default_remedy = "Look at the plug and at the sound server (PulseAudio or PipeWire); it goes on by itself then"


class WrongShape(Refused):
    """The device has no such rate or number of channels; another one may do."""


PERMISSION: Both = (
    "请运行 `sudo usermod -aG audio USER`（USER 为运行本程序的用户），然后重新登录",
    "Run `sudo usermod -aG audio USER` with the user that runs the appliance, then log in again",
)


def fault_of(error: Exception, device: str, shape: str) -> SoundFault:
    """What a PortAudioError (`error.args`: text, number, host error) says of opening `device` as `shape`.

    The numbers are those of PortAudio's `PaErrorCode` (portaudio.h); a host error is (host, errno, text).
    """
    text, code, host = (*error.args, None, None, None)[:3]
    number, said = (abs(int(host[1])), str(host[2])) if host else (0, "")
    asked = f"sound device {device!r}: expected it to open as {shape}"
    if code in _SHAPE:
        return WrongShape(f"{asked}, got: this {_SHAPE[code]} is not possible ({text})")
    if code == _HOST_ERROR and number in (errno.EACCES, errno.EPERM):
        return denial(device, said or str(text))
    if code == _UNAVAILABLE or (code == _HOST_ERROR and number == errno.EBUSY):
        return Busy(f"{asked}, got: {text} {said}".rstrip())
    if code == _INVALID_DEVICE:
        return Absent(f"{asked}, got: {text}")
    # ALSA answers paBadIODeviceCombination to all else: the server is gone, the plug is out, the node is closed to us.
    return Lost(f"{asked}, got: {text} {said}".rstrip())


def denial(device: str, said: str) -> Refused:
    """This user may not open the device."""
    return Refused(f"sound device {device!r}: expected permission to open it, got: {said}", remedy=PERMISSION)


def denied(
    side: str = "c", nodes: Path = Path("/dev/snd"), may: Callable[[Path, int], bool] = os.access
) -> tuple[str, ...]:
    """Devices that record (`side` c) or play (p) and that this user may not open; Linux only, empty elsewhere."""
    return tuple(str(node) for node in sorted(nodes.glob(f"pcmC*{side}")) if not may(node, os.R_OK | os.W_OK))


def holders(side: str = "c", cards: Path = Path("/proc/asound"), processes: Path = Path("/proc")) -> tuple[str, ...]:
    """Who holds devices that record (`side` c) or play (p), as `card1/pcm0c: NAME (PID)`; Linux only, empty elsewhere.

    A device that somebody holds is not in PortAudio's list at all: it looks for them by opening them.
    """
    found = []
    for status in sorted(cards.glob(f"card*/pcm*{side}/sub*/status")):
        try:
            lines = [line.partition(":") for line in status.read_text().splitlines()]
            owner = next((value.strip() for name, _, value in lines if name.strip() == "owner_pid"), "")
            if not owner:
                continue  # `closed`
            named = processes / owner / "comm"
            name = named.read_text().strip() if named.exists() else "?"
        except OSError:
            continue  # the device went away while this looked
        found.append(f"{status.parent.parent.relative_to(cards)}: {name} ({owner})")
    return tuple(found)


def cause(name: str, direction: str = "c") -> SoundFault | None:
    """Why PortAudio does not see the device `name`; None where the machine shows nothing of the kind.

    `direction` is `c` for capture and `p` for playback.
    """
    if nodes := denied(direction):
        return denial(name, f"none for {', '.join(nodes)}")
    if held := holders(direction):
        return Busy(f"sound device {name!r}: expected it free, got: held by {', '.join(held)}")
    return None
