"""Asks a server over its socket, as a customer's browser would, whether it answers."""

from __future__ import annotations

import http.client
import ssl
from urllib.parse import urlsplit

ASK_S = 5.0
"""Seconds that the server has for its answer."""


def silence(url: str) -> str:
    """Why the appliance at `url` does not answer `GET /healthz`; empty when it does. Takes at most some ASK_S.

    The certificate is not looked at: it is made out to whatever customers call the server, and the question is whether
    it answers, not who it is.
    """
    try:
        asking = connection(url, ASK_S)
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


def connection(url: str, patience_s: float) -> http.client.HTTPConnection:
    """A connection to the appliance of this machine, whose certificate is not looked at; nothing is sent yet."""
    parts = urlsplit(url)
    if parts.scheme != "https":
        return http.client.HTTPConnection(parts.netloc, timeout=patience_s)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(parts.netloc, timeout=patience_s, context=context)
