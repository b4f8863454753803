"""The appliance: everything enters through this one door and leaves as a Reply."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from types import TracebackType

from appliance.app import about
from appliance.app.answering import answer
from appliance.app.camera import Sight
from appliance.app.heavy import listening, read_image
from appliance.app.rooms import Rooms
from appliance.app.share import SessionShare
from appliance.app.spent import Spent, spent
from appliance.app.spoken import Voice
from appliance.app.sweep import sweep
from appliance.channels.camera.showing import Showing
from appliance.channels.door import Told, unheard
from appliance.channels.voice.conversation import Conversation
from appliance.channels.voice.live import Live
from appliance.device.bill import stage
from appliance.errors import InvalidInput, Overloaded, Unavailable
from appliance.inference.admission import Admission
from appliance.language.spoken import retimed
from appliance.request import some
from appliance.values import Audio, Feature, OcrResult, Parse, Reply, Suggestion, Transcript, Turn
from appliance.vision.camera import Camera
from appliance.vision.watch import UNWATCHED, Watch


class Appliance:
    """Implements `channels.door.Door`. Thread-safe; made by `app.build`, closed as a context manager."""

    def __init__(self, rooms: Rooms, closing: ExitStack) -> None:
        """Take the rooms, and the stack that closes what they hold."""
        settings = rooms.settings
        self._rooms = rooms
        self._closing = closing
        self._began = time.monotonic()
        self._turns = Admission(settings.admitted, "turn", listener=rooms.listener)
        # Python computes in one thread at a time: dozens that want to would spend the machine on changing places. They
        # wait here instead, one more than the cores at work, because some write to the disk meanwhile.
        self._thinking = threading.BoundedSemaphore((os.cpu_count() or 1) + 1)
        self._images = Admission(settings.image_jobs, "image", listener=rooms.listener)
        self._recordings = Admission(settings.audio_jobs, "audio", listener=rooms.listener)
        self._gates = (self._turns, self._images, self._recordings)
        self._share = SessionShare(settings.session_jobs)
        self._voice: Voice | None = None
        self._sight: Sight | None = None
        self._stopped = threading.Event()
        self._sweeper = threading.Thread(
            target=sweep, args=(rooms, self._stopped, self._spoken_now), name="sessions", daemon=True
        )
        self._sweeper.start()

    def turn(self, turn: Turn, session: str | None = None) -> Reply:
        """See `Door.turn`."""
        longest = self._rooms.settings.max_text_chars
        if not 0 < len(turn.text) <= longest:
            raise InvalidInput(f"text: expected 1 to {longest} characters, got {len(turn.text)}")
        self._known(turn)
        with self._turns.enter(), self._share.of(session), self._spent("turn") as taken:
            return taken.answered(answer(self._rooms, self._thinking, self.features, turn, session, taken.timings))

    def _known(self, turn: Turn) -> None:
        """Refuse structure that the pack has no word for: it would go through the house unchecked, to the metrics."""
        intents, types = self.vocabulary()
        if turn.intent is not None and turn.intent.name not in intents:
            raise InvalidInput(f"intent: expected one of the pack's, got {turn.intent.name[:64]!r}")
        for entity in turn.entities:
            if entity.type not in types:
                raise InvalidInput(f"entities: expected a type of the pack, got {entity.type[:64]!r}")

    def understand(self, text: str, language: str = "zh") -> Parse:
        """What `text` means; no session is opened, nothing is answered, counted or kept. For a bundle's self-test."""
        with self._thinking:
            return self._rooms.parser.parse(Turn(text, language=language))

    def look(
        self,
        image: bytes,
        session: str | None = None,
        language: str = "zh",
        *,
        deadline_s: float | None = None,
        watch: Watch = UNWATCHED,
    ) -> Reply:
        """See `Door.look`."""
        with self._turns.enter(), self._share.of(session), self._spent("look") as taken:
            ocr = read_image(self._rooms, self._images, self.features, image, deadline_s, watch)
            taken.timings.update(ocr.timings_ms)
            if watch.stopped():  # whoever showed it has gone: no session is opened for it, or opened again
                raise Unavailable("image turn: expected somebody who waits for the answer, got the reading stopped")
            if not watch.enough(ocr):
                raise Unavailable("image turn: expected text that is worth a turn, got too little, or the same again")
            turn = Turn(ocr.text, "image", ocr.confidence, language, partial=ocr.partial)
            return taken.answered(
                answer(self._rooms, self._thinking, self.features, turn, session, taken.timings, ocr=ocr)
            )

    def hear(self, recording: bytes, session: str | None = None, language: str = "zh") -> Reply:
        """See `Door.hear`."""
        with self._turns.enter(), self._share.of(session), self._spent("hear") as taken:
            with listening(self._rooms, self._recordings, recording) as deadline:
                transcript = self._rooms.hearing.transcribe(recording, language, deadline=deadline)
            return taken.answered(self._heard(transcript, session, language, taken.timings))

    def heard(self, transcript: Transcript, session: str | None = None, language: str = "zh") -> Reply:
        """See `Door.heard`."""
        with self._turns.enter(), self._share.of(session), self._spent("heard") as taken:
            return taken.answered(self._heard(transcript, session, language, taken.timings))

    def _heard(self, transcript: Transcript, session: str | None, language: str, timings: dict[str, float]) -> Reply:
        timings.update(transcript.timings_ms)
        longest = self._rooms.settings.max_text_chars
        text = self._rooms.wording(transcript.text[:longest]).text[:longest]
        turn = Turn(text, source="audio", confidence=transcript.confidence, language=language)
        return answer(self._rooms, self._thinking, self.features, turn, session, timings, transcript=transcript)

    def transcribe(self, recording: bytes, language: str = "zh", *, told: Told = unheard) -> Transcript:
        """See `Door.transcribe`."""
        with self._turns.enter(), self._spent("transcribe") as taken:
            with listening(self._rooms, self._recordings, recording) as deadline:
                each = None if told is unheard else told
                found = self._rooms.hearing.transcribe(recording, language, deadline=deadline, told=each)
            taken.timings.update(found.timings_ms)
            rewritten = self._rooms.wording(found.text)
            return taken.answered(replace(found, text=rewritten.text, words=retimed(found.words, rewritten)))

    def speak(self, text: str, language: str = "zh", speed: float = 1.0) -> Audio:
        """See `Door.speak`."""
        with self._turns.enter(), self._spent("speak"), stage("speech"):
            self._rooms.governing.check("speech")
            return self._spoken.words.render(text, language, speed)

    def sound(self, which: str, language: str = "zh") -> dict[str, object]:
        """See `Door.sound`."""
        return self._spoken.words.test(which, language)

    @property
    def live(self) -> Live:
        """See `Door.live`."""
        return self._spoken.live

    @property
    def conversation(self) -> Conversation | None:
        """See `Door.conversation`."""
        return self._spoken.conversation

    def voice_state(self) -> dict[str, object]:
        """See `Door.voice_state`."""
        return self._spoken.state()

    def join(self, voice: Voice) -> None:
        """Take the spoken side, which answers by this appliance and so is made after it; closed before all else."""
        self._voice = voice
        self._closing.callback(voice.close)

    @property
    def showing(self) -> Showing | None:
        """See `Door.showing`."""
        return None if self._sight is None else self._sight.showing

    def camera_state(self) -> dict[str, object]:
        """See `Door.camera_state`."""
        showing = self.showing
        return {"state": "off"} if showing is None else showing.state()

    @property
    def camera(self) -> Camera | None:
        """The camera, for the governor, which sets its `rate`; None where there is none."""
        return None if self._sight is None else self._sight.camera

    def sees(self, sight: Sight) -> None:
        """Take the camera's side, which answers by this appliance and so is made after it; closed before all else."""
        self._sight = sight
        self._closing.callback(sight.close)

    @property
    def _spoken(self) -> Voice:
        if self._voice is None:
            raise Unavailable("voice: expected a spoken side, got an appliance without one", retry_after=60)
        return self._voice

    def _spoken_now(self) -> Live | None:
        return None if self._voice is None else self._voice.live

    def read(self, image: bytes, *, deadline_s: float | None = None, watch: Watch = UNWATCHED) -> OcrResult:
        """See `Door.read`."""
        with self._turns.enter(), self._spent("read") as taken:
            result = read_image(self._rooms, self._images, self.features, image, deadline_s, watch)
            taken.timings.update(result.timings_ms)
            return taken.answered(result)

    def suggest(self, text: str, language: str = "zh", limit: int = 8) -> tuple[Suggestion, ...]:
        """See `Door.suggest`. It takes a fraction of a millisecond, so it passes no gate; nobody hears of it."""
        return self._rooms.suggester.suggest(text, language, limit)

    def drain(self, patience_s: float, retry_after: float) -> bool:
        """Let in nobody any more, to be told to come back after `retry_after` seconds, and wait for those inside.

        True when all have left within `patience_s` seconds.
        """
        for gate in self._gates:
            gate.shut(retry_after)
        until = time.monotonic() + patience_s
        while self.busy and time.monotonic() < until:
            time.sleep(0.02)
        return not self.busy

    @property
    def busy(self) -> bool:
        """True while a request is worked on."""
        return any(gate.counters.in_use for gate in self._gates)

    @property
    def customers(self) -> int:
        """Sessions that are open."""
        return self._rooms.dialogue.open_sessions

    def refusal(self, waiting: int = 0) -> Overloaded | None:
        """See `Door.refusal`."""
        return self._turns.refusal(waiting)

    def end(self, session: str) -> bool:
        """See `Door.end`."""
        return self._rooms.dialogue.end(session)

    def features(self) -> tuple[Feature, ...]:
        """See `Door.features`."""
        spoken = self._voice.features() if self._voice is not None else ()
        seen = (self._sight.feature(),) if self._sight is not None else ()
        required = self._rooms.settings.required
        beside = (replace(each, required=each.name in required) for each in (*spoken, *seen))
        return self._rooms.governing.shown((*self._rooms.features(), *beside))

    def ready(self) -> bool:
        """See `Door.ready`."""
        serving = ("ready", "fallback")
        return not self._stopped.is_set() and all(f.state in serving for f in self.features() if f.required)

    def status(self) -> dict[str, object]:
        """See `Door.status`."""
        return about.status(self._rooms, self._gates, time.monotonic() - self._began)

    @property
    def heavy(self) -> tuple[Admission, Admission]:
        """The gates before photos and recordings, which the governor narrows."""
        return self._images, self._recordings

    def silent_s(self) -> float:
        """Seconds since the workers that run networks were last seen to work; grows while one hangs in a run."""
        return self._rooms.silent_s()

    def greeting(self, language: str = "zh") -> dict[str, object]:
        """See `Door.greeting`."""
        return about.greeting(self._rooms, language)

    def vocabulary(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """See `Door.vocabulary`."""
        lexicon = self._rooms.pack.lexicon
        return lexicon.intent_names, lexicon.entity_types

    def close(self) -> None:
        """Stop and release everything; a second call does nothing."""
        self._stopped.set()
        self._sweeper.join(5)
        self._closing.close()

    def __enter__(self) -> Appliance:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def _spent(self, door: str) -> Iterator[Spent]:
        """Count what a request takes; to be entered past every queue, so that it does not pay while it waits."""
        with some(), spent(door, self._rooms.board, self._rooms.history.keep, self._rooms.listener) as taken:
            yield taken
