"""OpenAI's audio routes, asked by OpenAI's own client of a real server, and by hand where that client would not."""

from __future__ import annotations

import io
import json
import sys
import threading
import wave
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import jsonschema_rs
import numpy as np
import openai
import pytest
import requests
from prometheus_client import CollectorRegistry
from speaking_door import HEARD, RATE, SpeakingFakeDoor

from appliance.channels.http.api import SPARE_IMAGES, SPARE_RECORDINGS, create_app
from appliance.channels.http.events import EventStream
from appliance.channels.http.limits import Uploads
from appliance.channels.http.openai import SPEECH, TRANSCRIPTIONS, register_openai
from appliance.channels.http.openai_document import paths, schemas
from appliance.channels.http.openapi import document
from appliance.channels.http.server import Server
from appliance.errors import InvalidInput, ModelCorrupt, Overloaded
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.speech.encode import wav
from appliance.values import Audio, Transcript

TOKEN = "a-token-of-16-characters"
SOUND = Audio((0.5 * np.sin(np.arange(16_000) / 10)).astype(np.float32), 16_000)
WAV = wav(SOUND)


@dataclass
class Serving:
    """A server, and OpenAI's client of it."""

    door: SpeakingFakeDoor
    url: str
    client: openai.OpenAI

    def hear(self, **more: Any) -> Any:
        return self.client.audio.transcriptions.create(file=("a.wav", WAV), model="whisper-1", **more)

    def form(self, files: dict[str, Any] | None = None, **fields: Any) -> requests.Response:
        files = {"file": ("a.wav", WAV, "audio/wav")} if files is None else files
        return requests.post(self.url + TRANSCRIPTIONS, files=files, data=fields, timeout=20)

    def say(self, **body: Any) -> requests.Response:
        return requests.post(self.url + SPEECH, json=body, timeout=20)


@contextmanager
def serving(door: SpeakingFakeDoor, **over: Any) -> Iterator[Serving]:
    settings = replace(Settings(), **{"http_port": 0, "http_threads": 16, "admitted": 8, "http_timeout_s": 5.0, **over})
    metrics = Metrics(CollectorRegistry())
    events = EventStream(door, settings.event_streams, interval_s=0.05, listener=metrics.listener)
    app = create_app(door, settings, metrics, events=events)
    if TRANSCRIPTIONS not in {rule.rule for rule in app.url_map.iter_rules()}:
        uploads = Uploads(settings.image_jobs + SPARE_IMAGES, settings.audio_jobs + SPARE_RECORDINGS)
        register_openai(app, door, settings, uploads)
    server = Server(app, settings, on_stop=events.close, listener=metrics.listener)
    server.start()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    key = settings.http_token or "none"
    try:
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0, timeout=20) as client:
            yield Serving(door, server.url, client)
    finally:
        server.stop()
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def serve() -> Iterator[Callable[..., Serving]]:
    with ExitStack() as stack:
        yield lambda door=None, **over: stack.enter_context(serving(door or SpeakingFakeDoor(), **over))


@pytest.fixture(scope="module")
def shared() -> Iterator[Serving]:
    with serving(SpeakingFakeDoor()) as one:
        yield one


def valid(schema: str, body: object) -> None:
    """The answer is what the document promises."""
    spec = document(Settings())
    known = spec["components"]["schemas"] | schemas(Settings())
    root = {"$ref": f"#/components/schemas/{schema}", "components": {"schemas": known}}
    jsonschema_rs.validator_for(root).validate(body)


def test_a_recording_becomes_text(shared):
    heard = shared.hear(language="zh", prompt="商店", temperature=0.2)
    assert heard.text == HEARD.text
    assert (heard.usage.type, heard.usage.seconds) == ("duration", 5)
    np.testing.assert_allclose(shared.door.heard_audio[-1].samples, SOUND.samples, atol=1e-4)
    assert shared.hear(response_format="text") == f"{HEARD.text}\n"


def test_a_verbose_transcript_has_the_times_that_were_asked_for(shared):
    plain = shared.hear(response_format="verbose_json")
    assert (plain.language, plain.duration, plain.words) == ("chinese", 4.5, None)
    assert [(s.id, s.start, s.end, s.text) for s in plain.segments] == [
        (0, 0.2, 1.7, "洗衣液在哪里"),
        (1, 2.7, 4.3, "第二句& <话>"),
    ]
    assert plain.segments[0].avg_logprob == pytest.approx(np.log(0.8), abs=1e-4)
    words = shared.hear(response_format="verbose_json", timestamp_granularities=["word"])
    assert [(w.word, w.start, w.end) for w in words.words][:2] == [("洗衣液", 0.5, 1.0), ("在哪里", 1.0, 1.4)]
    assert words.segments is None
    both = shared.hear(response_format="verbose_json", timestamp_granularities=["word", "segment"])
    assert len(both.words) == 4
    assert len(both.segments) == 2
    valid("Transcription", json.loads(shared.form(response_format="verbose_json").content))
    valid("Transcription", json.loads(shared.form().content))


