"""Everything that a client can send, full of a person's data, at the loudest level: none of it is found afterwards.

Looked through are the log, what the process remembers of it, the metrics, and the support bundle, which is made by its
own command while the appliance serves.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from appliance.request import HEADER
from tests.e2e.conftest import Running, copy_models, serving
from tests.e2e.test_logged import photo_with_a_name, waybill

pytestmark = pytest.mark.models

TOKEN = "right-token-0123456789abcdef"  # noqa: S105 - of this test's own appliance
PERSON = "zhang-tiezhu"
"""A name in pinyin, of the form that identifiers have, too."""
PRIVATE = (
    *("诸葛铁柱", "zhang-tiezhu", "zhangtiezhu", "ZhangTiezhu", "13987654321", "139 8765 4321", "139-8765-4321"),
    *("139****4321", "11010519491231002X", "19491231", "6222021234567894", "6222 0212 3456 7894"),
    *("幸福里小区", "1702室", "tiezhu@example.com", "WRONGTOKEN", "一三九八七六五四三二一"),
)
"""Forms in which it is sent, and forms in which it may come out again."""
SAID = (
    "你好，我是诸葛铁柱，电话139 8765 4321",
    "寄到上海市徐汇区幸福里小区3栋1702室，收件人诸葛铁柱，电话13987654321",
    "我的身份证号是11010519491231002X，银行卡号6222 0212 3456 7894",
    "我的电话是一三九八七六五四三二一",
    "my name is ZhangTiezhu, my mail is tiezhu@example.com",
)
FILE = f"{PERSON}_诸葛铁柱_13987654321_11010519491231002X"
"""How people call their photos."""


def form(parts: dict[str, str], name: str, content: bytes, kind: str) -> tuple[bytes, str]:
    """Body and content type of a form with fields and one file, whose boundary tells a name as well."""
    edge = "edge-zhangtiezhu-13987654321"
    body = b""
    for field, value in parts.items():
        body += f'--{edge}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode()
    head = (
        f'--{edge}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'
    )
    return body + head.encode() + content + f"\r\n--{edge}--\r\n".encode(), f"multipart/form-data; boundary={edge}"


def send(running: Running, method: str, path: str, body: bytes | None, kind: str, token: str = TOKEN) -> int:
    """One request with telling headers."""
    place = urlsplit(running.url)
    asking = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    headers = {
        "Authorization": f"Bearer {token}",
        HEADER: PERSON,
        "User-Agent": "Phone of zhangtiezhu 13987654321",
        "Referer": f"{running.url}/?name=zhangtiezhu&phone=13987654321",
        "Cookie": "customer=zhangtiezhu; card=6222021234567894",
        "X-Forwarded-For": "zhangtiezhu",
        "Accept-Language": "zhangtiezhu",
        **({"Content-Type": kind} if kind else {}),
    }
    try:
        asking.request(method, path, body, headers)
        answer = asking.getresponse()
        answer.read()
    finally:
        asking.close()
    assert answer.headers[HEADER] != PERSON
    return answer.status


def said(text: str, **more: object) -> bytes:
    return json.dumps({"text": text, **more}).encode()


def everything(running: Running) -> None:
    """Every kind of request, right and wrong."""
    query = f"?name={quote('诸葛铁柱')}&phone=13987654321&id=11010519491231002X"
    told = "application/json"
    for text in SAID:
        assert send(running, "POST", "/v1/turns", said(text), told) == 200
        send(running, "POST", "/v1/turns" + query, said(text), told)
        send(running, "POST", "/v1/suggestions", said(text), told)
    for name, content, kind in (
        (f"{FILE}.png", waybill(), "image/png"),
        (f"{FILE}.jpg", photo_with_a_name(), "image/jpeg"),
        (f"{FILE}.png", FILE.encode(), "image/png"),
        (f"{FILE}.wav", b"RIFF" + FILE.encode(), "audio/wav"),
        (f"../../{FILE}", b"", "text/zhangtiezhu"),
    ):
        for path in ("/v1/turns", "/v1/ocr"):
            send(running, "POST", path, *form({}, name, content, kind))
            send(running, "POST", path, *form({"zhangtiezhu": SAID[0]}, name, content, kind))
            send(running, "POST", path, content, kind)
    chat = {"model": "appliance", "messages": [{"role": "user", "content": SAID[0]}], "user": "zhangtiezhu"}
    send(running, "POST", "/v1/chat/completions", json.dumps(chat).encode(), told)
    send(running, "POST", "/v1/chat/completions", json.dumps({**chat, "model": "zhangtiezhu"}).encode(), told)
    send(running, "POST", "/v1/audio/speech", json.dumps({"input": SAID[1], "voice": "zhangtiezhu"}).encode(), told)
    for method, path in (
        ("GET", f"/{PERSON}/13987654321{query}"),
        ("GET", f"/readyz{query}"),
        ("GET", f"/v1/status{query}"),
        ("DELETE", f"/v1/sessions/{PERSON}-13987654321"),
        ("POST", f"/v1/{quote('诸葛铁柱')}"),
        ("ZHANGTIEZHU", "/v1/turns"),
        ("PUT", f"/v1/turns/{FILE.encode().hex()}{query}"),
    ):
        send(running, method, path, None, "")
    send(running, "POST", "/v1/turns", said(SAID[0], session=f"{PERSON}-13987654321"), told)
    send(running, "PUT", "/v1/log", json.dumps({"level": "诸葛铁柱"}).encode(), told)
    assert send(running, "POST", "/v1/turns", said(SAID[0]), told, token="WRONGTOKEN-zhangtiezhu") == 401  # noqa: S106
    unreadable(running)


def unreadable(running: Running) -> None:
    """What is no HTTP, and what has bytes that no header may have."""
    place = urlsplit(running.url)
    for sent in (
        "诸葛铁柱 13987654321\r\n\r\n".encode(),
        b"GET /zhangtiezhu?13987654321 HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: zhangtiezhu\r\nHost: 13987654321\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nzhangtiezhu 13987654321\r\n\r\n",
        b"POST /v1/turns HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzhangtiezhu\r\n",
    ):
        asking = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
        asking.connect()
        asking.sock.sendall(sent)
        assert asking.sock.recv(65536)
        asking.close()


def bundle_of(running: Running, folder: Path, **settings: str) -> dict[str, str]:
    """The support bundle of an appliance that serves, as its own command makes it: texts by file name."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
    environ |= settings | {
        "APPLIANCE_DATA_DIR": str(running.data),
        "APPLIANCE_HTTP_PORT": str(urlsplit(running.url).port),
    }
    done = subprocess.run(
        [sys.executable, "-m", "appliance.cli", "support-bundle", "-o", str(folder)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("*.zip")
    with zipfile.ZipFile(io.BytesIO(made.read_bytes())) as archive:
        return {name: archive.read(name).decode("utf-8") for name in archive.namelist()}


def found_in(text: str) -> list[str]:
    """What of it is there, written as it is or with its characters escaped."""
    lower = text.lower()
    forms = {
        one: (one, quote(one), json.dumps(one).strip('"'), one.encode().hex(), repr(one.encode())) for one in PRIVATE
    }
    return [one for one, ways in forms.items() if any(way.lower() in lower for way in ways)]


@pytest.mark.parametrize("form_of_log", ["json", "text"])
def test_nothing_about_a_person_is_in_log_bundle_or_metrics(tmp_path: Path, form_of_log: str) -> None:
    copy_models(tmp_path / "data")
    log = tmp_path / "log"
    told = {"APPLIANCE_HTTP_TOKEN": TOKEN}
    loud = {"APPLIANCE_LOG_LEVEL": "debug", "APPLIANCE_LOG_FORMAT": form_of_log}
    with serving(tmp_path / "data", log, **told, **loud) as running:
        everything(running)
        bundle = bundle_of(running, tmp_path / "out", **told)
    found = {name: found_in(text) for name, text in {**bundle, "the log": log.read_text("utf-8")}.items()}
    assert {name: words for name, words in found.items() if words} == {}
    assert [name for name, text in {**bundle, "the log": log.read_text("utf-8")}.items() if TOKEN in text] == []
    assert {"log.json", "metrics.txt", "status.json", "events.json"} < set(bundle)
    assert "POST /v1/turns 200" in bundle["log.json"]
    assert 'route="/v1/turns"' in bundle["metrics.txt"]
    assert "POST /v1/turns 200" in log.read_text("utf-8")
