"""The appliance: everything enters through this one door and leaves as a Reply."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from types import TracebackType
from typing import Protocol

from appliance import __version__
from appliance.app.board import Instruments
from appliance.app.camera import Sight
from appliance.app.device import device
from appliance.app.govern import Governing
from appliance.app.history import History
from appliance.app.memory import give_back
from appliance.app.share import SessionShare
from appliance.app.spent import Spent, spent
from appliance.app.spoken import Voice
from appliance.app.wording import Wording
from appliance.channels.camera.showing import Showing
from appliance.channels.door import Told, unheard
from appliance.channels.voice.conversation import Conversation
from appliance.channels.voice.live import Live
from appliance.device.bill import holding, stage
from appliance.dialogue.policy import Dialogue
from appliance.errors import IN_VAIN, ApplianceError, DeadlineExceeded, InvalidInput, Overloaded, Unavailable
from appliance.inference.admission import Admission
from appliance.language.parse import Parser
from appliance.language.spoken import retimed
from appliance.language.suggest import Suggester
from appliance.listener import Listener
from appliance.packs.schema import Pack
from appliance.request import some
from appliance.settings import Settings
from appliance.speech.hear import Hearing
from appliance.trail import trail
from appliance.values import Audio, Feature, OcrResult, Parse, Reply, Suggestion, Transcript, Turn
from appliance.vision.camera import Camera
from appliance.vision.image import Pixels
from appliance.vision.watch import UNWATCHED, Watch

TIDY_S = 3600.0
"""Seconds between two removals of old records."""
SECOND_BYTES = 32_000
"""Bytes of a second of sound as it is usually sent, by which the length of a recording is guessed before it is read."""
GIVE_BACK_S = 60.0
"""Seconds between two returns of free memory to the system."""


class Reads(Protocol):
    """A reader of upright images: the networks, or tesseract."""

    def read(
        self,
        image: Pixels,
        *,
        size: tuple[int, int] | None = None,
        deadline: float | None = None,
        watch: Watch = UNWATCHED,
    ) -> OcrResult:
        """Read all lines; `size` is that of the photo that `image` is a smaller version of.

        After `deadline` what is known so far comes back, marked partial; DeadlineExceeded when that is nothing.
        """


@dataclass(frozen=True, slots=True)
class Rooms:
    """Everything that build() made, ready to work."""

    settings: Settings
    """The settings it was made from."""
    pack: Pack
    """The compiled pack."""
    parser: Parser
    """Understands."""
    suggester: Suggester
    """Completes what is being typed."""
    dialogue: Dialogue
    """Keeps the conversation."""
    reader: Reads | None
    """Reads; None when no reader serves."""
    decode: Callable[[bytes], tuple[Pixels, tuple[int, int]]]
    """Decodes an image within its limits; gives the pixels and the full upright (width, height)."""
    hearing: Hearing
    """Hears, or says why not."""
    wording: Wording
    """Writes what was heard as people write it."""
    features: Callable[[], tuple[Feature, ...]]
    """State of every ability now."""
    details: Callable[[], dict[str, object]]
    """Queue depth, backends and event log for the status."""
    tidy: Callable[[], None]
    """Removes records older than the settings keep; called every hour."""
    silent_s: Callable[[], float]
    """Seconds since what runs the networks has last shown life."""
    board: Instruments
    """Power, heat and clocks of the machine."""
    governing: Governing
    """Keeps power and heat: refuses what heats a chip that is too hot, and lets heavy work in by the budget."""
    history: History
    """Keeps what requests cost, and power over time."""
    listener: Listener
    """Takes timings and events."""


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
        self._sweeper = threading.Thread(target=self._sweep, name="sessions", daemon=True)
        self._sweeper.start()

    def turn(self, turn: Turn, session: str | None = None) -> Reply:
        """See `Door.turn`."""
        longest = self._rooms.settings.max_text_chars
        if not 0 < len(turn.text) <= longest:
            raise InvalidInput(f"text: expected 1 to {longest} characters, got {len(turn.text)}")
        self._known(turn)
        with self._turns.enter(), self._share.of(session), self._spent("turn") as taken:
            return taken.answered(self._answer(turn, session, taken.timings))

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
            ocr = self._read(image, deadline_s, watch)
            taken.timings.update(ocr.timings_ms)
            if watch.stopped():  # whoever showed it has gone: no session is opened for it, or opened again
                raise Unavailable("image turn: expected somebody who waits for the answer, got the reading stopped")
            if not watch.enough(ocr):
                raise Unavailable("image turn: expected text that is worth a turn, got too little, or the same again")
            turn = Turn(ocr.text, "image", ocr.confidence, language, partial=ocr.partial)
            return taken.answered(self._answer(turn, session, taken.timings, ocr=ocr))

    def hear(self, recording: bytes, session: str | None = None, language: str = "zh") -> Reply:
        """See `Door.hear`."""
        with self._turns.enter(), self._share.of(session), self._spent("hear") as taken:
            with self._listening(recording) as deadline:
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
        return self._answer(turn, session, timings, transcript=transcript)

    def transcribe(self, recording: bytes, language: str = "zh", *, told: Told = unheard) -> Transcript:
        """See `Door.transcribe`."""
        with self._turns.enter(), self._spent("transcribe") as taken:
            with self._listening(recording) as deadline:
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

    def read(self, image: bytes, *, deadline_s: float | None = None, watch: Watch = UNWATCHED) -> OcrResult:
        """See `Door.read`."""
        with self._turns.enter(), self._spent("read") as taken:
            result = self._read(image, deadline_s, watch)
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
        settings = self._rooms.settings
        return {
            "version": __version__,
            "pack": self._rooms.pack.name,
            "uptime_s": round(time.monotonic() - self._began, 1),
            "admitted": {gate.name: asdict(gate.counters) for gate in self._gates},
            "sessions": self._rooms.dialogue.open_sessions,
            "limits": {
                "text_chars": settings.max_text_chars,
                "image_bytes": settings.max_image_bytes,
                "image_pixels": settings.max_image_pixels,
                "audio_seconds": settings.max_audio_seconds,
            },
            "device": device(self._rooms.board),
            **self._rooms.details(),
        }

    @property
    def heavy(self) -> tuple[Admission, Admission]:
        """The gates before photos and recordings, which the governor narrows."""
        return self._images, self._recordings

    def silent_s(self) -> float:
        """Seconds since the workers that run networks were last seen to work; grows while one hangs in a run."""
        return self._rooms.silent_s()

    def greeting(self, language: str = "zh") -> dict[str, object]:
        """See `Door.greeting`."""
        pack = self._rooms.pack
        return {
            "idle_s": self._rooms.settings.page_idle_s,
            "attract_s": self._rooms.settings.page_attract_s,
            "forget_s": self._rooms.settings.session_idle_s,
            "title": pack.title.said_in(language),
            "welcome": pack.welcome.said_in(language),
            "suggestions": [
                {"label": s.label.said_in(language), "text": s.text.said_in(language), "intent": s.intent}
                for s in pack.suggestions
            ],
            "asks": {
                name: {slot.name: list(slot.types) for slot in flow.slots if slot.ask and slot.types}
                for name, flow in pack.flows.items()
                if any(slot.ask and slot.types for slot in flow.slots)
            },
        }

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

    def _read(self, image: bytes, deadline_s: float | None, watch: Watch) -> OcrResult:
        reader = self._rooms.reader
        if reader is None:
            ocr = next(feature for feature in self.features() if feature.name == "ocr")
            why = ("；".join(ocr.said("zh")), "; ".join(ocr.said("en")))
            raise Unavailable("reading is off: expected a reader, got none", remedy=why, retry_after=60)
        deadline = self._deadline(deadline_s)
        with self._images.enter(), self._rooms.governing.enter("image", deadline):
            begin = time.perf_counter()
            with stage("decode"):
                pixels, size = self._rooms.decode(image)
            decoded = (time.perf_counter() - begin) * 1000
            with self._in_chosen_time(deadline_s):
                result = reader.read(pixels, size=size, deadline=deadline, watch=watch)
            return replace(result, timings_ms={"decode": decoded, **result.timings_ms})

    @contextmanager
    def _listening(self, recording: bytes) -> Iterator[float]:
        """Be let in with a recording; gives the deadline. What waits for power is as long as the sound may be."""
        deadline = self._deadline()
        size = max(1, len(recording)) / SECOND_BYTES
        with self._recordings.enter(), self._rooms.governing.enter("audio", deadline, size):
            yield deadline

    @contextmanager
    def _in_chosen_time(self, asked_s: float | None) -> Iterator[None]:
        """Say that it is for the client to ask for more time, where it was the client who asked for so little."""
        longest = self._rooms.settings.deadline_s
        try:
            yield
        except DeadlineExceeded as error:
            if asked_s is None or asked_s >= longest:
                raise
            raise DeadlineExceeded(
                f"reading: expected a line within the {asked_s * 1000:.0f} ms asked for, got none ({error.detail})",
                remedy=(
                    f"请给更多时间：deadline_ms 最多 {longest * 1000:.0f}（命令行 --deadline，以秒计）",
                    f"Allow more milliseconds: deadline_ms may be up to {longest * 1000:.0f} (--deadline, in seconds)",
                ),
                retry_after=IN_VAIN,
            ) from error

    def _answer(
        self,
        turn: Turn,
        session: str | None,
        timings: dict[str, float],
        *,
        ocr: OcrResult | None = None,
        transcript: Transcript | None = None,
    ) -> Reply:
        name = self._rooms.dialogue.open(session, turn.language)
        with holding(self._thinking):
            begin = time.perf_counter()
            with stage("understand"):
                parse = self._rooms.parser.parse(turn)
            understood = time.perf_counter()
            with stage("dialogue"):
                answer = self._rooms.dialogue.respond(name, turn, parse)
        timings["understand"] = (understood - begin) * 1000
        timings["dialogue"] = (time.perf_counter() - understood) * 1000
        return Reply(name, turn, parse, answer, timings, self._used(parse, ocr, transcript), ocr, transcript)

    def _used(self, parse: Parse, ocr: OcrResult | None, transcript: Transcript | None) -> Mapping[str, str]:
        """What served each stage of this turn."""
        names = [model.partition("@")[0] for model in parse.models]
        used = {"language": "given" if parse.source == "turn" else "+".join([*names, "templates"])}
        if ocr is not None:
            used["ocr"] = ocr.engine
        if transcript is not None:
            used["asr"] = transcript.engine
            if "vad" in transcript.timings_ms:
                used["vad"] = next(feature.backend for feature in self.features() if feature.name == "vad")
        return used

    @contextmanager
    def _spent(self, door: str) -> Iterator[Spent]:
        """Count what a request takes; to be entered past every queue, so that it does not pay while it waits."""
        with some(), spent(door, self._rooms.board, self._rooms.history.keep, self._rooms.listener) as taken:
            yield taken

    def _deadline(self, asked_s: float | None = None) -> float:
        longest = self._rooms.settings.deadline_s
        return time.monotonic() + (longest if asked_s is None else min(asked_s, longest))

    def _sweep(self) -> None:
        """Forget idle sessions, on time even when nobody asks anything, and old records; give back free memory.

        What requests cost is known later than their answers, and is written here and not by whoever came to know it.
        """
        tidied, gave = float("-inf"), time.monotonic()
        while not self._stopped.wait(1.0):
            try:
                self._rooms.history.tend()
                self._rooms.dialogue.sweep()
                if self._voice is not None:
                    self._voice.live.sweep()
                if time.monotonic() - gave > GIVE_BACK_S:
                    gave = time.monotonic()
                    give_back()
                if time.monotonic() - tidied > TIDY_S:
                    tidied = time.monotonic()
                    self._rooms.tidy()
            except Exception as error:  # noqa: BLE001 - a defect in one round must not keep customers remembered for good
                code = error.code if isinstance(error, ApplianceError) else trail(error)
                self._rooms.listener("sweep_failed", code=code)
