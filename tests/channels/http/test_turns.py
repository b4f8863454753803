"""Turns, readings, greetings and sessions over a real server."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from fake_door import JPEG, LINES, PNG, FakeDoor
from promised import valid

from appliance.errors import (
    IN_VAIN,
    DeadlineExceeded,
    InvalidInput,
    ModelCorrupt,
    Overloaded,
    TooLarge,
    TooManyRequests,
)

WAV = b"RIFF\x24\0\0\0WAVEfmt " + b"\0" * 28


def refused(response: Any, status: int, code: str) -> dict[str, str]:
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code), body
    assert response.headers["Content-Type"] == "application/json"
    assert set(body) >= {"code", "message", "remedy"}
    assert " / " in body["message"]
    assert " / " in body["remedy"]
    valid("Problem", body)
    return dict(body)


def test_typed_turn(shared):
    response = shared.ask("查一下单号SF1392847561002")
    body = response.json()
    assert response.status_code == 200
    valid("Reply", body)
    assert body["parse"]["intent"] == {"name": "find_product", "confidence": 0.93}
    (entity,) = body["parse"]["entities"]
    assert (entity["type"], entity["value"], entity["start"], entity["end"]) == (
        "tracking_no",
        "SF1392847561002",
        5,
        20,
    )
    assert body["answer"]["text"] == "洗衣液在 B3 货架,靠近收银台。"
    assert [s["intent"] for s in body["answer"]["suggestions"]] == ["check_stock", "human_agent"]
    assert body["timings_ms"]["total"] == 0.9
    assert body["backends"] == {"language": "templates"}
    assert "ocr" not in body
    assert "transcript" not in body


def test_session_is_kept_and_forgotten(shared):
    first = shared.ask("你好").json()["session"]
    assert shared.ask("洗衣液", session=first).json()["session"] == first
    assert requests.delete(f"{shared.url}/v1/sessions/{first}", timeout=5).status_code == 204
    refused(requests.delete(f"{shared.url}/v1/sessions/{first}", timeout=5), 404, "not_found")
    assert shared.ask("洗衣液", session=first).json()["session"] != first
    refused(requests.delete(f"{shared.url}/v1/sessions/%20bad", timeout=5), 422, "invalid_input")


def test_tapped_chip_carries_its_intent(shared):
    shared.ask("我要退货", source="tap", intent="return_exchange", language="en")
    turn = shared.door.turns[-1]
    assert (turn.source, turn.language) == ("tap", "en")
    assert (turn.intent.name, turn.intent.confidence) == ("return_exchange", 1.0)


def test_barcode_carries_its_entity_with_a_span(shared):
    shared.ask("单号 SF123", source="barcode", entities=[{"type": "tracking_no", "value": "SF123"}])
    (entity,) = shared.door.turns[-1].entities
    assert (entity.text, entity.start, entity.end, entity.source) == ("SF123", 3, 8, "barcode")


def test_entity_value_that_the_text_does_not_say_has_no_span(shared):
    shared.ask("两瓶", entities=[{"type": "quantity", "value": "2"}, {"type": "quantity", "value": "2", "text": "两"}])
    unsaid, said = shared.door.turns[-1].entities
    assert (unsaid.text, unsaid.start, unsaid.end) == ("", 0, 0)
    assert (said.text, said.start, said.end) == ("两", 0, 1)


@pytest.mark.parametrize(
    "body, status, code, names",
    [
        (b"", 400, "bad_request", "empty body"),
        (b"{", 400, "bad_request", "expected JSON"),
        (b"\xff\xfe", 400, "bad_request", "UTF-8"),
        (b'{"text": NaN}', 400, "bad_request", "NaN"),
        (b"[" * 60000, 400, "bad_request", "nested too deep"),
        (b'{"text":"a","x":' + b"9" * 5000 + b"}", 400, "bad_request", "number too long"),
        (b"[]", 422, "invalid_input", "a list"),
        (b"{}", 422, "invalid_input", "text: expected a value, got none"),
        (b'{"text":""}', 422, "invalid_input", "text: expected at least 1 character"),
        (b'{"text":"  "}', 422, "invalid_input", "text: expected text of the form"),
        (b'{"text":5}', 422, "invalid_input", "text: expected text, got a number"),
        (b'{"text":"a\\u0000b"}', 422, "invalid_input", "NUL"),
        (b'{"text":"a","entities":[{"type":"product","value":"a\\u0000"}]}', 422, "invalid_input", "NUL"),
        (b'{"text":"\\ud800"}', 422, "invalid_input", "Unicode"),
        (b'{"text":"a","text":"b"}', 422, "invalid_input", "text: expected once, got it 2 times"),
        (b'{"text":"a","session":"x","session":"y"}', 422, "invalid_input", "session: expected once"),
        (b'{"text":"a","session":"../x"}', 422, "invalid_input", "session: expected text of the form"),
        (b'{"text":"a","colour":1}', 422, "invalid_input", "colour: expected no such field"),
        (b'{"text":"a","language":"fr"}', 422, "invalid_input", "language: expected 'zh' or 'en'"),
        (b'{"text":"a","source":"image"}', 422, "invalid_input", "source: expected"),
        (b'{"text":"a","intent":"Not A Name"}', 422, "invalid_input", "intent: expected text of the form"),
        (b'{"text":"a","entities":{}}', 422, "invalid_input", "entities: expected a list, got an object"),
        (b'{"text":"a","entities":[1]}', 422, "invalid_input", "entities.0: expected an object, got a number"),
        (b'{"text":"a","entities":[{"type":"a"}]}', 422, "invalid_input", "entities.0.value: expected a value"),
    ],
)
def test_refused_json_names_the_field(shared, body, status, code, names):
    response = shared.post("/v1/turns", data=body, headers={"Content-Type": "application/json"})
    assert names in refused(response, status, code)["message"]


def test_too_many_entities_and_too_long_values(shared):
    many = [{"type": "a", "value": "b"}] * 17
    assert "at most 16 items" in refused(shared.ask("a", entities=many), 422, "invalid_input")["message"]
    long = [{"type": "a", "value": "b" * 513}]
    assert "at most 512 characters" in refused(shared.ask("a", entities=long), 422, "invalid_input")["message"]


def test_long_text_is_refused_and_not_echoed(shared):
    message = refused(shared.ask("好" * 513), 422, "invalid_input")["message"]
    assert "text: expected at most 512 characters, got 513" in message
    assert "好好" not in message
    assert shared.ask("好" * 512).status_code == 200


def test_large_json_is_refused_before_it_is_read(shared):
    response = shared.post(
        "/v1/turns", data=b'{"text":"' + b"a" * 70_000 + b'"}', headers={"Content-Type": "application/json"}
    )
    refused(response, 413, "too_large")


@pytest.mark.parametrize(
    "kind", ["application/x-unknown", "text/plain", "application/x-www-form-urlencoded", "audio/ogg", ""]
)
def test_unknown_content_type(shared, kind):
    response = shared.post("/v1/turns", data=b"x", headers={"Content-Type": kind})
    assert "Content-Type: expected application/json" in refused(response, 415, "unsupported_media")["message"]


def test_body_goes_before_the_query(shared):
    session = shared.ask("a").json()["session"]
    path = f"/v1/turns?session={session}&language=en"
    assert shared.post(path, json={"text": "a"}).json()["session"] == session
    assert shared.door.turns[-1].language == "en"
    shared.post(path, json={"text": "a", "language": "zh"})
    assert shared.door.turns[-1].language == "zh"
    refused(shared.post("/v1/turns?session=a&session=b", json={"text": "a"}), 422, "invalid_input")
    refused(shared.post("/v1/turns?session=", json={"text": "a"}), 422, "invalid_input")


def test_image_turn_as_body(shared):
    response = shared.post("/v1/turns?language=en", data=PNG + b"1", headers={"Content-Type": "image/png"})
    body = response.json()
    valid("Reply", body)
    assert body["turn"]["source"] == "image"
    assert body["answer"]["language"] == "en"
    assert [line["text"] for line in body["ocr"]["lines"]] == [line.text for line in LINES]
    assert shared.door.images[-1] == PNG + b"1"


def test_image_turn_as_form_keeps_session_and_language(shared):
    session = shared.ask("a").json()["session"]
    response = shared.post(
        "/v1/turns", files={"image": ("a.jpg", JPEG + b"2", "image/jpeg")}, data={"session": session, "language": "en"}
    )
    body = response.json()
    assert (body["session"], body["turn"]["language"]) == (session, "en")
    assert shared.door.images[-1] == JPEG + b"2"


def test_recording_as_body_and_as_form(serve):
    server = serve(FakeDoor(asr="ready"))
    for response in (
        server.post("/v1/turns", data=WAV, headers={"Content-Type": "audio/wav"}),
        server.post("/v1/turns", files={"audio": ("a.wav", WAV, "audio/wav")}),
    ):
        body = response.json()
        valid("Reply", body)
        assert body["transcript"]["text"] == "洗衣液在哪"
        assert body["turn"]["source"] == "audio"
    assert server.door.recordings == [WAV, WAV]


def test_recording_without_a_model_says_what_to_do(shared):
    response = shared.post("/v1/turns", data=WAV, headers={"Content-Type": "audio/x-wav"})
    assert "appliance models pull" in refused(response, 503, "unavailable")["remedy"]
    assert int(response.headers["Retry-After"]) >= 1


def test_ocr_as_body_and_as_form(shared):
    for response in (
        shared.post("/v1/ocr", data=PNG, headers={"Content-Type": "image/png"}),
        shared.post("/v1/ocr", files={"image": ("a.png", PNG, "image/png")}),
    ):
        body = response.json()
        valid("OcrResult", body)
        assert body["text"].splitlines()[0] == "顺丰速运"
        assert body["lines"][1]["box"] == [[40.0, 120.0], [560.0, 130.0], [559.0, 170.0], [39.0, 160.0]]
        assert (body["width"], body["height"], body["engine"]) == (600, 300, "fake-reader")


@pytest.mark.parametrize(
    "files, data, status, names",
    [
        ({"audio": ("a", b"x", "audio/wav")}, {}, 422, "fields image, got"),
        ({"image": ("a", PNG, "image/png")}, {"language": "fr", "session": "a"}, 422, "language: expected"),
        ({"image": ("a", b"", "image/png")}, {}, 422, "got an empty one"),
        ({"image": ("a", PNG, "image/png")}, {"session": "a b"}, 422, "session: expected"),
        ({"image": ("a", PNG, "image/png")}, {"colour": "red"}, 422, "'colour'"),
        (
            {"session": ("a", b"x", "text/plain"), "image": ("a", PNG, "image/png")},
            {"language": "zh"},
            422,
            "expected a text field",
        ),
        ([("image", ("a", PNG, "image/png")), ("image", ("b", PNG, "image/png"))], {}, 422, "expected one file"),
        ([("image", ("a", PNG, "image/png"))] * 70, {}, 422, "expected one file"),
    ],
)
def test_refused_forms(shared, files, data, status, names):
    path = "/v1/turns" if "session" in data or "language" in data else "/v1/ocr"
    body = shared.post(path, files=files, data=data).json()
    assert names in body["message"]
    assert (status, body["code"]) == (422, "invalid_input")


def form(*parts: tuple[str, bytes]) -> tuple[bytes, dict[str, str]]:
    body = b"".join(
        b"--XX\r\nContent-Disposition: form-data; " + h.encode() + b"\r\n\r\n" + d + b"\r\n" for h, d in parts
    )
    return body + b"--XX--\r\n", {"Content-Type": "multipart/form-data; boundary=XX"}


def test_form_details(shared):
    def post(*parts: tuple[str, bytes], path: str = "/v1/turns") -> Any:
        body, headers = form(*parts)
        return shared.post(path, data=body, headers=headers)

    image = ('name="image"; filename="a.png"', PNG)
    twice = post(image, ('name="session"', b"a"), ('name="session"', b"b"))
    assert "session: expected once, got 2 times" in refused(twice, 422, "invalid_input")["message"]
    session = shared.ask("a").json()["session"]
    both = post(image, ('name="session"', session.encode()), path="/v1/turns?session=b")
    assert both.json()["session"] == session
    nameless = post(('name="image"', PNG))
    assert "with a filename" in refused(nameless, 422, "invalid_input")["message"]
    none = shared.post("/v1/turns", data=b"x", headers={"Content-Type": "multipart/form-data"})
    assert "boundary" in refused(none, 400, "bad_request")["message"]
    torn = shared.post(
        "/v1/turns", data=b"--XX\r\nno end", headers={"Content-Type": "multipart/form-data; boundary=XX"}
    )
    refused(torn, 400, "bad_request")
    empty = shared.post("/v1/ocr", data=b"", headers={"Content-Type": "image/png"})
    assert "empty body" in refused(empty, 400, "bad_request")["message"]


def test_file_over_its_limit_inside_a_form(serve):
    server = serve(max_image_bytes=2000, max_audio_bytes=4000)
    response = server.post("/v1/turns", files={"image": ("a.png", PNG + b"0" * 3000, "image/png")})
    assert "image: expected at most 2000 bytes, got 3008" in refused(response, 413, "too_large")["message"]
    assert server.door.images == []


@pytest.mark.parametrize(
    "error, status, code, wait",
    [
        (Overloaded("full", retry_after=2.2), 503, "overloaded", "3"),
        (TooManyRequests("two at once"), 429, "too_many_requests", "1"),
        (DeadlineExceeded("late"), 503, "deadline_exceeded", "1"),
        (DeadlineExceeded("late, as asked", retry_after=IN_VAIN), 503, "deadline_exceeded", None),
        (TooLarge("60000 x 60000 pixels"), 413, "too_large", None),
        (ModelCorrupt("hash"), 500, "model_corrupt", None),
    ],
)
def test_errors_of_the_door(serve, error, status, code, wait):
    response = serve(FakeDoor(error=error)).ask("a")
    refused(response, status, code)
    assert response.headers.get("Retry-After") == wait


def test_name_that_the_door_does_not_know_is_an_invalid_input_and_documented(serve):
    server = serve(FakeDoor(error=InvalidInput("intent: expected one of the pack, got another")))
    said = refused(server.ask("a", source="tap", intent="made_up"), 422, "invalid_input")
    assert "intent: expected one of the pack" in said["message"]
    spec = server.get("/openapi.json").json()
    assert "invalid_input" in spec["paths"]["/v1/turns"]["post"]["responses"]["422"]["description"]
    turn = spec["components"]["schemas"]["TurnIn"]["properties"]
    assert "refused" in turn["intent"]["description"]


def test_greeting(shared):
    for language, title in (("zh", "门店助手"), ("en", "Store guide")):
        body = shared.get(f"/v1/greeting?language={language}").json()
        valid("Greeting", body)
        assert body["title"] == title
    assert shared.get("/v1/greeting").json()["title"] == "门店助手"
    refused(shared.get("/v1/greeting?language=fr"), 422, "invalid_input")
    refused(shared.get("/v1/greeting?language=zh&language=en"), 422, "invalid_input")


def test_answers_are_utf8_json_without_escapes(shared):
    response = shared.ask("你好")
    assert "洗衣液".encode() in response.content
    assert json.loads(response.content)["session"]
