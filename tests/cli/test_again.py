"""The program once more in the same process: only what is handed over stays open, and a stop is never lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, signal, socket, sys, threading
from appliance.cli.again import again

if "SECOND" in os.environ:
    print("second", os.getpid(), os.environ["KEPT"], sorted(map(int, os.listdir("/proc/self/fd")))[:-1])
    print("handlers", signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    sys.exit(0)
listening, (leaked, _) = socket.create_server(("127.0.0.1", 0)), os.pipe()
for number in (listening.fileno(), leaked):
    os.set_inheritable(number, True)
os.environ.update(SECOND="1", KEPT=str(listening.fileno()))
told = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: told.set())
print("first", os.getpid(), listening.fileno(), leaked, flush=True)
if "STOP" in os.environ:
    os.kill(os.getpid(), signal.SIGTERM)
if "INSTANT" in os.environ:
    import ctypes
    change = ctypes.pythonapi.PyOS_setsig
    change.argtypes, change.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
    def late(number, how):
        if number == signal.SIGTERM:
            ctypes.PyDLL(None)["raise"](number)  # C's handler has run, Python's has yet to
        return change(number, how)
    ctypes.pythonapi.PyOS_setsig = late
again(told.is_set, (listening.fileno(),))
print("came back", flush=True)
"""


def run(**environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_what_was_not_handed_over_is_closed() -> None:
    done = run()
    assert done.returncode == 0, done.stderr
    first, second, handlers = (line.split(maxsplit=3) for line in done.stdout.splitlines())
    assert first[1] == second[1], "the same process"
    assert second[2] == first[2]
    assert second[3] == f"[0, 1, 2, {first[2]}]"
    assert handlers[1] == "True"
    assert "SIGTERM" not in " ".join(handlers)


@pytest.mark.parametrize("when", ["STOP", "INSTANT"])
def test_a_stop_that_came_before_is_not_lost(when: str) -> None:
    done = run(**{when: "1"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "came back"
    assert "second" not in done.stdout


def test_from_then_on_a_stop_ends_the_process() -> None:
    program = PROGRAM.replace("again(told.is_set", "again(lambda: os.kill(os.getpid(), signal.SIGTERM)")
    done = subprocess.run(
        [sys.executable, "-c", program], env=dict(os.environ), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGTERM
    assert "second" not in done.stdout
