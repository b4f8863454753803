"""POST /v1/suggestions: what is being typed, completed; refused with the field's name; heard of by nobody."""

from __future__ import annotations

import pytest
from fake_door import FakeDoor
from promised import valid

from appliance.errors import Unavailable


def typed(server, text, headers=None, **more):
    """Post what is typed."""
    return server.post("/v1/suggestions", json={"text": text, **more}, headers=headers)


def test_what_is_typed_is_completed(shared):
    answer = typed(shared, "xiyi")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    valid("Suggestions", answer.json())
    assert answer.json()["suggestions"] == [
        {"label": "洗衣液", "text": "洗衣液在哪里", "intent": "find_product"},
        {"label": "洗衣粉", "text": "洗衣粉在哪里", "intent": "find_product"},
    ]
    one = typed(shared, "洗衣", limit=1, language="en").json()
    assert [suggestion["label"] for suggestion in one["suggestions"]] == ["laundry liquid"]
    assert typed(shared, "xiyi", limit=1.0).json()["suggestions"] == answer.json()["suggestions"][:1]
    assert typed(shared, "zz").json() == {"suggestions": []}
    assert typed(shared, "洗" * 64, limit=20).json() == {"suggestions": []}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{}", "text: expected a value, got none"),
        ('{"text": ""}', "text: expected at least 1 character, got an empty text"),
        (f'{{"text": "{"x" * 65}"}}', "text: expected at most 64 characters, got text of 65 characters"),
        ('{"text": "a", "text": "b"}', "text: expected once, got it 2 times"),
        ('{"text": "a\\u0000"}', "text: expected text without NUL characters, got text of 2 characters"),
        ('{"text": 7}', "text: expected text, got a number"),
        ('{"text": "a", "language": "de"}', "language: expected 'zh' or 'en', got text of 2 characters"),
        ('{"text": "a", "limit": 0}', "limit: expected at least 1, got less"),
        ('{"text": "a", "limit": 21}', "limit: expected at most 20, got more"),
        ('{"text": "a", "limit": "ten"}', "limit: expected a whole number, got text of 3 characters"),
        ('{"text": "a", "limit": 1.5}', "limit: expected a whole number, got a number"),
        ('{"text": "a", "limit": 1e999}', "limit: expected a whole number, got a number"),
        ('{"text": "a", "limit": true}', "limit: expected a whole number, got a boolean"),
        ('{"text": "a", "session": "b"}', "session: expected no such field, got text of 1 characters"),
        ('["a"]', "body: expected a JSON object, got a list"),
    ],
)
def test_wrong_bodies_are_named(shared, body, said):
    answer = shared.post("/v1/suggestions", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert said in answer.json()["message"]


def test_only_json_in_a_body_is_taken(shared):
    """A half-typed name or number in an address would stand in the log of every proxy on its way."""
    assert shared.get("/v1/suggestions", params={"text": "xi"}).status_code == 405
    assert shared.post("/v1/suggestions", params={"text": "xi"}).status_code == 415
    assert shared.post("/v1/suggestions", data={"text": "xi"}).status_code == 415
    broken = shared.post("/v1/suggestions", data=b"{", headers={"Content-Type": "application/json"})
    assert broken.status_code == 400


def test_other_sites_are_refused(shared):
    assert typed(shared, "xi", {"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert typed(shared, "xi", {"Origin": "https://elsewhere.example"}).status_code == 403


def test_a_token_is_needed_where_one_is_set(serve):
    server = serve(http_token="secret")
    assert typed(server, "xi").status_code == 401
    assert typed(server, "xi", {"Authorization": "Bearer secret"}).status_code == 200


def test_nothing_typed_reaches_log_metrics_or_answers(serve, caplog):
    caplog.set_level("DEBUG")
    server = serve(FakeDoor())
    words = "wodedianhua13812345678"
    typed(server, words)
    typed(server, words * 4)
    server.door.error = Unavailable("no")
    assert typed(server, words).status_code == 503
    assert words not in server.metrics.text().decode()
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("appliance", "werkzeug"))]
    assert not any(words in line for line in ours)
