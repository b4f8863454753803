"""An examiner with nothing but the address: schemathesis against the real appliance."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Running


@pytest.mark.timeout(280)
def test_schemathesis_finds_nothing(running: Running, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{running.url}/openapi.json", "--max-examples", "20"]
    command += ["--phases", "examples,coverage,fuzzing", "--generation-deterministic", "--no-color"]
    # Streams have names that nobody can guess, and a stranger has no recording to put into a form.
    command += ["--warnings", "off", "--exclude-path", "/v1/audio/transcriptions"]
    # 503 is an answer, too: no recogniser comes with the appliance, so whoever sends sound is told what to install.
    expected = '[checks]\nnot_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "503"]\n'
    (tmp_path / "schemathesis.toml").write_text(expected)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=270, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "No issues found" in done.stdout, done.stdout


def test_the_document_names_what_the_pack_knows(running: Running) -> None:
    schemas = running.ask("/openapi.json")[2]["components"]["schemas"]
    named = next(kind["enum"] for kind in schemas["TurnIn"]["properties"]["intent"]["anyOf"] if "enum" in kind)
    assert len(named) == 29
    assert "track_parcel" in named
    assert "tracking_no" in schemas["EntityIn"]["properties"]["type"]["enum"]
    status, _, refusal = running.ask("/v1/turns", {"text": "你好", "intent": "no_such_intent"})
    assert (status, refusal["code"]) == (422, "invalid_input")
