"""Who runs when: the rows of one network take turns shape by shape, so that a slow minute hits all of them alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from appliance.specs import ModelSpec
from benchmarks.engines.plan import Refusal, Shape, Subject, shapes
from benchmarks.engines.worker import Worker
from benchmarks.rails import Sampler, mean_milliwatts

MEASURED, NOT_HERE, FAILED = "measured", "not here", "failed"
"""States of a row: has figures; its backend is not on this machine; it should have figures and has not."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to measure."""

    rounds: int = 3
    """Turns of every row at every shape."""
    seconds: float = 0.5
    """Of one turn; one run at least, however long it takes."""
    threads: int = 1
    """Of one ONNX Runtime run."""
    root: Path = Path("/")
    """Where the board's rails are read."""


@dataclass(slots=True)
class Tally:
    """What one row has taken at one shape so far."""

    shape: Shape
    """The shape."""
    first_ms: float | None = None
    """Its first run, which allocates and tunes."""
    ms: list[float] = field(default_factory=list)
    """Milliseconds of every further run."""
    elapsed_s: float = 0.0
    """Seconds of all turns."""
    cpu_s: float = 0.0
    """Processor seconds of all turns, of all threads: the same on a busy machine."""
    energy_j: float = 0.0
    """Joules of the turns that were sampled."""
    sampled_s: float = 0.0
    """Seconds of these."""
    error: str = ""
    """Why there is no figure, or no further one."""

    def row(self) -> dict[str, Any]:
        """As it stands in the file."""
        watts = self.energy_j / self.sampled_s if self.sampled_s else None
        runs = len(self.ms)
        return {
            "kind": self.shape.kind,
            "sizes": self.shape.sizes,
            "profile": self.shape.profile,
            "runs": runs,
            "first_ms": _rounded(self.first_ms),
            **{f"p{share}_ms": _rounded(percentile(self.ms, share)) for share in (50, 90, 99)},
            "cpu_ms": _rounded(self.cpu_s * 1000 / runs) if runs else None,
            "runs_per_s": _rounded(runs / self.elapsed_s) if runs else None,
            "milliwatts": _rounded(watts and watts * 1000),
            "joules": _rounded(watts * self.elapsed_s / runs) if watts is not None and runs else None,
            "error": self.error,
        }


def percentile(values: Sequence[float], share: int) -> float | None:
    """The smallest value that `share` per cent of all are not above (nearest rank); None without values."""
    return sorted(values)[max(0, math.ceil(len(values) * share / 100) - 1)] if values else None


def rows_of(
    spec: ModelSpec,
    subjects: Sequence[Subject],
    refusal: Refusal,
    manifests: Path,
    options: Options,
    done: Callable[[str], None],
) -> list[dict[str, Any]]:
    """The rows of one network, in the order of `subjects`. `done` hears of each turn that is over, or that is not."""
    chosen = shapes(spec)
    rows: dict[Subject, dict[str, Any]] = {}
    with ExitStack() as stack:
        running: list[tuple[Worker, list[Tally]]] = []
        for subject in subjects:
            rows[subject] = _unmeasured(spec, subject, refusal(subject.backend))
            if not rows[subject]["reason"]:
                worker = stack.enter_context(Worker(subject, manifests, options.threads))
                if "error" not in worker.hello:
                    running.append((worker, [Tally(shape) for shape in chosen]))
                    rows[subject] |= {"state": MEASURED} | _figures(worker.hello)
                    continue
                rows[subject] |= {"reason": f"{worker.hello['detail']} → {worker.hello.get('remedy', '')}".rstrip(" →")}
            for _ in range(turns(spec, options)):
                done(f"{subject.network} {subject.label}")
        for worker, tallies in running:
            _first(worker, tallies)
            done(f"{worker.subject.network} {worker.subject.label}")
        for number in range(options.rounds):
            for index in range(len(chosen)):
                first = (number + index) % len(running) if running else 0
                for worker, tallies in (*running[first:], *running[:first]):
                    _turn(worker, tallies[index], options)
                    done(f"{worker.subject.network} {worker.subject.label}")
        for worker, tallies in running:
            rows[worker.subject] |= {"shapes": [tally.row() for tally in tallies]} | _finish(worker, spec)
            done(f"{worker.subject.network} {worker.subject.label}")
    return list(rows.values())


def turns(spec: ModelSpec, options: Options) -> int:
    """How often `done` hears of one row of a network."""
    return 2 + options.rounds * len(shapes(spec))


def _unmeasured(spec: ModelSpec, subject: Subject, refused: str) -> dict[str, Any]:
    """The row of a subject of which nothing is known yet but why nothing can be."""
    gate = spec.gate
    return {
        **asdict(subject),
        "state": NOT_HERE if refused else FAILED,
        "reason": refused,
        "metric": gate.metric if gate else None,
        "threshold": gate.threshold if gate else None,
        **dict.fromkeys(("value", "load_ms", "warm_ms", "resident_mb", "peak_mb", "device_mb")),
        **dict.fromkeys(("sha256", "device", "provider", "version"), ""),
        "shapes": [],
    }


def _first(worker: Worker, tallies: Sequence[Tally]) -> None:
    """Run each shape once: its first run allocates, and tunes on a GPU."""
    for tally in tallies:
        said = worker.ask(sizes=tally.shape.sizes, seconds=0)
        if "error" in said:
            tally.error = said["detail"]
        else:
            tally.first_ms = said["ms"][0]


def _finish(worker: Worker, spec: ModelSpec) -> dict[str, Any]:
    """What the row holds of memory, and what it scores: last, because pictures are decoded for that."""
    found = _figures(worker.ask(memory=True))
    if spec.gate is not None:
        said = worker.ask(score=True)
        found |= {"reason": said["detail"]} if "error" in said else {"value": round(said["value"], 4)}
    return found


def _turn(worker: Worker, tally: Tally, options: Options) -> None:
    if tally.error:
        return
    with Sampler(options.root) as sampler:
        said = worker.ask(sizes=tally.shape.sizes, seconds=options.seconds)
    if "error" in said:
        tally.error = said["detail"]
        return
    tally.ms += said["ms"]
    tally.elapsed_s += said["elapsed_s"]
    tally.cpu_s += said["cpu_s"]
    power = mean_milliwatts(sampler.samples)
    if power is not None:
        tally.energy_j += power / 1000 * said["elapsed_s"]
        tally.sampled_s += said["elapsed_s"]


def _figures(said: Any) -> dict[str, Any]:
    """What a process says of itself, numbers rounded."""
    return {
        name: _rounded(value) if isinstance(value, float) else value
        for name, value in said.items()
        if name not in ("error", "detail", "remedy")
    }


def _rounded(value: float | None) -> float | None:
    """Four significant digits: nothing here is measured better."""
    return None if value is None else float(f"{value:.4g}")
