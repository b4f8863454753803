"""Disks that cannot be written: the appliance starts and answers, says that records wait, and writes them down later.

The disks are a mount namespace's own: it takes util-linux, and a kernel that lets this user make namespaces.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.records.events import EventLog
from tests.e2e.conftest import Running, serving

READ_ONLY = 'mount --bind "$D" "$D" && mount -o remount,bind,ro "$D"'
FULL = (
    'mount -t tmpfs -o size=64k tmpfs "$D" && mkdir "$D/models" "$D/cache" && '
    '(dd if=/dev/zero of="$D/filler" bs=1k count=1000 2>/dev/null || true)'
)


def under(folder: Path, mounts: str) -> list[str]:
    """A command that runs another where the data folder is mounted like this."""
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    probe = subprocess.run([*command, f"D={folder}; {mounts}"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip(f"no mount namespaces here: {probe.stderr.decode()[-200:].strip()}")
    return [*command, f'D={folder}; {mounts} && exec "$@"', "sh"]


def inside(running: Running, script: str) -> None:
    """Run `script` among the mounts of the appliance."""
    command = ["nsenter", f"--target={running.pid}", "--user", "--mount", "--preserve-credentials", "sh", "-ec", script]
    done = subprocess.run(command, capture_output=True, check=False, env=os.environ | {"D": str(running.data)})
    assert done.returncode == 0, done.stderr.decode()


def eventually(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not true():
        assert time.monotonic() < until
        time.sleep(0.2)


def served(running: Running) -> None:
    """It answers, is ready, and does not hide that its records wait."""
    status, _, answer = running.ask("/v1/turns", {"text": "几点关门"})
    assert status == 200
    assert answer["answer"]["text"]
    assert running.ask("/readyz")[0] == 200
    records = running.features()["records"]
    assert (records["state"], records["backend"]) == ("fallback", "memory")
    events = running.ask("/v1/status")[2]["events"]
    assert events["place"] == "waiting"
    assert events["waiting"] > 0
    assert events["lost"] == 0


@pytest.mark.parametrize(
    ("mounts", "mend"),
    [(READ_ONLY, 'mount -o remount,bind,rw "$D"'), (FULL, 'rm "$D/filler"; mount -o remount,size=64m "$D"')],
    ids=["read-only", "full"],
)
def test_it_serves_and_writes_down_later_what_happened(tmp_path: Path, mounts: str, mend: str) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    data.mkdir()
    with serving(data, log, under=under(data, mounts), APPLIANCE_LOG_FORMAT="json") as running:
        served(running)
        waiting = running.ask("/v1/status")[2]["events"]["waiting"]
        inside(running, mend)
        eventually(lambda: running.ask("/v1/status")[2]["events"]["place"] == "disk")
        assert "records" not in running.features()
        assert running.ask("/v1/status")[2]["events"]["waiting"] == 0
        inside(running, f'cp "$D/records/"events.sqlite* "{tmp_path}"')
    assert "log_memory" in log.read_text("utf-8")
    assert "log_disk" not in log.read_text("utf-8")
    kept = EventLog(tmp_path / "events.sqlite", redact=str)
    assert kept.verify() is None
    assert kept.head()[0] >= waiting
    assert [event.payload["source"] for event in kept.of_kind("turn")] == ["text"]
    kept.close()