def test_subtitles(shared):
    srt = "1\n00:00:00,200 --> 00:00:01,700\n洗衣液在哪里\n\n2\n00:00:02,700 --> 00:00:04,300\n第二句& <话>\n"
    assert shared.hear(response_format="srt") == srt
    cues = "00:00:00.200 --> 00:00:01.700\n洗衣液在哪里\n\n00:00:02.700 --> 00:00:04.300\n第二句&amp; &lt;话&gt;\n"
    assert shared.hear(response_format="vtt") == f"WEBVTT\n\n{cues}"


def test_silence_is_an_empty_transcript_in_every_form(serve):
    one = serve(SpeakingFakeDoor(transcript=Transcript("", 0.0, "zh", seconds=1.0)))
    assert one.hear().text == ""
    assert one.hear(response_format="verbose_json").segments == []
    assert one.hear(response_format="srt") == ""
    assert one.hear(response_format="vtt") == "WEBVTT\n"
    assert [event.type for event in one.hear(stream=True)] == ["transcript.text.done"]


def test_stretches_are_streamed_as_soon_as_they_are_heard(serve):
    between = threading.Event()
    one = serve(SpeakingFakeDoor(between=between))
    stream = iter(one.hear(stream=True))
    first = next(stream)
    assert (first.type, first.delta) == ("transcript.text.delta", "洗衣液在哪里")
    between.set()  # only now may the second one be recognised
    second, done = list(stream)
    assert first.delta + second.delta == done.text == HEARD.text
    assert done.type == "transcript.text.done"


def test_what_goes_wrong_in_a_stream(serve):
    early = serve(SpeakingFakeDoor(error=Overloaded("full", retry_after=2)))
    with pytest.raises(openai.InternalServerError) as before:
        early.hear(stream=True)
    assert (before.value.status_code, before.value.code) == (503, "overloaded")
    late = serve(SpeakingFakeDoor(late=ModelCorrupt("hash")))
    stream = iter(late.hear(stream=True))
    assert next(stream).type == "transcript.text.delta"
    with pytest.raises(openai.APIError) as after:
        list(stream)
    assert (after.value.code, after.value.type) == ("model_corrupt", "server_error")


def test_a_client_that_leaves_ends_the_work(serve):
    one = serve(SpeakingFakeDoor(endless=True))
    stream = one.hear(stream=True)
    next(iter(stream))
    assert not one.door.stopped.is_set()
    stream.close()
    assert one.door.stopped.wait(8)


def test_a_client_that_leaves_before_the_first_word_ends_the_work_too(serve):
    one = serve(SpeakingFakeDoor(endless=True, transcript=Transcript("", 0.0, "zh")))
    with pytest.raises(openai.APITimeoutError):
        one.client.with_options(timeout=0.5).audio.transcriptions.create(
            file=("a.wav", WAV), model="whisper-1", stream=True
        )
    assert one.door.stopped.wait(8)


def test_the_language_is_that_of_the_ears_where_nobody_names_one(serve):
    one = serve(SpeakingFakeDoor(hears=("en",)))
    one.hear()
    assert one.door.heard_in == ["en"]
    with pytest.raises(openai.InternalServerError):
        one.hear(language="zh")
    two = serve()
    two.hear()
    two.hear(language="en-US")
    assert two.door.heard_in == ["zh", "en"]


def test_times_and_formats_that_have_no_effect_are_taken(shared):
    assert shared.hear(timestamp_granularities=["word"]).text == HEARD.text
    assert [event.type for event in shared.hear(response_format="srt", stream=True)][-1] == "transcript.text.done"


@pytest.mark.parametrize(
    "fields, param, said",
    [
        ({"response_format": "diarized_json"}, "response_format", "expected json, text, verbose_json, srt, vtt"),
        ({"language": "fr"}, "language", "expected zh or en"),
        ({"temperature": "2"}, "temperature", "from 0 to 1"),
        ({"temperature": "nan"}, "temperature", "from 0 to 1"),
        ({"stream": "perhaps"}, "stream", "expected true or false"),
        (
            {"timestamp_granularities[]": "hour", "response_format": "verbose_json"},
            "timestamp_granularities",
            "segment",
        ),
        ({"chunking_strategy": "{}"}, "chunking_strategy", "expected auto"),
        ({"language": ["zh", "en"]}, "language", "expected once, got 2 times"),
        ({"colour": "red"}, "colour", "expected one of file, model"),
    ],
)
def test_fields_that_are_refused_are_named(shared, fields, param, said):
    answer = shared.form(**fields)
    body = answer.json()
    valid("AudioProblem", body)
    assert (answer.status_code, body["code"], body["error"]["param"]) == (422, "invalid_input", param)
    assert said in body["message"]
    assert body["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "files, status, said",
    [
        ({"file": ("a.wav", b"", "audio/wav")}, 422, "got an empty file"),
        ({"audio": ("a.wav", WAV, "audio/wav")}, 422, "expected one file named file"),
        ({"file": (None, "text")}, 422, "with a filename"),
        ([("file", ("a", WAV)), ("file", ("b", WAV))], 422, "expected one file, got 2"),
    ],
)
def test_forms_that_are_refused(shared, files, status, said):
    answer = shared.form(files)
    assert answer.status_code == status
    assert said in answer.json()["error"]["message"]


