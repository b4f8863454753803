"""What customers show to the appliance's own camera: a document held still becomes a turn, as does a look asked for.

One thread looks, at few pictures a second while nothing happens. What it reads goes through the same door as a photo
that is sent, in the conversation at the counter: that of the kiosk's microphone where there is one, which then says the
answer aloud, else one of its own. No picture is kept: the one that is read is gone when it has been read.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any, Protocol

from appliance.channels.camera.glance import first, sharpest
from appliance.channels.camera.jpeg import encoded, preview
from appliance.channels.camera.same import same
from appliance.channels.voice.conversation import Conversation
from appliance.channels.voice.feed import Event, Feed
from appliance.errors import ApplianceError, Overloaded
from appliance.listener import Listener, silent
from appliance.trail import trail
from appliance.values import OcrResult, Reply
from appliance.vision.camera import Camera
from appliance.vision.frame import UNWELL, Frame
from appliance.vision.moment import EMPTY, Moment, Pick, Seen
from appliance.vision.watch import UNWATCHED, Watch

log = logging.getLogger(__name__)

SLOW = 2.0
"""Looks a second while nothing moves in view: each costs most of what it costs to decode a picture."""
LEAST_TEXT = 4
"""Characters that make a document; less is a brand on a cup."""
LEAST_CONFIDENCE = 0.6
"""Mean confidence below which what was read without being asked to is no text."""
PAUSE_S, LONGEST_PAUSE_S = 4.0, 60.0
"""Seconds without another reading after one that brought nothing; twice as many after each further one."""

_TICK_S = 0.25


class Looks(Protocol):
    """The door's way for a photo."""

    def __call__(self, image: bytes, session: str | None, language: str, *, watch: Watch) -> Reply:
        """Read an encoded image and answer what it says."""


class _Worth:
    """Asked after an automatic reading whether a turn is to come of it; keeps why not."""

    def __init__(self, before: str) -> None:
        self._before = before
        self.lacking = ""

    def __call__(self, ocr: OcrResult) -> bool:
        if len("".join(ocr.text.split())) < LEAST_TEXT or ocr.confidence < LEAST_CONFIDENCE:
            self.lacking = "nothing"
        elif same(ocr.text, self._before):
            self.lacking = "same"
        return not self.lacking


