"""The backend contract: load a network, run it on named arrays, describe it, close it.

The public methods do the checks and the timing, a subclass fills one hook for each, in this order: `_load`, `_infer`,
`_close`, `_describe` (after Polygraphy's runners). Constructing a backend touches nothing.
"""

from __future__ import annotations

import hashlib
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy.typing as npt

from appliance.errors import ApplianceError, BackendFailed, ModelMissing
from appliance.inference.signature import Arrays, Signature, check_outputs, compare
from appliance.specs import ModelSpec
from appliance.trail import let_go

_Self = TypeVar("_Self", bound="Backend")

_DRAIN_S = 10.0
"""Seconds that `close` waits for running inferences; a hung library must not hold up the end of the process."""


class Run(Protocol):
    """One network ready to use, as the rooms above receive it: who runs it, where and when stays hidden."""

    def __call__(self, inputs: Arrays, /, *, deadline: float | None = None) -> dict[str, npt.NDArray[Any]]:
        """Run on `inputs` before `deadline` (seconds of time.monotonic); raises only ApplianceError."""


class WrongState(BackendFailed):
    """A method was called before load, after close, or load was called twice: a mistake in the calling code."""


class Unsuited(BackendFailed):
    """This backend cannot run this request, though it is well: another one has to."""


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """What serves a network, for /readyz, /v1/status and benchmark files."""

    name: str
    """Implementation and device, for example `onnxruntime-cpu`."""
    device: str
    """Where it computes: `cpu`, `cuda:0`, or `none` for a fake."""
    version: str
    """Version of the library behind it."""
    provider: str
    """What the library says it runs on, for example `CPUExecutionProvider`."""
    precision: str = "fp32"
    """Precision written into the file: fp32, fp16 or int8."""
    warning: str = ""
    """Something wrong with the installation that does not stop it; empty when all is well."""
    file: str = ""
    """Name of the model file; empty when there is none."""
    sha256: str = ""
    """First 12 hexadecimal digits of the file's hash; empty when there is no file."""
    load_ms: float = 0.0
    """Milliseconds that loading took."""
    warm_ms: float = 0.0
    """Milliseconds of the first run, which allocates and tunes; 0 before it."""
    runs: int = 0
    """Runs that gave outputs."""
    failures: int = 0
    """Runs that failed."""
    fallback: str = ""
    """Why no better backend serves; empty when the best one does."""
    switches: int = 0
    """Times that another backend took over since the start, for worse or for better."""


class _State(Enum):
    NEW = "one not loaded"
    LOADED = "one loaded"
    CLOSED = "one closed"


class Backend(ABC):
    """A network on one library and device. Thread-safe; `infer` may run in several threads if the hook allows it."""

    name: str
    """Implementation and device; set by the subclass."""

    def __init__(self, spec: ModelSpec, path: Path | None) -> None:
        """Remember the network's `spec` and its file at `path` (None where no file is needed); touch neither."""
        self.spec = spec
        self.path = path
        self._state = _State.NEW
        self._loading = threading.Lock()
        self._idle = threading.Condition()
        self._running = 0
        self._held = False
        self._info: BackendInfo | None = None

    def load(self) -> None:
        """Load the file, compare its inputs and outputs with the spec, and keep what describes it.

        Raises ModelMissing (no file), ModelMismatch (other inputs or outputs), BackendFailed (anything the library
        says) or WrongState (loaded before). After a failure `load` may be called again.
        """
        with self._loading:
            if self._state is not _State.NEW:
                raise WrongState(f"{self._who}: load expected a new backend, got {self._state.value}")
            started = time.perf_counter()
            try:
                with self._translated("load"):
                    digest = _digest(self.spec, self.path)
                    signature = self._load()
                    if signature is not None:
                        compare(self.spec, signature)
                    info = self._describe()
            except ApplianceError as error:
                let_go(error)
                with suppress(Exception):  # the first error is the one to report
                    self._close()
                raise
            self._info = replace(
                info,
                file=self.path.name if self.path else info.file,
                sha256=digest or info.sha256,
                load_ms=(time.perf_counter() - started) * 1000,
            )
            self._held = True
            self._state = _State.LOADED

    def infer(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        """Run once on exactly the spec's inputs and return exactly its outputs, as new arrays or views of them.

        Raises InvalidInput (inputs do not fit the spec), ModelMismatch (outputs do not), BackendFailed or WrongState.
        """
        self.spec.check(inputs)
        with self._entered():
            started = time.perf_counter()
            try:
                with self._translated("run"):
                    outputs = self._infer(inputs)
                check_outputs(self.spec, inputs, outputs)
            except ApplianceError:
                self._count(failures=1)
                raise
            self._count(runs=1, milliseconds=(time.perf_counter() - started) * 1000)
            return outputs

    def close(self) -> None:
        """Wait for running inferences and release everything. A second call does nothing.

        Raises BackendFailed, and releases nothing, when an inference still runs after ten seconds.
        """
        with self._loading:
            with self._idle:
                self._state = _State.CLOSED
                if not self._idle.wait_for(lambda: self._running == 0, _DRAIN_S):
                    raise BackendFailed(f"{self._who}: expected inferences to end in {_DRAIN_S:.0f} s, one still runs")
            if self._held:
                self._held = False
                with self._translated("close"):
                    self._close()

    def describe(self) -> BackendInfo:
        """What was loaded and how it has run so far, also after close. Raises WrongState before load."""
        if self._info is None:
            raise WrongState(f"{self._who}: describe expected a loaded backend, got one not loaded")
        return self._info

    def __enter__(self: _Self) -> _Self:
        self.load()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def _load(self) -> Signature | None:
        """Load the file; return its inputs and outputs, or None when the library cannot tell them."""

    @abstractmethod
    def _infer(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        """Run once. The inputs have been checked."""

    @abstractmethod
    def _close(self) -> None:
        """Release everything; also called after a `_load` that failed halfway."""

    @abstractmethod
    def _describe(self) -> BackendInfo:
        """Name, device, version, provider, precision and warning; the rest is filled in. Called once loaded."""

    @property
    def _who(self) -> str:
        return f"{self.spec.name} on {self.name}"

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        """Make BackendFailed of whatever the library raises: every library has exceptions of its own."""
        try:
            yield
        except ApplianceError:
            raise
        except Exception as error:
            raise BackendFailed(f"{self._who}: expected to {what}, got {type(error).__name__}: {error}") from error

    @contextmanager
    def _entered(self) -> Iterator[None]:
        """Hold off `close` while an inference runs."""
        with self._idle:
            if self._state is not _State.LOADED:
                raise WrongState(f"{self._who}: infer expected a loaded backend, got {self._state.value}")
            self._running += 1
        try:
            yield
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()

    def _count(self, *, runs: int = 0, failures: int = 0, milliseconds: float = 0.0) -> None:
        with self._idle:
            info = self.describe()
            self._info = replace(
                info,
                runs=info.runs + runs,
                failures=info.failures + failures,
                warm_ms=info.warm_ms if info.runs else milliseconds,
            )


def _digest(spec: ModelSpec, path: Path | None) -> str:
    """First 12 hexadecimal digits of the file's sha256; empty without a file."""
    if path is None:
        return ""
    hashed = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                hashed.update(block)
    except FileNotFoundError as error:
        raise ModelMissing(f"{spec.name}: expected the file {path}, found none") from error
    return hashed.hexdigest()[:12]
