"""A sounddevice whose devices a test plugs in and out: the calls, error numbers and habits of the real binding."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np


class PortAudioError(Exception):
    """As in sounddevice: text, number, and what the host said."""


def device(name: str, *, rates: tuple[int, ...] = (48_000,), inputs: int = 2, outputs: int = 0) -> dict[str, Any]:
    """A device; the first of `rates` is its own."""
    return {
        "name": name,
        "hostapi": 0,
        "max_input_channels": inputs,
        "max_output_channels": outputs,
        "default_samplerate": float(rates[0]),
        "rates": rates,
        "error": None,
    }


class FakeStream:
    """An open stream into which a test speaks."""

    def __init__(
        self,
        *,
        rate: int,
        channels: int,
        callback: Callable[..., None],
        finished: Callable[[], None],
        closed: Callable[[], None],
    ) -> None:
        self.rate, self.channels = rate, channels
        self._callback, self._finished, self._closed = callback, finished, closed

    def start(self) -> None:
        pass

    def close(self) -> None:
        self._closed()

    def say(self, mono: np.ndarray, *, flags: bool = False) -> None:
        """Deliver `mono` on all channels in pieces as a device does."""
        for first in range(0, len(mono), 480):
            piece = np.repeat(mono[first : first + 480, None], self.channels, axis=1).astype(np.float32)
            self._callback(piece, len(piece), None, flags and first == 0)

    def die(self) -> None:
        """End as when the plug is pulled."""
        self._finished()


class FakeSounddevice:
    """The module. `plugged` is what is there, and is seen from the next `_initialize` on."""

    PortAudioError = PortAudioError

    def __init__(self, *plugged: dict[str, Any]) -> None:
        self.plugged = list(plugged)
        self.fails = False
        self.asked: list[tuple[int, int]] = []
        self.streams: list[FakeStream] = []
        self.open = 0
        self._ready = False
        self._initialize()

    @property
    def stream(self) -> FakeStream:
        """The newest stream."""
        return self.streams[-1]

    @property
    def default(self) -> SimpleNamespace:
        kinds = ("max_input_channels", "max_output_channels")
        first = [next((at for at, found in enumerate(self._listed) if found[kind]), -1) for kind in kinds]
        return SimpleNamespace(device=first)

    def query_hostapis(self) -> tuple[dict[str, Any], ...]:
        self._check()
        return ({"name": "ALSA"},)

    def query_devices(self) -> tuple[dict[str, Any], ...]:
        self._check()
        return tuple(found | {"index": at} for at, found in enumerate(self._listed))

    def InputStream(  # noqa: N802 - its name
        self,
        *,
        device: int,
        samplerate: int,
        channels: int,
        dtype: str,
        latency: float,
        callback: Callable[..., None],
        finished_callback: Callable[[], None],
    ) -> FakeStream:
        self._check()
        self.asked.append((samplerate, channels))
        found = self._listed[device]
        if found not in self.plugged:
            raise PortAudioError("Illegal combination of I/O devices", -9993)
        if found["error"]:
            raise PortAudioError(*found["error"])
        if samplerate not in found["rates"]:
            raise PortAudioError("Error opening InputStream: Invalid sample rate", -9997)
        if channels > found["max_input_channels"]:
            raise PortAudioError("Error opening InputStream: Invalid number of channels", -9998)
        assert dtype == "float32"
        self.open += 1
        stream = FakeStream(
            rate=samplerate, channels=channels, callback=callback, finished=finished_callback, closed=self._closed
        )
        self.streams.append(stream)
        return stream

    def _closed(self) -> None:
        self.open -= 1

    def _terminate(self) -> None:
        assert not self.open, "PortAudio ended under an open stream: the real one crashes"
        self._check()
        self._ready = False

    def _initialize(self) -> None:
        if self.fails:
            raise PortAudioError("Error initializing PortAudio: Unanticipated host error", -9999, (0, -2, "no server"))
        self._ready = True
        self._listed = list(self.plugged)

    def _check(self) -> None:
        if not self._ready:
            raise PortAudioError("PortAudio not initialized", -10000)
