"""The process of one row, as whoever measures sees it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.engines.plan import Subject
from benchmarks.ocr.sides import ONE_THREAD, ROOT

PATIENCE_S = 600.0
"""Seconds for one answer, after which a process counts as hung: the first run on a GPU may tune for minutes."""


class Worker:
    """One process that runs one network; a context manager that ends it.

    What goes wrong in it, its end included, is an answer with `error`, so that the other rows are measured.
    """

    def __init__(self, subject: Subject, manifests: Path, threads: int) -> None:
        """Start it and wait until it is ready; `hello` is what it says of loading."""
        self.subject = subject
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 closed with the process
        told = {"subject": asdict(subject), "manifests": str(manifests), "threads": threads}
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.engines.child", json.dumps(told)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=ROOT,
            env=environment | ONE_THREAD,
        )
        self.hello = self._answer()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, **question: Any) -> Mapping[str, Any]:
        """Its answer to a question of `child.Session.answer`."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return self._lost("it ended before it was asked")
        return self._answer()

    def close(self) -> None:
        """Let it end; kill it when it does not."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(20)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def _answer(self) -> Mapping[str, Any]:
        assert self._process.stdout is not None
        # One answer for each question: nothing of the next one can be in Python's buffer when this waits.
        if not select.select([self._process.stdout], [], [], PATIENCE_S)[0]:
            self._process.kill()
            return self._lost(f"it gave no answer in {PATIENCE_S:g} s")
        line = self._process.stdout.readline()
        if not line:
            return self._lost(f"it ended with {self._process.wait()}")
        answer: Mapping[str, Any] = json.loads(line)
        return answer

    def _lost(self, how: str) -> Mapping[str, Any]:
        self._log.seek(0)
        said = self._log.read().decode("utf-8", "replace").strip()[-500:]
        return {"error": "process", "detail": f"{self.subject.network} on {self.subject.label}: {how}: {said}"}
