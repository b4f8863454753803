"""Thousands of hostile images, recordings and bodies against the real appliance with its real models.

Nothing may end in a 500, an HTML page or a dead process, and every refusal has the one form with a code of errors.py.
`make test` sends a few hundred; `make fuzz` sends 5,000 (FUZZ_EXAMPLES) and prints what became of them.

The appliance hears, so that recordings go all the way: with the Vosk model of `make hear-test` where it is
(VOSK_TEST_MODEL), else with the fake of tests/speech/fakes behind the real decoder, resampler, level and VAD.
"""

from __future__ import annotations

import http.client
import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from appliance.errors import ERRORS
from tests.conftest import REPOSITORY
from tests.e2e import fuzzing
from tests.e2e.conftest import Running, given_voice

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300"))
SHARES = {"image": 0.3, "recording": 0.3, "body": 0.3, "form": 0.1}
IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/bmp", "image/x-unknown")
AUDIO_TYPES = ("audio/wav", "audio/x-wav")
JSON_TYPES = ("application/json", "application/json; charset=utf-8", "application/json; charset=utf-16", "text/plain")


def share(kind: str) -> int:
    """How many of a kind are sent at least."""
    return max(10, math.ceil(EXAMPLES * SHARES[kind]))


def bounded(kind: str) -> Callable[..., Callable[[], None]]:
    """Hypothesis' settings for one kind: its share of the examples, no clock, each run the same ones and new ones."""
    return settings(
        max_examples=share(kind),
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
        self.stages: set[str] = set()
        """What recordings have been through."""
        self.words = 0
        """Recordings in which something was heard."""

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
            if "transcript" in found:
                self.stages |= set(found["transcript"]["timings_ms"])
                self.words += bool(found["transcript"]["text"])
            return
        assert status != 500, found
        assert set(found) - {"request_id"} == {"code", "message", "remedy"}
        assert ERRORS[code].status == status, found
        assert " / " in found["message"]
        assert found["remedy"]
        if status in (429, 503):
            assert int(answer.getheader("Retry-After") or 0) >= 1

    def check(self, kind: str) -> None:
        """So many of a kind were sent as were asked for, and at least one of them was served."""
        counts = {key: count for key, count in self.seen.items() if key[0] == kind}
        assert sum(counts.values()) >= share(kind), counts
        assert counts.get((kind, 200, ""), 0) > 0, counts

    def close(self) -> None:
        """The process lives, and a customer is served."""
        self._connection.close()
        os.kill(self._running.pid, 0)
        status, _, reply = self._running.ask("/v1/turns", {"text": "厕所在哪里"})
        assert (status, reply["parse"]["intent"]["name"]) == (200, "facility_location")


def any_model(folder: Path) -> Path:
    """What the check of a Vosk model's files wants to see; the fake vosk asks for nothing more."""
    for name in ("am/final.mdl", "conf/model.conf", "conf/mfcc.conf", "graph/HCLG.fst", "graph/words.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("fake")
    return folder


@pytest.fixture(scope="module")
def hearing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An appliance that hears, with a real model or a fake recogniser."""
    folder, real = tmp_path_factory.mktemp("voice"), os.environ.get("VOSK_TEST_MODEL")
    if real:
        voiced = given_voice(folder, Path(real))
    else:
        voiced = given_voice(folder, any_model(folder / "model"), PYTHONPATH=str(REPOSITORY / "tests/speech/fakes"))
    with voiced.serving(folder / "serve.log") as running:
        assert running.features()["asr"]["state"] == running.features()["vad"]["state"] == "ready"
        yield running


@pytest.fixture(scope="module")
def target(hearing: Running, request: pytest.FixtureRequest) -> Iterator[Target]:
    """One for all kinds; says at the end what became of everything that was sent."""
    shot = Target(hearing)
    yield shot
    shot.close()
    manager = request.config.pluginmanager
    reporter, capture = manager.get_plugin("terminalreporter"), manager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled():
        reporter.write_line("")
        for (kind, status, code), count in sorted(shot.seen.items()):
            reporter.write_line(f"fuzz {kind:9} {status} {code:18} {count:5}")
        reporter.write_line(f"fuzz {'all':9} {'':22} {sum(shot.seen.values()):5}")


def test_the_shares_are_all_that_was_asked_for() -> None:
    assert sum(share(kind) for kind in SHARES) >= EXAMPLES


@pytest.mark.timeout(600)
def test_images(target: Target) -> None:
    @bounded("image")
    @given(data=fuzzing.images(), kind=st.sampled_from(IMAGE_TYPES), path=st.sampled_from(("/v1/ocr", "/v1/turns")))
    @example(data=fuzzing.real_images()[0], kind="image/png", path="/v1/ocr")
    def send(data: bytes, kind: str, path: str) -> None:
        target.send("image", path, data, {"Content-Type": kind})

    send()
    target.check("image")


@pytest.mark.timeout(600)
def test_recordings(target: Target) -> None:
    @bounded("recording")
    @given(data=fuzzing.recordings(), kind=st.sampled_from(AUDIO_TYPES))
    @example(data=fuzzing.real_recordings()[0], kind="audio/wav")
    @example(data=fuzzing.real_recordings()[1], kind="audio/wav")
    def send(data: bytes, kind: str) -> None:
        target.send("recording", "/v1/turns", data, {"Content-Type": kind})

    send()
    target.check("recording")
    assert target.stages == {"decode", "resample", "level", "vad", "asr"}
    assert target.words > 0


@pytest.mark.timeout(600)
def test_bodies(target: Target) -> None:
    @bounded("body")
    @given(
        data=fuzzing.bodies(),
        kind=st.sampled_from(JSON_TYPES),
        coding=st.sampled_from(("", "", "gzip", "br", "deflate")),
    )
    @example(data=fuzzing.real_bodies()[0], kind="application/json", coding="")
    def send(data: bytes, kind: str, coding: str) -> None:
        headers = {"Content-Type": kind} | ({"Content-Encoding": coding} if coding else {})
        target.send("body", "/v1/turns", data, headers)

    send()
    target.check("body")


@pytest.mark.timeout(600)
def test_forms(target: Target) -> None:
    @bounded("form")
    @given(form=fuzzing.forms(), path=st.sampled_from(("/v1/ocr", "/v1/turns")))
    @example(form=fuzzing.form(), path="/v1/ocr")
    def send(form: tuple[bytes, str], path: str) -> None:
        body, kind = form
        target.send("form", path, body, {"Content-Type": kind})

    send()
    target.check("form")
