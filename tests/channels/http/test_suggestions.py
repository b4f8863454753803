"""GET /v1/suggestions: what is being typed, completed; refused with the field's name; heard of by nobody."""

from __future__ import annotations

import pytest
from fake_door import FakeDoor
from promised import valid

from appliance.errors import Unavailable


def test_what_is_typed_is_completed(shared):
    answer = shared.get("/v1/suggestions", params={"text": "xiyi"})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    valid("Suggestions", answer.json())
    assert answer.json()["suggestions"] == [
        {"label": "洗衣液", "text": "洗衣液在哪里", "intent": "find_product"},
        {"label": "洗衣粉", "text": "洗衣粉在哪里", "intent": "find_product"},
    ]
    one = shared.get("/v1/suggestions", params={"text": "洗衣", "limit": "1", "language": "en"}).json()
    assert [suggestion["label"] for suggestion in one["suggestions"]] == ["laundry liquid"]
    assert shared.get("/v1/suggestions", params={"text": "zz"}).json() == {"suggestions": []}
    longest = shared.get("/v1/suggestions", params={"text": "洗" * 64, "limit": 20})
    assert longest.json() == {"suggestions": []}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "text: expected 1 to 64 characters, got none"),
        ("text=", "text: expected 1 to 64 characters, got text of 0 characters"),
        (f"text={'x' * 65}", "text: expected 1 to 64 characters, got text of 65 characters"),
        ("text=a&text=b", "text: expected once, got 2 times"),
        ("text=a&language=de", "language: expected zh or en, got text of 2 characters"),
        ("text=a&limit=0", "limit: expected a whole number from 1 to 20, got 0"),
        ("text=a&limit=21", "limit: expected a whole number from 1 to 20, got 21"),
        ("text=a&limit=ten", "limit: expected a whole number from 1 to 20, got text of 3 characters"),
        ("text=a&limit=%D9%A5", "limit: expected a whole number from 1 to 20, got text of 1 characters"),
        ("text=a&limit=99999999999", "limit: expected a whole number from 1 to 20, got text of 11 characters"),
    ],
)
def test_wrong_queries_are_named(shared, query, said):
    answer = shared.get(f"/v1/suggestions?{query}")
    assert answer.status_code == 422
    assert said in answer.json()["message"]


def test_other_sites_and_methods_are_refused(shared):
    foreign = shared.get("/v1/suggestions", params={"text": "xi"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    assert shared.post("/v1/suggestions", json={"text": "xi"}).status_code == 405


def test_a_token_is_needed_where_one_is_set(serve):
    server = serve(http_token="secret")
    assert server.get("/v1/suggestions", params={"text": "xi"}).status_code == 401
    known = {"Authorization": "Bearer secret"}
    assert server.get("/v1/suggestions", params={"text": "xi"}, headers=known).status_code == 200


def test_nothing_typed_reaches_log_metrics_or_answers(serve, caplog):
    caplog.set_level("DEBUG")
    server = serve(FakeDoor())
    typed = "wodedianhua13812345678"
    server.get("/v1/suggestions", params={"text": typed})
    server.get("/v1/suggestions", params={"text": typed * 4})
    server.door.error = Unavailable("no")
    assert server.get("/v1/suggestions", params={"text": typed}).status_code == 503
    assert typed not in server.metrics.text().decode()
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("appliance", "werkzeug"))]
    assert not any(typed in line for line in ours)
