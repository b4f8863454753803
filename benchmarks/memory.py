"""Resident memory of a server while it is asked: sampled, and whether it is flat."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.serving import Client


class Memory(threading.Thread):
    """Samples the server's resident memory twice a second: of its process, or, when that is not ours, from /metrics."""

    def __init__(self, url: str, token: str, pid: int | None) -> None:
        super().__init__(daemon=True)
        self._url, self._token, self._pid = url, token, pid
        self._over = threading.Event()
        self.samples: list[tuple[float, float]] = []

    def _read_mb(self) -> float:
        if self._pid is not None:
            status = Path(f"/proc/{self._pid}/status").read_text("utf-8")
            return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024
        client = Client(self._url, self._token)
        _, text = client.request("GET", "/metrics")
        client.close()
        lines = text.decode().splitlines()
        return (
            float(next(line for line in lines if line.startswith("process_resident_memory_bytes")).split()[1]) / 2**20
        )

    def run(self) -> None:
        """Sample until told to stop."""
        began = time.perf_counter()
        while not self._over.wait(0.5):
            self.samples.append((time.perf_counter() - began, self._read_mb()))

    def stop(self) -> None:
        """Stop and wait."""
        self._over.set()
        self.join()


def trend(samples: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Slope (kB/s) and growth (kB) of samples (seconds, MB), as the limits SLOPE_KB_S and GROWTH_KB mean them."""
    slopes = [(mb2 - mb1) / (s2 - s1) for i, (s1, mb1) in enumerate(samples) for s2, mb2 in samples[i + 1 :] if s2 > s1]
    tenth = max(1, len(samples) // 10)
    ends = [statistics.median(mb for _, mb in part) for part in (samples[:tenth], samples[-tenth:]) if part]
    return {
        "slope_kb_s": round(statistics.median(slopes) * 1024, 1) if slopes else 0.0,
        "growth_kb": round((ends[-1] - ends[0]) * 1024, 1) if ends else 0.0,
    }
