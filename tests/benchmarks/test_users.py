"""Users against a small server of known manners: what they count, how they pause, what they call late."""

from __future__ import annotations

import asyncio
import itertools
import json
import resource
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks import users
from benchmarks.users import Habit, Tally, allow_files, case_pictures, drive

OK = json.dumps({"session": "s"}).encode()
Answer = Callable[[int, asyncio.StreamWriter], Awaitable[None]]


def reply(status: int, body: bytes = OK, more: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


def against(answer: Answer, count: int = 3, seconds: float = 0.5, habit: Habit | None = None, **more) -> Tally:
    """Drive users against a server that hands the number of each request to `answer`."""
    numbers = itertools.count(1)

    async def numbered(_: bytes, writer: asyncio.StreamWriter) -> None:
        await answer(next(numbers), writer)

    return against_requests(numbered, count, seconds, habit, **more)


def against_requests(answer, count: int = 3, seconds: float = 0.5, habit: Habit | None = None, **more) -> Tally:
    """Drive users against a server that hands each request's head to `answer`."""

    async def run() -> Tally:
        writers = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            try:
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode()
                    length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
                    await reader.readexactly(length)
                    await answer(head.encode(), writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            return await drive(f"http://127.0.0.1:{port}", count, seconds, "", habit, **more)
        finally:
            server.close()
            for writer in writers:
                writer.close()
            await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)
            await asyncio.sleep(0.01)  # the users' own sockets close in the loop's next rounds

    # In a thread of its own: Playwright, where a test before this one used it, keeps a loop running in this one.
    with ThreadPoolExecutor(1) as alone:
        return alone.submit(lambda: asyncio.run(run())).result()


async def always(_: int, writer: asyncio.StreamWriter) -> None:
    writer.write(reply(200))


def test_closed_loop_users_ask_again_at_once_and_end_their_sessions():
    tally = against(always)
    assert tally.statuses == {"200": len(tally.latencies_ms)}
    assert len(tally.latencies_ms) > 9
    assert tally.ended["200"] >= 1
    assert (tally.unanswered, tally.resets, tally.late_count) == ([], 0, 0)
    assert 0 < tally.oldest_s < 10


def test_thinking_users_pause():
    tally = against(always, habit=Habit((0.2, 0.2)))
    assert 1 <= len(tally.latencies_ms) <= 9


FULL = json.dumps({"code": "overloaded"}).encode()
ABSENT = json.dumps({"code": "unavailable"}).encode()


def test_refused_users_ask_again_after_their_pause_and_only_a_full_house_refuses_on_purpose():
    async def refuse(number: int, writer: asyncio.StreamWriter) -> None:
        later = "Retry-After: 1\r\n"
        writer.write(
            (reply(503, FULL, later), reply(503, FULL), reply(503, ABSENT, later), reply(503, b""))[number % 4]
        )

    tally = against(refuse, count=4, habit=Habit((0.0, 0.0), retry_s=0.1))
    assert set(tally.statuses) == {"503", "503 without Retry-After", "503 unavailable", "503 without a code"}
    assert 4 <= sum(tally.statuses.values()) <= 28
    assert len(tally.refusals_ms) == tally.statuses["503"]
    assert tally.latencies_ms == []


def test_the_end_of_a_session_is_tallied_with_its_status():
    async def forgets_nothing(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(500 if request.startswith(b"DELETE /v1/sessions/s ") else 200))

    tally = against_requests(forgets_nothing, count=1)
    assert set(tally.ended) == {"500"}
    assert set(tally.statuses) == {"200"}


def test_a_broken_connection_is_a_reset_and_the_user_goes_on():
    async def broken(number: int, writer: asyncio.StreamWriter) -> None:
        if number % 2:
            writer.close()
            raise ConnectionResetError
        writer.write(reply(200))

    tally = against(broken, count=1)
    assert tally.resets == len(tally.unanswered) > 0
    assert tally.latencies_ms


def test_late_answers_are_written_down_one_by_one(monkeypatch):
    monkeypatch.setattr(users, "LATE_S", 0.05)
    monkeypatch.setattr(users, "LATE_KEPT", 2)

    async def slow(number: int, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)
        writer.write(reply(200))

    tally = against(slow)
    assert tally.late_count == len(tally.latencies_ms) > 2
    assert [late["outcome"] for late in tally.late] == ["200", "200"]
    assert tally.oldest_s >= 0.1


def test_what_is_never_answered_counts_as_late_and_unanswered(monkeypatch):
    monkeypatch.setattr(users, "PATIENCE_S", 0.2)
    monkeypatch.setattr(users, "LATE_S", 0.1)

    async def never(number: int, writer: asyncio.StreamWriter) -> None:
        return

    tally = against(never, count=2)
    assert tally.statuses == {}
    assert tally.late_count == len(tally.unanswered) >= 2
    assert set(tally.unanswered) == {"TimeoutError"}


def test_photographers_keep_their_own_tally():
    tally = against(
        always, count=1, seconds=2.5, habit=Habit((0.5, 0.5)), pictures=[(b"a", "image/png")], photographers=1
    )
    assert sum(tally.photo_statuses.values()) == len(tally.photos_ms) >= 1


def events(*pieces: bytes) -> bytes:
    """A chunked body of events, cut into these pieces."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n" + body + b"0\r\n\r\n"


FOUND, LINE = b'event: found\ndata: {"lines": 1}\n\n', b'event: line\ndata: {"text": "a: b"}\n\n'
RESULT = b'event: result\ndata: {"session": "s"}\n\n'
LATE = b'event: error\ndata: {"status": 503, "code": "overloaded", "retry_after": 2}\n\n'
ABSENT_LATE = b'event: error\ndata: {"status": 503, "code": "unavailable", "retry_after": 2}\n\n'


@pytest.mark.parametrize(
    "answer, seen",
    [
        (events(FOUND, b": still here\n\n", LINE, RESULT), {"200": 1}),
        (events(FOUND[:9], FOUND[9:] + LINE + RESULT[:4], RESULT[4:]), {"200": 1}),
        (events(FOUND, LATE), {"503": 1}),
        (events(FOUND, ABSENT_LATE), {"503 unavailable": 1}),
        (reply(503, FULL, "Retry-After: 2\r\n"), {"503": 1}),
        (reply(422, b'{"code": "invalid_input"}'), {"422": 1}),
    ],
)
def test_a_stream_counts_by_its_end(monkeypatch, answer, seen):
    shown = drive_showers(monkeypatch, answer, number=1)
    assert shown.stream_statuses == seen
    assert len(shown.streams_ms) == seen.get("200", 0)
    assert shown.ended == ({"204": 1} if "200" in seen else {})
    assert (shown.left, shown.unanswered) == (0, [])


def test_a_stream_that_breaks_off_is_unanswered(monkeypatch):
    broken = drive_showers(monkeypatch, events(FOUND, LINE), number=1)
    assert (broken.unanswered, broken.stream_statuses, broken.left) == (["EOFError"], {}, 0)


def test_a_stream_that_its_customer_left_is_neither_answered_nor_broken(monkeypatch):
    left = drive_showers(monkeypatch, events(FOUND, *[LINE] * 9), number=2)
    assert (left.unanswered, left.stream_statuses, left.left) == ([], {}, 1)


def drive_showers(monkeypatch, answer: bytes, number: int) -> Tally:
    """One photo of one shower; `number` 2 is one that leaves."""

    async def one(self, _: int, pictures: list[tuple[bytes, str]]) -> None:
        pauses = iter((False, True))
        self._over = lambda: next(pauses, True)
        self._pause = lambda seconds: asyncio.sleep(0)
        await real(self, number, pictures)

    async def serve(request: bytes, writer: asyncio.StreamWriter) -> None:
        if request.startswith(b"POST"):
            assert b"Accept: text/event-stream\r\n" in request
        writer.write(answer if request.startswith(b"POST") else reply(204, b""))

    real = users.Crowd.shower
    monkeypatch.setattr(users.Crowd, "shower", one)
    return against_requests(serve, count=0, pictures=[(b"a", "image/png")], showers=1)


def test_case_pictures_are_pictures():
    pictures = case_pictures()
    assert len(pictures) >= 4
    assert all(data[:4] in (b"\x89PNG", b"\xff\xd8\xff\xe0") for data, _ in pictures)


def test_too_low_a_limit_of_files_ends_with_a_sentence(monkeypatch):
    monkeypatch.setattr(users.resource, "getrlimit", lambda _: (64, 64))
    with pytest.raises(SystemExit, match="expected a hard limit of at least 500, got 64"):
        allow_files(500)
    monkeypatch.setattr(users.resource, "getrlimit", lambda _: (64, resource.RLIM_INFINITY))
    raised = []
    monkeypatch.setattr(users.resource, "setrlimit", lambda _, limits: raised.append(limits))
    allow_files(500)
    assert raised == [(500, resource.RLIM_INFINITY)]
