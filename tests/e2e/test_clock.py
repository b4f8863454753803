"""The clock of the wall is set while the real process serves, years forwards and back before 1971, and it goes on.

A library in front of libc gives the process the time of a file; its monotonic clock stays the kernel's. It takes a C
compiler. Beside it: a root file system that is read-only, which takes a mount namespace.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from appliance.records.events import EventLog
from tests.e2e.conftest import Running, copy_models, serving
from tests.e2e.test_disks import under

pytestmark = pytest.mark.models

SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long ahead(void) {
    char text[32] = {0};
    const char *path = getenv("CLOCK_AHEAD");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return 0;
    ssize_t got = read(file, text, sizeof text - 1);
    close(file);
    return got > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t which, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, which, now);
    if (!failed && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) now->tv_sec += ahead();
    return failed;
}

time_t time(time_t *where) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where) *where = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}
"""
YEAR = 365 * 86_400


class Clock:
    """What the process takes for the time."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("no C compiler")
        (folder / "clock.c").write_text(SOURCE)
        self._file, library = folder / "ahead", folder / "clock.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, folder / "clock.c", "-ldl"], check=True)
        self.environ = {"LD_PRELOAD": str(library), "CLOCK_AHEAD": str(self._file)}
        self.ahead(0)

    def ahead(self, seconds: float) -> None:
        """Set it `seconds` ahead of this machine's."""
        new = self._file.with_suffix(".new")
        new.write_text(str(round(seconds)))
        new.replace(self._file)


def turn(running: Running, text: str, session: str | None = None) -> tuple[str, str]:
    """Session and outcome of a turn."""
    status, _, answer = running.ask("/v1/turns", {"text": text, **({"session": session} if session else {})})
    assert status == 200, answer
    return answer["session"], answer["answer"]["outcome"]


def test_sessions_records_and_log_survive_every_jump(tmp_path: Path) -> None:
    clock, data, log = Clock(tmp_path), tmp_path / "data", tmp_path / "log"
    copy_models(data)
    asked = 0
    with serving(data, log, APPLIANCE_LOG_FORMAT="json", **clock.environ) as running:
        session, outcome = turn(running, "我要退货")
        assert outcome == "pending"
        for ahead, sure in ((5 * YEAR, True), (-time.time() + 86_400, False), (40 * YEAR, False), (0, True)):
            clock.ahead(ahead)
            assert running.ask("/v1/status")[2]["clock"]["sure"] is sure
            assert ("clock" in running.features()) is not sure
            assert running.ask("/readyz")[0] == 200
            assert running.ask("/healthz")[0] == 200
            again, _ = turn(running, "几点关门", session)
            assert again == session, "a session's age is of the clock that never jumps"
            asked += 1
            assert running.ask("/v1/log", {"level": "debug", "minutes": 5}, method="PUT")[0] == 200
            assert 0 < running.ask("/v1/log")[2]["returns_in_s"] <= 300
    clock.ahead(-time.time() + 86_400)
    with serving(data, log, APPLIANCE_LOG_FORMAT="json", **clock.environ) as running:
        assert running.features()["clock"]["state"] == "failed"
        turn(running, "几点关门")
        clock.ahead(0)
        assert "clock" not in running.features()
    kept = EventLog(data / "records/events.sqlite", redact=str)
    assert kept.verify() is None
    turns = [event.time for event in kept.of_kind("turn")]
    kept.close()
    assert len(turns) == asked + 2
    assert turns != sorted(turns), "the order is the chain's, and the times are as they were believed"
    assert '"ts":"1970-01-02T' in log.read_text("utf-8")


def test_a_root_file_system_that_is_read_only_is_enough_with_the_state_folder(tmp_path: Path) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    copy_models(data)
    mounts = 'mount --bind "$D" "$D" && mount -o remount,bind,ro / && ! touch /usr/written "$D/../written" 2>/dev/null'
    nowhere = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME"), "/nonexistent")
    with serving(data, log, under=under(data, mounts), APPLIANCE_LOG_FORMAT="json", **nowhere) as running:
        assert running.ask("/readyz")[0] == 200
        assert turn(running, "几点关门")[1] == "resolved"
        assert running.ask("/v1/status")[2]["events"]["place"] == "disk"
        assert "records" not in running.features()
