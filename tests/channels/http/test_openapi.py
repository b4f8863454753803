"""The document holds every route, every refusal, and passes a stranger's tests against the real server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fake_door import FakeDoor
from prometheus_client import CollectorRegistry

from appliance.channels.http.api import create_app
from appliance.channels.http.openapi import document
from appliance.metrics import Metrics
from appliance.settings import Settings

REPOSITORY = Path(__file__).parents[3]
PAGES = {"/", "/assets/<name>", "/favicon.ico", "/docs", "/docs/assets/<name>"}


def test_every_route_is_documented():
    app = create_app(FakeDoor(), Settings(), Metrics(CollectorRegistry()))
    routes = {
        (re.sub(r"<(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule not in PAGES
    }
    paths = document(Settings())["paths"]
    assert routes == {(path, method) for path, operations in paths.items() for method in operations}


def test_bodies_and_refusals_are_complete():
    spec = document(Settings(max_text_chars=99))
    assert spec["openapi"] == "3.1.0"
    turn = spec["paths"]["/v1/turns"]["post"]
    kinds = set(turn["requestBody"]["content"])
    assert {"application/json", "image/jpeg", "image/png", "audio/wav", "multipart/form-data"} <= kinds
    assert {"200", "400", "403", "408", "413", "415", "422", "429", "500", "503"} == set(turn["responses"])
    assert spec["components"]["schemas"]["TurnIn"]["properties"]["text"]["maxLength"] == 99
    assert "securitySchemes" not in spec["components"]
    known = {f"#/components/schemas/{name}" for name in spec["components"]["schemas"]}
    assert set(re.findall(r"#/components/schemas/\w+", json.dumps(spec))) <= known


def test_served_document_is_the_document(shared):
    assert shared.get("/openapi.json").json() == document(shared.settings)


def test_swagger_ui_is_local(shared):
    page = shared.get("/docs")
    assert page.status_code == 200
    assert "http://" not in page.text
    assert "https://" not in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    for name, kind in (
        ("swagger-ui.css", "text/css"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("start.js", "text/javascript"),
    ):
        asset = shared.get(f"/docs/assets/{name}")
        assert asset.status_code == 200
        assert asset.headers["Content-Type"].startswith(kind)
    assert shared.get("/docs/assets/nothing.js").status_code == 404


@pytest.mark.timeout(280)
def test_schemathesis_finds_nothing(serve):
    """Run as a stranger would in the repository, where schemathesis.toml names the hooks of real_files.py."""
    server = serve(FakeDoor(asr="ready"))
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json", "--max-examples", "20"]
    options = ["--phases", "examples,coverage,fuzzing", "--generation-deterministic", "--no-color"]
    done = subprocess.run([*command, *options], cwd=REPOSITORY, capture_output=True, text=True, timeout=270)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "No issues found" in done.stdout, done.stdout
    assert 'status="500"' not in server.metrics.text().decode()
