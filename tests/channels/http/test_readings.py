"""Readings before the client's eyes: lines as they are read, over real sockets, to clients that are slow or leave."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest
import requests
from fake_door import LINES, PNG, FakeDoor
from promised import valid

from appliance.channels.http import readings, sse
from appliance.channels.http.api import create_app
from appliance.channels.http.peer import Peer, peer_of
from appliance.channels.http.readings import Readings
from appliance.errors import IN_VAIN, DeadlineExceeded, InvalidInput, Overloaded, TooManyRequests
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.values import OcrLine

EVENTS = {"Accept": "text/event-stream"}
IMAGE = PNG + b"\0" * 64
WIDE = OcrLine("长" * 20_000, 0.9, ((0, 0), (9, 0), (9, 9), (0, 9)))
"""A line that no socket's buffers take a hundred times."""


def parsed(lines):
    """(name, data) of each event of an iterable of lines."""
    name = None
    for line in lines:
        text = line.decode() if isinstance(line, bytes) else line
        field, _, value = text.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def stream(server, path="/v1/ocr", kind="image/png", body=IMAGE):
    response = requests.post(
        server.url + path, data=body, headers={**EVENTS, "Content-Type": kind}, stream=True, timeout=10
    )
    return response, parsed(response.iter_lines(chunk_size=1))


def until(said, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not said():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def places_free(server, places):
    """True when so many streams can be open at once; leaves none open."""
    opened = []
    try:
        for _ in range(places):
            response, events = stream(server)
            if response.status_code != 200:
                return False
            opened.append(response)
        return True
    finally:
        for response in opened:
            response.close()


@contextmanager
def raw(server, path="/v1/ocr", receive=None, accept="text/event-stream"):
    """A bare socket that has asked for a stream and reads nothing by itself."""
    with socket.socket() as sock:
        if receive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        sock.settimeout(10)
        sock.connect(("127.0.0.1", server.port))
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nContent-Type: image/png\r\n"
        sock.sendall(f"{head}Content-Length: {len(IMAGE)}\r\n\r\n".encode() + IMAGE)
        yield sock


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


def test_a_client_that_leaves_stops_the_reading_at_the_next_line(serve):
    step = threading.Semaphore(0)
    server = serve(FakeDoor(lines=LINES * 20, step=step), ocr_streams=1)
    for path in ("/v1/ocr", "/v1/turns"):
        with raw(server, path) as sock:
            step.release()
            while b"event: line" not in sock.recv(4096):
                pass
        # The client is gone; one more line may be begun, and then none.
        done = len(server.door.read_lines)
        time.sleep(0.6)
        step.release()
        until(lambda done=done: len(server.door.read_lines) > done)
        assert server.door.read_lines[-1] == 1
    step.release(120)
    until(lambda: places_free(server, 1))


@pytest.mark.parametrize("path", ["/v1/ocr", "/v1/turns"])
def test_a_client_that_leaves_before_its_plain_answer_stops_the_reading_at_the_next_line(serve, path):
    step = threading.Semaphore(0)
    server = serve(FakeDoor(lines=LINES * 20, step=step))
    with raw(server, path, accept="application/json"):
        step.release()
        until(lambda: server.door.acts)
    step.release()  # the line that was being read when the client left
    until(lambda: server.door.read_lines)
    assert server.door.read_lines[0] <= 2
    assert not server.door.sessions
    until(lambda: server.server.state()["threads"]["idle"] == server.settings.http_threads)
    step.release(60)
    answer = server.post(path, data=IMAGE, headers={"Content-Type": "image/png"})
    assert answer.status_code == 200
    assert server.door.read_lines[1:] == [60]


@pytest.mark.parametrize("path", ["/v1/ocr", "/v1/turns"])
def test_a_client_that_closes_its_half_is_told_that_it_counts_as_gone(serve, path):
    step = threading.Semaphore(0)
    server = serve(FakeDoor(step=step))
    with raw(server, path, accept="application/json") as sock:
        until(lambda: server.door.acts)
        sock.shutdown(socket.SHUT_WR)
        step.release(3)
        answer = sock.recv(4096)
    assert answer.startswith(b"HTTP/1.1 400")
    assert "expected to wait for its answer" in answer.decode()


def test_a_client_that_leaves_before_anything_was_found_is_noticed(serve):
    hold, step = threading.Event(), threading.Semaphore(60)
    server = serve(FakeDoor(lines=LINES * 20, hold=hold, step=step), ocr_streams=1)
    with raw(server):
        until(lambda: server.door.acts)
    until(lambda: b'status="400"' in server.metrics.text())  # nobody reads it, but the thread is free again
    assert server.post("/v1/ocr", data=IMAGE, headers={**EVENTS, "Content-Type": "image/png"}).status_code == 503
    hold.set()
    until(lambda: server.door.read_lines == [0])  # it holds its place until the networks have let go
    until(lambda: places_free(server, 1))


def test_places_are_few_and_a_full_house_reads_no_body(serve):
    step = threading.Semaphore(0)
    server = serve(FakeDoor(step=step), ocr_streams=2)
    opened = [stream(server) for _ in range(2)]
    assert [next(events)[0] for _, events in opened] == ["found", "found"]
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
        head = "POST /v1/ocr HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Type: image/png\r\n"
        sock.sendall(f"{head}Content-Length: 9000000\r\nExpect: 100-continue\r\n\r\n".encode())
        answer = sock.recv(4096)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"Retry-After: 2" in answer
    assert b'appliance_shed_total{gate="readings"} 1.0' in server.get("/metrics").content
    assert server.ask("a").status_code == 200  # those who do not stream go on
    step.release(6)
    assert [list(events)[-1][0] for _, events in opened] == ["result", "result"]
    until(lambda: step.release(6) or places_free(server, 2))


@pytest.mark.parametrize("kind", ["image/png", "multipart/form-data; boundary=b"])
def test_uploads_that_drip_take_no_place_from_photos_that_are_here(serve, kind):
    server = serve()
    head = f"POST /v1/turns HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Type: {kind}\r\n"
    with ExitStack() as stack:
        dripping = []
        for _ in range(server.settings.ocr_streams):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=5))
            sock.sendall(f"{head}Content-Length: 500000\r\nExpect: 100-continue\r\n\r\n".encode())
            assert sock.recv(4096).startswith(b"HTTP/1.1 100")  # their bodies are being read
            sock.sendall(b"-")
            dripping.append(sock)
        for path in ("/v1/turns", "/v1/ocr"):
            response, events = stream(server, path)
            assert response.status_code == 200
            assert list(events)[-1][0] == "result"
        for sock in dripping:
            sock.sendall(b"-")


