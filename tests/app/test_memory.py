"""The heap's bounds: set where the C library has them, said where it has not."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys

import pytest

from appliance.app.memory import bound_heap

PROBE = """
import sys
from appliance.app.memory import bound_heap
if sys.argv[1] == "bound":
    assert bound_heap()
import numpy as np
blocks = [np.ones(700_000) for _ in range(40)]   # 5.6 MB each
del blocks[:-1]                                   # the last one sits on top of the heap if it is there
line = next(l for l in open("/proc/self/status") if l.startswith("VmRSS"))
print(int(line.split()[1]) // 1000)
"""


def resident(mode: str) -> int:
    done = subprocess.run([sys.executable, "-c", PROBE, mode], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_large_blocks_go_back_to_the_system() -> None:
    assert resident("bound") < 80


def test_without_mallopt_it_says_so(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert bound_heap() is False
    assert "mallopt" in caplog.text
