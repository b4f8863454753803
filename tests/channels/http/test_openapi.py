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
from appliance.channels.http.schemas import read_turn
from appliance.errors import InvalidInput
from appliance.metrics import Metrics
from appliance.settings import Settings

REPOSITORY = Path(__file__).parents[3]
PAGES = {"/", "/assets/<path:name>", "/favicon.ico", "/docs", "/docs/assets/<name>"}


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
    assert {"application/json", "image/jpeg", "image/png", "audio/wav"} <= kinds
    for path in ("/v1/turns", "/v1/ocr"):
        body = spec["paths"][path]["post"]["requestBody"]
        form = spec["components"]["requestBodies"][body["description"].rpartition("/")[2].rstrip("`")]
        assert set(form["content"]) == {"multipart/form-data"}
    assert {"200", "400", "403", "408", "413", "415", "422", "429", "500", "503"} == set(turn["responses"])
    assert spec["components"]["schemas"]["TurnIn"]["properties"]["text"]["maxLength"] == 99
    assert set(spec["components"]["securitySchemes"]) == {"bundles"}
    known = {f"#/components/schemas/{name}" for name in spec["components"]["schemas"]}
    assert set(re.findall(r"#/components/schemas/\w+", json.dumps(spec))) <= known


def test_served_document_is_the_document(shared):
    assert shared.get("/openapi.json").json() == document(shared.settings, shared.door.vocabulary())


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


def test_patterns_say_what_the_models_say():
    schemas = document(Settings())["components"]["schemas"]
    text = re.compile(schemas["TurnIn"]["properties"]["text"]["pattern"])
    value = re.compile(schemas["EntityIn"]["properties"]["value"]["pattern"])
    for said in ("", " ", "\n\t", "a", " a\n", "a\0", "\0", "洗衣液"):
        for pattern, body in (
            (text, {"text": said}),
            (value, {"text": "a", "entities": [{"type": "t", "value": said or "b", "text": said}]}),
        ):
            try:
                read_turn(json.dumps(body).encode(), 99)
                accepted = True
            except InvalidInput:
                accepted = False
            assert (pattern.search(said) is not None) == accepted, (said, pattern)


def examine(document: str, folder: Path, *options: str) -> None:
    """Run schemathesis in `folder`; fails the test with its report when it finds anything.

    With few examples beside those of its coverage phase: tests/e2e asks the real appliance with twice as many.
    """
    command = [sys.executable, "-m", "schemathesis.cli", "run", document, "--max-examples", "10", *options]
    # Streams of sound are known by names that nobody can guess: that they are not found is no finding.
    more = ["--phases", "examples,coverage,fuzzing", "--generation-deterministic", "--no-color", "--warnings", "off"]
    if "openapi.json" in document and document.startswith("http"):  # a stranger has no recording to put into a form
        more += ["--exclude-path", "/v1/audio/transcriptions"]
    done = subprocess.run([*command, *more], cwd=folder, capture_output=True, text=True, timeout=270)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "No issues found" in done.stdout, done.stdout


@pytest.mark.timeout(280)
def test_schemathesis_finds_nothing_from_outside(serve, tmp_path):
    """Run as a stranger would, who has the address and nothing else; no recogniser is installed."""
    server = serve(FakeDoor())
    examine(f"{server.url}/openapi.json", tmp_path)
    assert 'status="500"' not in server.metrics.text().decode()


@pytest.mark.timeout(280)
def test_schemathesis_finds_nothing_in_forms_either(serve, tmp_path):
    """Run in the repository, where schemathesis.toml names real files; the forms stand in their operations here."""
    server = serve(FakeDoor(asr="ready"))
    spec = document(server.settings)
    for path, form in (("/v1/turns", "TurnForm"), ("/v1/ocr", "OcrForm")):
        content = spec["paths"][path]["post"]["requestBody"]["content"]
        content |= spec["components"]["requestBodies"][form]["content"]
    (tmp_path / "openapi.json").write_text(json.dumps(spec))
    examine(str(tmp_path / "openapi.json"), REPOSITORY, "--url", server.url)
    assert 'status="500"' not in server.metrics.text().decode()
