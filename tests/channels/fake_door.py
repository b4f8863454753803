"""A door with nothing behind it: answers at once, counts what it was asked, and fails on request."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from appliance.channels.camera.showing import Showing
from appliance.channels.door import Told, unheard
from appliance.channels.voice.conversation import Conversation
from appliance.channels.voice.live import Live
from appliance.errors import ApplianceError, InvalidInput, Overloaded, Unavailable
from appliance.speech.listen import Final, Partial
from appliance.values import (
    Answer,
    Audio,
    Character,
    Entity,
    Feature,
    Intent,
    OcrLine,
    OcrResult,
    Parse,
    Reply,
    Suggestion,
    Transcript,
    Turn,
    Word,
)
from appliance.vision.watch import UNWATCHED, Watch

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
WEBP = b"RIFF"
BMP = b"BM"
SHUN = (Character("顺", 0.99, (("川", 0.01),)), *(Character(c, 0.99) for c in "丰速运"))
LINES = (
    OcrLine("顺丰速运", 0.99, ((40.0, 30.0), (280.0, 30.0), (280.0, 80.0), (40.0, 80.0)), SHUN),
    OcrLine("运单号 SF1392847561002", 0.97, ((40.0, 120.0), (560.0, 130.0), (559.0, 170.0), (39.0, 160.0))),
    OcrLine("收件人 <b>王芳</b>", 0.91, ((40.0, 220.0), (400.0, 220.0), (400.0, 260.0), (40.0, 260.0))),
)


class FakeUtterances:
    """Hears a character of `WORDS` in every half second of sound, whatever it is; `sound` is what it was fed."""

    WORDS = "洗衣液在哪"

    def __init__(self) -> None:
        self.sound: list[npt.NDArray[np.float32]] = []
        self.said = 0
        self.closed = False

    @property
    def speaking(self) -> bool:
        return bool(self.sound)

    @property
    def probability(self) -> float:
        return float(self.speaking)

    @property
    def seconds(self) -> float:
        return sum(map(len, self.sound)) / 16_000

    def feed(self, samples: npt.NDArray[np.float32]) -> list[Partial | Final]:
        self.sound.append(samples)
        said = min(len(self.WORDS), int(self.seconds * 2))
        if said == self.said:
            return []
        self.said = said
        return [Partial(self.WORDS[:said], self.seconds)]

    def finish(self) -> list[Partial | Final]:
        sound = Audio(np.concatenate(self.sound) if self.sound else np.zeros(0, np.float32), 16_000)
        words = (Word(self.WORDS[: self.said], 0.0, sound.seconds, 0.9),) if self.said else ()
        heard = Transcript(self.WORDS[: self.said], 0.9, "zh", words, "fake", sound.seconds)
        return [Final(heard, sound, 0.0, sound.seconds, "flushed", {})]

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeDoor:
    """Implements `Door`; set `error` to make every act raise it, `hold` to make turns wait.

    A reading waits for `step` before each line, raises `late` after its first, begins anew after as many as `anew`,
    and leaves `unread` lines unread.
    """

    error: ApplianceError | Exception | None = None
    hold: threading.Event | None = None
    is_ready: bool = True
    is_full: bool = False
    most_waiting: int = 1 << 30
    sessions: set[str] = field(default_factory=set)
    turns: list[Turn] = field(default_factory=list)
    images: list[bytes] = field(default_factory=list)
    recordings: list[bytes] = field(default_factory=list)
    asr: str = "off"
    ocr_state: str = "ready"
    depth: int = 0
    acts: int = 0
    lines: tuple[OcrLine, ...] = LINES
    step: threading.Semaphore | None = None
    late: Exception | None = None
    unread: int = 0
    anew: int | None = None
    deadlines: list[float | None] = field(default_factory=list)
    read_lines: list[int] = field(default_factory=list)
    opened: int = 0
    streams: int = 0
    conversation: Conversation | None = None
    shown: Showing | None = None
    hearings: list[FakeUtterances] = field(default_factory=list)
    sounds: list[tuple[str, str]] = field(default_factory=list)
    _live: Live | None = None

    @property
    def live(self) -> Live:
        if self._live is None:
            self._live = Live(self._hear_on, self.streams, longest_s=60.0)
        return self._live

    def _hear_on(self, language: str) -> FakeUtterances:
        if self.error is not None:
            raise self.error
        self.hearings.append(FakeUtterances())
        return self.hearings[-1]

    @property
    def showing(self) -> Showing | None:
        return self.shown

    def camera_state(self) -> dict[str, object]:
        return {"state": "off"} if self.shown is None else self.shown.state()

    def heard(self, transcript: Transcript, session: str | None = None, language: str = "zh") -> Reply:
        self._act()
        reply = self._reply(Turn(transcript.text, "audio", transcript.confidence, language), session)
        return replace(reply, transcript=transcript)

    def voice_state(self) -> dict[str, object]:
        return {"mode": "off"} if self.conversation is None else {"mode": "push", **self.conversation.state()}

    def speak(self, text: str, language: str = "zh", speed: float = 1.0) -> Audio:
        self._act()
        return Audio(np.zeros(round(16_000 / speed), np.float32), 16_000)

    def sound(self, which: str, language: str = "zh") -> dict[str, object]:
        self._act()
        self.sounds.append((which, language))
        return {"played_s": 1.0, "speaker": {"state": "idle", "device": "fake box", "rate": 48_000, "channels": 2}}

    def _act(self) -> None:
        self.acts += 1
        if self.hold is not None:
            self.hold.wait(10)
        if self.error is not None:
            raise self.error

    def _session(self, session: str | None) -> str:
        if session in self.sessions:
            return str(session)
        self.opened += 1
        name = f"session-{self.opened:04d}"
        self.sessions.add(name)
        return name

    def _reply(self, turn: Turn, session: str | None) -> Reply:
        start = turn.text.find("SF1392847561002")
        found = (Entity("tracking_no", "SF1392847561002", "SF1392847561002", start, start + 15),) if start >= 0 else ()
        english = turn.language == "en"
        return Reply(
            session=self._session(session),
            turn=turn,
            parse=Parse(
                turn.intent or Intent("find_product", 0.93),
                turn.entities or found,
                (Intent("check_stock", 0.4),),
                turn.text,
            ),
            answer=Answer(
                "Laundry liquid is on shelf B3." if english else "洗衣液在 B3 货架,靠近收银台。",
                language=turn.language,
                suggestions=(
                    Suggestion("Is it in stock?" if english else "还有货吗?", "还有货吗", "check_stock"),
                    Suggestion("Call staff" if english else "转人工", "转人工", "human_agent"),
                ),
                data={"shelf": "B3"},
            ),
            timings_ms={"language": 0.4, "dialogue": 0.3, "total": 0.9},
            backends={"language": "templates"},
        )

    def turn(self, turn: Turn, session: str | None = None) -> Reply:
        self._act()
        self.turns.append(turn)
        return self._reply(turn, session)

    def look(
        self,
        image: bytes,
        session: str | None = None,
        language: str = "zh",
        *,
        deadline_s: float | None = None,
        watch: Watch = UNWATCHED,
    ) -> Reply:
        result = self.read(image, deadline_s=deadline_s, watch=watch)
        if watch.stopped():
            raise Unavailable("image turn: expected somebody who waits for the answer, got the reading stopped")
        reply = self._reply(Turn(result.text, "image", 0.95, language, partial=result.partial), session)
        return Reply(
            reply.session, reply.turn, reply.parse, reply.answer, reply.timings_ms, {"ocr": result.engine}, ocr=result
        )

    def hear(self, recording: bytes, session: str | None = None, language: str = "zh") -> Reply:
        self._act()
        if self.asr == "off":
            command = "`appliance models pull vosk`"
            raise Unavailable(
                "asr: expected a model, got none installed", remedy=(f"请运行 {command}", f"Run {command}")
            )
        if recording[:4] != b"RIFF" or recording[8:12] != b"WAVE":
            raise InvalidInput("recording: expected a WAV file, got other bytes")
        self.recordings.append(recording)
        heard = Transcript("洗衣液在哪", 0.9, language, (Word("洗衣液", 0.1, 0.6, 0.9),), "vosk:fake", 1.2)
        reply = self._reply(Turn(heard.text, "audio", 0.9, language), session)
        return Reply(
            reply.session, reply.turn, reply.parse, reply.answer, reply.timings_ms, {"asr": "vosk"}, transcript=heard
        )

    def transcribe(self, recording: bytes, language: str = "zh", *, told: Told = unheard) -> Transcript:
        reply = self.hear(recording, None, language)
        assert reply.transcript is not None
        told(reply.transcript.text)
        return reply.transcript

    def read(self, image: bytes, *, deadline_s: float | None = None, watch: Watch = UNWATCHED) -> OcrResult:
        self._act()
        if not image.startswith((PNG, JPEG, WEBP, BMP)):
            raise InvalidInput("image: expected JPEG, PNG, WebP or BMP, got other bytes")
        self.images.append(image)
        self.deadlines.append(deadline_s)
        timings = {"decode": 1.0, "detect": 20.0, "recognise": 30.0}
        done = self._read_lines(watch)
        return OcrResult(self.lines[:done], 600, 300, "fake-reader", timings, 90, len(self.lines) - done)

    def _read_lines(self, watch: Watch) -> int:
        if self.anew is not None:
            watch.found(len(self.lines) + 1)
            for line in self.lines[: self.anew]:
                watch.line(line)
            if self.step is not None:
                assert self.step.acquire(timeout=10)
            watch.again()
        watch.found(len(self.lines))
        done = 0
        for line in self.lines[: len(self.lines) - self.unread]:
            if self.step is not None:
                assert self.step.acquire(timeout=10)
            if watch.stopped():
                break
            if self.late is not None and done:
                raise self.late
            watch.line(line)
            done += 1
        self.read_lines.append(done)
        return done

    def suggest(self, text: str, language: str = "zh", limit: int = 8) -> tuple[Suggestion, ...]:
        if self.error is not None:
            raise self.error
        english = language == "en"
        known = (
            (
                "xiyiye 洗衣液 laundry liquid",
                Suggestion("laundry liquid" if english else "洗衣液", "洗衣液在哪里", "find_product"),
            ),
            (
                "xiyifen 洗衣粉 washing powder",
                Suggestion("washing powder" if english else "洗衣粉", "洗衣粉在哪里", "find_product"),
            ),
            (
                "tuihuo 退货 return",
                Suggestion("Return something" if english else "退货", "我要退货", "return_exchange"),
            ),
        )
        return tuple(found for words, found in known if any(word.startswith(text) for word in words.split()))[:limit]

    def refusal(self, waiting: int = 0) -> Overloaded | None:
        return Overloaded("turn: full", retry_after=2.0) if self.is_full or waiting >= self.most_waiting else None

    def end(self, session: str) -> bool:
        if session in self.sessions:
            self.sessions.remove(session)
            return True
        return False

    def features(self) -> tuple[Feature, ...]:
        reason = "no model is installed; run `appliance models pull vosk-model-small-cn-0.22`"
        return (
            Feature("ocr", self.ocr_state, "onnxruntime-cpu", "no CUDA device found", True, ("pp-ocrv6-small@123456",)),
            Feature("asr", self.asr, "vosk" if self.asr == "ready" else "none", "" if self.asr == "ready" else reason),
            Feature("language", "ready", "templates", "no trained model is installed", True),
        )

    def ready(self) -> bool:
        return self.is_ready

    def status(self) -> dict[str, object]:
        return {
            "version": "0",
            "pack": "store",
            "admitted": {"image": {"in_use": self.depth, "capacity": 3}},
            "sessions": len(self.sessions),
        }

    def vocabulary(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        intents = ("find_product", "check_stock", "human_agent", "facility_location", "track_parcel")
        return (*intents, "return_exchange", "store_hours"), ("tracking_no", "phone", "product")

    def greeting(self, language: str = "zh") -> dict[str, object]:
        if language == "en":
            return {
                "title": "Store guide",
                "welcome": "Hello! Ask me anything about this store.",
                "suggestions": [{"label": "Where is the toilet?", "text": "厕所在哪里", "intent": "facility_location"}],
            }
        return {
            "title": "门店助手",
            "welcome": "您好!想找什么、问什么,都可以告诉我。",
            "suggestions": [
                {"label": "厕所在哪里?", "text": "厕所在哪里", "intent": "facility_location"},
                {"label": "查快递", "text": "帮我查一下快递到哪了", "intent": "track_parcel"},
                {"label": "退货换货", "text": "我要退货", "intent": "return_exchange"},
                {"label": "几点关门?", "text": "几点关门", "intent": "store_hours"},
            ],
        }
