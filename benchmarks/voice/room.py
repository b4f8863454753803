"""A counter in software: a loudspeaker whose sound comes back into the microphone, and somebody who speaks there, too.

The sound card is the tests' own (PulseAudio with null sinks). From loudspeaker to microphone lead a direct path and
one reflection, delayed by loopbacks; echo cancellation is PulseAudio's module-echo-cancel with WebRTC's canceller, as
docs/voice.md sets it up. No room, no loudspeaker and no microphone distort anything here, so real ones do worse.
"""

from __future__ import annotations

import time
from types import TracebackType

import numpy as np
import numpy.typing as npt

from appliance.speech.encode import wav
from appliance.speech.resample import RATE
from appliance.values import Audio
from tests.soundcard import PATIENCE_S, SoundCard

Samples = npt.NDArray[np.float32]

PATHS = ((20, 0.0), (45, -8.0))
"""Milliseconds and decibels of each way from the loudspeaker to the microphone."""
GAIN = "analog_gain_control=0 digital_gain_control=0"
"""For WebRTC's canceller: otherwise it turns the microphone's volume down for everybody, and up and down again."""
CLEAR = 7.0
"""How many standard deviations the mark stands out: cancellers make it softer, noise alone comes to 4 or 5."""
_MARK_S = 0.08


def mark() -> Samples:
    """A chirp by which a recording is aligned with what was played."""
    at = np.arange(round(_MARK_S * RATE)) / RATE
    swept = np.sin(2 * np.pi * (600 * at + (6000 - 600) / (2 * _MARK_S) * at**2))
    return (0.3 * swept * np.hanning(len(at))).astype(np.float32)


def found(samples: Samples) -> int:
    """Where the mark ends in `samples`, the end of its likeliest place. Raises ValueError where there is none."""
    wanted = mark()
    size = 1 << (len(samples) + len(wanted)).bit_length()
    matched = np.fft.irfft(np.fft.rfft(samples, size) * np.conj(np.fft.rfft(wanted, size)), size)[: len(samples)]
    best = int(np.abs(matched).argmax())
    if np.abs(matched[best]) < CLEAR * float(matched.std()):
        raise ValueError("expected the mark in the recording, found none")
    return best + len(wanted)


class Room:
    """The card with its echo; a context manager. `cancelled` is the microphone behind echo cancellation."""

    def __init__(self, method: str = "webrtc") -> None:
        """Cancel by `method` of module-echo-cancel; nothing runs yet."""
        self._method = method
        self.card = SoundCard()

    def __enter__(self) -> Room:
        self.card.__enter__()
        try:
            for latency, decibels in PATHS:
                path = self.card.pactl(
                    "load-module", "module-loopback", "source=spk.monitor", "sink=mic", f"latency_msec={latency}",
                    "source_dont_move=1", "sink_dont_move=1",
                ).strip()  # fmt: skip
                self._attenuate(path, decibels)
            self.card.pactl(
                "load-module", "module-echo-cancel", f"aec_method={self._method}", "source_master=mic.monitor",
                "sink_master=spk", "source_name=cancelled", "sink_name=speaker", f"rate={RATE}", "channels=1",
                f'aec_args="{GAIN}"' if self._method == "webrtc" else "",
            )  # fmt: skip
        except BaseException:
            self.card.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.card.__exit__(kind, error, trace)

    def _attenuate(self, module: str, decibels: float) -> None:
        """Set the level of the loopback that is this module's."""
        number = ""
        for line in self.card.pactl("list", "sink-inputs").splitlines():
            if line.startswith("Sink Input #"):
                number = line.partition("#")[2]
            if line.strip() == f"Owner Module: {module}":
                self.card.pactl("set-sink-input-volume", number, f"{decibels:+.1f}dB")
                return
        raise RuntimeError(f"expected a stream of the loopback {module}, found none")

    def played(self, kiosk: Samples, customer: Samples) -> dict[str, Samples]:
        """Both at once, the kiosk from its loudspeaker: what the microphone hears, `plain` and `cancelled`, at 16 kHz.

        Each begins where the mark ends that `customer` has to begin with, and is as long as the rest of `customer`.
        """
        folder = self.card.folder
        speech, words = folder / "customer.wav", folder / "kiosk.wav"
        speech.write_bytes(wav(Audio(customer, RATE)))
        words.write_bytes(wav(Audio(kiosk, RATE)))
        files = {name: folder / f"{name}.raw" for name in ("plain", "cancelled")}
        recording = [
            self.card.spawn(
                "parec", f"--device={device}", "--format=float32le", f"--rate={RATE}", "--channels=1",
                "--latency-msec=20", str(files[name]),
            )
            for name, device in (("plain", "mic.monitor"), ("cancelled", "cancelled"))
        ]  # fmt: skip
        time.sleep(0.3)
        playing = [
            self.card.spawn("paplay", "--device=mic", str(speech)),
            self.card.spawn("paplay", "--device=speaker", str(words)),
        ]
        for child in playing:
            if child.wait(timeout=PATIENCE_S + len(customer) / RATE):
                raise RuntimeError("expected paplay to play, it failed")
        time.sleep(0.4)  # what is under way arrives
        for child in recording:
            child.terminate()
            child.wait(timeout=PATIENCE_S)
        heard = {}
        for name, path in files.items():
            samples = np.frombuffer(path.read_bytes(), "<f4").astype(np.float32)
            begin = found(samples[: round(2.5 * RATE)])
            heard[name] = samples[begin : begin + len(customer) - len(mark())]
            path.unlink()
        return heard