def test_other_bodies_than_a_form_are_refused(shared):
    for kind in ("application/json", "audio/wav", ""):
        answer = requests.post(shared.url + TRANSCRIPTIONS, data=b"{}", headers={"Content-Type": kind}, timeout=20)
        assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media")
    assert requests.get(shared.url + SPEECH, timeout=20).json()["error"]["code"] == "method_not_allowed"


def test_recordings_over_a_limit(serve):
    one = serve(max_audio_bytes=20_000)
    with pytest.raises(openai.APIStatusError) as refused:
        one.hear()
    assert (refused.value.status_code, refused.value.code) == (413, "too_large")
    assert one.door.heard_audio == []


@pytest.mark.parametrize("name", ["FLAC", "OGG", "MP3"])
def test_without_libsndfile_only_wav_is_read_and_the_refusal_says_so(shared, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "soundfile", None)  # as where it is not installed
    marks = {"FLAC": b"fLaC" + bytes(60), "OGG": b"OggS" + bytes(60), "MP3": b"\xff\xfb\x90\x00" + bytes(60)}
    with pytest.raises(openai.APIStatusError) as refused:
        shared.client.audio.transcriptions.create(file=("a", marks[name]), model="whisper-1")
    assert refused.value.status_code == 415
    assert refused.value.param == "file"
    assert f"got {name.title() if name == 'OGG' else name}" in refused.value.message
    assert "pip install soundfile" in refused.value.message


