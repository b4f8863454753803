"""Asks the appliance that serves on this machine, as the commands beside it do: by the same settings and token."""

from __future__ import annotations

import http.client
import json
from typing import Any

from appliance.channels.http.probe import connection
from appliance.device.browser import own_url
from appliance.errors import ERRORS, ApplianceError, Unavailable
from appliance.settings import Settings

ASK_S = 5.0
"""Seconds that the appliance has for its answer."""
MOST_BYTES = 8 << 20
"""Bytes of an answer that are read: whatever listens there may be another program."""


def fetched(settings: Settings, path: str, *, method: str = "GET", body: object = None) -> tuple[int, bytes]:
    """Status and body of the answer to `path`. Raises Unavailable when nothing that speaks HTTP answers."""
    url = own_url(settings)
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
    answered, said = fetched(settings, path, method=method, body=body)
    try:
        found = json.loads(said)
    except ValueError as error:
        raise Unavailable(
            f"{own_url(settings)}: {path}: expected JSON, got HTTP {answered} with something else"
        ) from error
    if answered < 400:
        return found
    code = found.get("code") if isinstance(found, dict) else None
    kind = ERRORS.get(str(code), ApplianceError)
    message = str(found.get("message", "")).partition(" / ")[2] if isinstance(found, dict) else ""
    raise kind(message or f"HTTP {answered}")


def status(settings: Settings) -> dict[str, Any] | None:
    """What the appliance that serves with these settings says at `GET /v1/status`; None when nobody listens there.

    Raises Unavailable when what listens refuses, or says something else.
    """
    if not settings.http_port:
        return None
    try:
        code, body = fetched(settings, "/v1/status")
    except Unavailable as error:
        if isinstance(error.__cause__, (ConnectionRefusedError, UnicodeError)):
            return None
        raise
    try:
        said = json.loads(body) if code == 200 else None
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise Unavailable(
            f"{own_url(settings)}: expected the appliance's status, got HTTP {code} of {len(body)} bytes",
            remedy=(
                "请确认该端口上是本服务，并使用与它相同的设置（--config、http_token）",
                "See that it is the appliance that listens there, and use its own settings (--config, http_token)",
            ),
        )
    return said
