"""The shipped units under a systemd of the test's own, and clients beside them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY
from tests.systemd import ENVIRONMENT, INSIDE, PYTHON, Systemd

UNITS = REPOSITORY / "systemd"
PROGRAM = "/opt/appliance/venv/bin/appliance"
START_S = 120.0
"""Longest start that is waited for on a busy machine."""


def ship(systemd: Systemd, *names: str, program: str = "-m appliance.cli", **more: str) -> None:
    """Add units as they are shipped: only where the program lies and where its log goes are the test's.

    `more` are directives for all services among them, beside those.
    """
    for name in names:
        text = (UNITS / name).read_text("utf-8")
        systemd.unit(name, text)
        if not name.endswith(".service"):
            continue
        command = next(line for line in text.splitlines() if line.startswith("ExecStart="))
        assert PROGRAM in command
        lines = ["[Service]", "ExecStart=", command.replace(PROGRAM, f"{PYTHON} {program}")]
        lines += [f"Environment={ENVIRONMENT}", f"StandardOutput=append:{log_of(name)}"]
        lines += [f"StandardError=append:{log_of(name)}", *(f"{key}={value}" for key, value in more.items())]
        systemd.unit(f"{name}.d/test.conf", "\n".join(lines) + "\n")


def log_of(name: str) -> str:
    """Where the words of a unit go, there."""
    return f"{INSIDE}/log-{name.partition('.')[0].rstrip('@')}"


def told(systemd: Systemd, name: str) -> str:
    """What a unit has said."""
    path = systemd.folder / Path(log_of(name)).name
    return path.read_text("utf-8") if path.exists() else ""


def settle(systemd: Systemd, **settings: object) -> None:
    """Make the user that serves, and write its settings as the installer does."""
    users = systemd.run("systemd-sysusers", "/opt/appliance/repository/systemd/sysusers.conf")
    assert users.returncode == 0, users.stderr
    place = systemd.folder / "appliance.yaml"
    place.write_text(json.dumps({"data_dir": "/var/lib/appliance"} | settings), "utf-8")  # JSON is YAML
    put = ("install", "-D", "-m", "0640", "-g", "appliance", f"{INSIDE}/{place.name}", "/etc/appliance/appliance.yaml")
    assert systemd.run(*put).returncode == 0
    assert systemd.run("chown", "-R", "appliance:appliance", "/var/lib/appliance").returncode == 0
    assert systemd.ctl("daemon-reload").returncode == 0


def start(systemd: Systemd, name: str) -> None:
    """Start a unit, and wait until it has."""
    done = systemd.ctl("start", name, timeout=START_S)
    assert done.returncode == 0, f"{done.stderr}{systemd.ctl('status', name).stdout}{told(systemd, name)}"


ASK = """
import http.client, sys
path, method, kind, token, file = sys.argv[1:]
connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
head = {"Authorization": "Bearer " + token} if token else {}
if kind:
    head["Content-Type"] = kind
connection.request(method, path, open(file, "rb").read() if file else None, head)
answer = connection.getresponse()
sys.stdout.buffer.write(b"%d %s\\n" % (answer.status, (answer.getheader("Content-Type") or "-").encode()))
sys.stdout.buffer.write(answer.read())
"""
"""A client's whole program: prints status and type of the answer, and, from the second line on, what it holds."""


def inside(place: Path, systemd: Systemd) -> str:
    """The path of a file of the test or the repository, there."""
    if place.is_relative_to(systemd.folder):
        return f"{INSIDE}/{place.relative_to(systemd.folder)}"
    return f"/opt/appliance/repository/{place.relative_to(REPOSITORY)}"


def answered(text: str) -> tuple[int, Any]:
    """Status and JSON (or words) of what ASK has printed."""
    head, _, body = text.partition("\n")
    status, _, kind = head.partition(" ")
    return int(status), json.loads(body) if "json" in kind else body


def ask(
    systemd: Systemd, path: str, body: object = None, kind: str = "application/json", token: str = ""
) -> tuple[int, Any]:
    """Status and JSON (or words) of one request on the machine itself; `body` is JSON, or a file of the test."""
    file = body if isinstance(body, Path) else None
    if body is not None and file is None:
        file = systemd.folder / "body"
        file.write_text(json.dumps(body), "utf-8")
    given = inside(file, systemd) if file is not None else ""
    arguments = (path, "POST", kind, token, given) if given else (path, "GET", "", token, "")
    done = systemd.run(PYTHON, "-c", ASK, *arguments)
    if done.returncode:
        raise ConnectionError(done.stderr.strip().splitlines()[-1])
    return answered(done.stdout)


def until(what: Callable[[], Any], seconds: float = 120) -> Any:
    """What `what` gives as soon as that is true; a connection that fails counts as not yet."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := what():
                return found
        except (ConnectionError, KeyError):
            pass
        time.sleep(0.2)
    raise AssertionError("it did not come to pass in time")


def welcome(systemd: Systemd) -> str:
    """What a customer is greeted with."""
    status, body = ask(systemd, "/v1/greeting")
    return re.sub(r"\s+", "", body["welcome"]) if status == 200 else ""
