"""A network that goes on when its backend fails: the request is answered by the next one, the better comes back later.

The failed backend is closed before the next is loaded, so that a board never holds a network twice; on the way back
the better one is loaded and has run before the lower is closed. What a request did wrong itself changes nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy.typing as npt

from appliance.errors import ApplianceError, BackendFailed, InvalidInput, OutOfDeviceMemory
from appliance.inference.backend import Backend, BackendInfo, Unsuited, WrongState
from appliance.inference.fallback import Attempt, Candidate, Selection, select
from appliance.inference.finite import NotFinite, check_finite
from appliance.inference.pauses import Pauses
from appliance.inference.signature import Arrays
from appliance.listener import Listener, silent
from appliance.specs import ModelSpec
from appliance.trail import let_go


class SwitchingBackend(Backend):
    """One network on the best of several backends that works now. Thread-safe."""

    def __init__(
        self,
        spec: ModelSpec,
        candidates: Sequence[Candidate],
        *,
        listener: Listener = silent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Serve with the first of `candidates` (best first) that works.

        The listener hears what `select` tells, and `backend_switched` (model, backend, to, reason, again_s),
        `backend_restored` (model, backend, to) and `backend_preferred` (model, backend, to).
        """
        super().__init__(spec, None)
        self._order = self._candidates = tuple(candidates)
        self._listener, self._clock = listener, clock
        self._switching = threading.RLock()
        self._serving: Backend | None = None
        self._at = self._best = len(self._candidates)
        self._pauses = Pauses()
        self._works: tuple[Attempt, ...] = ()
        self._refused: dict[str, Attempt] = {}
        self._switches = 0
        self.selection = Selection(spec, None, ())

    @property
    def name(self) -> str:  # type: ignore[override]  # what serves changes
        """Name of the backend that serves now; `none` when none does."""
        serving = self._serving
        return serving.name if serving is not None else "none"

    def describe(self) -> BackendInfo:
        """What serves now, with why nothing better does and how often that has changed."""
        info = super().describe()  # raises before load
        serving = self._serving  # without the lock: a status must not wait for a switch under way
        why = "; ".join(f"{attempt.name}: {attempt.reason}" for attempt in self.refusals)
        now = serving.describe() if serving is not None else replace(info, name="none", device="none", provider="none")
        return replace(now, fallback=why, switches=self._switches)

    @property
    def refusals(self) -> tuple[Attempt, ...]:
        """Why each better backend does not serve, the best first."""
        better = [candidate.name for candidate in self._candidates[: self._at]]
        return tuple(self._refused[name] for name in better if name in self._refused)

    @property
    def demoted(self) -> bool:
        """True while a better backend than this one has served before and is away."""
        return self._at > self._best

    @property
    def candidates(self) -> tuple[str, ...]:
        """Names of all that may serve, in the order given."""
        return tuple(candidate.name for candidate in self._order)

    @property
    def candidate(self) -> str:
        """Name of the one that serves now, with its precision where it has one; `none` when none does."""
        at = self._at
        return self._candidates[at].name if self._serving is not None and at < len(self._candidates) else "none"

    def prefer(self, name: str | None) -> str:
        """Have the candidate `name` serve before all others, or again the best one (None), from the next request on.

        Loads and warms it beside the one that serves, which goes on answering and is closed afterwards; for a
        background thread. Where it is refused nothing changes, and why is returned; else an empty text.
        """
        wanted = self._order
        if name is None and self._candidates == wanted:
            return ""  # nothing was preferred: what was refused at the start is not to be loaded once more
        if name is not None:
            if name not in self.candidates:
                return f"expected one of {', '.join(self.candidates)}, got {name}"
            wanted = tuple(sorted(wanted, key=lambda candidate: candidate.name != name))
        with self._switching:
            before = self._serving
            if before is None or self._closed():
                return "nothing serves it now"
            serves = self._candidates[self._at].name
            at = next(index for index, candidate in enumerate(wanted) if candidate.name == serves)
        ahead = wanted[:1] if name is not None else wanted[:at]
        found = Selection(self.spec, None, ())
        if ahead and at > 0:
            # Outside the lock: requests go on with the one that serves.
            found = select(self.spec, ahead, listener=self._listener)
        with self._switching:
            if self._serving is not before or self._closed():  # it has failed, or all has ended meanwhile
                self._let_go(found.backend)
                return "another backend took over meanwhile"
            if found.backend is None and name is not None and at > 0:
                return found.attempts[-1].reason
            self._candidates = wanted
            self._at = at if found.backend is None else len(found.attempts) - 1
            self._best = self._at
            self._pauses.serves(self._clock())
            if found.backend is None:
                return ""
            self._note(found)
            self._serving = found.backend
            self._switches += 1
        self._listener("backend_preferred", model=self.spec.name, backend=before.name, to=self.name)
        self._let_go(before)
        return ""

    def tend(self) -> None:
        """Try to have a better backend back when its pause is over. For a background thread; loads and warms it."""
        with self._switching:
            better = self._candidates[: self._at]
            if not better or not self._pauses.due(self._clock()) or self._closed():
                return
            self._pauses.trying()
        try:
            # Outside the lock: requests go on with the lower one.
            found = select(self.spec, better, listener=self._listener)
        finally:
            with self._switching:
                self._pauses.tried(self._clock())
        with self._switching:
            self._note(found)
            if found.backend is None or self._closed():
                if found.backend is not None:  # closed meanwhile
                    found.backend.close()
                return
            before, self._serving = self._serving, found.backend
            self._at = len(found.attempts) - 1
            self._best = min(self._best, self._at)
            self._pauses.serves(self._clock())
            self._switches += 1
            self._listener(
                "backend_restored",
                model=self.spec.name,
                backend=before.name if before is not None else "none",
                to=found.backend.name,
            )
        self._let_go(before)

    def _load(self) -> None:
        found = select(self.spec, self._candidates, listener=self._listener)
        self._note(found)
        self._serving = found.backend
        self._at = len(found.attempts) - 1 if found.backend is not None else len(self._candidates)
        self._best = self._at
        self._pauses.serves(self._clock())
        if found.backend is None:
            raise BackendFailed(found.reason)

    def _infer(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        while True:
            with self._switching:
                serving, last = self._serving, self._at == len(self._candidates) - 1
            if serving is None:
                raise BackendFailed(self.selection.reason)
            try:
                outputs = serving.infer(inputs)
                if not last:  # an accelerator's halves may overflow on what the gate has not seen
                    check_finite(self.spec, serving, outputs)
                return outputs
            except InvalidInput:
                raise
            except WrongState:
                if serving is self._serving:  # not because another thread has switched meanwhile
                    raise
                continue
            except Unsuited as error:
                if last:
                    raise
                return self._elsewhere(inputs, error)
            except ApplianceError as error:
                if last or self._healthy(serving, error):
                    raise
                failed = error
            let_go(failed)  # it holds the frames, and they what is to be closed first
            self._switch(serving, failed)

    def _elsewhere(self, inputs: Arrays, error: ApplianceError) -> dict[str, npt.NDArray[Any]]:
        """Have one request answered by a backend below, which is loaded for it alone: the one that serves is well."""
        found = select(self.spec, self._candidates[self._at + 1 :], listener=self._listener)
        if found.backend is None:
            raise error
        self._listener("backend_lent", model=self.spec.name, backend=found.backend.name, reason=error.detail)
        try:
            return found.backend.infer(inputs)
        finally:
            self._let_go(found.backend)

    def _close(self) -> None:
        with self._switching:
            serving, self._serving = self._serving, None
        if serving is not None:
            serving.close()

    def _describe(self) -> BackendInfo:
        return self._serving.describe() if self._serving is not None else BackendInfo("none", "none", "", "none")

    def _closed(self) -> bool:
        return not self._held

    def _healthy(self, serving: Backend, error: ApplianceError) -> bool:
        """True when `error` was the request's own: the backend still runs what warmed it.

        What lacks memory for it runs smaller ones well, and yet another backend has to answer this one.
        """
        if isinstance(error, OutOfDeviceMemory | NotFinite):
            return False
        try:
            check_finite(self.spec, serving, serving.infer(self.spec.zeros()))
        except ApplianceError:
            return False
        return True

    def _switch(self, failed: Backend, error: ApplianceError) -> None:
        """Close `failed` and load the next one below it, unless another thread has done so."""
        with self._switching:
            if self._serving is not failed:
                return
            name = self._candidates[self._at].name
            self._serving = None
            self._let_go(failed)
            self._refused[name] = Attempt(name, False, error.account)
            below = self._candidates[self._at + 1 :]
            found = select(self.spec, below, listener=self._listener)
            self._note(found)
            again_s = self._pauses.failed(self._clock())
            self._serving = found.backend
            self._at += len(found.attempts) if found.backend is not None else len(below) + 1
            self._switches += 1
            self._listener(
                "backend_switched",
                model=self.spec.name,
                backend=failed.name,
                to=self.name,
                reason=error.detail,
                again_s=again_s,
            )

    def _note(self, found: Selection) -> None:
        """Keep why each was refused, and what there is to say of the whole."""
        for attempt in found.attempts:
            self._refused[attempt.name] = attempt
        if found.backend is not None:
            self._works = found.attempts[-1:]
        elif self._serving is None:
            self._works = ()
        serves = {attempt.name for attempt in self._works}
        known = [self._refused[c.name] for c in self._candidates if c.name in self._refused]
        refused = [attempt for attempt in known if not attempt.ok and attempt.name not in serves]
        self.selection = Selection(self.spec, found.backend or self._serving, (*refused, *self._works))

    def _let_go(self, backend: Backend | None) -> None:
        if backend is None:
            return
        try:
            backend.close()
        except ApplianceError as error:  # a lost device takes nothing back; the process's end will
            self._listener("close_failed", model=self.spec.name, reason=error.detail)
