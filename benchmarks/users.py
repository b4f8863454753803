"""Closed-loop users over raw sockets: each asks, waits for the whole answer, and asks again, for a bounded time.

Run in a process of its own (`python -m benchmarks.users URL USERS SECONDS`), so that the load does not share the
interpreter of whoever measures; prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

SENTENCES = (
    "你好",
    "厕所在哪里",
    "洗衣液在哪个货架",
    "帮我查一下快递到哪了",
    "我要退货",
    "几点关门",
    "转人工",
    "取消",
    "你会做什么",
    "查一下单号SF1392847561002",
    "牛奶多少钱",
    "我的手机号是13812345678",
    "寄两公斤到北京市海淀区要多少钱",
    "有没有打折",
    "ＷＣ在哪儿？？？",
    "where is the shampoo",
    "谢谢",
    "发票怎么开",
    "我要投诉",
    "今天天气怎么样",
)
"""What the users say: tasks, questions, numbers, small talk, and things the appliance does not know."""
TURNS = 6
"""Turns of one customer; then the session is forgotten, as the page does it, and the next customer comes."""
PATIENCE_S = 10.0
"""Seconds after which a request counts as unanswered."""


@dataclass
class Tally:
    """What the users saw."""

    latencies_ms: list[float] = field(default_factory=list)
    """Of answers with 200, in order of arrival."""
    refusals_ms: list[float] = field(default_factory=list)
    """Of answers with 503."""
    statuses: dict[str, int] = field(default_factory=dict)
    """Answers by status."""
    without_retry_after: int = 0
    """Refusals that did not say when to come back."""
    unanswered: list[str] = field(default_factory=list)
    """What happened instead of an answer."""
    forgotten: int = 0
    """Sessions ended."""


class User:
    """One keep-alive connection that is opened again whenever the server closes it."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._host, self._port = host, port
        self._head = f"Host: {host}:{port}\r\n" + (f"Authorization: Bearer {token}\r\n" if token else "")
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one request."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        kind = "Content-Type: application/json\r\n" if body else ""
        writer.write(
            f"{method} {path} HTTP/1.1\r\n{self._head}{kind}Content-Length: {len(body)}\r\n\r\n".encode() + body
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        answer = await reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection") == "close":
            self.close()
        return int(head[0].split()[1]), headers, answer

    def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def live(user: User, number: int, until: float, tally: Tally) -> None:
    """Be one customer after the other until the time is over."""
    session, asked = "", 0
    while time.perf_counter() < until:
        body = {"text": SENTENCES[(number * 7 + asked) % len(SENTENCES)]} | ({"session": session} if session else {})
        began = time.perf_counter()
        try:
            asking = user.request("POST", "/v1/turns", json.dumps(body).encode())
            status, headers, answer = await asyncio.wait_for(asking, PATIENCE_S)
            took = (time.perf_counter() - began) * 1000
            tally.statuses[str(status)] = tally.statuses.get(str(status), 0) + 1
            if status == 200:
                tally.latencies_ms.append(took)
                session, asked = json.loads(answer)["session"], asked + 1
                if asked % TURNS == 0:
                    await asyncio.wait_for(user.request("DELETE", f"/v1/sessions/{session}"), PATIENCE_S)
                    session, tally.forgotten = "", tally.forgotten + 1
            elif status == 503:
                tally.refusals_ms.append(took)
                tally.without_retry_after += "retry-after" not in headers
        except (OSError, EOFError, asyncio.TimeoutError) as error:
            tally.unanswered.append(type(error).__name__)
            user.close()
    user.close()


async def drive(url: str, users: int, seconds: float, token: str = "") -> Tally:
    """Let `users` live at once for `seconds`."""
    parts = urlsplit(url)
    tally = Tally()
    crowd = [User(parts.hostname or "127.0.0.1", parts.port or 80, token) for _ in range(users)]
    until = time.perf_counter() + seconds
    await asyncio.gather(*(live(user, number, until, tally) for number, user in enumerate(crowd)))
    return tally


def main() -> None:
    """Drive and print the tally."""
    url, users, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    json.dump(asdict(asyncio.run(drive(url, users, seconds, os.environ.get("BENCHMARK_TOKEN", "")))), sys.stdout)


if __name__ == "__main__":
    main()
