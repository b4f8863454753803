"""The table: defaults that are safe, in range, and right for one another."""

from __future__ import annotations

from appliance.settings import SETTINGS, Settings, is_loopback, load_settings


def test_defaults_are_safe_and_in_range() -> None:
    assert load_settings(environ={}) == Settings()
    assert is_loopback(Settings().http_host)
    for setting in SETTINGS.values():
        assert setting.help
        if setting.minimum is not None:
            assert setting.minimum <= setting.default <= setting.maximum


def test_the_page_forgets_after_a_minute_and_the_process_not_long_after() -> None:
    assert Settings().page_idle_s == 60
    assert Settings().page_idle_s <= Settings().session_idle_s <= 120
    both = load_settings(environ={"APPLIANCE_PAGE_IDLE_S": "600", "APPLIANCE_SESSION_IDLE_S": "600"})
    assert (both.page_idle_s, both.session_idle_s) == (600, 600)
