"""Asks a server over its socket, as a customer's browser would, whether it answers, and what its status is."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlsplit

from appliance.device.browser import own_url
from appliance.errors import Unavailable
from appliance.settings import Settings

ASK_S = 5.0
"""Seconds that the server has for its answer."""


def silence(url: str) -> str:
    """Why the appliance at `url` does not answer `GET /healthz`; empty when it does. Takes at most some ASK_S.

    The certificate is not looked at: it is made out to whatever customers call the server, and the question is whether
    it answers, not who it is.
    """
    try:
        asking = _connection(url)
    except (ValueError, http.client.InvalidURL) as error:
        return str(error)
    try:
        asking.request("GET", "/healthz", headers={"Connection": "close"})
        answer = asking.getresponse()
        answer.read()
    except (OSError, UnicodeError, http.client.HTTPException) as error:  # a host's name may be none that can be asked
        return str(error) or type(error).__name__
    finally:
        asking.close()
    return "" if answer.status == 200 else f"HTTP {answer.status}"


def status(settings: Settings) -> dict[str, Any] | None:
    """What the appliance that serves with these settings says at `GET /v1/status`; None when nobody listens there.

    Raises Unavailable when what listens refuses, or says something else.
    """
    if not settings.http_port:
        return None
    url = own_url(settings)
    asking = _connection(url)
    bearer = {"Authorization": f"Bearer {settings.http_token}"} if settings.http_token else {}
    try:
        asking.request("GET", "/v1/status", headers={"Connection": "close"} | bearer)
        answer = asking.getresponse()
        body = answer.read()
    except (ConnectionRefusedError, UnicodeError):
        return None
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{url}: expected the appliance's status, got {error or type(error).__name__}") from error
    finally:
        asking.close()
    try:
        said = json.loads(body) if answer.status == 200 else None
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise Unavailable(
            f"{url}: expected the appliance's status, got HTTP {answer.status} of {len(body)} bytes",
            remedy=(
                "请确认该端口上是本服务，并使用与它相同的设置（--config、http_token）",
                "See that it is the appliance that listens there, and use its own settings (--config, http_token)",
            ),
        )
    return said


def _connection(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme != "https":
        return http.client.HTTPConnection(parts.netloc, timeout=ASK_S)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(parts.netloc, timeout=ASK_S, context=context)
