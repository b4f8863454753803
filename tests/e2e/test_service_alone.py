"""As its own user, one folder to write to, and no route out: a loopback is all the network there is, and all works."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.speech.hear import DEMO
from benchmarks.speech.score import characters
from tests.conftest import REPOSITORY
from tests.e2e.conftest import copy_models, installed_store
from tests.e2e.shipped import ASK, START_S, answered, inside, settle, ship, start, told, until
from tests.systemd import ENVIRONMENT, PYTHON, Systemd

pytestmark = [pytest.mark.systemd, pytest.mark.xdist_group("alone")]

UNIT = "appliance.service"


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systemd]:
    """The shipped unit with PrivateNetwork=yes beside what it has, and a machine that others could reach."""
    folder = tmp_path_factory.mktemp("alone")
    home = installed_store().home(DEMO)
    shutil.copytree(home, copy_models(folder / "state") / DEMO / home.name)
    with Systemd(folder, state=folder / "state", addresses=("10.77.0.1",)) as systemd:
        ship(systemd, UNIT, PrivateNetwork="yes")
        settle(systemd)
        start(systemd, UNIT)
        yield systemd


def within(systemd: Systemd, *command: str, timeout: float = 60) -> str:
    """What a command says that runs in the network of the unit; fails with its error."""
    pid = systemd.property(UNIT, "MainPID")
    done = systemd.run("nsenter", "--target", pid, "--net", *command, timeout=timeout)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ask(systemd: Systemd, path: str, body: object = None, kind: str = "application/json") -> tuple[int, Any]:
    """Status and JSON (or words) of one request from a client in the unit's network; `body` is JSON, or a file."""
    file = body if isinstance(body, Path) else systemd.folder / "body"
    if not isinstance(body, Path):
        file.write_text(json.dumps(body), "utf-8")
    given = ("GET", "", "", "") if body is None else ("POST", kind, "", inside(file, systemd))
    return answered(within(systemd, PYTHON, "-c", ASK, path, *given))


def test_it_is_ready_where_no_packet_can_leave(kiosk: Systemd) -> None:
    assert kiosk.property(UNIT, "ActiveState") == "active"
    assert kiosk.property(UNIT, "StatusText").startswith("就绪 / ready")
    links = json.loads(within(kiosk, "ip", "-json", "link"))
    assert [link["ifname"] for link in links] == ["lo"]
    assert within(kiosk, "ip", "route").strip() == ""
    assert within(kiosk, "ip", "-6", "route").strip() in ("", "unreachable default dev lo metric 4294967295 error -101")
    # From the machine's own network it is not to be reached, which is what makes the rest a test.
    apart = kiosk.run(PYTHON, "-c", ASK, "/healthz", "GET", "", "", "")
    assert "Connection refused" in apart.stderr


NAMES = ("ocr", "language", *(("speech",) if shutil.which("espeak-ng") else ()))
"""Features that have to serve; the voices are tried while others are answered already."""


def states(systemd: Systemd) -> dict[str, str]:
    """State of each feature by its name."""
    return {feature["name"]: feature["state"] for feature in ask(systemd, "/readyz")[1]["features"]}


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/v1/status", "/metrics", "/", "/openapi.json", "/v1/greeting"]
)
def test_it_tells_how_it_is_and_shows_its_page(kiosk: Systemd, path: str) -> None:
    status, body = ask(kiosk, path)
    assert status == 200
    if path == "/readyz":
        until(lambda: {states(kiosk)[name] for name in NAMES} == {"ready"}, 60)
    if path == "/v1/status":
        assert body["service"]["supervised"]
    if path == "/metrics":
        assert "# TYPE" in body
    if path == "/":
        assert "<html" in body


def test_it_answers_a_typed_question(kiosk: Systemd) -> None:
    status, reply = ask(kiosk, "/v1/turns", {"text": "洗衣液在哪个货架"})
    assert (status, reply["answer"]["outcome"]) == (200, "resolved")
    assert reply["answer"]["data"]["shelf"]


def test_it_reads_what_was_written_a_moment_ago(kiosk: Systemd) -> None:
    picture = Image.new("RGB", (640, 160), "white")
    number = str(np.random.default_rng().integers(10**11, 10**12))
    ImageDraw.Draw(picture).text((30, 50), f"NO {number}", "black", ImageFont.load_default(56))
    place = kiosk.folder / "picture.png"
    picture.save(place)
    status, reply = ask(kiosk, "/v1/ocr", place, "image/png")
    assert status == 200, reply
    read = "".join(character for character in json.dumps(reply, ensure_ascii=False) if character.isalnum())
    assert number in read, reply


