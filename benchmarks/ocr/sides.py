"""The processes that read, as whoever measures sees them: one side, one process, one image at a time."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parent.parent.parent
PEER_PYTHON = ROOT / ".venv-peer" / "bin" / "python"
"""What `make peer` makes."""
OFF, ON, PEER = "ours-off", "ours-on", "peer"
"""Names of the sides: this project's reader without and with page orientation, and the peer."""
PATIENCE_S = 300.0
"""Seconds for one image, or for a start, after which a side counts as hung."""
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")}


class Side:
    """One process that reads; a context manager that ends it."""

    def __init__(self, name: str, python: Path, arguments: Sequence[str]) -> None:
        """Start `python -m arguments...` and wait until it is ready; ends the program with its words when it fails."""
        self.name = name
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 closed with the side
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        self._process = subprocess.Popen(
            [str(python), "-m", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=ROOT,
            env=environment | ONE_THREAD,
        )
        self.hello: dict[str, Any] = self._answer()
        self.peak_mb: float = self.hello["peak_mb"]

    def __enter__(self) -> Side:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, path: Path) -> dict[str, Any]:
        """Read one image: lines, angle, stages_ms, cpu_s, wall_s, peak_mb."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"image": str(path.resolve())}).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._failed("ended before it was asked") from None
        answer = self._answer()
        self.peak_mb = answer["peak_mb"]
        return answer

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

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        # One answer for each question: nothing of the next one can be in Python's buffer when this waits.
        if not select.select([self._process.stdout], [], [], PATIENCE_S)[0]:
            raise self._failed(f"gave no answer in {PATIENCE_S:g} s")
        line = self._process.stdout.readline()
        if not line:
            raise self._failed(f"ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _failed(self, how: str) -> SystemExit:
        self._log.seek(0)
        said = self._log.read().decode("utf-8", "replace")[-2000:]
        self._process.kill()
        self.close()
        return SystemExit(f"{self.name} {how}:\n{said}")


def ours(orientation: str) -> Side:
    """This project's reader, page orientation `on` or `off`."""
    return Side(f"ours-{orientation}", Path(sys.executable), ["benchmarks.ocr.ours", orientation])


def peer(python: Path = PEER_PYTHON) -> Side:
    """Rapidocr in its own environment. Ends the program, naming the command, when that is not there."""
    if not python.is_file():
        raise SystemExit(f"--peer: expected an environment with rapidocr at {python}, got none; run: make peer")
    return Side(PEER, python, ["benchmarks.ocr.peer"])


def refuse_unequal(sides: Sequence[Side]) -> None:
    """End the program when the sides have other weights, or another ONNX Runtime, than the first."""
    first, *others = sides
    for side in others:
        for role, digest in first.hello["weights"].items():
            if side.hello["weights"].get(role) != digest:
                raise SystemExit(
                    f"expected the same weights, got {role} {digest[:12]} in {first.name} "
                    f"and {str(side.hello['weights'].get(role))[:12]} in {side.name}"
                )
        one, other = (each.hello["versions"].get("onnxruntime") for each in (first, side))
        if one != other:
            raise SystemExit(
                f"expected the same ONNX Runtime, got {one} in {first.name} and {other} in {side.name}; run: make peer"
            )
