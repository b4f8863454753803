"""The loudspeaker of a kiosk: one sound at a time, stopped at once when somebody speaks, and a state that says what is
wrong and what to do.

The device is opened for each sound and let go behind it. So whatever happened to it meanwhile (pulled out, taken by
another program, its sound server killed and started again), the next sound finds it anew.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

from appliance.errors import ApplianceError, BackendFailed, InvalidInput, Unavailable
from appliance.listener import Listener, silent
from appliance.speech.faults import Lost, SoundFault
from appliance.speech.playback import Sink, open_output
from appliance.speech.playout import Converter, Playing, Playout, checked_sound
from appliance.trail import trail
from appliance.values import Audio

__all__ = ["Playing", "Speaker", "SpeakerState"]

log = logging.getLogger(__name__)

STOPPING_S = 0.045
"""Seconds after which a stopped sound is cut off, faded out or not."""
SILENT_S = 2.0
"""Seconds without a call for samples after which a device is lost."""
_MARGIN_S = 0.015
"""Seconds by which the end is awaited longer than the device's latency: the fade, and one step of its clock."""
_DRAIN = 1.5
"""How often the device's latency the end is awaited: PulseAudio behind ALSA holds more than it says."""
_CLOSING_S = 5.0
_TICK_S = 0.2


@dataclass(frozen=True, slots=True)
class SpeakerState:
    """What a speaker does now."""

    state: str = "idle"
    """`idle`, `playing`, `off` (closed), or, since the last try: `busy`, `refused`, `lost` or `absent`."""
    device: str = ""
    """Name of the device used last; the one asked for until there is one."""
    rate: int = 0
    """Frames per second that it plays; 0 until it was open."""
    channels: int = 0
    """Channels that it plays; 0 until it was open."""
    volume: float = 1.0
    """0 to 1, of full amplitude."""
    underflows: int = 0
    """Times that the device ran out of sound, since the start."""
    reason: str = ""
    """What is wrong and what to do, Chinese and English; empty while it works."""
    failures: int = 0
    """Sounds that could not be played since one was."""