def test_a_body_is_received_while_a_place_may_become_free_and_refused_when_none_did(serve):
    """A client who fetches nothing holds its place though its image is read: that is no reason to send bodies away."""
    server = serve(FakeDoor(lines=(WIDE,) * 150), ocr_streams=1, http_timeout_s=60.0)
    head = "POST /v1/ocr HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Type: image/png\r\n"
    image = PNG + bytes(100_000)
    with raw(server, receive=4096) as slow:
        until(lambda: server.door.read_lines == [150])
        until(
            lambda: not any(thread.name == "reading" for thread in threading.enumerate())
        )  # it is read for the place too
        for free in (False, True):
            with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
                sock.sendall(f"{head}Content-Length: {len(image)}\r\nExpect: 100-continue\r\n\r\n".encode())
                assert sock.recv(4096).startswith(b"HTTP/1.1 100")
                if free:  # the other one goes while this body is on its way
                    slow.close()
                    until(lambda: server.server.state()["threads"]["idle"] == server.settings.http_threads - 1)
                sock.sendall(image)
                answer = sock.recv(4096)
                assert answer.startswith(b"HTTP/1.1 200" if free else b"HTTP/1.1 503")
                assert (b"Retry-After: 2" in answer) is not free


def test_no_places_at_all(serve):
    server = serve(ocr_streams=0)
    assert stream(server)[0].status_code == 503
    assert server.post("/v1/ocr", data=IMAGE, headers={"Content-Type": "image/png"}).status_code == 200


def test_a_client_that_fetches_nothing_holds_up_nobody(serve):
    """The reading ends at its own pace; the place is free when the client's patience is over."""
    server = serve(FakeDoor(lines=(WIDE,) * 150), ocr_streams=1, http_timeout_s=1.0)
    with raw(server, receive=4096):
        until(lambda: server.door.read_lines == [150])  # all of it was read, though none of it was fetched
        assert stream(server)[0].status_code == 503
        until(lambda: stream(server)[0].status_code == 200)


def test_a_client_that_fetches_slowly_but_steadily_is_cut_off(serve):
    """150 lines of 60 kB at 1.6 MB/s would take six seconds; the stream may take two."""
    server = serve(FakeDoor(lines=(WIDE,) * 150), ocr_streams=1, http_timeout_s=1.0, deadline_s=1.0)
    free = threading.Event()

    def ask():
        until(lambda: stream(server)[0].status_code == 200, 15)
        free.set()

    with raw(server, receive=65536) as sock:
        until(lambda: server.door.read_lines == [150])
        asking = threading.Thread(target=ask)
        asking.start()
        fetched, last = 0, b""
        while piece := sock.recv(16384):
            fetched, last = fetched + len(piece), piece
            time.sleep(0.01)
        asking.join(20)
        assert free.is_set()
        assert fetched < 150 * 60_000
        assert not last.endswith(b"0\r\n\r\n")


def test_a_stopping_server_ends_the_reading_with_what_is_known(serve):
    step = threading.Semaphore(1)
    server = serve(FakeDoor(step=step))
    _, events = stream(server)
    assert [next(events)[0] for _ in range(2)] == ["found", "line"]
    stopping = threading.Thread(target=server.server.stop)
    stopping.start()
    until(lambda: server.events.closed)
    step.release()
    name, result = next(events)
    stopping.join(20)
    assert name == "result"
    assert (result["partial"], result["unread"], len(result["lines"])) == (True, 2, 1)


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


def test_peers():
    assert not peer_of({}).gone()
    peer_of({}).within(1.0)
    here, there = socket.socketpair()
    with here, there:
        peer = Peer(here)
        assert not peer.gone()
        there.sendall(b"unread bytes")
        assert not peer.gone()
        there.close()
        assert peer.gone()
    assert peer.gone()
