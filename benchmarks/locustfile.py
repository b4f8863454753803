"""The customers of benchmarks.users, driven by Locust: `locust -f benchmarks/locustfile.py --host URL`.

They think 1 to 3 s after every answer. A 503 that says when to come back is a deliberate refusal: it is counted under a
name of its own and is no failure; any other status than 200, and any answer that is not what it should be, is one.
`make locust` starts the appliance and runs this file from an environment that has nothing but Locust.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from locust import FastHttpUser, between, task

sys.path.insert(0, str(Path(__file__).parent.parent))  # Locust puts this folder on the path, not the project's

from benchmarks.users import PATIENCE_S, SENTENCES, TURNS

ANSWERED, REFUSED, FORGOTTEN = "turn", "turn refused (503)", "session ended"
"""Names in Locust's tables."""


class Customer(FastHttpUser):
    """One customer after the other, six turns each."""

    wait_time = between(1, 3)
    network_timeout = connection_timeout = PATIENCE_S

    def on_start(self) -> None:
        """A new customer has no session yet."""
        self.session, self.asked, self.number = "", 0, id(self) // 64

    @task
    def turn(self) -> None:
        """Ask something; after the last turn, start over."""
        body: dict[str, Any] = {"text": SENTENCES[(self.number * 7 + self.asked) % len(SENTENCES)]}
        if self.session:
            body["session"] = self.session
        with self.client.post("/v1/turns", json=body, name=ANSWERED, catch_response=True) as answer:
            if answer.status_code == 503 and answer.headers.get("Retry-After"):
                answer.request_meta["name"] = REFUSED
                answer.success()
                return
            reply = answer.json() if answer.status_code == 200 else {}
            if not reply.get("answer", {}).get("text"):
                answer.failure(f"expected 200 with an answer, or 503 with Retry-After, got {answer.status_code}")
                return
            self.session, self.asked = reply["session"], self.asked + 1
        if self.asked % TURNS == 0:
            self.client.delete(f"/v1/sessions/{self.session}", name=FORGOTTEN)
            self.session = ""
