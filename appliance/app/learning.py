"""Sentence vectors of a pack's frequent questions, made behind a running appliance the first time that it sees them.

20,000 rows take minutes on a small board: nobody should wait for that, so words alone find rows until it is done. The
vectors are kept in the data folder; the next start has them at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np

from appliance.app.guarded import AGAIN_S
from appliance.errors import ApplianceError
from appliance.language.classify import Classifier
from appliance.language.faq import Faq, Weighing
from appliance.language.head import Floats
from appliance.listener import Listener, silent

FAILURES = 5
"""Failures in a row after which words alone stay: a network that cannot read a question will not learn it."""
CHUNK = 8
"""Sentences between two looks at whether the appliance is being closed."""


_PATIENCE_S = 10.0


class Learning:
    """One thread that makes vectors and hands them to a `Faq`."""

    def __init__(
        self,
        faq: Faq,
        texts: Sequence[str],
        classifier: Classifier,
        weighing: Weighing,
        keep: Callable[[Floats], None],
        listener: Listener = silent,
    ) -> None:
        """Prepare to make vectors of `texts`, all ways of asking in the order of `faq`; `keep` stores them.

        `classifier` runs the network itself, not through the guard of turns: what fails here must not take it from
        them. The listener hears `faq_failed` (reason) and, in the end, `faq_learnt` (count). `start` begins.
        """
        self._faq, self._texts, self._classifier, self._weighing = faq, list(texts), classifier, weighing
        self._keep, self._listener = keep, listener
        self._ending = threading.Event()
        self._made = self._failed = 0
        self._thread = threading.Thread(target=self._learn, name="faq", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """End it, finished or not."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join(_PATIENCE_S)  # a network that hangs must not keep the appliance from ending

    def wait(self, seconds: float) -> bool:
        """Wait for its end; True when all vectors are made."""
        self._thread.join(seconds)
        return self.statement == ""

    @property
    def statement(self) -> str:
        """How far it is, Chinese / English; empty once all vectors are in use."""
        total = len(self._texts)
        if self._made == total:
            return ""
        if self._failed >= FAILURES:
            return (
                "faq: 句向量计算失败，按字词查找 / sentence vectors could not be made; found by words alone: "
                "start again, and see the log"
            )
        return (
            f"faq: 正在计算句向量（{self._made}/{total}），暂按字词查找 / "
            f"sentence vectors being made ({self._made} of {total}); found by words alone meanwhile"
        )

    def _learn(self) -> None:
        vectors: Floats | None = None
        while self._made < len(self._texts):
            chunk = self._texts[self._made : self._made + CHUNK]
            try:
                part = self._classifier.vectors(chunk)
            except Exception as error:  # noqa: BLE001 - whatever it is, the status must say that this has ended
                self._failed += 1
                said = error.detail if isinstance(error, ApplianceError) else f"{type(error).__name__}: {error}"
                self._listener("faq_failed", reason=said)
                if self._failed >= FAILURES or self._ending.wait(AGAIN_S):
                    return
                continue
            self._failed = 0
            if self._ending.is_set():
                return
            if vectors is None:
                vectors = np.empty((len(self._texts), part.shape[1]), np.float32)
            vectors[self._made : self._made + len(chunk)] = part
            if self._made + len(chunk) == len(self._texts):
                self._faq.learn(vectors, self._weighing)
                self._keep(vectors)
            self._made += len(chunk)
        self._listener("faq_learnt", count=self._made)
