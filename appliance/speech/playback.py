"""One open loudspeaker: PortAudio's stream at the device's own rate and channels, filled by a callback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from appliance.speech.devices import PORT_AUDIO, Device, PortAudio, find
from appliance.speech.faults import Absent, Lost, SoundFault, WrongShape, cause, fault_of
from appliance.speech.playout import Playout, Samples

LATENCY_S = 0.03
"""Seconds that the device buffers. What lies in its buffer is heard even when the voice is stopped, so it is short."""

_RATES = (48_000, 44_100, 32_000, 96_000, 16_000)
"""Rates tried, in this order, where a device refuses the one that it calls its own."""
_MANY = 8
"""More channels than a loudspeaker has are a sound server's offer."""
_LOOK_S = 2.0
"""Seconds to wait for the microphone to let its stream go, so that PortAudio can look at the devices anew."""


class Sink(Protocol):
    """What a speaker plays through."""

    @property
    def device(self) -> str:
        """Name of the device."""

    @property
    def rate(self) -> int:
        """Frames per second."""

    @property
    def channels(self) -> int:
        """Samples in one frame."""

    @property
    def latency_s(self) -> float:
        """Seconds between a sample's delivery and its being heard."""

    @property
    def underflows(self) -> int:
        """Times that the device ran out of sound."""

    def start(self, playout: Playout, ended: Callable[[], None]) -> None:
        """Play what `playout` gives; `ended` is called when its last sound was taken, and when the device gives up.

        Raises SoundFault.
        """

    def close(self) -> None:
        """Drop what was not heard yet, and let the device go."""


class Playback:
    """A PortAudio stream for output."""

    def __init__(self, device: Device, rate: int, channels: int, port: PortAudio, latency_s: float) -> None:
        """Open `device`; nothing is played before `start`. Raises SoundFault: what PortAudio says of it."""
        self.device, self.rate, self.channels = device.name, rate, channels
        self.underflows = 0
        self._port = port
        self._playout: Playout | None = None
        self._ended: Callable[[], None] | None = None
        self._told = False
        self._stream = port.open(lambda sounddevice: self._opened(sounddevice, device.index, latency_s))
        self.latency_s = float(self._stream.latency)

    def start(self, playout: Playout, ended: Callable[[], None]) -> None:
        """Play what `playout` gives; `ended` is called when its last sound was taken, and when the device gives up.

        Raises SoundFault.
        """
        self._playout, self._ended = playout, ended
        try:
            self._stream.start()
        except Exception as error:  # PortAudioError, which is not imported here
            raise fault_of(error, self.device, f"{self.rate} Hz with {self.channels} channels") from error

    def close(self) -> None:
        """Drop what was not heard yet, and let the device go; as long as a sound server hangs, so does this."""
        self._port.close(self._stream)

    def _opened(self, sounddevice: Any, index: int, latency_s: float) -> Any:
        try:
            return sounddevice.OutputStream(
                device=index,
                samplerate=self.rate,
                channels=self.channels,
                dtype="float32",
                latency=latency_s,
                callback=self._wanted,
                finished_callback=self._finished,
            )
        except sounddevice.PortAudioError as error:
            raise fault_of(error, self.device, f"{self.rate} Hz with {self.channels} channels") from error
        except ValueError as error:  # sounddevice's own: the device went off the list
            raise Absent(f"sound device {self.device!r}: expected it in the list, got: {error}") from error

    def _wanted(self, out: Samples, frames: int, time: Any, status: Any) -> None:
        """On PortAudio's thread: nothing but this, or there are holes in the sound."""
        playout = self._playout
        if playout is None:
            out.fill(0)
            return
        if status and playout.fills:  # the first buffer of all is always late
            self.underflows += 1
        # The stream is not ended from here, as PortAudio offers: on ALSA it then drops what lies in the buffer. Silence
        # follows until it is closed.
        if not playout.fill(out) and not self._told:
            self._told = True
            self._finished()

    def _finished(self) -> None:
        if self._ended is not None:
            self._ended()


def open_output(
    name: str = "", *, rate: int = 0, port: PortAudio = PORT_AUDIO, latency_s: float = LATENCY_S
) -> Playback:
    """Open the output device called `name` (see `devices.find`) at `rate`, or its own where that is 0 or refused.

    Where it is not there, PortAudio looks anew; an open microphone lets go for that moment. Raises Absent, Busy,
    Refused or Lost.
    """
    try:
        return _open(name, rate, port, latency_s)
    except (Absent, Lost) as fault:
        if not _looked(port):
            raise cause(name, "p") or fault from None
    try:
        return _open(name, rate, port, latency_s)
    except (Absent, Lost) as fault:
        raise cause(name, "p") or fault from None


def _looked(port: PortAudio, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Whether PortAudio has looked anew, by this call or by the microphone that it asked to let go."""
    if port.refresh():
        return True
    for _ in range(int(_LOOK_S / 0.05)):
        sleep(0.05)
        if not port.wanted:
            return True
    return False


def _open(name: str, rate: int, port: PortAudio, latency_s: float) -> Playback:
    device = find(port.outputs(), name)
    refusals: list[SoundFault] = []
    for asked, channels in _shapes(device, rate):
        try:
            return Playback(device, asked, channels, port, latency_s)
        except WrongShape as refusal:
            refusals.append(refusal)
    raise refusals[0]


def _shapes(device: Device, rate: int) -> Iterator[tuple[int, int]]:
    """Rates and channels to try: the device's own rate, and two channels, which every card has, first."""
    channels = dict.fromkeys([2, 1, device.channels] if device.channels <= _MANY else [2, 1])
    for asked in dict.fromkeys([rate or device.rate, device.rate, *_RATES]):
        yield from ((asked, count) for count in channels if count <= device.channels)
