"""Who may ask: Host against DNS rebinding, Origin against cross-site posts, a token where strangers can reach us."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable
from functools import lru_cache

from flask import Request, Response

from appliance.errors import BadRequest, ForeignHost, ForeignOrigin, Unauthorized
from appliance.settings import Settings

LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})
WILDCARDS = frozenset({"0.0.0.0", "::", "[::]"})  # noqa: S104 - compared with, never bound to
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PATHS = ("/healthz", "/", "/docs", "/favicon.ico")
OPEN_PREFIXES = ("/assets/", "/docs/assets/")
"""Paths without a token: the liveness probe, and static files, which hold nothing and from which the token is asked."""

BUNDLES = "/v1/bundles"
"""What changes the appliance itself is closed without a token, on loopback too."""

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "media-src 'self' blob:; worker-src 'self'; font-src 'self'; manifest-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
# Swagger UI writes style attributes and data: images; its scripts are files of our own origin all the same.
DOCS_POLICY = PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
STRICT = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(self), microphone=(self), geolocation=(), payment=(), usb=()"),
)
"""Headers of every response; no route sets one of them itself."""


def host_name(value: str) -> str | None:
    """Name part of a Host header without port, lower case, IPv6 without brackets; None when malformed."""
    text = value.strip().lower()
    if text.startswith("["):
        name, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            return None
        port = rest[1:]
    else:
        name, _, port = text.partition(":")
    if port and not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        return None
    name = name.removesuffix(".")
    return name if name and "%" not in name else None  # no zone (fe80::1%eth0) and no escape is sent by a browser


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def host_allowed(name: str, settings: Settings) -> bool:
    """True for loopback names and addresses, http_host and http_allowed_hosts.

    A service that listens on every address is reached by an address that it cannot know beforehand; a literal
    address cannot be rebound, so it is let in there (a token is demanded then anyway).
    """
    if name in LOOPBACK_NAMES:
        return True
    address = _address(name)
    if address is not None and (address.is_loopback or settings.http_host in WILDCARDS):
        return True
    known = {host_name(host) for host in (settings.http_host, *settings.http_allowed_hosts)}
    return name in known


def check_host(environ_host: str | None, settings: Settings) -> None:
    """Raise BadRequest without a Host header, ForeignHost for a name that is not ours."""
    if not environ_host:
        raise BadRequest("Host header: expected the appliance's name, got none")
    name = host_name(environ_host)
    if name is None or not host_allowed(name, settings):
        raise ForeignHost(f"Host: expected a loopback name or http_allowed_hosts, got {environ_host[:80]!r}")


def check_origin(asked: Request) -> None:
    """Raise ForeignOrigin when another site sends something that changes state or occupies the service."""
    site = asked.headers.get("Sec-Fetch-Site", "")
    # `same-site` is another port of this machine, or another name beside ours: as foreign as any other.
    if site in ("cross-site", "same-site") and (asked.method not in SAFE_METHODS or asked.path.startswith("/v1/")):
        raise ForeignOrigin(f"Sec-Fetch-Site: expected same-origin, got {site}")
    origin = asked.headers.get("Origin")
    if origin is None or asked.method in SAFE_METHODS:
        return
    scheme, separator, authority = origin.strip().lower().partition("://")
    own = asked.environ.get("HTTP_HOST", "").strip().lower()
    # Browsers leave the default port out of both headers, so the two compare as written.
    if not separator or scheme not in ("http", "https") or authority != own:
        raise ForeignOrigin(f"Origin: expected {own[:80]!r}, got {origin[:80]!r}")


def check_token(asked: Request, token: bytes) -> None:
    """Raise Unauthorized unless the bearer token is the one set; the comparison takes the same time for any guess."""
    scheme, _, given = asked.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode("utf-8"), token):
        found = "a wrong one" if given else "none"
        raise Unauthorized(f"Authorization: expected Bearer with the token, got {found}")


def needs_token(path: str) -> bool:
    """False for the liveness probe and for static files."""
    return path not in OPEN_PATHS and not path.startswith(OPEN_PREFIXES)


def guard(settings: Settings) -> Callable[[Request], None]:
    """The check that every request passes before its body is read; raises the typed error of the first that fails."""
    token = settings.http_token.encode("utf-8")
    deliverer = settings.bundle_token.encode("utf-8") or token

    @lru_cache(maxsize=64)  # what raises is not kept
    def known(host: str | None) -> None:
        check_host(host, settings)

    def check(asked: Request) -> None:
        known(asked.environ.get("HTTP_HOST"))
        check_origin(asked)
        if asked.path == BUNDLES or asked.path.startswith(f"{BUNDLES}/"):
            if not deliverer:
                raise Unauthorized(
                    f"{BUNDLES}: expected a token to be set, got none: it is closed until there is one",
                    remedy=(
                        "请把 APPLIANCE_BUNDLE_TOKEN 设为一段长随机字符串",
                        "Set APPLIANCE_BUNDLE_TOKEN to a long random string",
                    ),
                )
            check_token(asked, deliverer)
        elif token and needs_token(asked.path):
            check_token(asked, token)

    return check


def secure(response: Response) -> Response:
    """Add the headers that keep a browser strict; no CORS header is ever sent."""
    headers = response.headers
    headers.extend(STRICT)
    headers.setdefault("Content-Security-Policy", API_POLICY)
    headers.setdefault("Cache-Control", "no-store")
    return response
