"""One open microphone: PortAudio's stream at the device's own rate and channels, and the ring that it fills."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from appliance.speech.devices import PORT_AUDIO, Device, PortAudio, find
from appliance.speech.faults import Absent, Lost, SoundFault, WrongShape, cause, fault_of
from appliance.speech.ring import Ring, Samples

LATENCY_S = 0.1
"""Seconds that the device buffers: as long may other threads of this process keep the callback from running. Sound
comes in pieces of a quarter of it."""

_RING_S = 2.0
_RATES = (48_000, 44_100, 32_000, 16_000, 96_000, 8_000)
"""Rates tried, in this order, where a device refuses the one that it calls its own."""
_MANY = 8
"""More channels than a microphone array has are a sound server's offer; two of them carry all there is. Its rate is not
a device's either: ALSA's way to PulseAudio says 44.1 kHz of all, and most devices run at 48."""
_SERVERS = 48_000


class Source(Protocol):
    """What a microphone takes its sound from."""

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
    def ring(self) -> Ring:
        """Where frames arrive, interleaved; its size is a multiple of `channels`."""

    @property
    def overflows(self) -> int:
        """Times that the device says to have lost sound."""

    @property
    def ended(self) -> bool:
        """True when no sound will come any more."""

    @property
    def wanted(self) -> bool:
        """True when somebody asks to close and reopen it."""

    def close(self) -> None:
        """Let the device go."""


class Capture:
    """A PortAudio stream that is open and runs."""

    def __init__(self, device: Device, rate: int, channels: int, port: PortAudio) -> None:
        """Open `device`. Raises SoundFault: what PortAudio says of it."""
        self.device, self.rate, self.channels = device.name, rate, channels
        self.ring = Ring(round(_RING_S * rate) * channels)
        self.overflows = 0
        self.ended = False
        self._port = port
        self._stream = port.open(lambda sounddevice: self._started(sounddevice, device.index))

    @property
    def wanted(self) -> bool:
        """True when the list of devices is to be read anew, for which every stream must be closed."""
        return self._port.wanted

    def close(self) -> None:
        """Let the device go; as long as a sound server hangs, so does this."""
        self._port.close(self._stream)

    def _started(self, sounddevice: Any, index: int) -> Any:
        try:
            stream = sounddevice.InputStream(
                device=index,
                samplerate=self.rate,
                channels=self.channels,
                dtype="float32",
                latency=LATENCY_S,
                callback=self._arrived,
                finished_callback=self._finished,
            )
            try:
                stream.start()
            except BaseException:
                stream.close()
                raise
        except sounddevice.PortAudioError as error:
            raise fault_of(error, self.device, f"{self.rate} Hz with {self.channels} channels") from error
        except ValueError as error:  # sounddevice's own: the device went off the list
            raise Absent(f"sound device {self.device!r}: expected it in the list, got: {error}") from error
        return stream

    def _arrived(self, block: Samples, frames: int, time: Any, status: Any) -> None:
        """On PortAudio's thread: nothing but this, or sound is lost."""
        if status:
            self.overflows += 1
        self.ring.write(block.reshape(-1))

    def _finished(self) -> None:
        self.ended = True


def open_input(name: str = "", *, rate: int = 0, port: PortAudio = PORT_AUDIO) -> Capture:
    """Open the input device called `name` (see `devices.find`) at `rate`, or its own where that is 0 or refused.

    Where it is not there, PortAudio looks anew, if no stream of the process keeps it from that. Raises Absent, Busy,
    Refused or Lost.
    """
    if port.wanted:
        port.refresh()
    try:
        return _open(name, rate, port)
    except (Absent, Lost) as fault:
        if not port.refresh():
            raise cause(name) or fault from None
    try:
        return _open(name, rate, port)
    except (Absent, Lost) as fault:
        raise cause(name) or fault from None


def _open(name: str, rate: int, port: PortAudio) -> Capture:
    device = find(port.inputs(), name)
    refusals: list[SoundFault] = []
    for asked, channels in _shapes(device, rate):
        try:
            return Capture(device, asked, channels, port)
        except WrongShape as refusal:
            refusals.append(refusal)
    raise refusals[0]


def _shapes(device: Device, rate: int) -> Iterator[tuple[int, int]]:
    """Rates and channels to try, the device's own first."""
    served = device.channels > _MANY
    rates = dict.fromkeys([rate or (_SERVERS if served else device.rate), device.rate, *_RATES])
    channels = dict.fromkeys([2 if served else device.channels, 2, 1, device.channels])
    for asked in rates:
        yield from ((asked, count) for count in channels if count <= device.channels)
