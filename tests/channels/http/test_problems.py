"""Whatever goes wrong has one form, and a defect tells the client nothing but its number."""

from __future__ import annotations

import logging
import re
from typing import NoReturn

import pytest
from fake_door import PNG, FakeDoor

from appliance.values import Turn


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
    assert f"error {body['error_id']} in POST /v1/turns: RuntimeError" in caplog.text
    assert re.search(r"fake_door\.py:\d+ _act$", caplog.text, re.MULTILINE)


class Stumbling(FakeDoor):
    """A fake door that fails as plain Python does over a customer's words: the message repeats them."""

    def turn(self, turn: Turn, session: str | None = None) -> NoReturn:
        try:
            {}[turn.text]
        except KeyError:
            int(turn.text + "号")
        raise AssertionError("not reached")


def test_a_defect_is_logged_without_the_words_that_it_met(serve, caplog):
    server = serve(Stumbling())
    with caplog.at_level(logging.DEBUG):
        response = server.ask("13812345678")
    assert response.status_code == 500
    assert "ValueError" in caplog.text
    assert "KeyError" in caplog.text
    assert "13812345678" not in caplog.text
    assert "13812345678" not in response.text


def test_a_defect_in_mid_reading_is_logged_without_the_words_that_it_met(serve, caplog):
    server = serve(FakeDoor(late=ValueError("invalid literal for int(): '13812345678'")))
    with caplog.at_level(logging.DEBUG):
        response = server.post(
            "/v1/turns", data=PNG, headers={"Content-Type": "image/png", "Accept": "text/event-stream"}
        )
    assert "event: error" in response.text
    assert "ValueError" in caplog.text
    assert "_read_lines" in caplog.text
    assert "13812345678" not in caplog.text + response.text


def test_api_answers_are_never_stored_or_sniffed(shared):
    headers = shared.get("/v1/status").headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert not [name for name in headers if name.lower().startswith("access-control")]
