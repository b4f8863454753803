"""An appliance to measure: started as its own process on a free port, and a client of one connection."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from appliance.settings import data_dir as folder_of
from appliance.settings import load_settings


class Client:
    """One keep-alive connection."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})

    def request(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Status and body."""
        sent = None if body is None else json.dumps(body).encode()
        self._connection.request(method, path, sent, self._headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def started() -> Iterator[tuple[str, int]]:
    """The appliance on a free port, with the installed models and a record folder that is thrown away; URL and pid."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        models = folder_of(load_settings()) / "models"
        if models.is_dir():
            (Path(folder) / "models").symlink_to(models)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        environment = os.environ | {"APPLIANCE_HTTP_PORT": str(port), "APPLIANCE_DATA_DIR": folder}
        command = [sys.executable, "-m", "appliance.cli", "serve"]
        with (Path(folder) / "log").open("w+") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            try:
                _until_ready(f"http://127.0.0.1:{port}", process, Path(folder) / "log")
                yield f"http://127.0.0.1:{port}", process.pid
            finally:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            if Client(url, "").request("GET", "/readyz")[0] == 200:
                return
        except OSError:
            pass  # not listening yet
        time.sleep(0.1)
    raise SystemExit(f"the appliance did not become ready (exit {process.poll()}):\n{log.read_text('utf-8')[-2000:]}")
