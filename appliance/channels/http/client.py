"""Asks the appliance that serves on this machine, as the commands beside it do: by the same settings and token."""

from __future__ import annotations

import http.client
import json
from typing import Any

from appliance.channels.http.probe import connection
from appliance.errors import ERRORS, ApplianceError, Unavailable
from appliance.settings import Settings

ASK_S = 5.0
"""Seconds that the appliance has for its answer."""
MOST_BYTES = 8 << 20
"""Bytes of an answer that are read: whatever listens there may be another program."""


def address(settings: Settings) -> str:
    """Where this machine's own appliance listens by these settings."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(settings.http_host, settings.http_host)  # noqa: S104
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{'https' if settings.http_tls_certificate else 'http'}://{host}:{settings.http_port}"


def fetched(settings: Settings, path: str, *, method: str = "GET", body: object = None) -> tuple[int, bytes]:
    """Status and body of the answer to `path`. Raises Unavailable when nothing that speaks HTTP answers."""
    url = address(settings)
    headers = {"Connection": "close"}
    if settings.http_token:
        headers["Authorization"] = f"Bearer {settings.http_token}"
    if body is not None:
        headers["Content-Type"] = "application/json"
    asking = connection(url, ASK_S)
    try:
        asking.request(method, path, None if body is None else json.dumps(body), headers)
        answer = asking.getresponse()
        return answer.status, answer.read(MOST_BYTES)
    except (OSError, UnicodeError, http.client.HTTPException) as error:
        raise Unavailable(
            f"{url}: expected the appliance to answer, got {error or type(error).__name__}",
            remedy=(
                "请用 `systemctl status appliance` 查看服务是否在运行，并用 -c 给出它的设置文件",
                "See with `systemctl status appliance` whether it runs, and name its settings file with -c",
            ),
        ) from error
    finally:
        asking.close()


def ask(settings: Settings, path: str, *, method: str = "GET", body: object = None) -> Any:
    """The JSON that `path` answers. Raises what the appliance refuses with, or Unavailable when it does not answer."""
    status, said = fetched(settings, path, method=method, body=body)
    try:
        found = json.loads(said)
    except ValueError as error:
        raise Unavailable(f"{address(settings)}{path}: expected JSON, got HTTP {status} with something else") from error
    if status < 400:
        return found
    code = found.get("code") if isinstance(found, dict) else None
    kind = ERRORS.get(str(code), ApplianceError)
    message = str(found.get("message", "")).partition(" / ")[2] if isinstance(found, dict) else ""
    raise kind(message or f"HTTP {status}")
