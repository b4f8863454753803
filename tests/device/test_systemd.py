"""A real systemd ends and restarts a service whose scheduler hangs, and lets a slow one live."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import REPOSITORY
from tests.systemd import ENVIRONMENT, INSIDE, PYTHON, Systemd

UNIT = """[Service]
Type=notify
NotifyAccess=main
Environment={environment} PYTHONFAULTHANDLER=1
ExecStart={python} /opt/appliance/repository/tests/device/working.py {count} {seconds} {longest}
WatchdogSec=1
Restart=always
RestartSec=100ms
TimeoutAbortSec=5
LimitCORE=0
StandardOutput=append:{log}
StandardError=append:{log}
"""


pytestmark = pytest.mark.systemd


@pytest.fixture(scope="module")
def systemd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systemd]:
    with Systemd(tmp_path_factory.mktemp("systemd")) as running:
        yield running


class Working:
    """The service of working.py; its first run takes `seconds`, and one beyond 1.5 s counts as hung."""

    def __init__(self, systemd: Systemd, seconds: float) -> None:
        self.name = f"working-{seconds:g}.service"
        self._count, self.log = systemd.folder / f"count-{seconds:g}", systemd.folder / f"log-{seconds:g}"
        inside = {"count": f"{INSIDE}/{self._count.name}", "log": f"{INSIDE}/{self.log.name}"}
        text = UNIT.format(environment=ENVIRONMENT, python=PYTHON, seconds=seconds, longest=1.5, **inside)
        systemd.unit(self.name, text)
        assert systemd.ctl("daemon-reload").returncode == 0
        assert systemd.ctl("start", self.name).returncode == 0, systemd.ctl("status", self.name).stdout

    @property
    def starts(self) -> int:
        return len(self._count.read_text().splitlines())


def test_a_hung_scheduler_is_ended_and_its_service_restarted(systemd: Systemd) -> None:
    working = Working(systemd, seconds=60)
    assert working.starts == 1
    systemd.until(working.name, "StatusText", "answered")  # by the one that was started in its place
    assert working.starts == 2
    assert systemd.property(working.name, "NRestarts") == "1"
    log = working.log.read_text()
    assert "inference has shown no life for" in log
    # Which thread hung, and where, without the message of any exception.
    assert "Fatal Python error: Aborted" in log
    assert "in compute" in log


def test_a_slow_run_is_waited_for(systemd: Systemd) -> None:
    """It takes longer than systemd waits for a sign of life, which the watchdog gives meanwhile."""
    working = Working(systemd, seconds=1.25)
    systemd.until(working.name, "StatusText", "answered")
    assert working.starts == 1
    assert systemd.property(working.name, "NRestarts") == "0"
    assert systemd.property(working.name, "ActiveState") == "active"


def test_the_unit_of_the_appliance_asks_for_the_same() -> None:
    """What the service above has from the unit that is shipped."""
    shipped = (REPOSITORY / "systemd/appliance.service").read_text("utf-8").splitlines()
    for line in ("Type=notify", "NotifyAccess=main", "WatchdogSec=20", "Restart=always", "LimitCORE=0"):
        assert line in shipped
    assert "Environment=PYTHONFAULTHANDLER=1" in shipped
