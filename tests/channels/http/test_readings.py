"""Readings before the client's eyes: lines as they are read, and what a stream says when it fails or falls silent."""

from __future__ import annotations

import json
import threading

import pytest
from fake_door import LINES, FakeDoor
from promised import valid
from streamed import EVENTS, IMAGE, parsed, places_free, stream, until

from appliance.channels.http import readings, sse
from appliance.channels.http.api import create_app
from appliance.channels.http.peer import Peer
from appliance.channels.http.readings import Readings
from appliance.errors import IN_VAIN, DeadlineExceeded, InvalidInput, Overloaded, TooManyRequests
from appliance.metrics import Metrics
from appliance.settings import Settings


def test_found_lines_and_the_plain_answer(shared):
    response, events = stream(shared)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Accel-Buffering"] == "no"
    (found, count), *lines, (last, result) = events
    assert (found, count) == ("found", {"lines": 3})
    valid("Found", count)
    assert [name for name, _ in lines] == ["line"] * 3
    assert [line["index"] for _, line in lines] == [0, 1, 2]
    for _, line in lines:
        valid("OcrLine", line)
        assert "characters" not in line
    plain = shared.post("/v1/ocr", data=IMAGE, headers={"Content-Type": "image/png"})
    assert plain.headers["Content-Type"] == "application/json"
    assert last == "result"
    assert result == plain.json()
    assert [{k: v for k, v in line.items() if k != "index"} for _, line in lines] == result["lines"]


def test_lines_come_while_the_rest_is_still_being_read(serve):
    step = threading.Semaphore(0)
    server = serve(FakeDoor(step=step))
    _, events = stream(server)
    assert next(events) == ("found", {"lines": 3})
    for line in LINES:
        step.release()
        name, data = next(events)
        assert (name, data["text"]) == ("line", line.text)
    assert next(events)[0] == "result"


def test_a_reading_that_begins_anew_takes_back_what_it_told(serve):
    step = threading.Semaphore(0)
    server = serve(FakeDoor(step=step, anew=2))
    _, events = stream(server)
    assert [next(events) for _ in range(3)][0] == ("found", {"lines": 4})
    for _ in range(4):
        step.release()
    assert next(events) == ("restart", {})
    assert next(events) == ("found", {"lines": 3})
    *lines, (last, result) = events
    assert last == "result"
    assert [data["index"] for _, data in lines] == [0, 1, 2]
    assert [data["text"] for _, data in lines] == [line["text"] for line in result["lines"]]


def test_what_nobody_has_heard_is_taken_back_in_silence(context):
    streams = Readings(1, longest_s=7.0, tick_s=0.001)
    heard, done = threading.Event(), threading.Event()

    def work(watch):
        watch.found(4)
        assert heard.wait(10)
        for _ in range(2):
            watch.line(LINES[0])
            watch.again()
            watch.found(3)
        watch.line(LINES[1])
        done.set()
        return {"all": 1}

    with streams.place() as place:
        answer = streams.stream(place, Peer(), work, line_json)
    heard.set()
    assert done.wait(10)
    names = [
        (name, data.get("index", data.get("lines"))) for name, data in parsed(b"".join(answer.response).split(b"\n"))
    ]
    assert names == [("found", 4), ("restart", None), ("found", 3), ("line", 0), ("result", None)]
    answer.close()


def test_an_image_turn_ends_in_its_reply(shared):
    response, events = stream(shared, "/v1/turns?language=en")
    *before, (last, reply) = events
    assert [name for name, _ in before] == ["found", "line", "line", "line"]
    assert last == "result"
    valid("Reply", reply)
    assert reply["answer"]["language"] == "en"
    assert reply["session"] in shared.door.sessions
    _, events = stream(shared, f"/v1/turns?session={reply['session']}")
    assert list(events)[-1][1]["session"] == reply["session"]


