"""Takes out of a support bundle what is nobody else's business: secrets, people, and where the machine stands.

Settings are judged by their names, so that one which is added later is hidden until somebody has thought about it.
"""

from __future__ import annotations

import ipaddress
import json
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from appliance.language.redact import redact
from appliance.request import well_formed
from appliance.settings import SETTINGS, Settings, is_loopback

HIDDEN = "[hidden]"
_SECRET = re.compile(r"token|secret|password|passphrase|credential|(^|_)(key|pin|auth)(_|$)")
_PLACE = re.compile(r"host|url|address|peer|broker|server|listen|endpoint|ssid|user")
_PLAIN = re.compile(r"[A-Za-z0-9_.,+*/ -]{0,200}")
"""Text of a setting that is shown: a name, a path, a list of them."""

_HEX = re.compile(r"[0-9a-f]{12,128}")
_DIGEST = re.compile(r"(digest|sha256|onnx|hash|platform)$")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?")
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)")
_IPV6 = re.compile(r"(?<![0-9A-Za-z:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![0-9A-Za-z:])")
_MAC = re.compile(r"(?<![0-9A-Fa-f:])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![0-9A-Fa-f:])")
_HOME = re.compile(r"(?<=/home/)[^/\s\"']+")
_BEARER = re.compile(
    r"(?i)(bearer|basic|token|passwor[dt]|passwd|pwd|psk|secret|passphrase|api[_-]?key)([\s\"':=]+)(?=\S)[^\s\"',;]+"
)
_URL_USER = re.compile(r"(?<=://)[^\s@]{1,300}@")
"""With slashes: people put passwords into URLs as they are."""


def secret_name(name: str) -> bool:
    """True for the name of what must not be shown."""
    return _SECRET.search(name) is not None


def place_name(name: str) -> bool:
    """True for the name of what says where the machine stands, or who is beside it."""
    return _PLACE.search(name) is not None


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Values of the settings that must not be seen anywhere, the longest first."""
    found = {
        part
        for field in fields(settings)
        if _SECRET.search(field.name) or _PLACE.search(field.name)
        for value in [getattr(settings, field.name)]
        for part in (value if isinstance(value, tuple) else (value,))
        if isinstance(part, str) and len(part) > 3 and not is_loopback(part)
    }
    return tuple(sorted(found, key=len, reverse=True))


def shown(settings: Settings) -> dict[str, object]:
    """Every setting by name, as a stranger may see it."""
    return {name: _shown(name, getattr(settings, name)) for name in SETTINGS}


def _shown(name: str, value: object) -> object:
    if not isinstance(value, str | tuple):
        return value
    if not value:
        return "(empty)" if isinstance(value, str) else []
    if _SECRET.search(name):
        return HIDDEN
    if isinstance(value, tuple):
        return [_shown(name, part) for part in value]
    if _PLACE.search(name):
        return value if is_loopback(value) else _kind(value)
    return Mask(()).text(value) if _PLAIN.fullmatch(value) else HIDDEN


def _kind(value: str) -> str:
    """What sort of place it is, and not which."""
    try:
        network = ipaddress.ip_network(value.strip("[]"), strict=False)
    except ValueError:
        return HIDDEN
    if network.network_address.is_unspecified:
        return "[every address]"
    return f"[{'private' if network.is_private else 'public'} IPv{network.version}, /{network.prefixlen}]"


class Mask:
    """Masks texts and JSON values; `secrets` are texts that must not stand anywhere."""

    def __init__(self, secrets: tuple[str, ...], *, name: Callable[[], str] = socket.gethostname) -> None:
        self._secrets = secrets
        host = name()
        # A machine called `appliance` or `localhost` would take half of the words away.
        alone = len(host) > 3 and not is_loopback(host) and host not in ("appliance", "ubuntu", "jetson")
        self._host = re.compile(rf"(?<![\w.-]){re.escape(host)}(?![\w-])") if alone else None

    def text(self, text: str) -> str:
        """`text` without secrets, addresses, names of machine and users, long numbers and mail."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        text = _URL_USER.sub(f"{HIDDEN}.", text)
        text = _BEARER.sub(rf"\1\2{HIDDEN}", text)
        text = _MAC.sub("[hardware address]", text)
        text = _IPV4.sub(_address, text)
        text = _IPV6.sub(_address, text)
        text = _HOME.sub("[user]", text)
        if self._host is not None:
            text = self._host.sub("[host]", text)
        return redact(text)

    def value(self, value: Any, name: str = "") -> Any:
        """The same JSON value masked; digests, times and our own identifiers stay, each only in its own form."""
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._named(inner, str(key)) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(inner, name) for inner in value]
        if isinstance(value, str):
            return value if _kept(name, value) else self.text(value)
        return value

    def _named(self, value: Any, key: str) -> Any:
        if _SECRET.search(key) and isinstance(value, str | list | tuple | Mapping):
            return HIDDEN if value and value != "(empty)" else value
        return self.value(value, key)

    def lines(self, text: str) -> str:
        """Lines of JSON or of text, each masked."""
        return "".join(f"{self.line(line)}\n" for line in text.splitlines())

    def line(self, line: str) -> str:
        """One line of a log: as JSON where it is that, else as text."""
        if line.startswith("{"):
            try:
                return json.dumps(self.value(json.loads(line)), ensure_ascii=False)
            except (ValueError, RecursionError):
                return self.text(line)
        return self.text(line)

    def measured(self, text: str) -> str:
        """Prometheus text: its numbers stay, the values of its labels are masked."""
        return re.sub(r'(?<==")(?:[^"\\]|\\.)*(?=")', lambda match: self.text(match.group()), text)


def _kept(name: str, value: str) -> bool:
    if _STAMP.fullmatch(value) or (name == "request_id" and all(map(well_formed, value.split(",")))):
        return True
    return bool(_DIGEST.search(name) and _HEX.fullmatch(value))


def _address(match: re.Match[str]) -> str:
    found = match.group()
    try:
        address = ipaddress.ip_address(found)
    except ValueError:  # a version of a library, or a time
        return found
    return found if address.is_loopback or address.is_unspecified else f"[IPv{address.version} address]"