@pytest.mark.parametrize("kind, subtype", [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")])
def test_with_libsndfile_other_formats_are_heard(serve, kind, subtype):
    soundfile = pytest.importorskip("soundfile")
    encoded = io.BytesIO()
    soundfile.write(encoded, SOUND.samples, SOUND.rate, format=kind, subtype=subtype)
    one = serve(max_audio_seconds=1.2)
    create = one.client.audio.transcriptions.create
    assert create(file=("a", encoded.getvalue()), model="whisper-1").text == HEARD.text
    audio = one.door.heard_audio[-1]
    assert audio.rate == 16_000
    assert abs(audio.seconds - 1) < 0.15
    assert np.abs(audio.samples).max() == pytest.approx(0.5, abs=0.05)
    long = io.BytesIO()
    soundfile.write(long, np.tile(SOUND.samples, 2), SOUND.rate, format=kind, subtype=subtype)
    with pytest.raises(openai.APIStatusError, match="at most 1.2 seconds"):
        create(file=("a", long.getvalue()), model="whisper-1")
    with pytest.raises(openai.APIStatusError, match="that libsndfile reads"):
        create(file=("a", encoded.getvalue()[:4] + bytes(64)), model="whisper-1")


def test_a_text_becomes_sound(shared, tmp_path):
    made = shared.client.audio.speech.create(model="tts-1", voice="alloy", input="你好世界", response_format="wav")
    with wave.open(io.BytesIO(made.content)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        assert file.getnframes() == round(0.4 * RATE)
    assert made.response.headers["Content-Type"] == "audio/wav"
    assert shared.door.said[-1] == ("你好世界", "zh", 1.0)
    bare = shared.client.audio.speech.create(
        model="tts-1", voice="alloy", input="hello there", response_format="pcm", speed=2, instructions="Gently"
    )
    assert shared.door.said[-1] == ("hello there", "en", 2.0)
    samples = np.frombuffer(bare.content, "<i2")
    assert len(samples) == pytest.approx(11 * 0.1 / 2 * 24_000, abs=2)
    assert np.abs(samples).max() == pytest.approx(0.5 * 32767, rel=0.02)
    with shared.client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input="好", response_format="wav"
    ) as stream:
        stream.stream_to_file(tmp_path / "a.wav")
    assert (tmp_path / "a.wav").read_bytes()[:4] == b"RIFF"


def test_the_voice_may_name_the_language(shared):
    for voice, language in (("en", "en"), ({"id": "zh"}, "zh"), ("nova", "zh")):
        assert shared.say(model="tts-1", voice=voice, input="一二三").status_code == 200
        assert shared.door.said[-1][1] == language
    assert shared.say(input="你好").headers["Content-Type"] == "audio/wav", (
        "neither model nor voice nor format is needed"
    )


@pytest.mark.parametrize(
    "body, param, said",
    [
        ({}, "input", "expected a value"),
        ({"input": ""}, "input", "at least 1 character"),
        ({"input": "好" * 513}, "input", "expected at most 512 characters, got 513"),
        ({"input": "a\0"}, "input", "NUL"),
        ({"input": "a", "response_format": "mp3"}, "response_format", "expected wav or pcm"),
        ({"input": "a", "speed": 5}, "speed", "at most 4"),
        ({"input": "a", "speed": 0.2}, "speed", "at least 0.25"),
        ({"input": "a", "speed": "fast"}, "speed", "expected a number"),
        ({"input": "a", "voice": 5}, "voice", "expected text"),
        ({"input": "a", "stream_format": "sse"}, "stream_format", "expected 'audio'"),
        ({"input": "a", "colour": "red"}, "colour", "expected no such field"),
    ],
)
def test_texts_that_are_refused(shared, body, param, said):
    answer = shared.say(**body)
    problem = answer.json()
    valid("AudioProblem", problem)
    assert (answer.status_code, problem["error"]["param"]) == (422, param)
    assert said in problem["message"]


def test_a_voice_that_is_not_installed(serve):
    one = serve(SpeakingFakeDoor(speaks=("zh",)))
    with pytest.raises(openai.InternalServerError) as refused:
        one.client.audio.speech.create(model="tts-1", voice="alloy", input="hello there")
    assert (refused.value.status_code, refused.value.code, refused.value.type) == (503, "unavailable", "server_error")


def test_the_key_is_the_token(serve):
    one = serve(http_token=TOKEN)
    assert one.hear().text == HEARD.text
    stranger = one.client.with_options(api_key="wrong")
    for ask in (
        lambda: stranger.audio.transcriptions.create(file=("a.wav", WAV), model="whisper-1"),
        lambda: stranger.audio.speech.create(model="tts-1", voice="alloy", input="a"),
    ):
        with pytest.raises(openai.AuthenticationError) as refused:
            ask()
        assert refused.value.code == "unauthorized"
        assert refused.value.response.json()["remedy"]


def test_a_full_house_sends_away_before_the_recording_is_received(serve):
    one = serve(SpeakingFakeDoor(is_full=True))
    with pytest.raises(openai.InternalServerError) as refused:
        one.hear()
    assert refused.value.response.headers["Retry-After"] == "2"
    assert one.say(input="好").json()["error"]["code"] == "overloaded"
    assert one.door.acts == 0


def test_without_ears_no_recording_is_received(serve):
    one = serve(SpeakingFakeDoor(asr="off"))
    with pytest.raises(openai.InternalServerError) as refused:
        one.hear()
    assert (refused.value.status_code, refused.value.code, one.door.acts) == (503, "unavailable", 0)


def test_a_defect_says_nothing_of_what_was_said(serve):
    one = serve(SpeakingFakeDoor(error=ValueError("13812345678")))
    with pytest.raises(openai.InternalServerError) as failed:
        one.hear()
    assert "13812345678" not in failed.value.response.text
    assert failed.value.response.json()["error_id"]
    assert failed.value.code == "internal"


def test_errors_of_the_door_keep_their_status(serve):
    one = serve(SpeakingFakeDoor(error=InvalidInput("WAV: expected samples, got 0 bytes of them")))
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        one.hear()
    assert refused.value.code == "invalid_input"


def test_the_document_has_both_routes():
    def operation(name: str, summary: str, tag: str, answers: dict, *refusals: int) -> dict:
        problem = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        return {"operationId": name, "responses": answers | {str(status): problem for status in refusals}}

    settings = Settings(max_text_chars=99)
    found = paths(settings, operation)
    assert set(found) == {TRANSCRIPTIONS, SPEECH}
    text = json.dumps(found)
    assert "#/components/schemas/AudioProblem" in text
    assert "#/components/schemas/Problem" not in text
    known = schemas(settings)
    assert known["SpeechIn"]["properties"]["input"]["maxLength"] == 99
    check = jsonschema_rs.validator_for(known["SpeechIn"])
    assert check.is_valid({"input": "好", "voice": {"id": "nova"}, "response_format": "pcm", "speed": 4})
    assert not check.is_valid({"input": "好", "response_format": "mp3"})
    form = found[TRANSCRIPTIONS]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert {"file", "language", "stream", "timestamp_granularities[]"} <= set(form["properties"])
