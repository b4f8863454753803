"""The customers of benchmarks.users, driven by Locust: `locust -f benchmarks/locustfile.py --host URL [--retry 1]`.

They think 1 to 3 s after every answer; with `--retry` a refused one asks the same again after that many seconds. A
deliberate refusal (503 `overloaded` with Retry-After) is counted under a name of its own and is no failure; any other
status than 200, and any answer that is not what it should be, is one. `make locust` starts the appliance and runs this
file from an environment that has nothing but Locust.

Locust runs on the machine that it measures. So each user speaks through Locust's own HTTP client (geventhttpclient)
directly, which costs a fraction of the session object of FastHttpUser, and `--lateness FOLDER` writes how late each of
its processes was for an appointment ten times a second: what it adds to every time that it measures. That client looks
at a connection by select(2), takes one whose number is 1024 or more for dead, and opens a new one for every request: a
process of Locust must not play more users than that (`--processes`).
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent
from geventhttpclient import HTTPClient
from locust import User, events, task

sys.path.insert(0, str(Path(__file__).parent.parent))  # Locust puts this folder on the path, not the project's

from benchmarks.users import PATIENCE_S, SENTENCES, TURNS

ANSWERED, REFUSED, FORGOTTEN = "turn", "turn refused (503)", "session ended"
"""Names in Locust's tables."""

THINK_S = (1.0, 3.0)
APPOINTMENT_S = 0.1
JSON = {"Content-Type": "application/json"}

late_ms: list[float] = []
numbers = count()


@events.init_command_line_parser.add_listener
def add_habit(parser: Any) -> None:
    """The habit, and where to write how late Locust was, as options of Locust."""
    parser.add_argument("--retry", type=float, default=None, help="seconds before a refused user asks the same again")
    parser.add_argument("--lateness", default="", help="folder for the milliseconds that Locust itself was late")


@events.test_start.add_listener
def keep_appointments(environment: Any, **_: Any) -> None:
    """Note how late this process is for an appointment of its own, as long as the test runs."""

    def keep() -> None:
        while True:
            due = time.perf_counter() + APPOINTMENT_S
            gevent.sleep(APPOINTMENT_S)
            late_ms.append(round(max(0.0, time.perf_counter() - due) * 1000, 2))

    gevent.spawn(keep)


@events.quitting.add_listener
def write_lateness(environment: Any, **_: Any) -> None:
    """Write what was noted."""
    if environment.parsed_options.lateness and late_ms:
        (Path(environment.parsed_options.lateness) / f"late-{os.getpid()}.json").write_text(
            json.dumps(late_ms), "utf-8"
        )


class Customer(User):
    """One customer after the other, six turns each."""

    def on_start(self) -> None:
        """A new customer has no session yet."""
        parts = urlsplit(self.host)
        self.client = HTTPClient(
            parts.hostname, parts.port, connection_timeout=PATIENCE_S, network_timeout=PATIENCE_S, disable_ipv6=True
        )
        self.session, self.asked, self.number, self.refused = "", 0, next(numbers), False

    def on_stop(self) -> None:
        """Hang up."""
        self.client.close()

    def wait_time(self) -> float:
        """Seconds until the next question."""
        retry: float | None = self.environment.parsed_options.retry
        return retry if self.refused and retry is not None else random.uniform(*THINK_S)

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, Any, bytes, float, Exception | None]:
        """Status (0 without an answer), headers, body, milliseconds taken, and what went wrong on the way."""
        began = time.perf_counter()
        try:
            answer = self.client.request(method, path, body, JSON if body else None)
            data = bytes(answer.read())
        except Exception as error:  # noqa: BLE001 - whatever breaks a request is a failure in Locust's table
            return 0, {}, b"", (time.perf_counter() - began) * 1000, error
        return answer.status_code, answer, data, (time.perf_counter() - began) * 1000, None

    def report(self, name: str, took: float, size: int, error: Exception | None = None) -> None:
        """Enter one request into Locust's tables."""
        self.environment.events.request.fire(
            request_type="HTTP", name=name, response_time=took, response_length=size, exception=error, context={}
        )

    @task
    def turn(self) -> None:
        """Ask something; after the last turn, start over."""
        body: dict[str, Any] = {"text": SENTENCES[(self.number * 7 + self.asked) % len(SENTENCES)]}
        if self.session:
            body["session"] = self.session
        status, headers, data, took, error = self.ask("POST", "/v1/turns", json.dumps(body).encode())
        self.refused = status == 503 and b'"overloaded"' in data and headers.get("retry-after") is not None
        if self.refused:
            self.report(REFUSED, took, len(data))
            return
        reply = json.loads(data) if status == 200 else {}
        if error is None and not reply.get("answer", {}).get("text"):
            error = ValueError(f"expected 200 with an answer, or a deliberate 503, got {status}")
        self.report(ANSWERED, took, len(data), error)
        if error is not None:
            return
        self.session, self.asked = reply["session"], self.asked + 1
        if self.asked % TURNS == 0:
            status, _, data, took, error = self.ask("DELETE", f"/v1/sessions/{self.session}")
            if error is None and status not in (204, 404, 503):
                error = ValueError(f"expected 204, 404 or 503, got {status}")
            self.report(FORGOTTEN, took, len(data), error)
            self.session = ""