class Speaker:
    """A loudspeaker that is opened for each sound. Thread-safe; constructing one touches nothing."""

    def __init__(
        self,
        device: str = "",
        volume: float = 1.0,
        *,
        open: Callable[[str], Sink] = open_output,
        listener: Listener = silent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use the output `device` (see `devices.find`) through `open` at `volume`.

        `listener` hears `speaker` (state, device, reason) at every change of state, and `speaker_loss` (underflows,
        gap_s) behind a sound with holes in it. Raises InvalidInput when `volume` is not within 0 to 1.
        """
        self._device = device
        self._open = open
        self._listener = listener
        self._clock = clock
        self._lock = threading.Lock()
        self._current: Playing | None = None
        self._closed = False
        self._state = SpeakerState(device=device, volume=_checked(volume))
        self.fault: SoundFault | None = None
        """Why the last sound was not heard; None when it was."""

    def __enter__(self) -> Speaker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def state(self) -> SpeakerState:
        """What it does now."""
        return self._state

    @property
    def volume(self) -> float:
        """0 to 1, of full amplitude; a change is heard at once, as a short ramp. Raises InvalidInput beyond."""
        return self._state.volume

    @volume.setter
    def volume(self, volume: float) -> None:
        _checked(volume)
        with self._lock:
            self._state = replace(self._state, volume=volume)
            if self._current is not None and self._current.playout is not None:
                self._current.playout.volume = volume

    def play(self, sound: Audio | Iterable[Audio], *, side: str = "both") -> Playing:
        """Play `sound`, or sounds one behind the other as they are made; a sound that is still playing is stopped.

        `side` (`both`, `left`, `right`) tells the boxes of a stereo device apart; one channel plays whatever it says.

        Returns at once. What goes wrong later stands in the result's `error` and in `state`: the device is absent,
        busy, lost or refuses, or making the next sound failed. Raises InvalidInput (samples that are no sound) and
        Unavailable (closed).
        """
        sounds = iter([checked_sound(sound)]) if isinstance(sound, Audio) else iter(sound)
        with self._lock:
            if self._closed:
                raise Unavailable("speaker: expected it open, got closed")
            before, self._current = self._current, Playing(side)
            playing = self._current
        if before is not None:
            before.stop()
        threading.Thread(target=self._run, args=(playing, before, sounds), name="speaker", daemon=True).start()
        return playing

    def stop(self) -> None:
        """Stop what is playing, if anything is."""
        current = self._current
        if current is not None:
            current.stop()

    def close(self) -> None:
        """Stop what is playing and take no more. A second call does nothing."""
        with self._lock:
            self._closed = True
            current = self._current
        if current is not None:
            current.stop()
            current.wait(_CLOSING_S)
        self._note(state="off", reason="")

    def _run(self, playing: Playing, before: Playing | None, sounds: Iterator[Audio]) -> None:
        try:
            if before is not None:
                before.wait(_CLOSING_S)
            first = None if playing.stopped else next(sounds, None)
            if first is not None and not playing.stopped:
                self._play(playing, checked_sound(first), sounds)
        except SoundFault as fault:
            playing.error = self.fault = fault
            self._note(state=fault.state, reason=fault.account, failures=self._state.failures + 1)
        except ApplianceError as error:  # of whoever makes the sounds
            if not playing.stopped:
                playing.error = error
        except Exception as error:  # noqa: BLE001 - whatever a voice raises, the speaker stays usable
            log.error("speaker: failed unexpectedly: %s", trail(error))  # its message may quote what is said
            playing.error = BackendFailed(f"speaker: expected to play, got {type(error).__name__}")
        finally:
            if self._state.state == "playing":
                self._note(state="idle")
            playing.end()

    def _play(self, playing: Playing, first: Audio, sounds: Iterator[Audio]) -> None:
        sink = self._open(self._device)
        playout = Playout(sink.rate, self._state.volume, playing.side)
        try:
            with self._lock:
                playing.begin(playout)
                playout.volume = self._state.volume
            if playing.stopped:  # while the device was opened: the playout has not heard of it
                return
            converter = Converter(sink.rate)
            playout.put(converter.feed(first))  # before the device asks for it, so that it does not begin with a gap
            arguments = (playing, playout, converter, sounds)
            threading.Thread(target=self._feed, args=arguments, name="speaker feed", daemon=True).start()
            self._note(state="playing", device=sink.device, rate=sink.rate, channels=sink.channels, reason="")
            ended = threading.Event()
            sink.start(playout, lambda: _both(ended, playing.wake))
            self._watch(playing, playout, sink, ended)
            self.fault = None
            self._note(failures=0)
        finally:
            playout.stop()
            _let_go(sink)
            if sink.underflows or playout.gaps:
                self._note(underflows=self._state.underflows + sink.underflows)
                self._listener("speaker_loss", underflows=sink.underflows, gap_s=round(playout.gaps / sink.rate, 3))

    def _watch(self, playing: Playing, playout: Playout, sink: Sink, ended: threading.Event) -> None:
        """Wait for the end, or a little longer than the fade when it is stopped. Raises Lost when nothing moves."""
        fills, moved = -1, self._clock()
        while not playing.wake.wait(_TICK_S):
            now = self._clock()
            if playout.fills != fills:
                fills, moved = playout.fills, now
            elif now - moved > SILENT_S:
                raise Lost(f"speaker {sink.device!r}: expected it to take sound, got no call for {SILENT_S:g} s")
        # The last of it lies in the device's buffer, which closing would drop.
        if playing.stopped:
            cut = self._clock() + STOPPING_S
            if ended.wait(STOPPING_S):
                time.sleep(max(0.0, min(cut - self._clock(), sink.latency_s + _MARGIN_S)))
        elif playout.over:
            time.sleep(_DRAIN * sink.latency_s + _MARGIN_S)
        else:
            raise Lost(f"speaker {sink.device!r}: expected to play to the end, got: device or sound server is gone")

    def _feed(self, playing: Playing, playout: Playout, converter: Converter, sounds: Iterator[Audio]) -> None:
        """Bring each further sound to the device's rate and queue it, until the last or a stop."""
        try:
            for following in sounds:
                if not playout.put(converter.feed(checked_sound(following))):
                    break
            playout.put(converter.rest())
        except ApplianceError as error:
            if not playing.stopped:
                playing.error = error
        except Exception as error:  # noqa: BLE001 - whatever a voice raises, the speaker stays usable
            log.error("speaker: the next sound failed unexpectedly: %s", trail(error))
            playing.error = BackendFailed(f"speaker: expected the next sound, got {type(error).__name__}")
        finally:
            playout.end()

    def _note(self, **changes: Any) -> None:
        with self._lock:
            before, self._state = self._state, replace(self._state, **changes)
            now = self._state
        if now.state != before.state:
            self._listener("speaker", state=now.state, device=now.device, reason=now.reason)


def _both(one: threading.Event, other: threading.Event) -> None:
    one.set()
    other.set()


def _let_go(sink: Sink) -> None:
    """Close the device; a sound server that hangs is given up after a while, for nobody is to wait for it."""
    closing = threading.Thread(target=sink.close, name="speaker close", daemon=True)
    closing.start()
    closing.join(_CLOSING_S)
    if closing.is_alive():
        log.warning("speaker %r: expected it to close within %g s, got no end", sink.device, _CLOSING_S)


def _checked(volume: float) -> float:
    if not 0.0 <= volume <= 1.0:
        raise InvalidInput(f"speaker: expected a volume of 0 to 1, got {volume}")
    return volume
