"""The real appliance as its own process, on a free loopback port, with its own data folder and the real models."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from appliance.artifacts.cases import Case
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.settings import Settings, data_dir
from tests.e2e.voice import PROGRAM, write_manifests

SILENCES = ("CI", "ORT_")
"""Variables with which ONNX Runtime reports to nobody, whatever the appliance does about it."""
NETWORK_MODELS = ("pp-ocrv6-small", "silero-vad", "understand-zh", "entities-zh")


@dataclass(frozen=True)
class Running:
    """An appliance that serves."""

    url: str
    pid: int
    data: Path

    def ask(
        self, path: str, body: object = None, kind: str = "application/json", method: str | None = None
    ) -> tuple[int, Mapping[str, str], Any]:
        """Status, headers and JSON (or bytes) of one request; `body` is JSON unless it is bytes."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"Content-Type": kind} if data is not None else {}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, head, raw = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            status, head, raw = error.code, error.headers, error.read()
        is_json = "json" in head.get("Content-Type", "")
        return status, head, json.loads(raw) if is_json else raw

    def features(self) -> dict[str, dict[str, Any]]:
        """Features of /readyz by name."""
        return {feature["name"]: feature for feature in self.ask("/readyz")[2]["features"]}


def installed_store() -> ModelStore:
    """The store that `make pull` filled; fails, naming the command, when a model is missing."""
    store = ModelStore(data_dir(Settings()) / "models", load_manifests(shipped_root()))
    for name in NETWORK_MODELS:
        state = store.state(name)
        if state.state != "installed":
            pytest.fail(f"model {name} is {state.state} ({state.detail}): run `make pull`")
    return store


def copy_models(target: Path) -> Path:
    """Copy the installed network models into the data folder `target`; returns its models folder."""
    store = installed_store()
    for name in NETWORK_MODELS:
        home = store.home(name)
        shutil.copytree(home, target / "models" / name / home.name)
    return target / "models"


@contextmanager
def serving(
    data: Path,
    log: Path,
    *,
    program: Sequence[str] = ("-m", "appliance.cli"),
    under: Sequence[str] = (),
    **settings: str,
) -> Iterator[Running]:
    """Start `appliance serve` (or another Python `program` with its commands) on `data`, wait for it, and stop it.

    `under` is a command that runs it in its place, keeping its process id.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("APPLIANCE_", *SILENCES))}
    environ |= {"APPLIANCE_HTTP_PORT": str(port), "APPLIANCE_DATA_DIR": str(data)} | settings
    with log.open("wb") as out:
        process = subprocess.Popen([*under, sys.executable, *program, "serve"], env=environ, stdout=out, stderr=out)
    running = Running(f"http://127.0.0.1:{port}", process.pid, data)
    try:
        for _ in range(600):
            if process.poll() is not None:
                pytest.fail(f"the appliance ended with {process.returncode}:\n{log.read_text()[-3000:]}")
            try:
                if running.ask("/healthz")[0] == 200:
                    break
            except OSError:
                time.sleep(0.1)
        else:
            pytest.fail(f"the appliance did not answer in a minute:\n{log.read_text()[-3000:]}")
        yield running
        assert process.poll() is None, f"the appliance died:\n{log.read_text()[-3000:]}"
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Voiced:
    """A data folder with a voice, and the manifests that know it."""

    data: Path
    manifests: Path
    more: Mapping[str, str] = field(default_factory=dict)
    """Further variables of its environment."""

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`appliance ARGUMENTS` on them."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
        return subprocess.run(
            [sys.executable, str(PROGRAM), str(self.manifests), *arguments],
            env=environ | {"APPLIANCE_DATA_DIR": str(self.data)} | self.more,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )

    def serving(self, log: Path) -> AbstractContextManager[Running]:
        """`appliance serve` on them."""
        return serving(self.data, log, program=(str(PROGRAM), str(self.manifests)), **self.more)


def given_voice(folder: Path, model: Path, **more: str) -> Voiced:
    """The Vosk model in `model`, imported into a data folder below `folder` by `appliance models import`."""
    manifests, packed = write_manifests(folder, model)
    made = Voiced(folder / "data", manifests, more)
    copy_models(made.data)
    done = made.run("models", "import", str(packed))
    assert done.returncode == 0, done.stderr
    packed.unlink()
    return made


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One appliance for all tests that do not harm it."""
    data = tmp_path_factory.mktemp("data")
    copy_models(data)
    with serving(data, tmp_path_factory.mktemp("log") / "serve.log") as appliance:
        yield appliance


@pytest.fixture(scope="session")
def pages() -> dict[str, Case]:
    """The OCR model's case pages by file name."""
    cases = load_manifests(shipped_root())["pp-ocrv6-small"].cases()
    return {case.path.name: case for case in cases if case.kind == "page"}
