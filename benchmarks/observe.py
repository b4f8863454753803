"""The server's process under load, seen from outside: memory, files, threads, processor time, and a probe."""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import psutil

EVERY_S = 0.5
HEAP_EVERY = 10
"""Samples from one question about the heap to the next."""
PROBE_S = 0.1


@dataclass(frozen=True)
class Sample:
    """One look at the process."""

    at_s: float
    """Seconds since the watch began."""
    rss_mb: float
    """Resident memory."""
    files: int
    """Open files, connections included."""
    threads: int
    """Threads."""
    cpu_s: float
    """Processor seconds used so far."""
    heap_mb: float | None = None
    """What the process says of its own heap (used_mb in /v1/status); asked only now and then."""


def slope_per_hour(points: Sequence[tuple[float, float]]) -> float:
    """Trend of (seconds, value) in value per hour: the median of the slopes of all pairs (Theil 1950, Sen 1968).

    More than 400 points are thinned out evenly first: the pairs grow with the square.
    """
    step = max(1, len(points) // 400)
    thin = points[::step]
    slopes = [(b - a) / (t - s) for i, (s, a) in enumerate(thin) for t, b in thin[i + 1 :] if t > s]
    return statistics.median(slopes) * 3600 if slopes else 0.0


class Observer(threading.Thread):
    """Samples a process of this machine twice a second until stopped; asks it about its heap where `url` is given."""

    def __init__(self, pid: int, url: str = "") -> None:
        super().__init__(daemon=True)
        self._url = url
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._began = time.perf_counter()
        self.samples: list[Sample] = []

    def run(self) -> None:
        """Sample until told to stop, or until the process is gone."""
        while not self._over.wait(EVERY_S):
            try:
                with self._process.oneshot():
                    cpu = self._process.cpu_times()
                    self.samples.append(
                        Sample(
                            round(time.perf_counter() - self._began, 2),
                            self._process.memory_info().rss / 1e6,
                            self._process.num_fds(),
                            self._process.num_threads(),
                            cpu.user + cpu.system,
                            self._heap_mb() if len(self.samples) % HEAP_EVERY == 0 else None,
                        )
                    )
            except psutil.Error:
                return

    def _heap_mb(self) -> float | None:
        if not self._url:
            return None
        try:
            with urllib.request.urlopen(f"{self._url}/v1/status", timeout=10) as answer:
                heap = json.load(answer).get("heap") or {}
        except (OSError, ValueError):  # a full house: the next sample asks again
            return None
        return heap.get("used_mb")

    def stop(self) -> None:
        """Stop and wait."""
        self._over.set()
        self.join()

    def summary(self, settle_s: float = 0.0) -> dict[str, Any]:
        """Maxima of all samples, and trends of those after `settle_s`."""
        if len(self.samples) < 2:
            return {"samples": len(self.samples)}
        settled = [s for s in self.samples if s.at_s >= settle_s] or self.samples
        first, last = self.samples[0], self.samples[-1]
        return {
            "samples": len(self.samples),
            "rss_first_mb": round(first.rss_mb, 1),
            "rss_last_mb": round(last.rss_mb, 1),
            "rss_max_mb": round(max(s.rss_mb for s in self.samples), 1),
            "rss_mb_per_h": round(slope_per_hour([(s.at_s, s.rss_mb) for s in settled]), 1),
            "heap_samples": sum(s.heap_mb is not None for s in self.samples),
            "files_max": max(s.files for s in self.samples),
            "files_last": last.files,
            "files_per_h": round(slope_per_hour([(s.at_s, s.files) for s in settled]), 1),
            "threads_max": max(s.threads for s in self.samples),
            "threads_per_h": round(slope_per_hour([(s.at_s, s.threads) for s in settled]), 1),
            "cores": round((last.cpu_s - first.cpu_s) / (last.at_s - first.at_s), 2),
            # The sampler sleeps half a second at a time: when it stood still, so did the machine. It excuses nothing,
            # but it tells a slow server from a stopped computer.
            "machine_stood_still_s": round(max(b.at_s - a.at_s for a, b in pairwise(self.samples)) - EVERY_S, 2),
        }

    def rows(self) -> list[dict[str, float]]:
        """The samples as plain rows."""
        return [asdict(sample) for sample in self.samples]


class Probe(threading.Thread):
    """Asks /healthz ten times a second on a connection of its own: what somebody who wants nothing waits for."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._over = threading.Event()
        self._began = time.perf_counter()
        self.taken: list[tuple[float, float]] = []
        self.failed: list[str] = []

    def run(self) -> None:
        """Ask until told to stop."""
        connection = http.client.HTTPConnection(*self._address, timeout=30)
        while not self._over.wait(PROBE_S):
            began = time.perf_counter()
            try:
                connection.request("GET", "/healthz")
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.failed.append(str(answer.status))
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(type(error).__name__)
                connection.close()
            self.taken.append((round(began - self._began, 2), (time.perf_counter() - began) * 1000))
        connection.close()

    def stop(self) -> None:
        """Stop and wait."""
        self._over.set()
        self.join()
