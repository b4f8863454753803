"""Which addresses reach this machine only."""

from __future__ import annotations

from appliance.settings import is_loopback


def test_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "localhost", "::1", "::ffff:127.0.0.1")))
    assert not any(
        map(is_loopback, ("0.0.0.0", "192.168.1.5", "::ffff:192.168.1.5", "::", "kiosk.local", "127.example.com", ""))
    )
