"""Engines of this device: which the installed networks ask for, building and gating them, and what runs them."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from appliance.app import gates
from appliance.app.derive import derive
from appliance.app.wanted import Outcome, Wanted, refusal, source, stands
from appliance.artifacts.engines import EngineEntry, EngineKey, EngineRecord, EngineStore
from appliance.artifacts.manifest import Manifest
from appliance.artifacts.store import ModelStore
from appliance.errors import (
    ApplianceError,
    BackendFailed,
    EngineCorrupt,
    EngineMissing,
    GateRefused,
    InvalidInput,
    ModelCorrupt,
    ModelMismatch,
    ModelMissing,
)
from appliance.inference.backend import Backend
from appliance.inference.fallback import Candidate
from appliance.inference.tensorrt import compat
from appliance.inference.tensorrt.build import BuildOptions, build
from appliance.inference.tensorrt.facts import Facts, facts, workspace
from appliance.inference.tensorrt.memory import Opener, open_device
from appliance.inference.tensorrt.progress import Stopped
from appliance.inference.tensorrt.run import Plan, TensorRtBackend
from appliance.listener import Listener, silent
from appliance.settings import Settings

BACKEND = "tensorrt"


class Engines:
    """Builds and finds engines. Thread-safe; the constructor touches nothing."""

    def __init__(
        self,
        store: EngineStore,
        models: ModelStore,
        settings: Settings,
        *,
        library: Callable[[], Any] = compat.load,
        device: Opener = open_device,
        root: Path = Path("/"),
    ) -> None:
        """Keep engines in `store`, of the networks in `models`; `root` is where the board's release is read."""
        self.store = store
        self._models, self._settings = models, settings
        self._library, self._device, self._root = library, device, root
        self._facts: Facts | None = None
        self._lock = threading.Lock()

    def facts(self) -> Facts:
        """What engines here are tied to; asked once. Raises BackendFailed without TensorRT or a GPU."""
        with self._lock:
            if self._facts is None:
                trt, device = self._library(), self._device()
                try:
                    self._facts = facts(trt, device, self._root)
                finally:
                    device.close()
            return self._facts

    def wanted(self, names: Collection[str] = ()) -> tuple[Wanted, ...]:
        """Every engine that the manifests ask for, of `names` (MODEL or MODEL/NETWORK; none: all), best first.

        Raises InvalidInput for a name that no network has.
        """
        found = [w for manifest in self._models.manifests.values() for w in self._of(manifest)]
        known = {name for w in found for name in (w.model, w.spec.name)}
        if unknown := sorted(set(names) - known):
            raise InvalidInput(
                f"engines: expected names of {', '.join(sorted(known))}, got {', '.join(unknown)}",
                remedy=("名称见 `appliance engines list`", "See `appliance engines list`"),
            )
        return tuple(w for w in found if not names or w.model in names or w.spec.name in names)

    def key(self, wanted: Wanted) -> EngineKey:
        """What the engine depends on. Raises BackendFailed without a device, ModelMissing or ModelCorrupt."""
        device = self.facts()
        return EngineKey(
            network=wanted.spec.name,
            onnx=source(self._models, wanted)[1],
            tensorrt=device.tensorrt,
            gpu=device.gpu,
            capability=device.capability,
            platform=device.platform,
            precision=wanted.precision,
            profiles=wanted.spec.profiles_digest,
            typing="weak" if wanted.weak else "strong",
        )

    def candidates(self, manifest: Manifest, file: str) -> list[Candidate]:
        """Ways to serve one network by an engine, the best first; without TensorRT or a GPU the one that says so."""
        try:
            self.facts()
        except ApplianceError:
            best = next(wanted for wanted in self._of(manifest) if wanted.file == file)
            return [Candidate(BACKEND, partial(self._serving, best))]
        return [
            Candidate(f"{BACKEND} {wanted.precision}", partial(self._serving, wanted))
            for wanted in self._of(manifest)
            if wanted.file == file
        ]

    def prepare(self, wanted: Iterable[Wanted], listener: Listener = silent) -> None:
        """Make the precisions' files that `wanted` are built of, where their models are installed.

        What cannot be made, or is refused by its gate, `build` then tells of as missing. Raises StorageFailed.
        """
        for model in dict.fromkeys(one.model for one in wanted if one.derivation is not None):
            with suppress(BackendFailed, GateRefused, ModelMissing, ModelCorrupt, ModelMismatch):
                derive(self._models, model, listener, {BACKEND})

    def build(
        self, wanted: Wanted, listener: Listener = silent, *, stopped: Stopped = lambda: False, again: bool = False
    ) -> Outcome:
        """Build one engine, measure it on the model's cases, and publish it when it passes.

        One that is there and whole stays, unless `again`. Raises BackendFailed without a device, ModelMissing or
        ModelCorrupt without the network, EngineBuildFailed when it is stopped while another process builds; what goes
        wrong with this one engine is in the outcome.
        """
        key = self.key(wanted)
        with self.store.building(key, stopped):
            if not again:
                with suppress(EngineMissing, EngineCorrupt):
                    record = self.store.find(key)[1]
                    refused = refusal(wanted, record)
                    if refused is None or stands(wanted, record):
                        return Outcome(wanted, "refused" if refused else "present", record, refused)
            listener("engines.build", network=wanted.spec.name, precision=wanted.precision)
            try:
                record = self._built(wanted, key, listener, stopped)
            except ApplianceError as error:
                return Outcome(wanted, "failed", error=error)
            refused = refusal(wanted, record)
            return Outcome(wanted, "refused" if refused else "built", record, refused)

    def prune(self, limit_mb: int | None = None) -> tuple[EngineEntry, ...]:
        """Delete what no wanted engine of this device needs: damaged ones at once, others beyond the limit."""
        limit = self._settings.engines_max_mb if limit_mb is None else limit_mb
        return self.store.prune(self._needed(), limit * 1_000_000)

    def _needed(self) -> set[str]:
        """Digests of the engines that this device serves with; of all that are whole where no device can be asked."""
        try:
            self.facts()
        except ApplianceError:
            return {entry.record.key.digest for entry in self.store.entries() if entry.record is not None}
        keep = set()
        for wanted in self.wanted():
            with suppress(ApplianceError):  # its model is not installed
                keep.add(self.key(wanted).digest)
        return keep

    def _of(self, manifest: Manifest) -> Iterator[Wanted]:
        for file, spec in manifest.networks.items():
            if not spec.served_by(BACKEND):
                continue
            if self._settings.engines_weak:
                yield Wanted(manifest.name, file, spec, "fp16", weak=True)
            else:
                for derivation in manifest.derived.get(file, ()):
                    if derivation.backend == BACKEND:
                        yield Wanted(manifest.name, file, spec, derivation.precision, derivation)
            yield Wanted(manifest.name, file, spec, "fp32")

    def _serving(self, wanted: Wanted) -> Backend:
        key = self.key(wanted)
        refused = refusal(wanted, self.store.find(key)[1])
        if refused is not None:
            raise refused

        def plan() -> Plan:
            content, record = self.store.read(key)
            return Plan(content, record.sha256)

        return self._backend(wanted, plan)

    def _backend(self, wanted: Wanted, plan: Callable[[], Plan]) -> TensorRtBackend:
        return TensorRtBackend(
            wanted.spec,
            plan,
            precision=wanted.precision,
            library=self._library,
            device=self._device,
            graphs=self._settings.tensorrt_graphs,
        )

    def _built(self, wanted: Wanted, key: EngineKey, listener: Listener, stopped: Stopped) -> EngineRecord:
        trt = self._library()
        device = self._device()
        try:
            with device.current():
                free = device.free_bytes()
        finally:
            device.close()
        cache = self.store.timing_cache(key.tensorrt, key.gpu, key.capability)
        options = BuildOptions(workspace(free), cache, weak=wanted.weak)
        made = build(trt, wanted.spec, source(self._models, wanted)[0], options, listener, stopped=stopped)
        if made.timing_cache:  # kept even when the gate refuses the engine: measuring again takes minutes
            self.store.keep_timing_cache(key.tensorrt, key.gpu, key.capability, made.timing_cache)
        # What is recorded decides, here and whenever it is read: hence rounded once, and down.
        value = math.floor(self._score(wanted, made.plan, listener) * 10_000) / 10_000
        gate = wanted.spec.gate
        self.store.publish(
            key,
            # Of one that is refused only the record stays, so that nobody builds it again in hope.
            made.plan if gate is None or value >= gate.threshold else b"",
            metric=gate.metric if gate else "",
            value=value,
            threshold=gate.threshold if gate else 0.0,
            built_s=round(made.seconds, 1),
            tools={"tensorrt": key.tensorrt},
        )
        return self.store.find(key)[1]

    def _score(self, wanted: Wanted, plan: bytes, listener: Listener) -> float:
        """What the engine scores on the model's cases; 0 without a gate. Raises what loading and running it does."""
        listener("engines.gate", network=wanted.spec.name, precision=wanted.precision)
        manifest, gate = self._models.manifest(wanted.model), wanted.spec.gate
        made = Plan(plan, sha256(plan).hexdigest())
        with self._backend(wanted, lambda: made) as backend:
            backend.infer(wanted.spec.zeros())
            if gate is None:
                return 0.0
            return gates.score(
                lambda inputs, /, *, deadline=None: backend.infer(inputs),
                wanted.spec,
                manifest.cases(),
                self._models.folder(wanted.model),
            )
