"""What settings must be to one another: each may be right by itself and the whole contradict itself or be open."""

from __future__ import annotations

import re

from appliance.errors import SettingInvalid
from appliance.settings.address import check_network, is_loopback
from appliance.settings.table import PIN_HASH, Settings

PRINTER = r"/dev/(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._/:-]*"
"""A device's path, fit for a line of a systemd unit too."""


def check_together(settings: Settings) -> None:
    """Raises SettingInvalid for the first rule that `settings` break."""
    if bool(settings.http_tls_certificate) != bool(settings.http_tls_key):
        raise SettingInvalid("http_tls_certificate and http_tls_key: expected both or none, got one")
    if settings.admitted * 2 > settings.http_threads:
        raise SettingInvalid(
            f"admitted: expected at most half of http_threads ({settings.http_threads // 2}), got {settings.admitted}"
        )
    if settings.session_idle_s < settings.page_idle_s:
        raise SettingInvalid(
            f"session_idle_s: expected at least page_idle_s ({settings.page_idle_s:g}), "
            f"got {settings.session_idle_s:g}",
            remedy=(
                "请把 APPLIANCE_SESSION_IDLE_S 设为不小于 APPLIANCE_PAGE_IDLE_S 的秒数",
                "Set APPLIANCE_SESSION_IDLE_S to the seconds of APPLIANCE_PAGE_IDLE_S or more",
            ),
        )
    if settings.camera_format and not (len(settings.camera_format) == 4 and settings.camera_format.isascii()):
        raise SettingInvalid(
            f"camera_format: expected four characters such as MJPG or YUYV, got {settings.camera_format!r}"
        )
    if settings.temperature_ceiling_c >= settings.temperature_critical_c:
        raise SettingInvalid(
            f"temperature_ceiling_c: expected less than temperature_critical_c ({settings.temperature_critical_c:g}), "
            f"got {settings.temperature_ceiling_c:g}",
            remedy=(
                "请把 APPLIANCE_TEMPERATURE_CEILING_C 设得低于 APPLIANCE_TEMPERATURE_CRITICAL_C",
                "Set APPLIANCE_TEMPERATURE_CEILING_C below APPLIANCE_TEMPERATURE_CRITICAL_C",
            ),
        )
    for network in settings.lan_peers:
        check_network(network)
    if settings.service_pin and re.fullmatch(PIN_HASH, settings.service_pin) is None:
        raise SettingInvalid(  # without what was found: it may be the PIN itself
            "service_pin: expected the line that `appliance service pin` prints, got something else",
            remedy=(
                "请运行 `appliance service pin` 并写入其输出",
                "Run `appliance service pin` and take its output",
            ),
        )
    if settings.printer and re.fullmatch(PRINTER, settings.printer) is None:
        raise SettingInvalid(
            f"printer: expected a device such as /dev/usb/lp0 or /dev/ttyUSB0, got {settings.printer!r}",
            remedy=("请用 `ls /dev/usb /dev/tty*` 查看设备路径", "See its path by `ls /dev/usb /dev/tty*`"),
        )
    if settings.speech_engine == "sherpa" and not settings.speech_voice:
        raise SettingInvalid("speech_engine: expected speech_voice to name a voice's folder beside sherpa, got none")
    if not is_loopback(settings.http_host) and not settings.http_token:
        raise SettingInvalid(
            f"http_host: {settings.http_host} is reachable by strangers and needs http_token, got none",
            remedy=(
                "请把 APPLIANCE_HTTP_TOKEN 设为一段长随机字符串，或只监听 127.0.0.1",
                "Set APPLIANCE_HTTP_TOKEN to a long random string, or listen on 127.0.0.1",
            ),
        )
    if not settings.http_token.isascii() or not settings.http_token.isprintable():
        raise SettingInvalid("http_token: expected printable ASCII, as a header can carry it, got something else")
    if settings.http_token and len(settings.http_token) < 16:
        raise SettingInvalid(f"http_token: expected at least 16 characters, got {len(settings.http_token)}")
    if not settings.bundle_token.isascii() or not settings.bundle_token.isprintable():
        raise SettingInvalid("bundle_token: expected printable ASCII, as a header can carry it, got something else")
    if settings.bundle_token and len(settings.bundle_token) < 16:
        raise SettingInvalid(f"bundle_token: expected at least 16 characters, got {len(settings.bundle_token)}")
