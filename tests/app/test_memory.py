"""The heap's bounds: set where the C library has them, said where it has not."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys

import pytest

from appliance.app.memory import bound_heap, give_back, heap

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

SMALL = """
import sys
from appliance.app.memory import give_back
blocks = [bytes(5000) for _ in range(20_000)]     # 100 MB in small things
kept = blocks[::200]                               # of which one in two hundred stays, and holds the heap's top up
del blocks
if sys.argv[1] == "give":
    assert give_back()
line = next(l for l in open("/proc/self/status") if l.startswith("VmRSS"))
print(int(line.split()[1]) // 1000)
"""


def resident(mode: str, probe: str = PROBE) -> int:
    done = subprocess.run([sys.executable, "-c", probe, mode], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_large_blocks_go_back_to_the_system() -> None:
    assert resident("bound") < 80


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc_trim is glibc's")
def test_free_pages_amid_the_heap_go_back_to_the_system() -> None:
    assert resident("give", SMALL) < resident("keep", SMALL) - 50


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallinfo2 is glibc's")
def test_the_heap_tells_what_is_in_use() -> None:
    before = heap()
    kept = [bytes(5000) for _ in range(4000)]  # 20 MB in small things
    during = heap()
    assert before is not None
    assert during is not None
    assert during.used_mb - before.used_mb == pytest.approx(20, abs=3)
    del kept


def test_a_c_library_without_an_account_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert heap() is None


def test_without_malloc_trim_nothing_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert give_back() is False


def test_without_mallopt_it_says_so(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert bound_heap() is False
    assert "mallopt" in caplog.text
