"""Loads a model's networks through the fallback between backends, and keeps why each serves where it does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from appliance.artifacts.derived import place, record_of
from appliance.artifacts.manifest import Derivation, Manifest
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError, ModelMissing
from appliance.inference.backend import Backend, Run
from appliance.inference.fallback import Candidate, Selection, select
from appliance.inference.onnxruntime import OnnxRuntimeBackend
from appliance.inference.scheduler import Priority, Scheduler
from appliance.listener import Listener
from appliance.settings import Settings


@dataclass(frozen=True, slots=True)
class Network:
    """One network of a model, running or refused."""

    model: str
    """Model name."""
    file: str
    """File of the network in the model's folder."""
    run: Run | None
    """Runs it through the scheduler; None when no backend serves it."""
    backend: str
    """Name of the backend that serves it, or `none`."""
    reason: str
    """Why the file itself was refused, Chinese / English, and what to run; empty when it was not."""
    selection: Selection | None = None
    """Every attempt on the way; None when the file itself was refused."""
    background: Run | None = None
    """Runs it when nobody waits who does."""

    def refusals(self, subject: str) -> tuple[str, ...]:
        """Statements about `subject`: why nothing runs it."""
        if self.selection is None:
            return (f"{subject}: {self.reason}",)
        return tuple(f"{subject}: {said}" for said in _attempts(self.selection)) or (
            f"{subject}: 设置 backends 为空 / the setting backends names none",
        )


class Networks:
    """Loads networks and closes them all."""

    def __init__(
        self,
        manifests: Mapping[str, Manifest],
        store: ModelStore,
        settings: Settings,
        scheduler: Scheduler,
        listener: Listener,
    ) -> None:
        """Take the store to load from and the scheduler that every run goes through; load nothing yet."""
        self._manifests = manifests
        self._store = store
        self._settings = settings
        self._scheduler = scheduler
        self._listener = listener
        self._backends: list[Backend] = []

    def load(self, model: str, file: str, priority: Priority = Priority.NORMAL) -> Network:
        """Verify, load and warm one network. Never raises for a model that is missing, corrupt or refused."""
        try:
            manifest = self._manifests.get(model)
            if manifest is None:
                raise ModelMissing(f"{model}: expected a manifest of this name, got {sorted(self._manifests)}")
            path = self._store.path(model, file)
            spec = manifest.networks[file]
        except ApplianceError as error:
            self._listener("model_load", model=f"{model}/{file}", backend="none", ok=False)
            return Network(model, file, None, "none", said(error, self._store))
        selection = select(spec, self._candidates(manifest, file, path), listener=self._listener)
        if selection.backend is None:
            return Network(model, file, None, "none", "", selection)
        self._backends.append(selection.backend)
        run = self._scheduler.bind(selection.backend, priority)
        background = self._scheduler.bind(selection.backend, Priority.LOW)
        return Network(model, file, run, selection.backend.name, "", selection, background)

    def release(self, network: Network) -> None:
        """Close a network that is not needed after all."""
        backend = network.selection.backend if network.selection else None
        if backend is not None:
            self._backends.remove(backend)
            backend.close()

    def _candidates(self, manifest: Manifest, file: str, path: Path) -> list[Candidate]:
        """Ways to serve a network, best first: on each backend what is derived for it, then the file itself."""
        spec, threads = manifest.networks[file], self._settings.onnxruntime_threads

        def made(wanted: Derivation, device: str) -> Backend:
            record_of(self._store, manifest.name, file, wanted)  # raises when it is missing or not this file's
            return OnnxRuntimeBackend(
                spec, place(self._store, manifest.name, file, wanted), device=device, threads=threads
            )

        def itself(device: str) -> Backend:
            return OnnxRuntimeBackend(spec, path, device=device, threads=threads)

        found = []
        for name in self._settings.backends:
            device = name.rpartition("-")[2]
            found += [
                Candidate(f"{name} {wanted.precision}", partial(made, wanted, device))
                for wanted in manifest.derived.get(file, ())
                if wanted.backend == name
            ]
            found.append(Candidate(name, partial(itself, device)))
        return found

    @property
    def backends(self) -> tuple[Backend, ...]:
        """Every backend that serves."""
        return tuple(self._backends)

    def close(self) -> None:
        """Release every network."""
        for backend in self._backends:
            try:
                backend.close()
            except ApplianceError as error:  # one that hangs must not keep the others
                self._listener("close_failed", model=backend.spec.name, reason=error.detail)
        self._backends.clear()


def said(error: Exception, store: ModelStore) -> str:
    """What refused a model and what to run, Chinese / English; no path of the machine, for the page shows it."""
    account = error.account if isinstance(error, ApplianceError) else f"无法读取 / {type(error).__name__}: {error}"
    return account.replace(str(store.root), "models")


def why(networks: Iterable[Network]) -> list[str]:
    """Statements about several networks: where each runs, and every refusal."""
    running: list[str] = []
    refused: list[str] = []
    for network in networks:
        stem = network.file.rpartition(".")[0]
        if network.selection is None or network.run is None:
            refused += network.refusals(stem)
            continue
        served = network.selection.attempts[-1]
        load, warm = f"{served.load_ms:.0f}", f"{served.warm_ms:.0f}"
        running.append(
            f"{stem}: {served.name}，加载 {load} 毫秒，预热 {warm} 毫秒 / "
            f"{served.name}, loaded in {load} ms, warmed in {warm} ms"
        )
        refused += _attempts(network.selection)
    return [*running, *refused]


def _attempts(selection: Selection) -> list[str]:
    """What each candidate was refused for, or the one that serves warns of."""
    return [
        f"{attempt.name}: {attempt.reason.replace(f'{selection.spec.name} on {attempt.name.split()[0]}: ', '')}"
        for attempt in selection.attempts
        if attempt.reason
    ]
