"""The spoken conversation over HTTP: the kiosk's own microphone, and sound that a client sends piece by piece."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from apiflask import APIFlask
from flask import Request, Response, request

from appliance.channels.door import Door
from appliance.channels.http import sse
from appliance.channels.http.events import UNASKED_S, EventStream
from appliance.channels.http.limits import JSON_BYTES, declared_length, read_body
from appliance.channels.http.media import kind_of
from appliance.channels.http.pcm import OCTETS_TYPE, PCM_TYPE, arriving, is_pcm, rate_of, samples
from appliance.channels.http.peer import peer_of
from appliance.channels.http.problems import noted, where
from appliance.channels.http.reply import json_response, reply_json, transcript_json
from appliance.channels.http.schemas import check_stream, read_listen
from appliance.channels.http.screen import own_screen
from appliance.channels.voice.conversation import Conversation
from appliance.channels.voice.live import Live
from appliance.errors import NotFound, RequestTimeout, UnsupportedMedia
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.speech.listen import Final, Partial
from appliance.values import Transcript

PIECE_BYTES = 512 * 1024
"""Largest piece of sound: 16 s at 16 kHz."""


def register_voice(app: APIFlask, door: Door, settings: Settings, metrics: Metrics, events: EventStream) -> None:
    """Add the routes of the spoken conversation."""

    @app.get("/v1/voice")
    def get_voice() -> Response:
        return json_response(door.voice_state())

    @app.get("/v1/voice/events")
    def get_voice_events() -> Response:
        talk = _conversation(door, settings)
        # The place is one of those for event streams: what holds a thread is counted together.
        seconds = None if sse.asked_for(request) else UNASKED_S
        release = events.hold()
        peer = peer_of(request.environ)
        return sse.response(sse.told(talk.feed, talk.first, peer, lambda: events.closed, seconds), release)

    @app.post("/v1/voice/listen")
    def post_listen() -> Response:
        kind_of(request, ("json",))
        asked = read_listen(read_body(request, JSON_BYTES))
        talk = _conversation(door, settings)
        talk.listen(asked.session, asked.language)
        return json_response(door.voice_state(), 202)

    @app.post("/v1/voice/finish")
    def post_finish() -> Response:
        _conversation(door, settings).finish()
        return json_response(door.voice_state(), 202)

    @app.post("/v1/voice/cancel")
    def post_cancel() -> Response:
        _conversation(door, settings).cancel()
        return json_response(door.voice_state(), 202)

    @app.post("/v1/streams")
    def post_stream() -> Response:
        kind_of(request, ("json",))
        asked = read_listen(read_body(request, JSON_BYTES))
        return json_response({"stream": door.live.open(asked.language)}, 201)

    @app.post("/v1/streams/<stream>")
    def post_piece(stream: str) -> Response:
        door.live.check(check_stream(stream))
        if not is_pcm(request) and request.mimetype != OCTETS_TYPE:
            raise UnsupportedMedia(f"Content-Type: expected {PCM_TYPE}, got {request.mimetype[:60]!r}")
        rate = rate_of(request)
        heard = door.live.feed(stream, samples(read_body(request, PIECE_BYTES)), rate)
        return json_response({"events": [event_json(event) for event in heard]})

    @app.post("/v1/streams/<stream>/answer")
    def post_answer(stream: str) -> Response:
        door.live.check(check_stream(stream))
        kind_of(request, ("json",))
        asked = read_listen(read_body(request, JSON_BYTES))
        transcript = joined(door.live.finish(stream), asked.language)
        reply = door.heard(transcript, asked.session, asked.language)
        metrics.reply(reply)
        return json_response(reply_json(reply))

    @app.delete("/v1/streams/<stream>")
    def delete_stream(stream: str) -> Response:
        check_stream(stream)
        if not door.live.close(stream):
            raise NotFound("stream: expected one that is open, got one that is unknown or over")
        return Response(status=204)


def streamed_turn(
    door: Door, settings: Settings, session: str | None, language: str, told: Callable[[Any], dict[str, Any]]
) -> Response:
    """A turn whose sound is heard while it arrives: `partial` and `heard` events, then `result` or `error`."""
    rate = rate_of(request)
    live: Live = door.live
    name = live.open(language)
    place = where()
    # The sound is read while the answer is sent, when the request is no longer the current one.
    asked: Request = request._get_current_object()  # type: ignore[attr-defined]
    pieces = arriving(asked, settings.max_audio_bytes)

    whole = declared_length(asked) is not None

    def run() -> Iterator[bytes]:
        began, longest, first = time.monotonic(), settings.max_audio_seconds + settings.http_timeout_s, not whole
        try:
            # What has a length is drained by the server when the answer's head goes out: it is taken in first.
            for piece in list(pieces) if whole else pieces:
                if first:
                    first = False
                    yield sse.HEARTBEAT  # with the answer's head out, each piece has its own time, and not all together
                if time.monotonic() - began > longest:
                    raise RequestTimeout(f"stream: expected its end within {longest:g} s, got more of it")
                for event in live.feed(name, piece, rate):
                    yield sse.event("heard" if isinstance(event, Final) else "partial", event_json(event))
            reply = door.heard(joined(live.finish(name), language), session, language)
            yield sse.event("result", told(reply))
        except Exception as error:  # noqa: BLE001 - the status has been sent; what is left to say goes into the stream
            yield sse.event("error", noted(error, place)[1])

    def ended() -> None:
        live.close(name)

    return sse.response(run(), ended)


def joined(finals: tuple[Transcript, ...], language: str) -> Transcript:
    """Several sentences as one: confidence by their lengths, times and words one after the other."""
    if len(finals) == 1:
        return finals[0]
    if not finals:
        return Transcript("", 0.0, language)
    words = tuple(word for final in finals for word in final.words)
    length = sum(len(final.text) for final in finals)
    between = "" if language == "zh" else " "
    return Transcript(
        text=between.join(final.text for final in finals),
        confidence=sum(final.confidence * len(final.text) for final in finals) / length,
        language=finals[0].language,
        words=words,
        engine=finals[0].engine,
        seconds=sum(final.seconds for final in finals),
        segments=tuple(segment for final in finals for segment in final.segments),
    )


def event_json(event: Partial | Final) -> dict[str, Any]:
    """A partial as `{"text", "at"}`, a sentence as `{"transcript"}`."""
    if isinstance(event, Partial):
        return {"type": "partial", "text": event.text, "at": round(event.at, 3)}
    return {"type": "heard", "transcript": transcript_json(event.transcript)}


def _conversation(door: Door, settings: Settings) -> Conversation:
    """The conversation, for a screen on this machine: nobody elsewhere listens in at the counter or speaks there."""
    if not own_screen(request):
        raise NotFound("voice: expected the kiosk's own screen, got another machine, or what a proxy has passed on")
    if door.conversation is None:
        raise NotFound(
            f"voice: expected a conversation at the kiosk's microphone, got voice={settings.voice}",
            remedy=(
                "请设置 APPLIANCE_VOICE=push 或 wake，然后重新启动",
                "Set APPLIANCE_VOICE=push or wake and start the appliance again",
            ),
        )
    return door.conversation
