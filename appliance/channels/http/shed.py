"""Sends customers away while the house is full, before the framework is asked: a refusal must cost next to nothing.

A server that spends on a refusal a fourth of what an answer costs has nothing left for answers when 2,000 customers ask
again every second. What is refused here is what the gate behind the door would refuse a moment later; whatever else is
wrong with a request (a foreign host, a wrong token) is left to the framework to say.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

from flask import Request

from appliance.channels.door import Door
from appliance.channels.http.guard import API_POLICY, STRICT
from appliance.channels.http.problems import problem_json
from appliance.errors import ApplianceError, Overloaded
from appliance.metrics import Metrics

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


class Shedding:
    """A WSGI application in front of `inner`."""

    def __init__(self, inner: Wsgi, door: Door, metrics: Metrics, check: Callable[[Request], None]) -> None:
        """`check` is the guard; what it raises, `inner` says."""
        self._inner, self._door, self._metrics, self._check = inner, door, metrics, check

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Refuse, or let `inner` answer."""
        route = environ.get("PATH_INFO", "")
        if route not in ROUTES or environ.get("REQUEST_METHOD") != "POST":
            return self._inner(environ, start_response)
        began = time.perf_counter()
        refused = self._refusal(environ)
        if refused is None:
            return self._inner(environ, start_response)
        body = json.dumps(problem_json(refused), ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        wait = str(refused.wait_s)
        start_response("503 SERVICE UNAVAILABLE", [*HEADERS, ("Content-Length", str(len(body))), ("Retry-After", wait)])
        self._metrics.request(route, "POST", 503, time.perf_counter() - began)
        return (body,)

    def _refusal(self, environ: dict[str, Any]) -> Overloaded | None:
        try:
            self._check(Request(environ))
        except ApplianceError:
            return None
        return self._door.refusal()
