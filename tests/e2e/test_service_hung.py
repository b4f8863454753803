"""The whole appliance under a real systemd: a run that hangs gets it ended and started anew, a slow one does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.e2e.conftest import copy_models
from tests.e2e.shipped import ask, settle, ship, start, told, until
from tests.systemd import Systemd

pytestmark = [pytest.mark.systemd, pytest.mark.xdist_group("hung")]

UNIT = "appliance.service"
WATCHDOG_S, SLOW_S, DEADLINE_S = 3, 4.5, 10
PROGRAM = """
import os, time
import appliance.app.service as service
import appliance.inference.scheduler as scheduler
service.HUNG_S = 12.0
attempt = scheduler.attempt
def slow(jobs):
    try:
        with open("/var/lib/appliance/sleep") as file:
            seconds = float(file.read())
        os.unlink("/var/lib/appliance/sleep")
    except FileNotFoundError:
        return attempt(jobs)
    time.sleep(seconds)
    return attempt(jobs)
scheduler.attempt = slow
from appliance.cli import main
main()
"""
"""The appliance, whose next run takes as long as a file says; what hangs is known sooner than in a minute."""


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Systemd]:
    state = tmp_path / "state"
    copy_models(state)
    (state / "program.py").write_text(PROGRAM)
    with Systemd(tmp_path, state=state) as systemd:
        program = "/var/lib/appliance/program.py"
        ship(systemd, UNIT, program=program, WatchdogSec=str(WATCHDOG_S), RestartSec="100ms")
        settle(systemd, deadline_s=DEADLINE_S)
        start(systemd, UNIT)
        yield systemd


def sleep(systemd: Systemd, seconds: float) -> None:
    """Let the next run take so long."""
    part = systemd.folder / "state/sleep.part"
    part.write_text(str(seconds))
    assert systemd.run("chown", "appliance:appliance", "/var/lib/appliance/sleep.part").returncode == 0
    part.rename(part.with_name("sleep"))


def read(systemd: Systemd) -> int:
    """The status that somebody gets who has a picture read."""
    picture = Image.new("RGB", (480, 120), "white")
    ImageDraw.Draw(picture).text((30, 40), "ORDER 4711", "black", ImageFont.load_default(40))
    picture.save(systemd.folder / "picture.png")
    return ask(systemd, "/v1/ocr", systemd.folder / "picture.png", "image/png")[0]


def test_a_slow_answer_is_waited_for_and_a_hung_one_is_not(kiosk: Systemd) -> None:
    pid = kiosk.property(UNIT, "MainPID")
    assert SLOW_S > WATCHDOG_S
    sleep(kiosk, SLOW_S)
    assert read(kiosk) == 200
    assert not (kiosk.folder / "state/sleep").exists(), "no run was slow"
    assert (kiosk.property(UNIT, "NRestarts"), kiosk.property(UNIT, "MainPID")) == ("0", pid)
    assert "no life" not in told(kiosk, UNIT)

    sleep(kiosk, 600)
    read(kiosk)  # whatever that customer is told, within the deadline
    assert not (kiosk.folder / "state/sleep").exists(), "no run hung"
    until(lambda: kiosk.property(UNIT, "NRestarts") == "1", 120)
    log = told(kiosk, UNIT)
    assert "inference has shown no life for" in log
    assert "Fatal Python error: Aborted" in log
    assert "in slow" in log  # which thread, and where
    until(lambda: read(kiosk) == 200)
    assert kiosk.property(UNIT, "ActiveState") == "active"
    assert kiosk.property(UNIT, "MainPID") not in ("0", pid)
    assert kiosk.property(UNIT, "NRestarts") == "1"
