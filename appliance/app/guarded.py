"""A network that fails in mid-service is left alone for a while: turns go on without it, and the state says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from appliance.errors import ApplianceError, DeadlineExceeded, InvalidInput, Unavailable
from appliance.inference.backend import Run
from appliance.inference.signature import Arrays
from appliance.listener import Listener, silent

AGAIN_S = 30.0
"""Seconds after a failure until the network is tried again."""


class Guarded:
    """Runs a network as its own `run` does, and remembers when it failed. Thread-safe."""

    def __init__(
        self,
        name: str,
        run: Run,
        *,
        listener: Listener = silent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`name` stands in what the listener hears: `backend_lost` (feature, reason)."""
        self._name, self._run, self._listener, self._clock = name, run, listener, clock
        self._again = 0.0
        self.failed = ""
        """Why it is left alone; empty while it serves."""

    def __call__(self, inputs: Arrays, /, *, deadline: float | None = None) -> dict[str, npt.NDArray[Any]]:
        """Run on `inputs`; raises Unavailable at once within AGAIN_S of a failure, else what the network raises."""
        if self.failed and self._clock() < self._again:
            raise Unavailable(f"{self._name}: expected a network that runs, got one that failed: {self.failed}")
        try:
            outputs = self._run(inputs, deadline=deadline)
        except (InvalidInput, DeadlineExceeded):
            raise  # of this turn alone
        except ApplianceError as error:
            self.failed, self._again = error.detail, self._clock() + AGAIN_S
            self._listener("backend_lost", feature=self._name, reason=error.detail)
            raise
        self.failed = ""
        return outputs

    @property
    def statement(self) -> str:
        """What the state says while it is left alone, Chinese / English."""
        reason = " ".join(self.failed.split())
        return (
            f"{self._name}: 运行中失败，每 {AGAIN_S:.0f} 秒重试一次 / "
            f"failed while serving: {reason}; tried again every {AGAIN_S:.0f} s"
        )
