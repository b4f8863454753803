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
    parts = urlsplit(url)
    if parts.scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        asking: http.client.HTTPConnection = http.client.HTTPSConnection(parts.netloc, timeout=ASK_S, context=context)
    else:
        asking = http.client.HTTPConnection(parts.netloc, timeout=ASK_S)
    try:
        asking.request("GET", "/healthz", headers={"Connection": "close"})
        answer = asking.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        asking.close()
    return "" if answer.status == 200 else f"HTTP {answer.status}"
