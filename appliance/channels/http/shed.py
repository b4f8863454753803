"""Sends customers away while the house is full, before the framework is asked: a refusal must cost next to nothing.

A server that spends on a refusal a fourth of what an answer costs has nothing left for answers when 2,000 customers ask
again every second. What is refused here is what the gate behind the door would refuse a moment later; whatever else is
wrong with a request (a foreign host, a wrong token) is left to the framework to say.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from flask import Request

from appliance.channels.door import Door
from appliance.channels.http.guard import API_POLICY, STRICT
from appliance.channels.http.identify import identifier
from appliance.channels.http.problems import problem_json
from appliance.errors import ApplianceError, Overloaded
from appliance.metrics import Metrics
from appliance.request import HEADER, under

SHEDDING = "appliance.shedding"
"""Name under which an application leaves its `Shedding.refuse` for the server."""
ROUTES = frozenset({"/v1/turns", "/v1/ocr"})
"""What passes the gate."""
HEADERS = [
    ("Content-Type", "application/json"),
    *STRICT,
    ("Content-Security-Policy", API_POLICY),
    ("Cache-Control", "no-store"),
]
"""What every other answer carries, too."""
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]
Headers = tuple[tuple[str, str], ...]
Said = tuple[Headers, bytes]
"""Headers and body of a refusal."""


@lru_cache(maxsize=64)
def _said(detail: str, wait_s: int) -> Said:
    """What a refusal says: the same for everybody who is sent away in the same second."""
    with under(""):  # it is kept for others
        problem = problem_json(Overloaded(detail, retry_after=wait_s))
    body = json.dumps(problem, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return (*HEADERS, ("Retry-After", str(wait_s))), body


def named(headers: Headers, body: bytes, request_id: str) -> Said:
    """The refusal with the identifier of the one request that it answers, whose letters JSON takes as they are."""
    body = body[:-1] + b',"request_id":"' + request_id.encode("ascii") + b'"}'
    return (*headers, (HEADER, request_id), ("Content-Length", str(len(body)))), body


class Shedding:
    """A WSGI application in front of `inner`."""

    def __init__(
        self,
        inner: Wsgi,
        door: Door,
        metrics: Metrics,
        check: Callable[[Request], None],
        waiting: Callable[[], int] = lambda: 0,
    ) -> None:
        """`check` is the guard; what it raises, `inner` says. `waiting` counts the requests that wait for a thread."""
        self._inner, self._door, self._metrics, self._check, self._waiting = inner, door, metrics, check, waiting

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Refuse, or let `inner` answer."""
        if environ.get("PATH_INFO") not in ROUTES or environ.get("REQUEST_METHOD") != "POST":
            return self._inner(environ, start_response)
        refused = self.refuse(environ)
        if refused is None:
            return self._inner(environ, start_response)
        headers, body = refused
        start_response("503 SERVICE UNAVAILABLE", list(headers))
        return (body,)

    def refuse(self, environ: dict[str, Any]) -> Said | None:
        """Headers and body of the refusal that a post to one of ROUTES gets now, counted; None when `inner` answers."""
        began = time.perf_counter()
        refused = self._refusal(environ)
        if refused is None:
            return None
        headers, body = _said(str(refused), refused.wait_s)
        self._metrics.request(environ["PATH_INFO"], "POST", 503, time.perf_counter() - began)
        return named(headers, body, identifier(environ))

    def _refusal(self, environ: dict[str, Any]) -> Overloaded | None:
        try:
            self._check(Request(environ))
        except ApplianceError:
            return None
        return self._door.refusal(self._waiting())
