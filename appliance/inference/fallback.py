"""Which backend serves a network, and why: tried best first, and only one that has really run counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from appliance.errors import ApplianceError, BackendFailed
from appliance.inference.backend import Backend
from appliance.inference.signature import Arrays
from appliance.listener import Listener, silent
from appliance.specs import ModelSpec
from appliance.trail import let_go


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to serve a network."""

    name: str
    """Name of the backend, for example `onnxruntime-cuda`."""
    make: Callable[[], Backend]
    """Constructs it, not loaded."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one candidate."""

    name: str
    """Name of the candidate."""
    ok: bool
    """True when it loaded and a warm-up run gave finite outputs."""
    reason: str
    """Why it was refused, with the remedy; a warning when it serves with one; else empty."""
    load_ms: float = 0.0
    """Milliseconds that loading took; 0 when it did not come so far."""
    warm_ms: float = 0.0
    """Milliseconds that the warm-up run took; 0 when it did not come so far."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The backend that serves a network, loaded and warm, and every attempt on the way to it."""

    spec: ModelSpec
    """The network."""
    backend: Backend | None
    """What serves it; None when every candidate failed."""
    attempts: tuple[Attempt, ...]
    """Candidates tried, best first; the last one serves when `backend` is not None."""

    @property
    def fallback(self) -> bool:
        """True when something serves, but not the first choice."""
        return self.backend is not None and len(self.attempts) > 1

    @property
    def reason(self) -> str:
        """One sentence: what serves and why, or why nothing does."""
        refused = "; ".join(f"{attempt.name} refused: {attempt.reason}" for attempt in self.attempts if not attempt.ok)
        if self.backend is None:
            return f"no backend serves {self.spec.name}: {refused or 'no candidate was given'}"
        served = self.attempts[-1]
        text = f"{served.name} loaded in {served.load_ms:.0f} ms, warmed in {served.warm_ms:.0f} ms"
        return "; ".join(part for part in (text, served.reason, refused) if part)


def select(spec: ModelSpec, candidates: Sequence[Candidate], *, listener: Listener = silent) -> Selection:
    """Load and warm the first of `candidates` (best first) that works; close those that do not.

    Never raises for a candidate that fails. Tells the listener `backend_attempt` (model, backend, ok, reason, load_ms,
    warm_ms) for each and `backend_selected` (model, backend, reason) at the end.
    """
    attempts: list[Attempt] = []
    backend: Backend | None = None
    for candidate in candidates:
        backend, attempt = _attempt(spec, candidate)
        attempts.append(attempt)
        listener(
            "backend_attempt",
            model=spec.name,
            backend=attempt.name,
            ok=attempt.ok,
            reason=attempt.reason,
            load_ms=attempt.load_ms,
            warm_ms=attempt.warm_ms,
        )
        if backend is not None:
            break
    selection = Selection(spec, backend, tuple(attempts))
    name = attempts[-1].name if backend is not None else "none"
    listener("backend_selected", model=spec.name, backend=name, reason=selection.reason)
    return selection


def _attempt(spec: ModelSpec, candidate: Candidate) -> tuple[Backend | None, Attempt]:
    load_ms = warm_ms = 0.0
    backend: Backend | None = None
    try:
        backend = candidate.make()
        load_ms = _timed(backend.load)
        warm_ms = _timed(lambda: _warm(spec, backend))
    except Exception as error:  # noqa: BLE001 - whatever a candidate raises, the next one gets its chance
        let_go(error)
        if backend is not None:
            with suppress(ApplianceError):  # the first error is the one to report
                backend.close()
        return None, Attempt(candidate.name, False, _said(error), load_ms, warm_ms)
    return backend, Attempt(candidate.name, True, backend.describe().warning, load_ms, warm_ms)


def _warm(spec: ModelSpec, backend: Backend) -> None:
    outputs: Arrays = backend.infer(spec.zeros())
    for name, array in outputs.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise BackendFailed(
                f"{spec.name} on {backend.name}: expected finite outputs of the warm-up run, got {name} with "
                f"{int((~np.isfinite(array)).sum())} of {array.size} values not finite"
            )


def _timed(do: Callable[[], None]) -> float:
    started = time.perf_counter()
    do()
    return (time.perf_counter() - started) * 1000


def _said(error: Exception) -> str:
    if isinstance(error, ApplianceError):
        return error.account
    return f"{type(error).__name__}: {error}"
