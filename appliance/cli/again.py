"""The same program once more, in the same process: for its service manager nothing has ended."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

STOPPING = (signal.SIGTERM, signal.SIGINT)
"""Signals that end a service."""


def again(told_to_stop: Callable[[], bool], kept: Collection[int]) -> None:
    """Become the program anew with the open files `kept` (and 0 to 2) alone; comes back where it was told to stop.

    `told_to_stop` says whether one of `STOPPING` has been handled. From here on they end the process by themselves, as
    in a program that has only begun: one that was handled in vain would leave a service running that was stopped.
    """
    logging.shutdown()
    # By the C library alone: signal.signal would drop one that came in the instant before, whose handler Python has yet
    # to call; so it is called, before the next line.
    set_signal = ctypes.pythonapi.PyOS_setsig
    set_signal.argtypes, set_signal.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
    for number in STOPPING:
        set_signal(number, None)  # SIG_DFL
    if told_to_stop():
        return
    close_at_exec(kept)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - no shell is wanted


def close_at_exec(kept: Collection[int]) -> None:
    """Have every open file but `kept` and 0 to 2 closed by exec(2): those of native libraries would stay open over it.

    Python's own are closed anyway (PEP 446). Without /proc nothing is done.
    """
    with suppress(FileNotFoundError):
        for entry in Path("/proc/self/fd").iterdir():
            number = int(entry.name)
            if number > 2 and number not in kept:
                with suppress(OSError):  # that of the listing itself is closed by now
                    os.set_inheritable(number, False)
