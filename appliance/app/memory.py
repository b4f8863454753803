"""Keeps the C library's heap small: what was needed for a moment goes back to the system.

Left alone, glibc gives every server thread an arena of its own and raises its mmap threshold with each large block that
is freed (mallopt(3), "dynamic mmap threshold"), so that the megabytes of one photo stay in the heap for good.
`python -m benchmarks.startup` prints what the process holds after reading.
"""

from __future__ import annotations

import ctypes
import logging
from dataclasses import dataclass

log = logging.getLogger(__name__)

# Numbers of <malloc.h>.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8

ARENAS = 2
"""Arenas for all threads: the cores of the smallest board that this runs on do not fight over more."""
MMAP_BYTES = 1 << 20
"""Blocks from here on are mapped one by one and unmapped when freed: images and feature maps, not Python's objects."""
TRIM_BYTES = 32 << 20
"""Free memory that the heap keeps on top, so that small things do not grow and shrink it all the time."""


@dataclass(frozen=True, slots=True)
class Heap:
    """The C library's own account of its memory, in megabytes of a million bytes.

    Resident memory swings by what the networks' arenas hold at a moment; a leak shows in `used_mb`, which does not.
    """

    used_mb: float
    """In blocks that are in use or lie in a thread's cache, the large ones that are mapped by themselves left out."""
    free_mb: float
    """In blocks that are free but not given back."""
    mapped_mb: float
    """In large blocks that are mapped by themselves: images, feature maps, the networks' arenas."""


class _Mallinfo2(ctypes.Structure):
    """mallinfo(3), since glibc 2.33."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in [
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        ]
    ]


def heap() -> Heap | None:
    """The heap now; None where the C library keeps no such account."""
    try:
        account = ctypes.CDLL(None).mallinfo2
    except (OSError, AttributeError):
        return None
    account.restype = _Mallinfo2
    found = account()
    return Heap(*(round(value / 1e6, 2) for value in (found.uordblks, found.fordblks, found.hblkhd)))


def bound_heap() -> bool:
    """Set the three bounds for this process; False, with a line in the log, where the C library has no mallopt."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        log.info("the C library has no mallopt: memory of large images may stay with the process")
        return False
    done = [
        mallopt(M_ARENA_MAX, ARENAS),
        mallopt(M_MMAP_THRESHOLD, MMAP_BYTES),
        mallopt(M_TRIM_THRESHOLD, TRIM_BYTES),
    ]
    return all(done)


def give_back() -> bool:
    """Give whole free pages of the heap back to the system, wherever they lie; False where nothing could be given.

    Free memory below the top of the heap stays with the process otherwise: what many conversations leave between
    things that live longer (malloc_trim(3)). What customers said in those pages is gone with them.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return False
    return bool(trim(0))