class Showing:
    """Looks for documents and answers them. `start` begins its thread, `close` ends it."""

    def __init__(
        self,
        camera: Camera,
        look: Looks,
        show: Callable[[Reply], Mapping[str, Any]],
        *,
        watches: bool = True,
        conversation: Conversation | None = None,
        end: Callable[[str], object] = lambda _session: None,
        moment: Callable[[], Moment] = Moment,
        listener: Listener = silent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`look` reads and answers, `show` makes JSON of a reply, `end` forgets a session.

        Without `watches` it looks only when asked. `clock` is the camera's. `listener` hears `camera_shown` with `what`
        (`answered`, `nothing`, `same` or `failed`).
        """
        self._camera, self._look, self._show, self._watches = camera, look, show, watches
        self._conversation, self._end, self._listener, self._clock = conversation, end, listener, clock
        self.feed = Feed()
        self._moment = moment()
        self._closed = threading.Event()
        self._begun = threading.Event()
        run = self._run if watches else self._rehearse
        self._thread = threading.Thread(target=run, name="showing", daemon=True)
        self._asked = threading.Lock()  # one reading at a time: each holds pictures, and two may be of one document
        self._lock = threading.Lock()
        self._session: str | None = None
        self._language = "zh"
        self._visit, self._left_at = 0, float("-inf")
        self._before = ""
        self._pause, self._not_before = PAUSE_S, float("-inf")
        self._seen = Seen(EMPTY)
        self._told: Mapping[str, object] = {}

    def start(self) -> None:
        """Begin to look; where it is not to look unasked, only until the camera has shown that it works."""
        self._camera.start()
        self._thread.start()
        self._begun.wait(1)

    def close(self) -> None:
        """End the thread and the camera. A second call does nothing."""
        self._closed.set()
        self._camera.close()
        if self._thread.is_alive():
            self._thread.join(10)

    def state(self) -> dict[str, object]:
        """What GET /v1/camera shows, JSON types only."""
        now = asdict(self._camera.state)
        return now | {"rate": self._camera.rate, "watches": self._watches, **self._what()}

    def first(self) -> Event:
        """What a listener who comes now has to know."""
        return Event("state", self._what())

    def attend(self, session: str | None, language: str) -> None:
        """What is shown from now on belongs to `session`; None: whoever stood here has gone, and is forgotten."""
        with self._lock:
            self._session, self._language = session, language
            if session is None:
                self._visit, self._left_at = self._visit + 1, self._clock()
                self._before = ""
                self._pause, self._not_before = PAUSE_S, float("-inf")
        if self._conversation is not None:
            self._conversation.attend(session, language)

    def look(self, session: str | None, language: str, watch: Watch = UNWATCHED) -> Reply:
        """Answer the sharpest picture of the next second.

        Raises Unavailable, with the reason, when the camera gives none; Overloaded while another look is under way;
        and what the door does.
        """
        if not self._asked.acquire(blocking=False):
            raise Overloaded("camera: expected no other look under way, got one", retry_after=2)
        try:
            with self._lock:
                visit = self._visit
            frame = sharpest(self._camera, watch, self._clock)
            reply = self._look(encoded(frame.pixels), session, language, watch=watch)
            self._note(reply, visit)
            return reply
        finally:
            self._asked.release()

    def picture(self) -> bytes:
        """What the camera sees now, as a JPEG of at most 640 pixels, for aiming. Raises Unavailable."""
        with self._camera.watched(1) as watcher:
            return preview(first(self._camera, watcher.next, clock=self._clock).pixels)

    @contextmanager
    def pictures(self, rate: float) -> Iterator[Callable[[float], bytes | None]]:
        """What gives the next picture for aiming within so many seconds, or None; `rate` a second at most."""
        with self._camera.watched(rate) as watcher:

            def following(seconds: float) -> bytes | None:
                frame = watcher.next(seconds)
                return None if frame is None else preview(frame.pixels)

            yield following

    def _rehearse(self) -> None:
        """A camera that nobody has asked for a look yet, or that has failed, is believed when it gives a picture."""
        while not self._closed.is_set():
            with self._camera.watched(1) as watcher:
                self._begun.set()
                while watcher.next(_TICK_S) is None and not self._closed.is_set():
                    self._tell()
            while not self._closed.wait(_TICK_S) and self._camera.state.state not in UNWELL:
                self._tell()

    def _run(self) -> None:
        with self._camera.watched(SLOW) as watcher:
            self._begun.set()
            opened = False
            while not self._closed.is_set():
                try:
                    frame = watcher.next(_TICK_S)
                    if frame is None:
                        if opened and self._camera.state.state not in ("watching", "covered"):
                            opened = False  # what it shows next may be another view
                            self._moment.begin()
                            self._seen = Seen(EMPTY)
                    else:
                        opened = True
                        self._follow(frame)
                        watcher.rate = math.inf if self._seen.lively else SLOW
                    self._tell()
                except Exception as error:  # noqa: BLE001 - a defect in one look must not end all further ones
                    log.error("camera: %s", trail(error))  # without its message, which may hold a customer's words
                    self._listener("camera_shown", what="failed")
                    self._closed.wait(1)

    def _follow(self, frame: Frame) -> None:
        seen = self._moment.see(frame)
        self._seen = replace(seen, pick=None)  # no picture outlives its reading
        if seen.left:
            self._before, self._pause, self._not_before = "", PAUSE_S, float("-inf")
        if seen.pick is None:
            return
        with self._lock:
            visit, early = self._visit, seen.pick.at < self._left_at or self._clock() < self._not_before
        if early:  # or taken of whoever has left meanwhile
            self._moment.unread()
            return
        if not self._asked.acquire(blocking=False):  # somebody has asked for a look, perhaps at this document
            self._moment.unread()
            return
        try:
            self._tell(reading=True)
            self._turn(seen.pick, visit)
        finally:
            self._asked.release()

    def _turn(self, pick: Pick, visit: int) -> None:
        """Read what is held and answer it, unless there is nothing to read or it was answered already."""
        worth = _Worth(self._before)
        image = encoded(pick.pixels)

        def stopped() -> bool:
            return self._closed.is_set() or visit != self._visit

        watch = Watch(stopped=stopped, enough=worth)

        def answer(session: str | None, _language: str) -> Reply | None:
            # The screen knows best who stands here; a conversation falls back into the shop's language when it rests.
            with self._lock:
                if stopped():
                    return None  # the session is that of the next customer by now
                session, language = self._session or session, self._language
            try:
                reply = self._look(image, session, language, watch=watch)
            except ApplianceError as error:
                if not worth.lacking and not stopped():
                    self._fail(error)
                return None
            if visit == self._visit:
                return reply
            self._end(reply.session)  # whoever showed it has left meanwhile
            return None

        if self._conversation is not None:
            reply = self._conversation.show(answer, stopped)
        else:
            if not self.feed.listeners:  # no screen tells of a customer who stays: the next one is another
                self._session = None
            reply = answer(None, self._language)
            if reply is not None:
                with self._lock:
                    if visit == self._visit:
                        self._session = reply.session
                self.feed.tell("reply", **self._show(reply))
        if reply is not None:
            self._note(reply, visit)
            self._pause = PAUSE_S
        elif worth.lacking:
            self._listener("camera_shown", what=worth.lacking)
            with self._lock:
                if visit == self._visit:
                    self._not_before = self._clock() + self._pause
                    self._pause = min(2 * self._pause, LONGEST_PAUSE_S)

    def _note(self, reply: Reply, visit: int) -> None:
        with self._lock:
            if visit == self._visit:  # of whoever has left nothing is kept
                self._before = reply.ocr.text if reply.ocr is not None else ""
        self._listener("camera_shown", what="answered")

    def _fail(self, error: ApplianceError) -> None:
        self._listener("camera_shown", what="failed")
        self.feed.tell("error", code=error.code, message=error.message, remedy=error.remedy)

    def _what(self, reading: bool = False) -> dict[str, object]:
        phase = "reading" if reading else self._seen.phase
        return {"state": self._camera.state.state, "phase": phase, "light": self._seen.light}

    def _tell(self, *, reading: bool = False) -> None:
        now = self._what(reading)
        if now != self._told:
            self._told = now
            self.feed.tell("state", **now)
