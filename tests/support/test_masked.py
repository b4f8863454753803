"""What a stranger may see of settings, texts and log lines."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest

from appliance.settings import Settings
from appliance.support.masked import HIDDEN, Mask, secrets_of, shown

TOKEN = "correct-horse-battery"
SET = Settings(
    http_token=TOKEN,
    http_host="0.0.0.0",
    http_allowed_hosts=("kiosk.shop.example", "localhost"),
    lan_peers=("192.168.7.0/24", "8.8.8.8"),
    kiosk_url="https://kiosk.shop.example/?token=abcdef",
    http_tls_key="/etc/ssl/private/kiosk.pem",
    speaker="USB Audio Device",
)
MASK = Mask(secrets_of(SET), name=lambda: "till-17")


def test_settings_are_shown_by_their_kind() -> None:
    told = shown(SET)
    assert told["http_token"] == told["http_tls_key"] == told["kiosk_url"] == HIDDEN
    assert told["http_host"] == "[every address]"
    assert told["http_allowed_hosts"] == [HIDDEN, "localhost"]
    assert told["lan_peers"] == ["[private IPv4, /24]", "[public IPv4, /32]"]
    assert (told["http_port"], told["speaker"], told["pack"]) == (8080, "USB Audio Device", "store")
    assert shown(Settings())["http_token"] == "(empty)"


def test_every_setting_is_shown_and_none_with_what_is_secret() -> None:
    told = json.dumps(shown(SET))
    assert set(json.loads(told)) == {field.name for field in fields(Settings)}
    for word in (TOKEN, "shop.example", "192.168.7", "8.8.8.8", "abcdef", "kiosk.pem"):
        assert word not in told


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (f"got {TOKEN} here", f"got {HIDDEN} here"),
        ("from 192.168.7.12:51234", "from [IPv4 address]:51234"),
        ("from 2001:db8::17 on", "from [IPv6 address] on"),
        ("lo is 127.0.0.1 and ::1", "lo is 127.0.0.1 and ::1"),
        ("on eth0 aa:bb:cc:dd:ee:0f up", "on eth0 [hardware address] up"),
        ("in /home/ouyang/x", "in /home/[user]/x"),
        ("on till-17.", "on [host]."),
        ("Authorization: Bearer abcdef", f"Authorization: Bearer {HIDDEN}"),
        ("password = hunter2", f"password = {HIDDEN}"),
        ("mqtt://user:pw@broker/x", f"mqtt://{HIDDEN}.broker/x"),
        ("at 12:34:56 took 17 ms", "at 12:34:56 took 17 ms"),
    ],
)
def test_texts_are_masked(said: str, left: str) -> None:
    assert MASK.text(said) == left


@pytest.mark.parametrize("said", ["13912345678", "SF1392847561002", "z.hang@example.com", "一三九一二三四五六七八"])
def test_what_identifies_a_person_is_masked(said: str) -> None:
    assert said not in MASK.text(f"call {said} now")


def test_a_line_of_our_log_keeps_its_time_and_request_and_nothing_else_of_that_form() -> None:
    line = {
        "ts": "2026-11-30T22:45:01.123Z",
        "request_id": "r0123456789abcdef",
        "message": f"{TOKEN} 13912345678 r0123456789abcdef",
        "sha256": "0" * 60 + "13912345678",
        "session_token": "abc",
    }
    told = json.loads(MASK.line(json.dumps(line)))
    assert (told["ts"], told["request_id"]) == (line["ts"], line["request_id"])
    assert told["session_token"] == HIDDEN
    assert "13912345678" not in told["message"] + told["request_id"]
    assert TOKEN not in told["message"]
    assert "13912345678" not in MASK.line('{"request_id": "13912345678"}')
    assert "13912345678" not in MASK.line('{"digest": "SF13912345678"}')
    assert "13912345678" not in MASK.line('{"13912345678": 1}')
    assert "13912345678" not in MASK.line("{broken 13912345678")


def test_numbers_of_metrics_stay() -> None:
    told = MASK.measured('appliance_bytes{name="13912345678",at="192.168.7.12"} 1.7645e+09\nx 12345678\n')
    assert "1.7645e+09" in told
    assert "x 12345678" in told
    assert "13912345678" not in told
    assert "192.168.7.12" not in told


def test_a_machine_with_an_ordinary_name_leaves_its_words_alone() -> None:
    assert Mask((), name=lambda: "appliance").text("appliance serves") == "appliance serves"


def test_loopback_is_no_secret() -> None:
    assert secrets_of(replace(Settings(), http_allowed_hosts=("127.0.0.1",))) == ()


@pytest.mark.parametrize(
    "said",
    ["http://wang:pa/ss@host/", "pwd=hunter2", "passwd: hunter2", "psk=hunter2", "https://h/?access_token=hunter2&a=1"],
)
def test_credentials_in_urls_and_lines_are_masked(said: str) -> None:
    told = MASK.text(said)
    assert HIDDEN in told
    assert not any(word in told for word in ("hunter2", "wang", "pa/"))


def test_what_is_below_a_secrets_name_is_hidden_whole() -> None:
    assert MASK.value({"tokens": ["abc"], "secret": {"a": "b"}, "password": ""}) == {
        "tokens": HIDDEN,
        "secret": HIDDEN,
        "password": "",
    }
