"""Host, Origin and token."""

from __future__ import annotations

import pytest
import requests
from fake_door import FakeDoor

from appliance.channels.http.guard import host_allowed, host_name
from appliance.settings import Settings

TOKEN = "a-token-of-enough-length"


@pytest.mark.parametrize(
    "header, name",
    [
        ("localhost", "localhost"),
        ("LOCALHOST:8080", "localhost"),
        ("127.0.0.1:1", "127.0.0.1"),
        ("[::1]:8080", "::1"),
        ("[::1]", "::1"),
        ("kiosk.local.", "kiosk.local"),
        ("[::1", None),
        ("[::1]8080", None),
        ("a:b", None),
        ("a:99999", None),
        ("a:000080", None),
        ("a:" + "1" * 5000, None),  # int() refuses so many digits
        ("[::1]:" + "1" * 5000, None),
        (":80", None),
        ("localhost..", "localhost."),
        ("[::1%evil.example]", None),
        ("127.0.0.1%00", None),
    ],
)
def test_host_name(header, name):
    assert host_name(header) == name


@pytest.mark.parametrize(
    "name, settings, allowed",
    [
        ("localhost", {}, True),
        ("127.5.5.5", {}, True),
        ("::1", {}, True),
        ("evil.example", {}, False),
        ("127.0.0.1.evil.example", {}, False),
        ("192.168.1.9", {}, False),
        ("kiosk.local", {"http_allowed_hosts": ("kiosk.local",)}, True),
        ("10.0.0.5", {"http_host": "10.0.0.5"}, True),
        ("10.0.0.5", {"http_host": "0.0.0.0"}, True),
        ("evil.example", {"http_host": "0.0.0.0"}, False),
    ],
)
def test_host_allowed(name, settings, allowed):
    assert host_allowed(name, Settings(**settings)) is allowed


def test_foreign_host_is_refused_everywhere(shared):
    for path in ("/", "/healthz", "/v1/status", "/nowhere"):
        response = shared.get(path, headers={"Host": "evil.example"})
        assert (response.status_code, response.json()["code"]) == (403, "foreign_host")
    assert shared.get("/v1/status", headers={"Host": f"localhost:{shared.port}"}).status_code == 200


@pytest.mark.parametrize(
    "headers, allowed",
    [
        ({}, True),
        ({"Origin": "{own}"}, True),
        ({"Origin": "{own}", "Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://127.0.0.1:1"}, False),
        ({"Origin": "ftp://{host}"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
    ],
)
def test_posts_of_other_sites_are_refused(shared, headers, allowed):
    host = f"127.0.0.1:{shared.port}"
    sent = {name: value.format(own=shared.url, host=host) for name, value in headers.items()}
    before = len(shared.door.turns)
    response = shared.post("/v1/turns", json={"text": "a"}, headers=sent)
    assert response.status_code == (200 if allowed else 403)
    assert len(shared.door.turns) - before == (1 if allowed else 0)
    if not allowed:
        assert response.json()["code"] == "foreign_origin"


def test_endless_port_is_refused(shared):
    response = shared.get("/v1/status", headers={"Host": "localhost:" + "1" * 5000})
    assert (response.status_code, response.json()["code"]) == (403, "foreign_host")


def test_another_site_can_open_the_page_but_hold_no_stream(shared):
    for site in ("cross-site", "same-site"):  # the latter is another port of this machine
        assert shared.get("/", headers={"Sec-Fetch-Site": site}).status_code == 200
        assert shared.get("/v1/events", headers={"Sec-Fetch-Site": site}).status_code == 403


def test_token_guards_everything_but_probe_and_static_files(serve):
    server = serve(FakeDoor(), http_token=TOKEN)
    for path in ("/healthz", "/", "/assets/app.js", "/docs", "/docs/assets/swagger-ui.css"):
        assert server.get(path).status_code == 200
    for path in ("/v1/status", "/readyz", "/metrics", "/openapi.json", "/v1/events", "/v1/greeting", "/v1/nowhere"):
        response = server.get(path)
        assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert server.ask("a").status_code == 401
    for given in ("Bearer wrong", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe9"):
        assert server.get("/v1/status", headers={"Authorization": given}).status_code == 401
    right = {"Authorization": f"Bearer {TOKEN}"}
    assert server.get("/v1/status", headers=right).status_code == 200
    spec = server.get("/openapi.json", headers=right).json()
    assert spec["components"]["securitySchemes"]["token"] == {"type": "http", "scheme": "bearer"}
    assert spec["paths"]["/v1/turns"]["post"]["security"] == [{"token": []}]
    assert spec["paths"]["/healthz"]["get"]["security"] == []
    assert "401" in spec["paths"]["/v1/turns"]["post"]["responses"]
    assert server.door.turns == []


@pytest.mark.parametrize("given", [b"\xe9", "密码".encode(), b"\xff\xfe", b"\xed\xa0\x80", b"x" * 20_000])
def test_any_bytes_as_a_token_are_refused_and_no_defect(serve, given):
    server = serve(FakeDoor(), http_token=TOKEN)
    for header in (b"Bearer " + given, given, b"Bearer " + TOKEN.encode() + given):
        response = server.get("/v1/status", headers={"Authorization": header})
        assert (response.status_code, response.json()["code"]) == (401, "unauthorized")


def test_missing_host_is_a_bad_request(shared):
    session = requests.Session()
    request = requests.Request("GET", shared.url + "/v1/status").prepare()
    request.headers["Host"] = ""
    response = session.send(request, timeout=5)
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")
    session.close()
