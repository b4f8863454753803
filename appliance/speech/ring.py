"""Sound between two threads: a ring that its writer never waits for, and that counts what its reader came too late for.

One thread writes (the audio callback, or whoever fills a stream) and one reads. Neither takes a lock that the other
holds while it copies: the writer announces what it is about to overwrite, the reader copies and then looks whether its
copy was overtaken (a sequence lock, as in the kernel's `seqlock_t`, with one writer).
"""

from __future__ import annotations

import threading
import time

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]


class Ring:
    """The newest `size` samples that nobody has read yet. One thread writes, one reads."""

    def __init__(self, samples: int) -> None:
        """Hold at most `samples` samples; all memory is taken now."""
        if samples < 1:
            raise ValueError(f"ring: expected room for at least 1 sample, got {samples}")
        self.size = samples
        self._data = np.zeros(samples, np.float32)
        self._written = 0  # samples ever written
        self._reaches = 0  # as far as the writer's hand reaches: what lies `size` before it may change at any moment
        self._read = 0  # samples ever read or lost
        self._lost = 0
        self._news = threading.Event()

    @property
    def lost(self) -> int:
        """Samples overwritten before anybody read them."""
        return self._lost + max(0, self._written - self.size - self._read)

    @property
    def waiting(self) -> int:
        """Samples that a read would find."""
        return min(self._written - self._read, self.size)

    def write(self, block: Samples) -> None:
        """Add `block`, shape (n,), over the oldest samples where there is no room left. Never waits for a reader."""
        count = len(block)
        first, end = self._written, self._written + count
        if count > self.size:  # only the end of it would stay
            block, first = block[count - self.size :], end - self.size
        self._reaches = end
        at = first % self.size
        fits = min(len(block), self.size - at)
        self._data[at : at + fits] = block[:fits]
        self._data[: len(block) - fits] = block[fits:]
        self._written = end
        self._news.set()

    def read(self, most: int, timeout_s: float) -> Samples:
        """The oldest samples, a copy of shape (n,) with n <= `most`; waits up to `timeout_s` seconds for the first one.

        Empty when none came. What was overwritten meanwhile is skipped and counted in `lost`.
        """
        self._await(timeout_s)
        while True:
            written = self._written
            first = max(self._read, written - self.size)
            count = min(most, written - first)
            at = first % self.size
            copy = np.empty(count, np.float32)
            fits = min(count, self.size - at)
            copy[:fits] = self._data[at : at + fits]
            copy[fits:] = self._data[: count - fits]
            # What the writer touched while this copied is the newest sound in the place of the oldest: not ours.
            overtaken = max(0, self._reaches - self.size - first)
            if overtaken and overtaken >= count > 0:
                continue
            gone = first + overtaken - self._read
            self._read = first + count  # before the count: whoever looks in between must not see the loss twice
            self._lost += gone
            return copy[overtaken:]

    def clear(self) -> None:
        """Forget what waits; it does not count as lost. For the reader's thread."""
        self._read, self._lost = self._written, self.lost

    def _await(self, timeout_s: float) -> None:
        end = time.monotonic() + timeout_s
        while self._written == self._read:
            # Cleared before the look: a write after the look sets it again.
            self._news.clear()
            if self._written != self._read or not self._news.wait(max(0.0, end - time.monotonic())):
                return
