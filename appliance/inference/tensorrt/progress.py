"""How far a build has come: TensorRT tells of phases within phases, people want a share and the time that is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from appliance.listener import Listener

Stopped = Callable[[], bool]
"""True when the build is to be given up."""


@dataclass(slots=True)
class _Phase:
    name: str
    parent: str | None
    steps: int
    done: int = 0


class Progress:
    """Adds the phases up. Thread-safe; the share never falls."""

    def __init__(self, network: str, listener: Listener, clock: Callable[[], float] = time.monotonic) -> None:
        """Tell `listener`: `engines.progress` with network, phase, share (0 to 1), elapsed_s, remaining_s (or None)."""
        self._network, self._listener, self._clock = network, listener, clock
        self._began = clock()
        self._open: dict[str, _Phase] = {}
        self._share = 0.0
        self._lock = threading.Lock()

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """A phase of `steps` steps begins, inside `parent` or by itself."""
        with self._lock:
            self._open[name] = _Phase(name, parent, max(1, steps))
        self._tell(name)

    def step(self, name: str, number: int) -> None:
        """Step `number`, counted from 0, of a phase is done."""
        with self._lock:
            if name in self._open:
                self._open[name].done = min(self._open[name].steps, number + 1)
        self._tell(name)

    def finish(self, name: str) -> None:
        """A phase has ended."""
        with self._lock:
            if name in self._open:
                self._open.pop(name)
        self._tell(name)

    def _tell(self, name: str) -> None:
        with self._lock:
            roots = [phase for phase in self._open.values() if phase.parent not in self._open]
            if roots:
                # A build is one root phase at a time; should there be several, the slowest tells the truth.
                self._share = max(self._share, min(self._reached(phase) for phase in roots))
            share = self._share
        elapsed = self._clock() - self._began
        remaining = elapsed * (1 - share) / share if share > 0 else None
        self._listener(
            "engines.progress",
            network=self._network,
            phase=name,
            share=share,
            elapsed_s=elapsed,
            remaining_s=remaining,
        )

    def _reached(self, phase: _Phase) -> float:
        """Share of a phase that is done: its steps, and of the step under way what the phases inside it have done."""
        inner = [self._reached(other) for other in self._open.values() if other.parent == phase.name]
        within = min(sum(inner) / len(inner), 1.0) if inner else 0.0
        return min(1.0, (phase.done + within * (phase.done < phase.steps)) / phase.steps)


def monitor(trt: Any, progress: Progress, stopped: Stopped) -> Any:
    """A TensorRT progress monitor that reports to `progress` and ends the build when `stopped` says so."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # the library has no types
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            progress.start(phase_name, parent_phase or None, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            progress.step(phase_name, step)
            return not stopped()

        def phase_finish(self, phase_name: str) -> None:
            progress.finish(phase_name)

    return Monitor()
