"""The microphone of a kiosk: sound at 16 kHz for whoever reads, and a state that says what is wrong and what to do.

One thread opens the device, brings what arrives to mono and 16 kHz, measures it, and opens the device again after
whatever happened: pulled out, taken by another program, its sound server killed. Nobody has to restart anything.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import numpy as np

from appliance.listener import Listener, silent
from appliance.speech.capture import Source, open_input
from appliance.speech.faults import Lost, SoundFault
from appliance.speech.losses import Losses
from appliance.speech.meter import FLOOR_DB, Meter
from appliance.speech.mono import Mixer, Resampler
from appliance.speech.resample import RATE
from appliance.speech.ring import Ring, Samples

log = logging.getLogger(__name__)

KEPT_S = 20.0
"""Seconds of sound kept for a reader that is busy."""
MUTED = (
    "麦克风已静音 → 请打开麦克风的静音键，或在系统音量（alsamixer、pactl）中取消静音"
    " / The microphone is muted → Release its mute key, or unmute it in the mixer (alsamixer, pactl)"
)
UNWELL = ("busy", "refused", "lost", "absent")
"""States in which no sound comes, and the device is tried again."""

_TICK_S = 0.016
_CLOSING_S = 5.0
_STEADY_S = 1.0
"""Seconds of sound after which an opening counts as a success."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a microphone waits for what; seconds."""

    silent: float = 2.0
    """Without any delivery it is lost."""
    still: float = 3.0
    """With samples that do not move it is muted."""
    first: float = 0.5
    """Before the first retry; each further one waits twice as long."""
    most: float = 10.0
    """Longest wait before a retry."""

    def before(self, retry: int) -> float:
        """Seconds before the retry of this number, from 1."""
        return min(self.most, self.first * 2.0 ** min(retry - 1, 30))


@dataclass(frozen=True, slots=True)
class MicrophoneState:
    """What a microphone does now."""

    state: str = "off"
    """`off`, `opening`, `listening`, `muted` (sound is read, and there is none in it), `busy`, `refused`, `lost` or
    `absent`."""
    device: str = ""
    """Name of the device in use; the one asked for until there is one."""
    rate: int = 0
    """Frames per second that it delivers; 0 until it was open."""
    channels: int = 0
    """Channels that it delivers; 0 until it was open."""
    level_db: float = FLOOR_DB
    """Level in dB of full scale, about the last 0.3 s."""
    peak_db: float = FLOOR_DB
    """Highest sample of the last second in dB of full scale; 0 is clipped."""
    overflows: int = 0
    """Times that sound was lost on its way here, since the start: reported by the device, or found missing."""
    reason: str = ""
    """What is wrong and what to do, Chinese and English; empty while it listens."""
    retries: int = 0
    """Attempts to open it since it worked last."""
    unread_s: float = 0.0
    """Seconds of sound that came, and that no reader fetched in time, since the start."""