def test_forms_are_streamed_too_and_what_is_no_image_is_not(serve):
    server = serve(FakeDoor(asr="ready"))
    answer = server.post("/v1/ocr", files={"image": ("a.png", IMAGE)}, headers=EVENTS)
    assert [name for name, _ in parsed(answer.iter_lines())] == ["found", "line", "line", "line", "result"]
    answer = server.post("/v1/turns", files={"image": ("a.png", IMAGE)}, data={"language": "en"}, headers=EVENTS)
    assert list(parsed(answer.iter_lines()))[-1][1]["answer"]["language"] == "en"
    wave = b"RIFF\0\0\0\0WAVE"
    for answer in (
        server.post("/v1/turns", files={"audio": ("a.wav", wave)}, headers=EVENTS),
        server.post("/v1/turns", data=wave, headers={**EVENTS, "Content-Type": "audio/wav"}),
        server.post("/v1/turns", json={"text": "a"}, headers=EVENTS),
    ):
        assert answer.headers["Content-Type"] == "application/json"
        valid("Reply", answer.json())


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/event-stream;q=0", "text/*"])
def test_only_who_asks_by_name_gets_events(shared, accept):
    answer = shared.post("/v1/ocr", data=IMAGE, headers={"Accept": accept, "Content-Type": "image/png"})
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Overloaded("images: full", retry_after=2), 503, "overloaded"),
        (InvalidInput("image: expected PNG"), 422, "invalid_input"),
        (TooManyRequests("session: busy", retry_after=1), 429, "too_many_requests"),
        (RuntimeError("a defect"), 500, "internal"),
    ],
)
def test_what_fails_before_anything_was_found_is_a_plain_answer(serve, error, status, code):
    server = serve(FakeDoor(error=error), ocr_streams=1)
    for path in ("/v1/ocr", "/v1/turns"):
        answer = server.post(path, data=IMAGE, headers={**EVENTS, "Content-Type": "image/png"})
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        valid("Problem", answer.json())
        assert ("Retry-After" in answer.headers) == (status in (429, 503))
        assert ("error_id" in answer.json()) == (status == 500)


def test_bodies_are_refused_with_their_plain_status(shared):
    def refused(body, kind):
        answer = shared.post("/v1/ocr", data=body, headers={**EVENTS, "Content-Type": kind})
        valid("Problem", answer.json())
        return answer.status_code

    assert refused(b"GIF89a", "image/gif") == 422
    assert refused(IMAGE, "text/plain") == 415
    assert refused(b"", "image/png") == 400
    assert refused(b"\0" * (shared.settings.max_image_bytes + 1), "image/png") == 413
    assert refused(IMAGE, "multipart/form-data; boundary=x") == 400
    assert places_free(shared, shared.settings.ocr_streams)


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        (InvalidInput("line: odd"), {"status": 422, "code": "invalid_input"}),
        (Overloaded("network: full", retry_after=1.2), {"status": 503, "code": "overloaded", "retry_after": 2}),
        (DeadlineExceeded("late", retry_after=IN_VAIN), {"status": 503, "code": "deadline_exceeded"}),
        (RuntimeError("王芳"), {"status": 500, "code": "internal"}),
    ],
)
def test_what_fails_later_is_an_event(serve, caplog, late, expected):
    server = serve(FakeDoor(late=late), ocr_streams=1)
    for path in ("/v1/ocr", "/v1/turns"):
        response, events = stream(server, path)
        *before, (last, problem) = events
        assert response.status_code == 200
        assert [name for name, _ in before] == ["found", "line"]
        assert last == "error"
        valid("StreamProblem", problem)
        assert problem.items() >= expected.items()
        assert ("retry_after" in problem) == ("retry_after" in expected)
        assert "王芳" not in json.dumps(problem, ensure_ascii=False)
        if expected["status"] == 500:
            assert f"error {problem['error_id']} in POST {path}" in caplog.text


def test_deadline_and_angle_are_in_the_answer(serve):
    server = serve(FakeDoor(unread=1))
    answer = server.post("/v1/ocr?deadline_ms=250", data=IMAGE, headers={"Content-Type": "image/png"}).json()
    valid("OcrResult", answer)
    assert (answer["partial"], answer["unread"], answer["angle"], len(answer["lines"])) == (True, 1, 90, 2)
    turn = server.post("/v1/turns?deadline_ms=30000", data=IMAGE, headers={"Content-Type": "image/png"}).json()
    assert turn["ocr"]["partial"] is True
    list(stream(server, "/v1/ocr?deadline_ms=100")[1])
    server.post("/v1/ocr", data=IMAGE, headers={"Content-Type": "image/png"})
    assert server.door.deadlines == [0.25, 30.0, 0.1, None]
    assert server.post("/v1/turns?deadline_ms=500", json={"text": "a"}).status_code == 200


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("deadline_ms=99", "deadline_ms: expected a whole number from 100 to 30000, got 99"),
        ("deadline_ms=30001", "deadline_ms: expected a whole number from 100 to 30000, got 30001"),
        ("deadline_ms=", "deadline_ms: expected a whole number from 100 to 30000, got an empty text"),
        ("deadline_ms=1e3", "deadline_ms: expected a whole number from 100 to 30000, got text that is none"),
        ("deadline_ms=-500", "deadline_ms: expected a whole number from 100 to 30000, got -500"),
        ("deadline_ms=٥٠٠", "deadline_ms: expected a whole number from 100 to 30000, got text that is none"),
        ("deadline_ms=500&deadline_ms=500", "deadline_ms: expected once, got 2 times"),
        ("detail=words", "detail: expected lines or characters, got text of 5 characters"),
        ("detail=", "detail: expected lines or characters, got text of 0 characters"),
        ("detail=lines&detail=characters", "detail: expected once, got 2 times"),
    ],
)
def test_wrong_queries(shared, query, said):
    images = len(shared.door.images)
    for headers in ({}, EVENTS):
        answer = shared.post(f"/v1/ocr?{query}", data=IMAGE, headers={**headers, "Content-Type": "image/png"})
        assert answer.status_code == 422
        assert said in answer.json()["message"]
    if query.startswith("deadline"):
        assert shared.post(f"/v1/turns?{query}", json={"text": "a"}).status_code == 422
    assert len(shared.door.images) == images


def test_characters_where_they_are_wanted(shared):
    answer = shared.post("/v1/ocr?detail=characters", data=IMAGE, headers={"Content-Type": "image/png"}).json()
    valid("OcrResult", answer)
    first = answer["lines"][0]["characters"]
    assert first[0] == {"text": "顺", "confidence": 0.99, "alternatives": [{"text": "川", "confidence": 0.01}]}
    assert "".join(character["text"] for character in first) == answer["lines"][0]["text"]
    assert answer["lines"][1]["characters"] == []
    plain = shared.post("/v1/ocr?detail=lines", data=IMAGE, headers={"Content-Type": "image/png"}).json()
    assert all("characters" not in line for line in plain["lines"])
    lines = [data for name, data in stream(shared, "/v1/ocr?detail=characters")[1] if name == "line"]
    assert lines[0]["characters"] == first
    valid("OcrLine", lines[0])


@pytest.fixture
def context():
    """A request to stream an answer to, without a socket."""
    from prometheus_client import CollectorRegistry

    app = create_app(FakeDoor(), Settings(), Metrics(CollectorRegistry()))
    with app.test_request_context("/v1/ocr", method="POST"):
        yield


def line_json(line):
    return {"text": line.text}


class Left(Peer):
    """A fake client that leaves when told to."""

    has_gone = False
    seconds: float | None = None

    def gone(self):
        return self.has_gone

    def within(self, seconds):
        self.seconds = seconds


def test_silence_is_filled_and_a_client_that_left_is_noticed(context):
    now, go, watches = [0.0], threading.Event(), []
    streams = Readings(1, longest_s=7.0, tick_s=0.001, heartbeat_s=2.0, clock=lambda: now[0])

    def work(watch):
        watches.append(watch)
        watch.found(1)
        assert go.wait(10)
        return {}

    peer = Left()
    with streams.place() as place:
        answer = streams.stream(place, peer, work, line_json)
    events = iter(answer.response)
    assert next(events) == sse.event("found", {"lines": 1})
    now[0] = 2.0
    assert next(events) == sse.HEARTBEAT
    assert peer.seconds == 7.0
    now[0] = 4.0
    assert next(events) == sse.HEARTBEAT
    peer.has_gone = True
    assert list(events) == []
    assert not watches[0].stopped()
    answer.close()
    assert watches[0].stopped()
    with pytest.raises(Overloaded), streams.place():
        pass  # the thread still holds it
    go.set()
    until(lambda: streams._places.acquire(blocking=False))


def test_events_that_nobody_fetches_do_not_pile_up(context, monkeypatch):
    monkeypatch.setattr(readings, "PENDING", 3)
    streams = Readings(1, longest_s=7.0, tick_s=0.001)
    done = threading.Event()

    def work(watch):
        watch.found(100)
        for _ in range(100):
            watch.line(LINES[0])
        done.set()
        return {"all": 100}

    with streams.place() as place:
        answer = streams.stream(place, Peer(), work, line_json)
    assert done.wait(10)
    events = [name for name, _ in parsed(b"".join(answer.response).split(b"\n"))]
    assert events[0] == "found"
    assert len(events) <= 1 + 3 + 1
    assert events[-1] == "result"
    answer.close()


def test_a_machine_out_of_threads_says_so(context, monkeypatch):
    def none(_):
        raise RuntimeError("can't start new thread")

    streams = Readings(1, longest_s=7.0)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none)
        with pytest.raises(Overloaded, match="can't start new thread"), streams.place() as place:
            streams.stream(place, Peer(), lambda _: {}, line_json)
    with streams.place():
        pass
