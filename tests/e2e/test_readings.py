"""Real photos read before a real client's eyes: line by line, within a deadline, character by character."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from appliance.artifacts.cases import Case
from tests.e2e.conftest import Running


def events(running: Running, path: str, image: bytes, kind: str) -> Iterator[tuple[str, Any, float]]:
    """Name, data and time of arrival of each event."""
    connection = http.client.HTTPConnection(urlsplit(running.url).netloc, timeout=60)
    connection.request("POST", path, image, {"Accept": "text/event-stream", "Content-Type": kind})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    name = ""
    while raw := answer.readline():
        field, _, value = raw.decode().rstrip("\n").partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value), time.monotonic()
    connection.close()


@pytest.mark.parametrize(("name", "kind"), [("receipt.png", "image/png"), ("waybill-photo.jpg", "image/jpeg")])
def test_lines_are_streamed_as_they_are_read(running: Running, pages: dict[str, Case], name: str, kind: str) -> None:
    image = pages[name].path.read_bytes()
    (found, count, began), *lines, (last, result, ended) = events(running, "/v1/ocr", image, kind)
    assert (found, last) == ("found", "result")
    assert count["lines"] >= len(lines) == len(result["lines"]) >= 5
    assert [line["index"] for _, line, _ in lines] == list(range(len(lines)))
    assert [line["text"] for _, line, _ in lines] == [line["text"] for line in result["lines"]]
    assert not result["partial"]
    # They came one after the other and not together at the end.
    arrived = [when for _, _, when in lines]
    assert began <= arrived[0] < arrived[-1] <= ended
    assert len({round(when, 3) for when in arrived}) >= len(lines) // 2
    _, _, plain = running.ask("/v1/ocr", image, kind)
    assert {**plain, "timings_ms": {}} == {**result, "timings_ms": {}}


def test_a_photographed_waybill_is_answered_before_the_customers_eyes(running: Running, pages: dict[str, Case]) -> None:
    image = pages["waybill-photo.jpg"].path.read_bytes()
    *before, (last, reply, _) = events(running, "/v1/turns?language=en", image, "image/jpeg")
    assert {name for name, _, _ in before} == {"found", "line"}
    assert last == "result"
    assert any(entity["type"] == "tracking_no" for entity in reply["parse"]["entities"])
    assert reply["answer"]["language"] == "en"
    assert running.ask(f"/v1/sessions/{reply['session']}", method="DELETE")[0] == 204


def test_a_short_deadline_gives_what_is_known(running: Running, pages: dict[str, Case]) -> None:
    """Some deadline between nothing and everything must end in the middle of the page."""
    image = pages["receipt.png"].path.read_bytes()
    whole = running.ask("/v1/ocr", image, "image/png")[2]
    spent = whole["timings_ms"]
    first = int(sum(spent.values()) - spent["recognise"])
    for share in (0.5, 0.3, 0.7, 0.4, 0.6, 0.2, 0.8):
        deadline_ms = max(100, int(first + share * spent["recognise"]))
        status, _, answer = running.ask(f"/v1/ocr?deadline_ms={deadline_ms}", image, "image/png")
        if status == 200 and answer["partial"] and answer["lines"]:
            break
    else:
        pytest.fail("no deadline ended in the middle of the page")
    assert answer["unread"] >= 1
    texts = [line["text"] for line in whole["lines"]]
    assert [line["text"] for line in answer["lines"]] == texts[: len(answer["lines"])]


def refused(status: int, head: Mapping[str, str], answer: Any) -> bool:
    """True for the one refusal that a deadline may end in; without it a photo of text is answered with text."""
    if status == 200:
        assert answer.get("ocr", answer)["lines"]
        return False
    assert (status, answer["code"]) == (503, "deadline_exceeded")
    assert "Retry-After" not in head
    assert "deadline_ms" in answer["remedy"]
    return True


@pytest.mark.parametrize("path", ["/v1/ocr", "/v1/turns"])
def test_a_deadline_that_leaves_nothing_is_an_error(running: Running, pages: dict[str, Case], path: str) -> None:
    """Whenever it comes, a photo with text on it is never answered as one without."""
    image = pages["receipt.png"].path.read_bytes()
    spent = running.ask("/v1/ocr", image, "image/png")[2]["timings_ms"]
    first = int(sum(spent.values()) - spent["recognise"])
    for deadline_ms in sorted({max(100, first + more) for more in range(-40, 41, 10)}):
        refused(*running.ask(f"{path}?deadline_ms={deadline_ms}", image, "image/png"))
    small = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
    factor = (36_000_000 / (small.shape[0] * small.shape[1])) ** 0.5
    large = cv2.imencode(".jpg", cv2.resize(small, None, fx=factor, fy=factor))[1].tobytes()
    assert refused(*running.ask(f"{path}?deadline_ms=100", large, "image/jpeg"))  # no machine decodes it in time


def test_characters_and_what_else_they_may_be(running: Running, pages: dict[str, Case]) -> None:
    image = pages["receipt.png"].path.read_bytes()
    result = running.ask("/v1/ocr?detail=characters", image, "image/png")[2]
    for line in result["lines"]:
        assert "".join(character["text"] for character in line["characters"]) == line["text"]
        for character in line["characters"]:
            others = [other["confidence"] for other in character["alternatives"]]
            assert len(others) <= 4
            assert others == sorted(others, reverse=True)
            assert all(0 <= other <= 1 for other in others)
    assert any(character["alternatives"] for line in result["lines"] for character in line["characters"])
    assert all("characters" not in line for line in running.ask("/v1/ocr", image, "image/png")[2]["lines"])


def test_who_leaves_gives_the_networks_back(running: Running, pages: dict[str, Case]) -> None:
    """More clients than places, each gone after its first event: none of them keeps a place."""
    image = pages["receipt.png"].path.read_bytes()
    head = "POST /v1/ocr HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Type: image/png\r\n"
    address = urlsplit(running.url)
    assert address.hostname
    assert address.port
    for _ in range(6):
        for _ in range(100):
            with socket.create_connection((address.hostname, address.port), timeout=30) as sock:
                sock.sendall(f"{head}Content-Length: {len(image)}\r\n\r\n".encode() + image)
                answer = sock.recv(4096)
            if b" 200 " in answer:
                break
            assert b" 503 " in answer
            time.sleep(0.1)
        else:
            pytest.fail("no place came free")
    assert running.ask("/v1/ocr", image, "image/png")[0] in (200, 503)


def test_suggestions_complete_what_is_typed(running: Running) -> None:
    for typed in ("xiyiye", "xyy", "洗衣液", "洗yiye", "xi'yi'y"):
        found = running.ask("/v1/suggestions", {"text": typed})[2]["suggestions"]
        assert found[0]["label"] == "洗衣液", typed
        reply = running.ask("/v1/turns", {"text": found[0]["text"], "intent": found[0]["intent"], "source": "tap"})[2]
        assert reply["parse"]["intent"]["name"] == found[0]["intent"] == "find_product"
        assert reply["answer"]["outcome"] in ("resolved", "pending")
