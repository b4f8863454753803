"""Reading that goes on when the networks fail in mid-service: the spare reader answers, and the state says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from appliance.app.rooms import Reads
from appliance.errors import ApplianceError, BackendFailed, Unavailable
from appliance.listener import Listener, silent
from appliance.values import Feature, OcrResult
from appliance.vision.image import Pixels
from appliance.vision.watch import UNWATCHED, Watch

AGAIN_S = 30.0
"""Seconds after a failure until the networks are tried again: long enough not to pay for each image twice."""


class Eyes:
    """Reads with `first`; while that fails, with what `spare` makes. Thread-safe."""

    def __init__(
        self,
        first: Reads,
        spare: Callable[[], Reads],
        feature: Callable[[], Feature],
        *,
        listener: Listener = silent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`spare` makes a reader when it is first needed, or raises ApplianceError; `feature` describes `first` now."""
        self._first, self._make, self._describe = first, spare, feature
        self._listener, self._clock = listener, clock
        self._lock = threading.Lock()
        self._spare: Reads | None = None
        self._failed: str = ""
        self._again = 0.0

    @property
    def feature(self) -> Feature:
        """State of reading now."""
        feature = self._describe()
        if not self._failed:
            return feature
        backend = "tesseract" if self._spare is not None else "none"
        state = "fallback" if self._spare is not None else "failed"
        return replace(feature, state=state, backend=backend, reason=self._reason)

    @property
    def _reason(self) -> str:
        failed = " ".join(self._failed.split())
        return (
            f"运行中的网络失败，每 {AGAIN_S:.0f} 秒重试一次 / "
            f"the networks failed while serving: {failed}; tried again every {AGAIN_S:.0f} s"
        )

    def read(
        self,
        image: Pixels,
        *,
        size: tuple[int, int] | None = None,
        deadline: float | None = None,
        watch: Watch = UNWATCHED,
    ) -> OcrResult:
        """Read all lines; raises Unavailable when neither reader can, and what `first` raises for a bad image.

        When the networks fail after `watch` has heard of lines, it hears `again` before the spare begins.
        """
        if not self._failed or self._clock() >= self._again:
            told: list[int] = []

            def found(lines: int) -> None:
                told.append(lines)
                watch.found(lines)

            try:
                result = self._first.read(image, size=size, deadline=deadline, watch=replace(watch, found=found))
            except BackendFailed as error:
                self._note(error)
                if told:
                    watch.again()
            else:
                self._failed = ""
                return result
        return self._other().read(image, size=size, deadline=deadline, watch=watch)

    def _note(self, error: BackendFailed) -> None:
        self._again = self._clock() + AGAIN_S
        self._failed = error.detail
        self._listener("backend_lost", feature=self._describe().name, reason=error.detail)

    def _other(self) -> Reads:
        with self._lock:
            if self._spare is None:
                try:
                    self._spare = self._make()
                except ApplianceError as error:
                    raise Unavailable(
                        f"reading: the networks failed: {self._failed}; and the spare: {error.detail}",
                        retry_after=AGAIN_S,
                    ) from error
            return self._spare
