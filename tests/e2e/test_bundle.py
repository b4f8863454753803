"""A real appliance with real models: a bundle is made, taken in while it serves, proves itself, and is left again."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance.packs.compile import find_pack
from tests.e2e.conftest import Running, copy_models, serving

pytestmark = [pytest.mark.device, pytest.mark.xdist_group("bundle")]

TOKEN = "a token of the tests"
FILE = "/v1/bundles"


class Site:
    """A data folder, a desk's key, and the command line on both."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder, self.data = folder, data
        self.words = folder / "words"
        self.words.write_text("correct horse\n")
        self.run("key", "new", str(folder / "desk.key"), "--passphrase-file", str(self.words))
        self.run("key", "trust", str(folder / "desk.key.pub"))

    def run(self, *arguments: str, code: int = 0) -> str:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
        done = subprocess.run(
            [sys.executable, "-m", "appliance.cli", "bundle", *arguments],
            env=environ | {"APPLIANCE_DATA_DIR": str(self.data)},
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def pack(self, welcome: str) -> Path:
        """The shipped pack with other words of welcome."""
        folder = self.folder / "pack"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(find_pack("store"), folder, ignore=shutil.ignore_patterns("__pycache__"))
        text = (folder / "pack.yaml").read_text("utf-8")
        assert "您好！找商品" in text
        (folder / "pack.yaml").write_text(text.replace("您好！找商品", f"{welcome}找商品"), "utf-8")
        return folder

    def make(self, version: int, pack: Path, *more: str) -> Path:
        target = self.folder / f"menu-{version}.bundle"
        key = ("--key", str(self.folder / "desk.key"), "--passphrase-file", str(self.words))
        self.run(
            "make", str(target), "--version", str(version), "--title", f"Menu {version}", "-p", str(pack), *key, *more
        )
        return target

    def cases(self, intent: str) -> Path:
        folder = self.folder / "cases"
        folder.mkdir(exist_ok=True)
        rows = [{"text": "洗手间在哪里", "intent": intent, "language": "zh"}]
        (folder / "turns.json").write_text(json.dumps(rows), "utf-8")
        return folder

    def listed(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("list", "--json"))
        return found


def bundled(running: Running, token: str = TOKEN) -> Any:
    request = urllib.request.Request(running.url + FILE, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def upload(running: Running, content: bytes, token: str = TOKEN) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream"}
    request = urllib.request.Request(running.url + FILE, content, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def until(what: Callable[[], Any], seconds: float = 120) -> Any:
    """What `what` gives as soon as that is true; a connection that fails counts as not yet."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := what():
                return found
        except (OSError, KeyError):
            pass
        time.sleep(0.1)
    raise AssertionError("it did not come to pass in time")


def welcome(running: Running) -> str:
    status, _, body = running.ask("/v1/greeting")
    return body["welcome"] if status == 200 else ""


class Customers:
    """Ask without a pause, each on a new connection; no answer may be lost."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.statuses: list[int] = []
        self.lost: list[str] = []
        self.waits: set[str | None] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Customers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _ask(self) -> None:
        while not self._stop.is_set():
            try:
                status, head, _ = self.running.ask("/v1/suggestions", {"text": "洗手"})
                self.statuses.append(status)
                if status == 503:
                    self.waits.add(head.get("Retry-After"))
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
            time.sleep(0.02)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    data = tmp_path_factory.mktemp("site-data")
    copy_models(data)
    return Site(tmp_path_factory.mktemp("site"), data)


def test_from_the_desk_to_a_serving_appliance_and_back(site: Site, tmp_path: Path) -> None:
    first = site.make(1, site.pack("欢迎光临！"), "--cases", str(site.cases("facility_location")))
    assert "完整且受信任" in site.run("verify", str(first))
    with serving(site.data, tmp_path / "log", APPLIANCE_BUNDLE_TOKEN=TOKEN, APPLIANCE_BUNDLE_WATCH_S="1") as running:
        assert welcome(running).startswith("您好！")
        with Customers(running) as customers:
            status, taken = upload(running, first.read_bytes())
            assert status == 202, taken
            until(lambda: welcome(running).startswith("欢迎光临！"))
            until(lambda: site.listed()["current"])
            assert site.listed()["trial"] is None
        assert customers.lost == []
        assert set(customers.statuses) <= {200, 503}
        assert customers.statuses.count(200) > 10
        assert customers.waits <= {"15"}
        reply = running.ask("/v1/turns", {"text": "洗手间在哪里"})[2]
        assert reply["parse"]["intent"]["name"] == "facility_location"
        # As long as somebody is in a conversation, the next one has to wait.
        assert running.ask(f"/v1/sessions/{reply['session']}", method="DELETE")[0] == 204
        log = (tmp_path / "log").read_text()
        assert "takes over: letting nobody in" in log
        assert "has proved itself" in log
        assert bundled(running)["current"]["id"] == taken["id"]
        assert not list((site.data / "inbox").glob("*.bundle"))
        status, refusal = upload(running, first.read_bytes())
        assert (status, refusal["code"]) == (409, "bundle_unsuitable")
        assert upload(running, first.read_bytes(), "x" * 16)[0] == 401
        # One that does not understand what its maker says it has to is left before anybody is served by it.
        failing = site.make(2, site.pack("坏的！"), "--cases", str(site.cases("find_product")))
        assert "待试用" in site.run("install", str(failing))
        reason = until(lambda: site.listed()["bad"])
        assert "expected the intent find_product, got facility_location" in next(iter(reason.values()))
        until(lambda: welcome(running).startswith("欢迎光临！"))
        site.run("rollback")
        until(lambda: welcome(running).startswith("您好！"))
        assert site.listed()["current"] is None
        assert os.getpgid(running.pid) > 0, "one process all the while: its service manager has seen nothing end"


DEADLY = """
import os, sys
import appliance.app.load as loading
real = loading.load_pack
def load(name):
    if "bundles" in name and name.startswith("/"):
        os._exit(7)
    return real(name)
loading.load_pack = load
from appliance.cli import main
sys.argv = ["appliance", *sys.argv[1:]]
main()
"""


def test_one_that_kills_the_process_at_its_start_is_given_up_after_two(site: Site, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(site.data / "models", data / "models")
    deadly = Site(tmp_path, data)
    deadly.run("install", str(deadly.make(1, deadly.pack("欢迎光临！"))))
    program = tmp_path / "deadly.py"
    program.write_text(DEADLY)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
    environ |= {"APPLIANCE_DATA_DIR": str(data), "APPLIANCE_HTTP_PORT": "0"}
    for _ in range(2):
        done = subprocess.run([sys.executable, str(program), "serve"], env=environ, capture_output=True, timeout=120)
        assert done.returncode == 7, done.stderr
    with serving(data, tmp_path / "log", program=(str(program),)) as running:
        assert welcome(running).startswith("您好！")
    assert "2 starts that came to nothing" in next(iter(deadly.listed()["bad"].values()))
