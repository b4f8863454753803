"""The program execs itself anew for a bundle, under a real systemd with its watchdog, and hangs or does not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import copy_models
from tests.e2e.shipped import ask, settle, ship, start, told, until, welcome
from tests.e2e.test_bundle import Site
from tests.systemd import ENVIRONMENT, PYTHON, Systemd

pytestmark = [pytest.mark.systemd, pytest.mark.xdist_group("switch")]

UNIT = "appliance.service"
WATCHDOG_S = 5
TOKEN = "a token of the tests"

HANGS = """
import ctypes, sys
import appliance.app.load as begun
from appliance.device.notify import Notifier
load, allow, bundled = begun.load_pack, Notifier.allow, []
def loaded(name):
    bundled.extend(["bundles"] if "bundles" in str(name) else [])
    return load(name)
def hangs(self, seconds):
    sent = allow(self, seconds)
    if bundled and seconds == self.watchdog_s:
        ctypes.PyDLL(None).sleep(600)
    return sent
begun.load_pack, Notifier.allow = loaded, hangs
from appliance.cli import main
main()
"""
"""The appliance, which with a bundle's pack stands still as soon as it serves: no thread of it gets to run any more."""


@contextmanager
def serving(tmp_path: Path, program: str = "") -> Iterator[tuple[Systemd, Site]]:
    """The shipped unit with a shorter watchdog and a desk that it trusts; `program` is the text of another program."""
    state = tmp_path / "state"
    copy_models(state)
    (state / "program.py").write_text(program or "from appliance.cli import main\nmain()\n")
    site = Site(tmp_path, state)
    with Systemd(tmp_path, state=state) as systemd:
        ship(systemd, UNIT, program="/var/lib/appliance/program.py", WatchdogSec=str(WATCHDOG_S), RestartSec="100ms")
        settle(systemd, bundle_token=TOKEN, bundle_watch_s=1)
        start(systemd, UNIT)
        yield systemd, site


def deliver(systemd: Systemd, bundle: Path) -> None:
    """Bring a bundle over HTTP."""
    status, body = ask(systemd, "/v1/bundles", bundle, "application/octet-stream", TOKEN)
    assert status == 202, body


def one(systemd: Systemd) -> tuple[str, ...]:
    """Which process systemd holds for the service's, since when, and how often it had to start another."""
    return tuple(
        systemd.property(UNIT, name)
        for name in ("MainPID", "NRestarts", "ExecMainStartTimestampMonotonic", "ActiveState", "SubState")
    )


def test_it_becomes_another_program_in_the_same_process_and_the_watchdog_is_fed_after(tmp_path: Path) -> None:
    with serving(tmp_path) as (systemd, site):
        first = one(systemd)
        assert first[1:] == ("0", first[2], "active", "running")
        assert systemd.property(UNIT, "WatchdogUSec") == f"{WATCHDOG_S}s"
        deliver(systemd, site.make(1, site.pack("欢迎光临！")))
        until(lambda: welcome(systemd).startswith("欢迎光临！"))
        until(lambda: site.listed()["current"])
        # For the change the watchdog was given more time, and is as short as before by now.
        until(lambda: systemd.property(UNIT, "WatchdogUSec") == f"{WATCHDOG_S}s", 30)
        fed = set()
        end = time.monotonic() + 3 * WATCHDOG_S
        while time.monotonic() < end:
            fed.add(systemd.property(UNIT, "WatchdogTimestampMonotonic"))
            time.sleep(0.5)
        assert len(fed) > 3
        assert one(systemd) == first
        assert systemd.property(UNIT, "StatusText").startswith("就绪 / ready")
        # And back, by hand, the same way.
        environ = (*ENVIRONMENT.split(), "APPLIANCE_CONFIG=/etc/appliance/appliance.yaml")
        own = ("runuser", "-u", "appliance", "--", "env", *environ, PYTHON, "-m", "appliance.cli")
        done = systemd.run(*own, "bundle", "rollback")
        assert done.returncode == 0, done.stderr
        until(lambda: welcome(systemd).startswith("您好！"))
        assert one(systemd) == first
        assert ask(systemd, "/v1/turns", {"text": "洗手间在哪里"})[0] == 200


def test_one_that_hangs_is_ended_by_the_watchdog_and_given_up(tmp_path: Path) -> None:
    with serving(tmp_path, HANGS) as (systemd, site):
        pid = one(systemd)[0]
        deliver(systemd, site.make(1, site.pack("欢迎光临！")))
        until(lambda: systemd.property(UNIT, "NRestarts") != "0", 200)
        # Each of its starts is counted, so that what served before serves after the second.
        until(lambda: welcome(systemd).startswith("您好！"), 200)
        systemd.until(UNIT, "ActiveState", "active")
        assert systemd.property(UNIT, "NRestarts") == "2"
        assert systemd.property(UNIT, "MainPID") != pid
        listed = site.listed()
        assert (listed["current"], listed["trial"]) == (None, None)
        assert "2 starts that came to nothing" in next(iter(listed["bad"].values()))
        log = told(systemd, UNIT)
        assert log.count("Fatal Python error: Aborted") == 2
        time.sleep(2 * WATCHDOG_S)
        assert systemd.property(UNIT, "NRestarts") == "2"
