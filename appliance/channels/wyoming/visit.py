"""One client's visit: what each of its events is answered with. Blocking work goes to the listener's threads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from appliance.channels.door import Door
from appliance.channels.speaking import LANGUAGES, language_of, languages_of, usual_language
from appliance.channels.wyoming.info import info, voice_of
from appliance.channels.wyoming.recording import Recording
from appliance.channels.wyoming.wire import Event
from appliance.errors import BadRequest, InvalidInput, Overloaded
from appliance.language.clean import guess_language
from appliance.settings import Settings
from appliance.speech.encode import PCM16_BYTES, pcm16
from appliance.values import Audio, Reply, Turn

CHUNK = 2048
"""Samples of speech in one event."""
CONVERSATIONS = 256
"""Conversations whose session is remembered; the one unused for longest goes first."""
NAME_CHARS = 128
"""Longest name of a conversation."""

Work = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a blocking call in a thread."""


class Shared:
    """What all visits share; touched by the listener's own thread alone."""

    def __init__(self, recordings: int) -> None:
        """At most `recordings` may be under way at once: their sound is kept in memory."""
        self.recordings = recordings
        self._sessions: OrderedDict[str, str] = OrderedDict()

    def session(self, conversation: str | None) -> str | None:
        """The session of a conversation that has been going on."""
        return self._sessions.get(conversation) if conversation else None

    def remember(self, conversation: str, session: str) -> None:
        """Which session a conversation has; the dialogue itself forgets idle ones."""
        self._sessions[conversation] = session
        self._sessions.move_to_end(conversation)
        while len(self._sessions) > CONVERSATIONS:
            self._sessions.popitem(last=False)


class Visit:
    """What one connection has said so far."""

    def __init__(self, door: Door, settings: Settings, work: Work, shared: Shared) -> None:
        self._door, self._settings, self._work, self._shared = door, settings, work, shared
        self._language: str | None = None
        self._recording: Recording | None = None
        self.session: str | None = None
        """Session that ends with the visit; None where there is none, or where a conversation has it."""

    @property
    def recording(self) -> bool:
        """True between the first sound and its end: silence of the client is then a fault."""
        return self._recording is not None

    async def answer(self, event: Event) -> Iterator[Event]:
        """The events that answer `event`; none for one that needs no answer, or is not known (as the protocol wants).

        Raises ApplianceError; the visit is over then, because clients wait for an answer that would not come.
        """
        match event.type:
            case "describe":
                return iter((Event("info", info(self._door)),))
            case "ping":
                return iter((Event("pong", {"text": event.data.get("text")}),))
            case "transcribe":
                self._language = _language(event.data.get("language"))
            case "audio-start":
                self._begin(event.data)
            case "audio-chunk":
                recording = self._recording or self._begin(event.data)
                recording.add(event.payload, event.data)
            case "audio-stop":
                return iter((await self._heard(),))
            case "synthesize":
                return await self._spoken(event.data)
            case "recognize":
                return iter((_intent(await self._turn(event.data), event.data),))
            case "transcript":
                return iter((_handled(await self._turn(event.data), event.data),))
        return iter(())

    def close(self) -> None:
        """Give up what is under way."""
        if self._recording is not None:
            self._recording = None
            self._shared.recordings += 1

    def _begin(self, form: Mapping[str, Any]) -> Recording:
        self.close()
        if self._shared.recordings < 1:
            raise Overloaded("recordings: expected a free place, got all taken", retry_after=1)
        recording = Recording(form, self._settings)
        self._recording = recording
        self._shared.recordings -= 1
        return recording

    async def _heard(self) -> Event:
        if self._recording is None:
            raise BadRequest("audio-stop: expected audio-start and sound before it, got neither")
        sound = self._recording.wav()
        self.close()
        door, language = self._door, self._language or usual_language(self._door)
        if sound is None:
            return Event("transcript", {"text": "", "language": language})
        transcript = await self._work(lambda: door.transcribe(sound, language))
        return Event("transcript", {"text": transcript.text, "language": transcript.language})

    async def _spoken(self, data: Mapping[str, Any]) -> Iterator[Event]:
        text = _text(data, self._settings)
        if data.get("text_format") not in (None, "text"):
            raise InvalidInput("text_format: expected text, got another")
        language = self._voice(data.get("voice")) or guess_language(text)
        door = self._door
        audio = await self._work(lambda: door.speak(text, language))
        return sound_of(audio)

    def _voice(self, voice: object) -> str | None:
        """The language that a voice speaks, by its name or by its own word; None where neither is said."""
        if voice is not None and not isinstance(voice, Mapping):
            raise InvalidInput("voice: expected an object, got something else")
        name = (voice or {}).get("name")
        if name is None:
            return _language((voice or {}).get("language"))
        names = {voice_of(language): language for language in languages_of(self._door, "speech")}
        if not isinstance(name, str) or name not in names:
            raise InvalidInput(f"voice: expected {' or '.join(names) or 'none, as none is installed'}, got another")
        return names[name]

    async def _turn(self, data: Mapping[str, Any]) -> Reply:
        text = _text(data, self._settings)
        language = _language(data.get("language")) or guess_language(text)
        conversation = _conversation(data.get("context"))
        session = self._shared.session(conversation) if conversation else self.session
        door = self._door
        reply: Reply = await self._work(lambda: door.turn(Turn(text, language=language), session))
        if conversation:
            self._shared.remember(conversation, reply.session)
        else:
            self.session = reply.session
        return reply


