"""POST /v1/audio/transcriptions and /v1/audio/speech, as OpenAI's clients ask for them.

A client of theirs needs `base_url="http://KIOSK:8080/v1"` and, as its API key, http_token (any word where none is set).
Errors have OpenAI's form and, beside it, that of every other route: {"error": {...}, "code", "message", "remedy"}.
What is asked and not done here is said in openai_asked.py.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

from apiflask import APIFlask
from flask import Response, current_app, request

from appliance.channels.door import Door, Told, unheard
from appliance.channels.http import openai_written as written
from appliance.channels.http import sse
from appliance.channels.http.limits import JSON_BYTES, Uploads, read_body
from appliance.channels.http.media import kind_of
from appliance.channels.http.openai_asked import ToHear, read_recording, read_speech
from appliance.channels.http.peer import Peer, peer_of
from appliance.channels.http.problems import noted, where
from appliance.channels.http.reply import JSON, json_response
from appliance.channels.http.status import waiting
from appliance.channels.speaking import languages_of, usual_language
from appliance.errors import BadRequest, Overloaded, Unavailable
from appliance.request import carried
from appliance.settings import Settings
from appliance.speech.encode import pcm16, wav
from appliance.values import Transcript

TRANSCRIPTIONS, SPEECH = "/v1/audio/transcriptions", "/v1/audio/speech"
ROUTES = (TRANSCRIPTIONS, SPEECH)
PCM_RATE = 24_000
"""Samples per second of `pcm`, which says nothing of itself: OpenAI's."""
TICK_S = 0.25
"""Seconds without an event after which it is looked whether the client is still there."""
HEARTBEAT_TICKS = 8
"""Such ticks between two signs of life."""

Work = Callable[[Told], Transcript]
Event = tuple[str, "str | Transcript | Exception"]


def register_openai(app: APIFlask, door: Door, settings: Settings, uploads: Uploads) -> None:
    """Add both routes, and OpenAI's form to whatever goes wrong on them."""

    def room() -> None:
        """Send a client away before its body is received, where the house is full."""
        refused = door.refusal(waiting(current_app))
        if refused is not None:
            raise refused

    @app.post(TRANSCRIPTIONS)
    def post_transcription() -> Response:
        kind_of(request, ("form",))
        room()
        if not languages_of(door, "asr"):
            raise Unavailable("speech recognition: expected a recogniser, got none")
        with uploads.place("audio"):
            asked = read_recording(request, settings)
        language = asked.language or usual_language(door)
        peer = peer_of(request.environ)

        def work(told: Told) -> Transcript:
            return door.transcribe(asked.recording, language, told=told)

        if asked.stream:
            return _streamed(work, peer, settings.deadline_s + settings.http_timeout_s)
        return _whole(asked, work(unheard))

    @app.post(SPEECH)
    def post_speech() -> Response:
        kind_of(request, ("json",))
        room()
        asked = read_speech(read_body(request, JSON_BYTES), settings.max_text_chars)
        audio = door.speak(asked.input, asked.language, asked.speed)
        if asked.sound == "pcm":
            return Response(pcm16(audio, PCM_RATE), content_type=f"audio/pcm; rate={PCM_RATE}")
        return Response(wav(audio), content_type="audio/wav")

    @app.after_request
    def in_their_form(response: Response) -> Response:
        if request.path in ROUTES and response.status_code >= 400 and response.mimetype == JSON:
            body = json.loads(response.get_data())
            response.set_data(json.dumps(with_error(body, response.status_code), ensure_ascii=False).encode("utf-8"))
        return response


def with_error(problem: dict[str, Any], status: int) -> dict[str, Any]:
    """The body of a problem with OpenAI's `error` beside its own fields.

    `param` is the field at fault: messages begin with it by the appliance's convention, `field: expected X, got Y`.
    """
    message = str(problem["message"])
    field, colon, _ = message.partition(" / ")[2].partition(":")
    error = {
        "message": f"{message} → {problem['remedy']}",
        "type": _type_of(status),
        "param": field if colon and field.isidentifier() else None,
        "code": problem["code"],
    }
    return {"error": error, **problem}


def _type_of(status: int) -> str:
    if status >= 500:
        return "server_error"
    return "rate_limit_error" if status == 429 else "invalid_request_error"


def _stay(peer: Peer) -> None:
    """Raise when the client has gone: what is left of its recording is for nobody."""
    if peer.gone():
        raise BadRequest("client: expected to wait for its answer, got its connection closed")


def _whole(asked: ToHear, transcript: Transcript) -> Response:
    match asked.form:
        case "json":
            return json_response(written.brief(transcript))
        case "verbose_json":
            return json_response(written.verbose(transcript, asked.granularities))
        case "srt":
            return Response(written.srt(transcript), content_type="application/x-subrip; charset=utf-8")
        case "vtt":
            return Response(written.vtt(transcript), content_type="text/vtt; charset=utf-8")
        case _:
            return Response(f"{transcript.text}\n", content_type="text/plain; charset=utf-8")


def _streamed(work: Work, peer: Peer, longest_s: float) -> Response:
    """`transcript.text.delta` for each stretch of speech, then `transcript.text.done`.

    The work has a thread of its own, which the gates behind the door bound. What goes wrong before the first word is
    raised here and so becomes a plain answer; later it is an event with an `error`.
    """
    feed: queue.SimpleQueue[Event] = queue.SimpleQueue()
    left = threading.Event()
    told: list[str] = []

    def tell(text: str) -> None:
        if left.is_set():
            raise BadRequest("client: expected to wait for its answer, got its connection closed")
        if text:
            told.append(text)
            feed.put(("delta", text))

    def run() -> None:
        try:
            transcript = work(tell)
        except Exception as error:  # noqa: BLE001 - handed to the thread that answers, which says and logs it as any other
            feed.put(("error", error))
            return
        if transcript.text and not told:
            feed.put(("delta", transcript.text))
        feed.put(("done", transcript))

    try:
        threading.Thread(target=carried(run), name="transcription", daemon=True).start()
    except RuntimeError as error:  # the system gives no more threads
        raise Overloaded(f"transcription: expected a thread, got {error}", retry_after=2) from error
    first = _next(feed)
    while first is None:
        try:
            _stay(peer)
        except BadRequest:
            left.set()
            raise
        first = _next(feed)
    if isinstance(first[1], Exception):
        raise first[1]
    return sse.response(_events(feed, first, peer, longest_s, where()), left.set)


def _next(feed: queue.SimpleQueue[Event]) -> Event | None:
    try:
        return feed.get(timeout=TICK_S)
    except queue.Empty:
        return None


def _events(feed: queue.SimpleQueue[Event], first: Event, peer: Peer, longest_s: float, place: str) -> Iterator[bytes]:
    peer.within(longest_s)
    event: Event | None = first
    quiet = 0
    while True:
        if event is not None:
            quiet = 0
            yield _said(event[1], place)
            if event[0] != "delta":
                return
        else:
            quiet += 1
            if peer.gone():
                return
            if quiet % HEARTBEAT_TICKS == 0:
                yield sse.HEARTBEAT
        event = _next(feed)


def _said(what: str | Transcript | Exception, place: str) -> bytes:
    if isinstance(what, str):
        return sse.event("transcript.text.delta", {"type": "transcript.text.delta", "delta": what})
    if isinstance(what, Exception):
        typed, problem = noted(what, place)
        return sse.event("error", with_error(problem, typed.status))
    return sse.event("transcript.text.done", {"type": "transcript.text.done", "text": what.text})
