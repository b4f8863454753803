"""The appliance's own camera: the newest picture for whoever looks, and a state that says what is wrong.

The device is open only while somebody looks, and only as many pictures are decoded as somebody wants, at most `rate` a
second. One thread fetches the pictures; another one sees that it does, for a read may hang in the driver: the thread
is then left behind, and the camera is opened anew, under whatever number it comes back. Nothing is queued: there is one
picture, the newest, and it is dropped when the camera rests. Nothing is written anywhere.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any

from appliance.listener import Listener, silent
from appliance.trail import trail
from appliance.vision.capture import USUAL, Opens, Source, Wanted, open_source
from appliance.vision.devices import Node
from appliance.vision.faults import CameraFault, Lost
from appliance.vision.frame import COVERED, PATIENT, CameraState, Frame, Patience
from appliance.vision.image import Pixels

log = logging.getLogger(__name__)

MOST_HUNG = 3
"""Threads that may hang in the driver before no further one is started."""

_TICK_S = 0.25
_CLOSING_S = 2.0
_LEAVING_S = 0.02
_BAD = 15
"""Pictures one after the other that are none, after which the camera counts as lost."""
_PLAIN = 3.0
"""Spread of brightness below which a picture shows nothing; a lens cap in the dark has noise of 1 to 2."""


class Watcher:
    """One who looks: `rate` pictures a second are wanted."""

    def __init__(self, camera: Camera, rate: float) -> None:
        self._camera = camera
        self.rate = rate
        self._seen = 0

    def next(self, timeout_s: float) -> Frame | None:
        """The newest picture that was not given before; None when none came within `timeout_s`. Never raises."""
        frame = self._camera.newer(self._seen, timeout_s)
        if frame is not None:
            self._seen = frame.number
        return frame


class _Pump:
    """The thread that has the device open. Once left behind, nothing that it says counts."""

    def __init__(self, begun: float) -> None:
        self.leave = threading.Event()
        self.alive_at = begun
        self.opened = False
        self.fault: CameraFault | None = None
        self.thread: threading.Thread | None = None

    @property
    def over(self) -> bool:
        return self.thread is not None and not self.thread.is_alive()


class Camera:
    """A camera that looks after itself. Thread-safe."""

    def __init__(
        self,
        device: str,
        wanted: Wanted = USUAL,
        *,
        rate: float = 5.0,
        open: Opens = open_source,
        listener: Listener = silent,
        clock: Callable[[], float] = time.monotonic,
        patience: Patience = PATIENT,
    ) -> None:
        """Use `device` (see `devices.find`, or a video file) through `open`; nothing is touched before somebody looks.

        `listener` hears `camera` (state, device, reason, retries) at every change of state.
        """
        self._device, self._wanted, self._open = device, wanted, open
        self._rate, self._listener, self._clock, self._patience = rate, listener, clock, patience
        self._changed = threading.Condition(threading.RLock())
        self._closed = threading.Event()
        self._watchers: set[Watcher] = set()
        self._newest: Frame | None = None
        self._known: Node | None = None
        self._pump: _Pump | None = None
        self._hung: list[_Pump] = []
        self._bad, self._number, self._retries = 0, 0, 0
        self._again = self._last_watched = float("-inf")
        self._leaving: tuple[_Pump, float] | None = None
        self._plain_since: float | None = None
        self._state = CameraState("resting", device)
        self._keeper: threading.Thread | None = None
        self.fault: CameraFault | None = None
        """Why no pictures come; None while they come, or nobody looks."""

    def __enter__(self) -> Camera:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def state(self) -> CameraState:
        """What it does now."""
        return self._state

    @property
    def rate(self) -> float:
        """Most pictures a second that are decoded, whoever looks; 0 lets the device go. May be set at any time."""
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        with self._changed:
            self._rate = max(0.0, rate)
            self._changed.notify_all()

    @property
    def hung(self) -> int:
        """Threads left behind that hang in the driver still."""
        return sum(not pump.over for pump in self._hung)

    def start(self) -> None:
        """Be ready for those who look."""
        if self._keeper is None and not self._closed.is_set():
            self._keeper = threading.Thread(target=self._keep, name="camera", daemon=True)
            self._keeper.start()

    def close(self) -> None:
        """End it, whatever the driver does: a thread that hangs there is left behind. A second call does nothing."""
        self._closed.set()
        with self._changed:
            self._changed.notify_all()
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            until = self._clock() + _CLOSING_S
            keeper.join(_CLOSING_S)
            for pump in self._hung:
                if pump.thread is not None:
                    pump.thread.join(max(0.0, until - self._clock()))
            self._note(state="off", reason="")

    @contextmanager
    def watched(self, rate: float) -> Iterator[Watcher]:
        """Look at up to `rate` pictures a second; the device is opened for the first who does."""
        watcher = Watcher(self, rate)
        with self._changed:
            self._watchers.add(watcher)
            if self._state.state == "resting":
                self._note(state="opening")
            self._changed.notify_all()
        try:
            yield watcher
        finally:
            with self._changed:
                self._watchers.discard(watcher)
                self._last_watched = self._clock()
                self._changed.notify_all()

    def newer(self, number: int, timeout_s: float) -> Frame | None:
        """The newest picture if its number is above `number`, or the next one within `timeout_s`, else None."""
        with self._changed:
            self._changed.wait_for(lambda: self._has(number) or self._closed.is_set(), timeout_s)
            return self._newest if self._has(number) else None

    def _has(self, number: int) -> bool:
        return self._newest is not None and self._newest.number > number

    def _keep(self) -> None:
        """Open, watch over and let go of the device."""
        while not self._closed.is_set():
            with self._changed:
                self._changed.wait(self._look_after())
        self._let_go()

    def _look_after(self) -> float | None:
        """Do what is due; seconds until the next look, None when only a change matters."""
        now = self._clock()
        if not self._watchers and (self._pump is None or now - self._last_watched > self._patience.linger):
            if self.fault is None:
                self._rest("resting", "")
            else:
                self._let_go()  # what is wrong stays said until somebody looks again
            return None
        if self._rate <= 0:
            self._rest("paused", "为省电暂停取图 / Paused to save power")
            return None
        pump = self._pump
        if pump is None:
            if now < self._again:
                return min(_TICK_S, self._again - now)
            if self._leaving is not None and not self._leaving[0].over and now < self._leaving[1]:
                return _LEAVING_S  # opened before it has let the device go, it would be held by ourselves
            self._begin(now)
        elif pump.over:
            self._fail(pump.fault or Lost(f"camera {self._device!r}: expected pictures, got an end"), pump.opened)
        elif now - pump.alive_at > (self._patience.silent if pump.opened else self._patience.opening):
            self._fail(Lost(f"camera {self._device!r}: expected a picture, got none for some seconds"), pump.opened)
        return _TICK_S

    def _begin(self, now: float) -> None:
        self._hung = [pump for pump in self._hung if not pump.over]
        if len(self._hung) >= MOST_HUNG:
            self._again = now + self._patience.most
            stuck = f"camera {self._device!r}: expected the driver to answer, got {len(self._hung)} reads that hang"
            self._say(Lost(stuck, remedy=("请重新插拔摄像头，或重启", "Plug the camera in anew, or reboot")))
            return
        if not self._retries:
            self._note(state="opening", reason="")
        self._bad, self._plain_since = 0, None
        pump = self._pump = _Pump(now)
        thread = threading.Thread(target=self._fetch, args=(pump,), name="camera-pump", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system gives no more threads
            self._pump = None
            self._fail(Lost(f"camera {self._device!r}: expected a thread, got: {error}"), False)
            return
        pump.thread = thread

    def _fail(self, fault: CameraFault, opened: bool) -> None:
        worked = opened and self._state.state in ("watching", "covered")
        self._retries = 1 if worked else self._retries + 1
        self._let_go()
        self._again = self._clock() + self._patience.before(self._retries)
        self._say(fault)

    def _say(self, fault: CameraFault) -> None:
        self.fault = fault
        self._note(state=fault.state, reason=fault.account, retries=self._retries)

    def _rest(self, state: str, reason: str) -> None:
        if self._pump is not None:
            self._leaving = (self._pump, self._clock() + _CLOSING_S)
        self._let_go()
        self.fault, self._retries, self._again = None, 0, float("-inf")
        self._note(state=state, reason=reason, retries=0)

    def _let_go(self) -> None:
        """Leave the thread that fetches; it closes the device as soon as the driver lets it."""
        pump, self._pump, self._newest = self._pump, None, None
        if pump is not None:
            pump.leave.set()
            self._hung.append(pump)

    def _fetch(self, pump: _Pump) -> None:
        """On the pump's thread: the device from its opening to its end."""
        try:
            source = self._open(self._device, self._wanted, self._known)
            try:
                self._pour(source, pump)
            finally:
                source.close()
        except CameraFault as fault:
            pump.fault = fault.with_traceback(None)  # its frames hold the last picture
        except Exception as error:  # noqa: BLE001 - cv2.error among them: whatever it is, the camera is opened anew
            log.error("camera: %s", trail(error))
            pump.fault = Lost(f"camera {self._device!r}: expected pictures, got {type(error).__name__}")

    def _pour(self, source: Source, pump: _Pump) -> None:
        due, fresh = float("-inf"), self._clock()
        while not pump.leave.is_set():
            at = source.grab()
            now = pump.alive_at = self._clock()
            if now - at <= self._patience.silent:
                fresh = now
            elif now - fresh > self._patience.opening:
                raise Lost(f"camera {source.node.name!r}: expected pictures of now, got ones {now - at:.0f} s old")
            if now < due or fresh < now or pump.leave.is_set():
                continue
            pixels = source.picture()
            with self._changed:
                if pump is not self._pump:
                    return  # left behind while it decoded
                pace = min(self._rate, max((watcher.rate for watcher in self._watchers), default=1.0))
                # Counted from when it was due, so that the mean is what was asked for, whatever the device's own beat.
                due = max(due, now - 1 / max(pace, 0.1)) + 1 / max(pace, 0.1)
                self._take(source, pump, pixels, at, now)

    def _take(self, source: Source, pump: _Pump, pixels: Pixels | None, at: float, now: float) -> None:
        if pixels is None:
            self._bad += 1
            if self._bad >= _BAD:
                raise Lost(f"camera {source.node.name!r}: expected pictures, got {_BAD} of something else")
            return
        pump.opened, self._bad, self._known = True, 0, source.node
        self._number += 1
        self._newest = Frame(pixels, at, self._number)
        plain = float(pixels[::32, ::32].std()) < _PLAIN
        self._plain_since = (self._plain_since or now) if plain else None
        covered = self._plain_since is not None and now - self._plain_since > self._patience.covered
        self.fault, self._retries = None, 0
        height, width = pixels.shape[:2]
        self._note(
            state="covered" if covered else "watching",
            reason=COVERED if covered else "",
            device=source.node.name,
            node=source.node.path,
            format=source.shape.format,
            fps=source.shape.fps,
            width=width,
            height=height,
            retries=0,
            frames=self._number,
        )
        self._changed.notify_all()

    def _note(self, **changes: Any) -> None:
        before, self._state = self._state, replace(self._state, **changes)
        now = self._state
        if now.state != before.state:
            self._listener("camera", state=now.state, device=now.device, reason=now.reason, retries=now.retries)