class Microphone:
    """A microphone that looks after itself. `read` by one thread; the state may be asked for by any."""

    def __init__(
        self,
        device: str = "",
        *,
        open: Callable[[str], Source] = open_input,
        listener: Listener = silent,
        clock: Callable[[], float] = time.monotonic,
        patience: Patience = Patience(),
    ) -> None:
        """Use the input `device` (see `devices.find`) through `open`; nothing is touched before `start`.

        `listener` hears `microphone` (state, device, reason, retries) at every change of state, and `microphone_loss`
        (cause: device, gap, ring or reader; seconds, 0 where nobody knows) whenever sound was lost.
        """
        self._device = device
        self._open = open
        self._listener = listener
        self._clock = clock
        self._patience = patience
        self._heard = Ring(round(KEPT_S * RATE))
        self._leave = threading.Event()  # one for each start: a thread that hangs never takes up again
        self._thread: threading.Thread | None = None
        self._state = MicrophoneState(device=device)
        self._unread = 0
        self.fault: SoundFault | None = None
        """Why no sound comes; None while it comes."""

    def __enter__(self) -> Microphone:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def state(self) -> MicrophoneState:
        """What it does now."""
        return replace(self._state, unread_s=self._heard.lost / RATE)

    def start(self) -> None:
        """Begin to listen, on a thread of its own; does nothing while it listens."""
        if self._thread is None:
            self._leave = threading.Event()
            self._note(state="opening", reason="", retries=0)
            self._thread = threading.Thread(target=self._run, args=(self._leave,), name="microphone", daemon=True)
            self._thread.start()

    def read(self, timeout_s: float) -> Samples:
        """The sound since the last read, float32 of shape (n,) at 16 kHz, at most one second; waits up to `timeout_s`.

        Empty when nothing came: `state` says why. Never raises.
        """
        return self._heard.read(RATE, timeout_s)

    def close(self) -> None:
        """End it; what was heard can still be read. A second call does nothing."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._leave.set()
            thread.join(_CLOSING_S)  # a sound server that hangs keeps the thread from its end, and nobody else
            self._note(state="off", reason="", level_db=FLOOR_DB, peak_db=FLOOR_DB)

    def _run(self, leave: threading.Event) -> None:
        retries = 0
        while not leave.is_set():
            began = self._clock()
            fault: SoundFault | None
            try:
                fault = self._listen(self._open(self._device), leave)
            except SoundFault as error:
                fault = error
            except Exception as error:
                log.exception("microphone: failed unexpectedly")
                fault = Lost(f"microphone {self._device!r}: expected sound, got {type(error).__name__}: {error}")
            if fault is None:
                continue
            retries = 1 if self._clock() - began > _STEADY_S and self._state.retries == 0 else retries + 1
            self._fail(fault, leave, retries)
            leave.wait(self._patience.before(retries))

    def _listen(self, source: Source, leave: threading.Event) -> SoundFault | None:
        """Take in what `source` delivers until it ends; why it ended, or None when it was asked to."""
        try:
            resampler = Resampler(source.rate)
            self._note(device=source.device, rate=source.rate, channels=source.channels)
            fault = self._take(source, resampler, leave)
            self._heard.write(resampler.feed(np.zeros(0, np.float32), last=True))
            if fault is not None:  # said before closing, which may take as long as the sound server hangs
                self._fail(fault, leave, self._state.retries)
            return fault
        finally:
            source.close()

    def _take(self, source: Source, resampler: Resampler, leave: threading.Event) -> SoundFault | None:
        mixer, meter, losses = Mixer(source.rate, source.channels), Meter(source.rate), Losses(source)
        arrived = self._clock()
        while not leave.wait(_TICK_S):
            ended = source.ended  # before the look: what came until then is still taken
            block = source.ring.read(source.ring.size, 0)
            now = self._clock()
            if len(block):
                arrived = now
                mono = mixer.mix(block)
                self._heard.write(resampler.feed(mono))
                meter.add(mono)
                self._tell(meter, losses.found(len(mono), now))
            elif ended:
                return Lost(
                    f"microphone {source.device!r}: expected sound, got its end: device or sound server is gone"
                )
            elif now - arrived > self._patience.silent:
                return Lost(f"microphone {source.device!r}: expected sound, got none for {self._patience.silent:g} s")
            if source.wanted:
                return None
        return None

    def _tell(self, meter: Meter, losses: Mapping[str, float]) -> None:
        for cause, seconds in losses.items():
            self._listener("microphone_loss", cause=cause, seconds=round(seconds, 3))
        if (unread := self._heard.lost) > self._unread:
            self._listener("microphone_loss", cause="reader", seconds=round((unread - self._unread) / RATE, 3))
            self._unread = unread
        muted = meter.still_s >= self._patience.still
        self.fault = None
        self._note(
            state="muted" if muted else "listening",
            reason=MUTED if muted else "",
            retries=0,
            level_db=round(meter.level_db, 1),
            peak_db=round(meter.peak_db, 1),
            overflows=self._state.overflows + len(losses),
        )

    def _fail(self, fault: SoundFault, leave: threading.Event, retries: int) -> None:
        if not leave.is_set():
            self.fault = fault
            self._note(state=fault.state, reason=fault.account, retries=retries, level_db=FLOOR_DB, peak_db=FLOOR_DB)

    def _note(self, **changes: Any) -> None:
        before, self._state = self._state, replace(self._state, **changes)
        now = self._state
        if now.state != before.state:
            self._listener("microphone", state=now.state, device=now.device, reason=now.reason, retries=now.retries)
