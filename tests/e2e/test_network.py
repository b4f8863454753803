"""Offline by construction: all of it works where no route leads out, and nothing ever tries to leave."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import copy_models, serving
from tests.e2e.errands import everything

HERE = re.compile(r'inet_addr\("127\.|inet_pton\(AF_INET6, "::1"|inet_pton\(AF_INET6, "::ffff:127\.')
"""A loopback address as strace writes it."""
MUST = os.environ.get("CI") == "true" and os.geteuid() == 0
"""Where namespaces and tracing are known to be permitted, a test that cannot run is a failure."""


def impossible(why: str) -> None:
    """Skip with the reason, or fail where it must work."""
    if MUST:
        pytest.fail(why)
    pytest.skip(why)


def right(seen: dict[str, Any]) -> None:
    """What a healthy appliance answered."""
    assert seen["intent"] == "find_product"
    assert seen["answer"]
    assert (seen["ended"], seen["ocr"], seen["ready"]) == (204, 200, 200)
    assert seen["lines"] > 3
    assert (seen["heard"], seen["refusal"]) == (503, "unavailable")
    assert seen["image turn"][0] == 200
    assert "tracking_no" in seen["image turn"][1]
    for events in (seen["streamed"], seen["streamed turn"]):
        assert events[0] == "found"
        assert len(events) > 5
        assert set(events[1:-1]) == {"line"}
        assert events[-1] == "result"
    assert any("洗衣液" in label for label in seen["suggested"])
    assert {"/assets/app.js", "/assets/index.html", "/assets/keyboard.js"} <= set(seen["page"])
    assert any(path.startswith("/assets/vendor/") for path in seen["page"])
    assert [path for path, came in seen["page"].items() if not came] == []
    assert {"/docs/assets/swagger-ui-bundle.js", "/docs/assets/swagger-ui.css"} <= set(seen["docs"])
    assert set(seen["docs"].values()) == set(seen["others"].values()) == {200}
    assert seen["metrics"] is True
    assert seen["event"] == "state"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the network models."""
    folder = tmp_path_factory.mktemp("data")
    copy_models(folder)
    return folder


def test_everything_works_in_a_network_that_leads_nowhere(data: Path) -> None:
    program = shutil.which("unshare")
    if program is None:
        impossible("unshare (package util-linux) is not installed")
    alone = [str(program), "--net"] if os.geteuid() == 0 else [str(program), "--map-root-user", "--net"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        impossible("this system lets nobody make a network namespace")
    done = subprocess.run(
        [*alone, sys.executable, "-m", "tests.e2e.errands", str(data)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["way_out"] == "Network is unreachable"
    right(found["seen"])
    assert found["check"] == 0
    states = {feature["name"]: feature["state"] for feature in json.loads(found["said"])["features"]}
    assert (states["ocr"], states["vad"], states["language"]) == ("ready", "ready", "ready")


def test_python_never_asks_for_an_address_outside(data: Path, tmp_path: Path) -> None:
    log = tmp_path / "attempts"
    log.touch()
    program = ("-m", "tests.e2e.audited", str(log))
    with serving(data, tmp_path / "serve.log", program=program) as running:
        right(everything(running))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
    environ |= {"APPLIANCE_DATA_DIR": str(data)}
    for words in (["check"], ["ask", "厕所在哪里"], ["models", "list"]):
        done = subprocess.run(
            [sys.executable, *program, *words], env=environ, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert log.read_text() == ""


LEAVES = """
import socket, sys
from pathlib import Path
from tests.e2e.audited import watch
watch(Path(sys.argv[1]))
for attempt in (
    lambda: socket.create_connection(("192.0.2.1", 80), timeout=1),
    lambda: socket.getaddrinfo("models.example", 443),
    lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"a", ("198.51.100.7", 53)),
):
    try:
        attempt()
    except PermissionError:
        continue
    sys.exit("it left")
"""


def test_the_watch_sees_what_leaves(tmp_path: Path) -> None:
    log = tmp_path / "attempts"
    done = subprocess.run(
        [sys.executable, "-c", LEAVES, str(log)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert log.read_text().splitlines() == [
        "socket.getaddrinfo 192.0.2.1",
        "socket.getaddrinfo models.example",
        "socket.sendto 198.51.100.7",
    ]


@pytest.mark.parametrize("must", [True, False])
def test_without_strace_is_a_failure_where_it_must_work(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, must: bool
) -> None:
    monkeypatch.setitem(globals(), "MUST", must)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises((pytest.fail.Exception, pytest.skip.Exception)) as told:
        test_no_library_below_python_leaves_either(data, tmp_path)
    assert told.type is (pytest.fail.Exception if must else pytest.skip.Exception)


def test_no_library_below_python_leaves_either(data: Path, tmp_path: Path) -> None:
    program = shutil.which("strace")
    if program is None:
        impossible("strace (package strace) is not installed: sockets below Python were not watched")
    log = tmp_path / "calls"
    # -D: the tracer is the grandchild, so that the process that is stopped at the end is the appliance.
    trace = (program, "-f", "-D", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o", str(log))
    if subprocess.run([*trace, "true"], capture_output=True, check=False).returncode:
        impossible("this system lets nobody trace a process")
    with serving(data, tmp_path / "serve.log", under=trace) as running:
        right(everything(running))
    calls = log.read_text(errors="replace").splitlines()
    assert calls
    outside = [call for call in calls if "sin_addr" in call or "sin6_addr" in call or "inet_pton" in call]
    assert [call for call in outside if not HERE.search(call)] == []