def test_it_hears_what_was_recorded(kiosk: Systemd) -> None:
    case = next(c for c in load_manifests(shipped_root())[DEMO].cases() if len(str(c.truth["text"])) >= 10)
    status, reply = ask(kiosk, "/v1/turns", case.path, "audio/wav")
    assert status == 200, reply
    assert characters(str(case.truth["text"]), reply["transcript"]["text"]).rate <= 0.2, reply["transcript"]


def test_it_speaks(kiosk: Systemd) -> None:
    if not shutil.which("espeak-ng"):
        pytest.skip("espeak-ng is not installed")
    wanted = {"model": "local", "voice": "zh", "input": "您好，欢迎光临", "response_format": "wav"}
    (kiosk.folder / "body").write_text(json.dumps(wanted), "utf-8")
    saying = ASK.replace("answer.read()", "b'%d' % len(answer.read())")
    given = ("/v1/audio/speech", "POST", "application/json", "", inside(kiosk.folder / "body", kiosk))
    head, _, size = within(kiosk, PYTHON, "-c", saying, *given).partition("\n")
    assert head.startswith("200 audio/")
    assert int(size) > 10_000


def test_its_own_check_finds_everything(kiosk: Systemd) -> None:
    """`appliance check`, as the user that serves, where it serves."""
    own = (
        "runuser",
        "-u",
        "appliance",
        "--",
        "env",
        *ENVIRONMENT.split(),
        "APPLIANCE_CONFIG=/etc/appliance/appliance.yaml",
    )
    found = json.loads(within(kiosk, *own, PYTHON, "-m", "appliance.cli", "check", "--json", timeout=START_S))
    assert found["ready"]
    checked = {feature["name"]: feature["state"] for feature in found["features"]}
    assert (checked["ocr"], checked["language"]) == ("ready", "ready")


REACHES = """
import socket
from pathlib import Path
def tried(what):
    try:
        what()
    except OSError as error:
        return error.strerror
    return "done"
def connected(address):
    with socket.socket() as line:
        line.settimeout(3)
        line.connect((address, 80))
def written(folder):
    place = Path(folder, "written")
    place.write_text("x")
    place.unlink()
print("STATUS")
for address in ("10.77.0.1", "192.0.2.1"):
    print(address, tried(lambda: connected(address)))
for folder in ("/etc", "/etc/appliance", "/usr", "/opt/appliance/repository", "/var", "/var/lib", "/", "/home", "/run"):
    print(folder, tried(lambda: written(folder)))
print("/var/lib/appliance", tried(lambda: written("/var/lib/appliance")))
"""


def test_what_is_shut_is_shut_from_within(kiosk: Systemd) -> None:
    """The same unit with another program in it, which tries what the appliance must not."""
    (kiosk.folder / "state/reaches.py").write_text(REACHES)
    text = (REPOSITORY / "systemd/appliance.service").read_text("utf-8")
    kiosk.unit("reaches.service", text)
    kiosk.unit(
        "reaches.service.d/test.conf",
        "[Service]\nType=oneshot\nNotifyAccess=none\nWatchdogSec=0\nRestart=no\nPrivateNetwork=yes\nExecStart=\n"
        f"ExecStart={PYTHON} /var/lib/appliance/reaches.py\nEnvironment={ENVIRONMENT}\n"
        f"StandardOutput=append:{inside(kiosk.folder / 'log-reaches', kiosk)}\n"
        f"StandardError=append:{inside(kiosk.folder / 'log-reaches', kiosk)}\n",
    )
    assert kiosk.ctl("daemon-reload").returncode == 0
    start(kiosk, "reaches.service")
    rows = told(kiosk, "reaches.service").partition("STATUS\n")[2].splitlines()
    found = dict(row.split(" ", 1) for row in rows)
    assert found.pop("/var/lib/appliance") == "done"
    assert {found.pop(address) for address in ("10.77.0.1", "192.0.2.1")} == {"Network is unreachable"}
    assert len(found) == 9
    assert set(found.values()) <= {"Read-only file system", "Permission denied"}, found


def test_nothing_in_its_journal_went_wrong(kiosk: Systemd) -> None:
    assert kiosk.ctl("stop", UNIT).returncode == 0
    assert kiosk.property(UNIT, "Result") == "success"
    assert "Traceback" not in told(kiosk, UNIT)
