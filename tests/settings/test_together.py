"""Settings that contradict each other, or leave a door open, are refused."""

from __future__ import annotations

import pytest

from appliance.errors import SettingInvalid
from appliance.settings import load_settings


@pytest.mark.parametrize(
    "environ, says",
    [
        ({"APPLIANCE_ADMITTED": "200"}, "half of http_threads"),
        ({"APPLIANCE_HTTP_HOST": "0.0.0.0"}, "needs http_token"),
        ({"APPLIANCE_HTTP_TOKEN": "short"}, "at least 16"),
        ({"APPLIANCE_HTTP_TOKEN": "密" * 20}, "printable ASCII"),
        ({"APPLIANCE_HTTP_HOST": "127.example.com"}, "needs http_token"),
        ({"APPLIANCE_HTTP_TLS_KEY": "key.pem"}, "both or none"),
        ({"APPLIANCE_PAGE_IDLE_S": "600"}, r"at least page_idle_s \(600\), got 120"),
        ({"APPLIANCE_PRINTER": "lp0"}, "printer: expected a device such as /dev/usb/lp0"),
        ({"APPLIANCE_PRINTER": "/dev/usb/../sda"}, "printer: expected a device such as /dev/usb/lp0"),
        ({"APPLIANCE_PRINTER": "/dev/lp0 rw\nDeviceAllow=/dev/sda"}, "printer: expected a device such as /dev/usb/lp0"),
        ({"APPLIANCE_SERVICE_PIN": "493817"}, "service_pin: expected the line that `appliance service pin` prints"),
        ({"APPLIANCE_SESSION_IDLE_S": "30"}, r"at least page_idle_s \(60\), got 30"),
    ],
)
def test_what_goes_wrong_together_is_said(environ: dict[str, str], says: str) -> None:
    with pytest.raises(SettingInvalid, match=says) as caught:
        load_settings(environ=environ)
    assert "请" in caught.value.remedy


def test_the_ceiling_has_to_lie_below_the_critical_temperature() -> None:
    assert load_settings(environ={"APPLIANCE_TEMPERATURE_CEILING_C": "80"}).temperature_ceiling_c == 80.0
    with pytest.raises(SettingInvalid, match="expected less than temperature_critical_c \\(95\\), got 95") as refused:
        load_settings(environ={"APPLIANCE_TEMPERATURE_CEILING_C": "95"})
    assert "APPLIANCE_TEMPERATURE_CEILING_C" in refused.value.remedy
    for wrong in ({"APPLIANCE_POWER_BUDGET_W": "0"}, {"APPLIANCE_GOVERNOR": "perhaps"}):
        with pytest.raises(SettingInvalid):
            load_settings(environ=wrong)
