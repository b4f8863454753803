"""Thousands of hostile images, recordings and bodies against the real appliance with its real models.

Nothing may end in a 500, an HTML page or a dead process, and every refusal has the one form with a code of errors.py.
`make test` sends a few hundred; `make fuzz` sends 5,000 (FUZZ_EXAMPLES) and prints what became of them.
"""

from __future__ import annotations

import http.client
import json
import os
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from appliance.errors import ERRORS
from tests.e2e import fuzzing
from tests.e2e.conftest import Running

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300"))
SHARES = {"image": 0.3, "recording": 0.3, "body": 0.3, "form": 0.1}
IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/bmp", "image/x-unknown")
AUDIO_TYPES = ("audio/wav", "audio/x-wav")
JSON_TYPES = ("application/json", "application/json; charset=utf-8", "application/json; charset=utf-16", "text/plain")


def bounded(kind: str):
    """Hypothesis' settings for one kind: its share of the examples, no clock, each run the same ones and new ones."""
    return settings(
        max_examples=max(10, round(EXAMPLES * SHARES[kind])),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        print_blob=True,
    )


class Target:
    """The appliance under fire: one connection, everything counted, everything judged."""

    def __init__(self, running: Running) -> None:
        parts = urlsplit(running.url)
        self._running = running
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self.seen: Counter[tuple[str, int, str]] = Counter()

    def send(self, kind: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        """Send one thing and judge the answer."""
        try:
            self._connection.request("POST", path, body, headers)
            answer = self._connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):
            # Before a body was read whole the server may close behind its answer; it has to answer a new connection.
            self._connection.close()
            self._connection.request("POST", path, body, headers)
            answer = self._connection.getresponse()
        said = answer.read()
        assert answer.getheader("Content-Type") == "application/json", said[:200]
        found = json.loads(said)
        status = answer.status
        code = "" if status == 200 else found["code"]
        self.seen[kind, status, code] += 1
        if status == 200:
            assert "lines" in found or "answer" in found
            return
        assert status != 500, found
        assert set(found) == {"code", "message", "remedy"}
        assert ERRORS[code].status == status, found
        assert " / " in found["message"]
        assert found["remedy"]
        if status in (429, 503):
            assert int(answer.getheader("Retry-After") or 0) >= 1

    def close(self) -> None:
        """The process lives, and a customer is served."""
        self._connection.close()
        os.kill(self._running.pid, 0)
        status, _, reply = self._running.ask("/v1/turns", {"text": "厕所在哪里"})
        assert (status, reply["parse"]["intent"]["name"]) == (200, "facility_location")


@pytest.fixture(scope="module")
def target(running: Running, request: pytest.FixtureRequest) -> Iterator[Target]:
    """One for all kinds; says at the end what became of everything that was sent."""
    shot = Target(running)
    yield shot
    shot.close()
    manager = request.config.pluginmanager
    reporter, capture = manager.get_plugin("terminalreporter"), manager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled():
        reporter.write_line("")
        for (kind, status, code), count in sorted(shot.seen.items()):
            reporter.write_line(f"fuzz {kind:9} {status} {code:18} {count:5}")
        reporter.write_line(f"fuzz {'all':9} {'':22} {sum(shot.seen.values()):5}")


@pytest.mark.timeout(600)
@bounded("image")
@given(data=fuzzing.images(), kind=st.sampled_from(IMAGE_TYPES), path=st.sampled_from(("/v1/ocr", "/v1/turns")))
def test_images(target: Target, data: bytes, kind: str, path: str) -> None:
    target.send("image", path, data, {"Content-Type": kind})


@pytest.mark.timeout(600)
@bounded("recording")
@given(data=fuzzing.recordings(), kind=st.sampled_from(AUDIO_TYPES))
def test_recordings(target: Target, data: bytes, kind: str) -> None:
    target.send("recording", "/v1/turns", data, {"Content-Type": kind})


@pytest.mark.timeout(600)
@bounded("body")
@given(
    data=fuzzing.bodies(), kind=st.sampled_from(JSON_TYPES), coding=st.sampled_from(("", "", "gzip", "br", "deflate"))
)
def test_bodies(target: Target, data: bytes, kind: str, coding: str) -> None:
    target.send("body", "/v1/turns", data, {"Content-Type": kind} | ({"Content-Encoding": coding} if coding else {}))


@pytest.mark.timeout(600)
@bounded("form")
@given(form=fuzzing.forms(), path=st.sampled_from(("/v1/ocr", "/v1/turns")))
def test_forms(target: Target, form: tuple[bytes, str], path: str) -> None:
    body, kind = form
    target.send("form", path, body, {"Content-Type": kind})
