"""What both sides have in common inside their own processes: answer one image after the other over pipes.

Standard library only: the peer's environment has neither the appliance nor what it needs. A line of JSON asks
(`{"image": path}`), a line of JSON answers; the first answer describes the side. CPU is that of the whole process, of
all its threads (time.process_time), from the file to its text.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

PACKAGES = ("onnxruntime", "opencv-python-headless", "numpy", "pillow")


@dataclass(frozen=True)
class Text:
    """What a side read in one image."""

    lines: list[str]
    """The texts, in the side's own order."""
    stages_ms: dict[str, float] = field(default_factory=dict)
    """Wall-clock milliseconds by stage, as the side itself tells them."""
    angle: int = 0
    """Degrees by which the page stood turned, where the side tells."""


def serve(name: str, start: Callable[[], tuple[Callable[[Path], Text], dict[str, str], dict[str, str]]]) -> None:
    """Start a side and answer until the pipe closes.

    `start` returns how to read a file, the sha256 of the weights by role, and versions beside those of PACKAGES.
    """
    answers, ask = _pipes()
    read, weights, versions = start()
    found = {package: said for package in PACKAGES if (said := _version(package))} | versions
    _say(
        answers,
        {"side": name, "weights": weights, "versions": found, "start_cpu_s": time.process_time(), "peak_mb": peak_mb()},
    )
    for line in ask:
        path = Path(json.loads(line)["image"])
        wall, cpu = time.perf_counter(), time.process_time()
        text = read(path)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        _say(
            answers,
            {
                "lines": text.lines,
                "angle": text.angle,
                "stages_ms": text.stages_ms,
                "cpu_s": cpu,
                "wall_s": wall,
                "peak_mb": peak_mb(),
            },
        )


def sha256(path: str | Path) -> str:
    """Of a file's bytes."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def peak_mb() -> float:
    """Largest resident memory of this process so far, in 10^6 bytes.

    VmHWM where there is /proc: a process that was started by vfork inherits ru_maxrss from whoever started it.
    """
    try:
        status = Path("/proc/self/status").read_text("utf-8")
    except OSError:
        scale = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e6
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


def _pipes() -> tuple[IO[str], IO[str]]:
    """Where answers go and questions come from; whatever a library prints goes to stderr from now on."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers, sys.stdin


def _say(answers: IO[str], message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
