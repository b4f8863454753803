"""Whatever goes wrong has one form, and a defect tells the client nothing but its number."""

from __future__ import annotations

import logging

import pytest
from fake_door import FakeDoor


def test_no_route_and_wrong_method(shared):
    missing = shared.get("/v1/nowhere")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    wrong = shared.get("/v1/ocr")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert "POST" in wrong.headers["Allow"]


@pytest.mark.parametrize(
    "path", ["/v1/turns/", "/assets/../../secret", "/assets/%2e%2e%2fapi.py", "/docs/assets/x.js", "/%ff"]
)
def test_odd_paths_are_json_too(shared, path):
    response = shared.get(path)
    assert response.json()["code"] in ("not_found", "method_not_allowed")


def test_a_defect_is_logged_and_not_told(serve, caplog):
    server = serve(FakeDoor(error=RuntimeError("secret detail")))
    with caplog.at_level(logging.ERROR):
        response = server.ask("a")
    body = response.json()
    assert (response.status_code, body["code"]) == (500, "internal")
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    assert body["error_id"] in caplog.text
    assert "secret detail" in caplog.text


def test_api_answers_are_never_stored_or_sniffed(shared):
    headers = shared.get("/v1/status").headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert not [name for name in headers if name.lower().startswith("access-control")]
