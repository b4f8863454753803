"""Resumable download over HTTP into a file named by its hash."""

from __future__ import annotations

import re
import threading
import time
from http.client import IncompleteRead
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from appliance.artifacts.digest import CHUNK, sha256_of
from appliance.artifacts.sources import Unusable
from appliance.listener import Listener, silent

if TYPE_CHECKING:
    import requests

CONNECT_S, READ_S, ANSWER_S = 5.0, 30.0, 15.0
"""Seconds to connect, to wait for more bytes, and in all for the first answer (name lookup and redirects included)."""
ATTEMPTS = 5
"""Connections in a row that may bring nothing new before a source is given up."""
CUT = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, IncompleteRead)
"""What a line that broke looks like, as against a host that cannot be reached."""


class Downloads:
    """Downloads by address. Remembers hosts that do not answer, so that each costs its time-out once."""

    def __init__(self, listener: Listener = silent) -> None:
        """Report progress to `listener`. Touches nothing; proxies come from the environment through requests."""
        self._listener = listener
        self._dead: dict[str, str] = {}

    def fetch(self, url: str, size: int, sha256: str, part: Path, label: tuple[str, str]) -> None:
        """Fill `part` with the file at `url`, going on from what it holds; `label` is (model, file) for progress.

        When this returns, `part` has `size` bytes and the hash `sha256`. Raises Unusable with the reason otherwise;
        what has arrived of a file that was cut off stays in `part` for the next attempt. OSError for the disk.
        """
        host = urlsplit(url).netloc
        if host in self._dead:
            raise Unusable(self._dead[host])
        began_with = part.stat().st_size if part.exists() else 0
        self._fill(url, host, size, part, label)
        if sha256_of(part) == sha256:
            return
        if began_with:  # the beginning may have come from another source: once more from the start
            part.unlink()
            self._fill(url, host, size, part, label)
            if sha256_of(part) == sha256:
                return
        got = sha256_of(part)
        part.unlink()
        raise Unusable(f"expected sha256 {sha256[:16]}..., got {got[:16]}...")

    def _fill(self, url: str, host: str, size: int, part: Path, label: tuple[str, str]) -> None:
        import requests

        fruitless, reason = 0, ""
        while fruitless < ATTEMPTS:
            had = part.stat().st_size if part.exists() else 0
            if had == size:
                return
            if had > size:
                part.unlink()
                had = 0
            try:
                self._continue(url, host, size, part, had, label)
            except requests.RequestException as error:
                reason = _reason(error)
                if not isinstance(_cause(error), CUT) and _size(part) <= had:
                    self._dead[host] = reason
                    raise Unusable(reason) from error
            fruitless = 0 if _size(part) > had else fruitless + 1
            time.sleep(0.1 * fruitless)
        raise Unusable(reason or f"cut off at {_size(part)} of {size} bytes, {ATTEMPTS} times in a row")

    def _continue(self, url: str, host: str, size: int, part: Path, had: int, label: tuple[str, str]) -> None:
        """One request; appends to `part` what comes. Raises Unusable for a refusal, RequestException for the line."""
        with self._open(url, host, had) as response:
            if response.status_code == 416:  # the server's file is shorter than what we have: begin again
                part.unlink(missing_ok=True)
                return
            if response.status_code not in (200, 206):
                raise Unusable(f"HTTP {response.status_code} {response.reason}")
            if response.status_code == 200:
                had = 0
            total = _announced(response)
            if total not in (None, size):
                raise Unusable(f"expected {size} bytes, got {total}")
            with part.open("r+b" if had else "wb") as file:
                file.seek(had)
                for chunk in response.iter_content(CHUNK // 16):
                    had += len(chunk)
                    if had > size:
                        file.truncate(0)
                        raise Unusable(f"expected {size} bytes, got more")
                    file.write(chunk)
                    self._listener(
                        "models.bytes", model=label[0], file=label[1], stage="download", done=had, total=size
                    )

    def _open(self, url: str, host: str, had: int) -> requests.Response:
        """The answer's head. Name lookup has no time-out of its own, so it all happens in a thread that may be left."""
        import requests

        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={had}-"} if had else {})
        outcome: list[requests.Response | requests.RequestException] = []

        def ask() -> None:
            try:
                outcome.append(requests.get(url, headers=headers, stream=True, timeout=(CONNECT_S, READ_S)))
            except requests.RequestException as error:
                outcome.append(error)

        thread = threading.Thread(target=ask, name="download", daemon=True)
        thread.start()
        thread.join(ANSWER_S)
        if not outcome:
            self._dead[host] = f"{host}: no answer within {ANSWER_S:.0f} s"
            raise Unusable(self._dead[host])
        if isinstance(outcome[0], requests.RequestException):
            raise outcome[0]
        return outcome[0]


def _announced(response: requests.Response) -> int | None:
    """Size of the whole file as the answer gives it."""
    whole = re.fullmatch(r"bytes \d+-\d+/(\d+)", response.headers.get("Content-Range", ""))
    if whole:
        return int(whole[1])
    length = response.headers.get("Content-Length", "")
    return int(length) if response.status_code == 200 and length.isdigit() else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _cause(error: BaseException) -> BaseException:
    """What happened, inside the layers that requests wraps around it."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error


def _reason(error: Exception) -> str:
    """What happened, in one line."""
    import socket

    import requests

    cause = _cause(error)
    if isinstance(cause, socket.gaierror):
        return f"cannot resolve the host name ({cause.strerror})"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    told = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return f"{type(error).__name__}: {' '.join(str(told).split())[:120]}"
