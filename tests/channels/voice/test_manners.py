"""How turns are taken: when speaking breaks off the kiosk's words."""

from __future__ import annotations

import pytest

from appliance.channels.voice.manners import breaks_in


@pytest.mark.parametrize(
    ("setting", "name", "expected"),
    [
        ("auto", "USB PnP Sound Device", False),
        ("auto", "Echo-Cancelled: echo-cancel-source", True),
        ("on", "USB PnP Sound Device", True),
        ("off", "echo-cancel-source", False),
    ],
)
def test_barge_in_follows_echo_cancellation(setting: str, name: str, expected: bool) -> None:
    assert breaks_in(setting, name) is expected
