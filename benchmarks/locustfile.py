"""The customers of benchmarks.users, driven by Locust: `locust -f benchmarks/locustfile.py --host URL [--retry 1]`.

They think 1 to 3 s after every answer; with `--retry` a refused one asks the same again after that many seconds. A
deliberate refusal (503 `overloaded` with Retry-After) is counted under a name of its own and is no failure; any other
status than 200, and any answer that is not what it should be, is one. `make locust` starts the appliance and runs this
file from an environment that has nothing but Locust.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

from locust import FastHttpUser, events, task

sys.path.insert(0, str(Path(__file__).parent.parent))  # Locust puts this folder on the path, not the project's

from benchmarks.users import PATIENCE_S, SENTENCES, TURNS

ANSWERED, REFUSED, FORGOTTEN = "turn", "turn refused (503)", "session ended"
"""Names in Locust's tables."""


THINK_S = (1.0, 3.0)


@events.init_command_line_parser.add_listener
def add_habit(parser: Any) -> None:
    """The habit as an option of Locust."""
    parser.add_argument("--retry", type=float, default=None, help="seconds before a refused user asks the same again")


class Customer(FastHttpUser):
    """One customer after the other, six turns each."""

    network_timeout = connection_timeout = PATIENCE_S

    def on_start(self) -> None:
        """A new customer has no session yet."""
        self.session, self.asked, self.number, self.refused = "", 0, id(self) // 64, False

    def wait_time(self) -> float:
        """Seconds until the next question."""
        retry: float | None = self.environment.parsed_options.retry
        return retry if self.refused and retry is not None else random.uniform(*THINK_S)

    @task
    def turn(self) -> None:
        """Ask something; after the last turn, start over."""
        body: dict[str, Any] = {"text": SENTENCES[(self.number * 7 + self.asked) % len(SENTENCES)]}
        if self.session:
            body["session"] = self.session
        with self.client.post("/v1/turns", json=body, name=ANSWERED, catch_response=True) as answer:
            reply = answer.json() if answer.status_code in (200, 503) else {}
            self.refused = answer.status_code == 503 and reply.get("code") == "overloaded"
            if self.refused and answer.headers.get("Retry-After"):
                answer.request_meta["name"] = REFUSED
                answer.success()
                return
            if not reply.get("answer", {}).get("text"):
                answer.failure(f"expected 200 with an answer, or a deliberate 503, got {answer.status_code}")
                return
            self.session, self.asked = reply["session"], self.asked + 1
        if self.asked % TURNS == 0:
            with self.client.delete(f"/v1/sessions/{self.session}", name=FORGOTTEN, catch_response=True) as ended:
                if ended.status_code in (204, 404, 503):
                    ended.success()
                else:
                    ended.failure(f"expected 204, 404 or 503, got {ended.status_code}")
            self.session = ""
