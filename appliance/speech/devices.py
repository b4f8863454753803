"""The sound devices that PortAudio knows, and the one PortAudio that a process has.

PortAudio reads its list of devices once, when it is initialised: a microphone plugged in later, or a sound server that
was not there, stays unseen until it is initialised again, which must not happen while any stream of the process is
open. Its open and close are not thread-safe either. So the microphone and the speaker share `PORT_AUDIO`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from appliance.speech.faults import Absent, Lost

PATIENCE_S = 10.0
"""Seconds to wait for PortAudio while it opens or closes for another thread; more means that a sound server hangs."""


@dataclass(frozen=True, slots=True)
class Device:
    """One end of a sound device, as PortAudio lists it."""

    index: int
    """Its number in PortAudio's list; another one after the next look."""
    name: str
    """Name, for example `USB Audio: - (hw:1,0)` or `default`."""
    host: str
    """PortAudio's way to it, for example `ALSA`."""
    channels: int
    """Most channels; a sound server offers 32 or more of its own making."""
    rate: int
    """Its own rate in Hz, or what a sound server proposes."""
    default: bool
    """True for the one that is used when none is named."""


class Closable(Protocol):
    """A stream of PortAudio."""

    def close(self) -> None:
        """End it."""


_Stream = TypeVar("_Stream", bound=Closable)


def _sounddevice() -> Any:
    """The binding; its import starts PortAudio."""
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        raise Absent(
            f"sound devices: expected PortAudio, got: {error}",
            remedy=("请运行 `sudo apt-get install libportaudio2`", "Run `sudo apt-get install libportaudio2`"),
        ) from error
    return sounddevice


class PortAudio:
    """Who has a stream open, and a new look at the devices when nobody has. Thread-safe."""

    def __init__(self, load: Callable[[], Any] = _sounddevice) -> None:
        """Use the module that `load` gives; nothing is touched until it is needed."""
        self._load = load
        self._lock = threading.RLock()
        self._streams = 0
        self._wanted = False

    @property
    def wanted(self) -> bool:
        """True while somebody waits for a new look that one stream at most is in the way of.

        Whoever can spare its stream for 0.2 s closes it, refreshes, and opens it again.
        """
        return self._wanted and self._streams <= 1

    def inputs(self) -> tuple[Device, ...]:
        """Devices that record. Raises Absent without PortAudio."""
        return self._devices("input", 0)

    def outputs(self) -> tuple[Device, ...]:
        """Devices that play. Raises Absent without PortAudio."""
        return self._devices("output", 1)

    def open(self, make: Callable[[Any], _Stream]) -> _Stream:
        """The stream that `make(sounddevice)` opens, counted until `close`. Raises what it does, and Lost."""
        with self._held():
            stream = make(self._load())
            self._streams += 1
            return stream

    def close(self, stream: Closable) -> None:
        """Close a stream of `open`, however long PortAudio hangs: one that is given up keeps its device."""
        with self._lock:
            try:
                stream.close()
            finally:
                self._streams -= 1

    def refresh(self) -> bool:
        """Look at the devices anew, if no stream is open; otherwise say that it is wanted, and return False."""
        with self._held():
            sounddevice = self._load()
            self._wanted = self._streams > 0
            if self._wanted:
                return False
            with suppress(sounddevice.PortAudioError):  # where the last start failed, there is nothing to end
                sounddevice._terminate()
            try:
                sounddevice._initialize()
            except sounddevice.PortAudioError as error:
                raise Lost(f"PortAudio: expected it to start, got: {error}") from error
            return True

    def _devices(self, kind: str, side: int) -> tuple[Device, ...]:
        with self._held():
            sounddevice = self._load()
            try:
                hosts = [host["name"] for host in sounddevice.query_hostapis()]
                default = sounddevice.default.device[side]
                listed = list(sounddevice.query_devices())
            except sounddevice.PortAudioError:
                return ()  # it did not start: there are no devices
        return tuple(
            Device(
                index=int(found["index"]),
                name=str(found["name"]),
                host=hosts[found["hostapi"]],
                channels=int(found[f"max_{kind}_channels"]),
                rate=round(found["default_samplerate"]),
                default=found["index"] == default,
            )
            for found in listed
            if found[f"max_{kind}_channels"] > 0
        )

    @contextmanager
    def _held(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=PATIENCE_S):
            raise Lost(f"PortAudio: expected it within {PATIENCE_S:g} s, got none: it hangs with another stream")
        try:
            yield
        finally:
            self._lock.release()


PORT_AUDIO = PortAudio()
"""The library has one state in a process, and this is it."""


def inputs() -> tuple[Device, ...]:
    """Devices that record, as they were when PortAudio looked last. Raises Absent without PortAudio."""
    return PORT_AUDIO.inputs()


def outputs() -> tuple[Device, ...]:
    """Devices that play, as they were when PortAudio looked last. Raises Absent without PortAudio."""
    return PORT_AUDIO.outputs()


def find(devices: Sequence[Device], name: str) -> Device:
    """The device called `name`, or the one that has it as part of its name, in any case; "" is the default one.

    `NAME, HOST` is a name too. The number that ALSA gave a card, as in `(hw:1,0)`, may have changed since: where
    nothing else fits, it does not count. Raises Absent, naming the devices there are, when none or several fit.
    """
    chosen = _named(devices, name.casefold().strip()) if name else [device for device in devices if device.default]
    if len(chosen) == 1:
        return chosen[0]
    there = ", ".join(repr(device.name) for device in chosen or devices) or "none"
    wanted = f"a device called {name!r}" if name else "a default device"
    raise Absent(f"sound: expected {wanted}, got {f'{len(chosen)} of them: ' if chosen else ''}{there}")


def _named(devices: Sequence[Device], name: str) -> list[Device]:
    for called in (_exactly, _partly, _apart_from_the_card):
        found = [device for device in devices if called(device, name)]
        if found:
            # Two cards of one make differ by their numbers; what is left comes from different hosts, the best first.
            return found[:1] if called is _exactly else found
    return []


def _exactly(device: Device, name: str) -> bool:
    return name in (device.name.casefold(), f"{device.name}, {device.host}".casefold())


def _partly(device: Device, name: str) -> bool:
    return name in f"{device.name}, {device.host}".casefold()


def _apart_from_the_card(device: Device, name: str) -> bool:
    return _bare(name) != "" and _bare(device.name.casefold()) == _bare(name)


def _bare(name: str) -> str:
    return re.sub(r"\s*\((?:plug)?hw:[^)]*\)", "", name)
