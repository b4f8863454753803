"""Users against a small server of known manners: what they count, how they pause, what they call late."""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import Awaitable, Callable

import pytest

from benchmarks import users
from benchmarks.users import Habit, Tally, allow_files, case_pictures, drive

OK = json.dumps({"session": "s"}).encode()
Answer = Callable[[int, asyncio.StreamWriter], Awaitable[None]]


def reply(status: int, body: bytes = OK, more: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


def against(answer: Answer, count: int = 3, seconds: float = 0.5, habit: Habit | None = None, **more) -> Tally:
    """Drive users against a server that hands each request, numbered, to `answer`."""

    async def run() -> Tally:
        asked = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal asked
            try:
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode()
                    length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
                    await reader.readexactly(length)
                    asked += 1
                    await answer(asked, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            return await drive(f"http://127.0.0.1:{port}", count, seconds, "", habit, **more)
        finally:
            server.close()

    return asyncio.run(run())


async def always(_: int, writer: asyncio.StreamWriter) -> None:
    writer.write(reply(200))


def test_closed_loop_users_ask_again_at_once_and_end_their_sessions():
    tally = against(always)
    assert tally.statuses == {"200": len(tally.latencies_ms)}
    assert len(tally.latencies_ms) > 9
    assert tally.forgotten >= 1
    assert (tally.unanswered, tally.resets, tally.late_count) == ([], 0, 0)
    assert 0 < tally.oldest_s < 10


def test_thinking_users_pause():
    tally = against(always, habit=Habit((0.2, 0.2)))
    assert 1 <= len(tally.latencies_ms) <= 9


def test_refused_users_ask_again_after_their_pause_and_refusals_must_say_when():
    async def refuse(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(503, more="Retry-After: 1\r\n" if number % 2 else ""))

    tally = against(refuse, count=2, habit=Habit((0.0, 0.0), retry_s=0.1))
    assert 2 <= tally.statuses["503"] <= 14
    assert tally.without_retry_after == tally.statuses["503"] // 2


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
