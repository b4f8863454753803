"""The spoken conversation over a real server: streams of sound, and the kiosk's own microphone."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import requests
from fake_door import FakeDoor, FakeUtterances
from promised import valid

from appliance.channels.voice.conversation import Conversation
from appliance.channels.voice.manners import Manners

RATE = 16_000
EVENTS = {"Accept": "text/event-stream"}
HALF = (np.sin(np.arange(RATE // 2) / 5) * 12_000).astype("<i2").tobytes()
"""Half a second of sound: the fake hears one character in it."""


def refused(response: requests.Response, status: int, code: str) -> None:
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code), body
    valid("Problem", body)


def opened(server: Any, language: str = "zh") -> str:
    response = server.post("/v1/streams", json={"language": language})
    assert response.status_code == 201
    valid("Stream", response.json())
    return str(response.json()["stream"])


def piece(server: Any, stream: str, data: bytes = HALF, media: str = "audio/pcm;rate=16000") -> requests.Response:
    return server.post(f"/v1/streams/{stream}", data=data, headers={"Content-Type": media})


def test_words_come_back_with_every_piece_and_the_answer_at_the_end(serve) -> None:
    server = serve(FakeDoor(streams=1))
    stream = opened(server)
    heard = []
    for _ in range(3):
        response = piece(server, stream)
        assert response.status_code == 200
        valid("StreamEvents", response.json())
        heard += [event["text"] for event in response.json()["events"]]
    assert heard == ["洗", "洗衣", "洗衣液"]
    reply = server.post(f"/v1/streams/{stream}/answer", json={})
    valid("Reply", reply.json())
    assert reply.json()["turn"] == {
        "text": "洗衣液",
        "source": "audio",
        "language": "zh",
        "confidence": 0.9,
        "partial": False,
    }
    assert reply.json()["transcript"]["seconds"] == 1.5
    refused(server.post(f"/v1/streams/{stream}/answer", json={}), 404, "not_found")
    assert server.door.hearings[0].closed


def test_the_sound_arrives_as_it_was(serve) -> None:
    server = serve(FakeDoor(streams=1))
    stream = opened(server)
    piece(server, stream)
    sound = np.concatenate(server.door.hearings[0].sound)
    assert np.array_equal(sound, np.frombuffer(HALF, "<i2").astype(np.float32) / 32768)


def test_the_session_goes_on(serve) -> None:
    server = serve(FakeDoor(streams=1))
    first = server.ask("你好").json()["session"]
    stream = opened(server)
    piece(server, stream)
    assert server.post(f"/v1/streams/{stream}/answer", json={"session": first}).json()["session"] == first


def test_streams_are_bounded_and_a_closed_one_makes_room(serve) -> None:
    server = serve(FakeDoor(streams=1))
    stream = opened(server)
    full = server.post("/v1/streams", json={})
    refused(full, 503, "overloaded")
    assert full.headers["Retry-After"] == "2"
    assert server.get("/v1/status").status_code == 200
    gone = requests.delete(f"{server.url}/v1/streams/{stream}", timeout=10)
    assert gone.status_code == 204
    refused(requests.delete(f"{server.url}/v1/streams/{stream}", timeout=10), 404, "not_found")
    opened(server)


@pytest.mark.parametrize(
    ("data", "media", "status", "code"),
    [
        (HALF, "audio/wav", 415, "unsupported_media"),
        (HALF, "audio/pcm;rate=7999", 422, "invalid_input"),
        (HALF, "audio/pcm;rate=0x10", 422, "invalid_input"),
        (HALF, "audio/pcm;channels=2", 422, "invalid_input"),
        (HALF, "audio/pcm;format=f32le", 422, "invalid_input"),
        (HALF[:-1], "audio/pcm;rate=16000", 422, "invalid_input"),
        (bytes(600_000), "audio/pcm;rate=16000", 413, "too_large"),
    ],
)
def test_bad_pieces_are_refused_and_the_stream_goes_on(serve, data, media, status, code) -> None:
    server = serve(FakeDoor(streams=1))
    stream = opened(server)
    refused(piece(server, stream, data, media), status, code)
    assert piece(server, stream).status_code == 200


@pytest.mark.parametrize("name", ["unknown", "a" * 64])
def test_unknown_streams_are_not_found(serve, name) -> None:
    server = serve(FakeDoor(streams=1))
    refused(piece(server, name), 404, "not_found")


def test_a_stream_of_a_wrong_name_is_refused(serve) -> None:
    server = serve(FakeDoor(streams=1))
    refused(piece(server, "a b"), 422, "invalid_input")
    refused(server.post("/v1/streams", json={"language": "fr"}), 422, "invalid_input")


def events_of(lines: Iterator[bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    for line in lines:
        if line.startswith(b"event: "):
            name = line[7:].decode().strip()
        elif line.startswith(b"data: "):
            yield name, json.loads(line[6:])


def test_a_turn_that_is_spoken_while_it_is_sent_is_heard_while_it_arrives(serve) -> None:
    server = serve(FakeDoor(streams=1))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest("POST", "/v1/turns?language=zh")
    connection.putheader("Content-Type", "audio/pcm;rate=16000")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()

    def send(data: bytes) -> None:
        connection.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    send(HALF)
    # The answer's head and the first word come while the rest of the sound has not been sent.
    answer = connection.sock.makefile("rb")
    assert answer.readline().startswith(b"HTTP/1.1 200")
    told = events_of(iter(answer.readline, b""))
    assert next(told) == ("partial", {"type": "partial", "text": "洗", "at": 0.5})
    send(HALF + HALF[:101])
    send(HALF[101:])
    connection.send(b"0\r\n\r\n")
    rest = list(told)
    assert [name for name, _ in rest][-1] == "result"
    valid("Reply", rest[-1][1])
    assert rest[-1][1]["turn"]["text"] == "洗衣液"
    answer.close()
    connection.close()
    assert server.door.hearings[0].closed


def test_a_spoken_turn_that_ends_in_half_a_sample_says_so_in_the_stream(serve) -> None:
    server = serve(FakeDoor(streams=1))
    response = server.post("/v1/turns", data=HALF[:-1], headers={"Content-Type": "audio/pcm"})
    name, problem = list(events_of(iter(response.content.splitlines())))[-1]
    assert (name, problem["code"]) == ("error", "invalid_input")
    assert opened(server), "the place is free again"


class Ears:
    """Gives half a second of sound whenever it may."""

    def __init__(self) -> None:
        self.may = threading.Semaphore(0)

    def read(self, timeout_s: float) -> np.ndarray:
        if self.may.acquire(timeout=0.01):
            return np.frombuffer(HALF, "<i2").astype(np.float32) / 32768
        return np.zeros(0, np.float32)


@pytest.fixture
def kiosk(serve) -> Iterator[tuple[Any, Ears]]:
    door, ears = FakeDoor(), Ears()
    door.conversation = Conversation(
        ears,
        lambda _language: FakeUtterances(),
        door.heard,
        lambda reply: {"text": reply.turn.text, "session": reply.session},
        manners=lambda: Manners(patience=5.0),
    )
    door.conversation.start()
    yield serve(door), ears
    door.conversation.close()


def test_the_kiosks_own_microphone_is_asked_for_and_told_of(kiosk) -> None:
    server, ears = kiosk
    with requests.get(f"{server.url}/v1/voice/events", stream=True, timeout=20, headers=EVENTS) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        told = events_of(stream.iter_lines(chunk_size=1))
        assert next(told) == ("state", {"phase": "idle", "woken": False, "barge_in": False})
        asked = server.post("/v1/voice/listen", json={"language": "zh"})
        assert asked.status_code == 202
        valid("Voice", asked.json())
        assert next(told)[1]["phase"] == "listening"
        ears.may.release(2)
        for name, data in told:
            if (name, data.get("text")) == ("partial", "洗衣"):
                break
        server.post("/v1/voice/finish")
        reply = next(data for name, data in told if name == "reply")
        assert reply["text"] == "洗衣"


def test_cancelling_is_always_possible(kiosk) -> None:
    server, _ = kiosk
    for _ in range(2):
        assert server.post("/v1/voice/cancel").status_code == 202
    assert server.get("/v1/voice").json()["phase"] == "idle"


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"])
def test_nobody_behind_a_proxy_on_this_machine_listens_in_or_speaks(kiosk, header: str) -> None:
    server, _ = kiosk
    passed = {header: "for=192.168.1.20"}
    refused(server.get("/v1/voice/events", headers=passed), 404, "not_found")
    refused(server.post("/v1/voice/listen", json={}, headers=passed), 404, "not_found")
    for path in ("finish", "cancel"):
        refused(server.post(f"/v1/voice/{path}", headers=passed), 404, "not_found")
    assert server.get("/v1/voice", headers=passed).json()["phase"] == "idle"
    assert server.events.open == 0


def test_without_a_microphone_the_routes_say_what_to_set(serve) -> None:
    server = serve(FakeDoor())
    assert server.get("/v1/voice").json() == {"mode": "off"}
    for path in ("/v1/voice/finish", "/v1/voice/cancel"):
        refused(server.post(path), 404, "not_found")
    response = server.post("/v1/voice/listen", json={})
    refused(response, 404, "not_found")
    assert "APPLIANCE_VOICE=push" in response.json()["remedy"]
    refused(server.get("/v1/voice/events"), 404, "not_found")


def test_streams_of_words_share_the_places_of_event_streams(kiosk) -> None:
    server, _ = kiosk
    held = [requests.get(f"{server.url}/v1/voice/events", stream=True, timeout=20, headers=EVENTS) for _ in range(8)]
    refused(server.get("/v1/voice/events"), 503, "overloaded")
    for stream in held:
        stream.close()