def sound_of(audio: Audio) -> Iterator[Event]:
    """Speech as events: its format, its sound in pieces with the milliseconds before each, its end."""
    form = {"rate": audio.rate, "width": PCM16_BYTES, "channels": 1}
    yield Event("audio-start", {**form, "timestamp": 0})
    for first in range(0, len(audio.samples), CHUNK):
        piece = Audio(audio.samples[first : first + CHUNK], audio.rate)
        yield Event("audio-chunk", {**form, "timestamp": first * 1000 // audio.rate}, pcm16(piece))
    yield Event("audio-stop", {"timestamp": len(audio.samples) * 1000 // audio.rate})


def _understood(reply: Reply) -> bool:
    return reply.answer.outcome != "not_understood"


def _intent(reply: Reply, asked: Mapping[str, Any]) -> Event:
    if not _understood(reply):
        return Event("not-recognized", {"text": reply.answer.text, **_context(asked)})
    entities = [{"name": entity.type, "value": entity.value} for entity in reply.parse.entities]
    name = reply.parse.intent.name
    return Event("intent", {"name": name, "entities": entities, "text": reply.answer.text, **_context(asked)})


def _handled(reply: Reply, asked: Mapping[str, Any]) -> Event:
    kind = "handled" if _understood(reply) else "not-handled"
    return Event(kind, {"text": reply.answer.text, **_context(asked)})


def _context(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The client's own context, given back with its answer."""
    context = asked.get("context")
    return {"context": context} if isinstance(context, Mapping) else {}


def _conversation(context: object) -> str | None:
    """Home Assistant's name of a conversation; None where there is none."""
    name = context.get("conversation_id") if isinstance(context, Mapping) else None
    return name if isinstance(name, str) and 0 < len(name) <= NAME_CHARS else None


def _text(data: Mapping[str, Any], settings: Settings) -> str:
    text, most = data.get("text"), settings.max_text_chars
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise InvalidInput("text: expected some words, got none")
    if len(text) > most:
        raise InvalidInput(f"text: expected at most {most} characters, got {len(text)}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidInput("text: expected valid Unicode text, got half a surrogate pair") from error
    return text


def _language(tag: object) -> str | None:
    if tag is None:
        return None
    language = language_of(tag) if isinstance(tag, str) else None
    if language is None:
        raise InvalidInput(f"language: expected {' or '.join(LANGUAGES)}, got another")
    return language
