"""Whose request is the kiosk's own screen's: from the loopback, and passed on by nobody."""

from __future__ import annotations

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from appliance.channels.http.screen import own_screen


def came(peer: str, **headers: str) -> Request:
    return Request(EnvironBuilder(headers=headers, environ_base={"REMOTE_ADDR": peer}).get_environ())


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_the_loopback_is_this_screen(peer: str) -> None:
    assert own_screen(came(peer))


@pytest.mark.parametrize("peer", ["192.168.1.20", "::ffff:192.168.1.20", "fe80::1%eth0", ""])
def test_another_machine_is_not(peer: str) -> None:
    assert not own_screen(came(peer))


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "x-real-ip", "VIA"])
def test_nor_is_what_a_proxy_on_this_machine_passes_on(header: str) -> None:
    assert not own_screen(came("127.0.0.1", **{header: "192.168.1.20"}))
    assert not own_screen(came("127.0.0.1", **{header: ""})), "a proxy that says nothing of whom is one all the same"
