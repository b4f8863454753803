"""Loads a model's networks through the fallback between backends, and keeps why each serves where it does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from appliance.app.engines import BACKEND, Engines
from appliance.artifacts.derived import network_path, place, record_of
from appliance.artifacts.manifest import Derivation, Manifest
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError, ModelMissing
from appliance.inference.backend import Backend, Run
from appliance.inference.fallback import Candidate, Selection
from appliance.inference.onnxruntime import OnnxRuntimeBackend
from appliance.inference.scheduler import Priority, Scheduler
from appliance.inference.switch import SwitchingBackend
from appliance.listener import Listener
from appliance.settings import Settings
from appliance.trail import trail

INT8 = " int8"
"""How the name of a candidate ends that computes in 8 bits."""
_LIGHT = "它已以 int8 运行 / it runs as int8 already"
_NO_LIGHTER = "没有更轻的版本 / there is no lighter variant for what serves it"

TEND_S = 1.0
"""Seconds between two looks whether a better backend's pause is over."""


@dataclass(frozen=True, slots=True)
class Network:
    """One network of a model, running or refused."""

    model: str
    """Model name."""
    file: str
    """File of the network in the model's folder."""
    run: Run | None
    """Runs it through the scheduler; None when no backend serves it."""
    reason: str
    """Why the file itself was refused, Chinese / English, and what to run; empty when it was not."""
    switch: SwitchingBackend | None = None
    """What serves it, on whichever backend works now; None when the file itself was refused."""
    background: Run | None = None
    """Runs it when nobody waits who does."""

    @property
    def backend(self) -> str:
        """Name of the backend that serves it now, or `none`."""
        return self.switch.name if self.switch is not None else "none"

    @property
    def selection(self) -> Selection | None:
        """Every attempt on the way to that; None when the file itself was refused."""
        return self.switch.selection if self.switch is not None else None

    @property
    def demoted(self) -> bool:
        """True while a better backend that has served is away."""
        return self.switch is not None and self.switch.demoted

    def refusals(self, subject: str) -> tuple[str, ...]:
        """Statements about `subject`: why nothing runs it."""
        if self.selection is None:
            return (f"{subject}: {self.reason}",)
        return tuple(f"{subject}: {said}" for said in _attempts(self.selection)) or (
            f"{subject}: 设置 backends 中没有可用的 / the setting backends names none that may serve it",
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
        engines: Engines | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the store to load from, the scheduler that every run goes through, and this device's engines.

        `clock` gives the seconds by which better backends come back. Nothing is loaded yet.
        """
        self._manifests = manifests
        self._store = store
        self._settings = settings
        self._scheduler = scheduler
        self._listener = listener
        self._engines, self._clock = engines, clock
        self._backends: list[SwitchingBackend] = []
        self._joining = threading.Lock()
        self._stopped = threading.Event()
        self._tending: threading.Thread | None = None

    def load(self, model: str, file: str, priority: Priority = Priority.NORMAL) -> Network:
        """Verify, load and warm one network. Never raises for a model that is missing, corrupt or refused."""
        try:
            manifest = self._manifests.get(model)
            if manifest is None:
                raise ModelMissing(f"{model}: expected a manifest of this name, got {sorted(self._manifests)}")
            path = network_path(self._store, model, file)
            spec = manifest.network(file)
        except ApplianceError as error:
            self._listener("model_load", model=f"{model}/{file}", backend="none", ok=False)
            return Network(model, file, None, said(error, self._store))
        ways = self._candidates(manifest, file, path)
        switch = SwitchingBackend(spec, ways, listener=self._listener, clock=self._clock)
        try:
            switch.load()
        except ApplianceError:  # the reason is in its selection
            return Network(model, file, None, "", switch)
        with self._joining:  # several threads load: at the start, and when a recogniser is installed
            self._backends.append(switch)
            self._tend()
        run = self._scheduler.bind(switch, priority)
        return Network(model, file, run, "", switch, self._scheduler.bind(switch, Priority.LOW))

    def release(self, network: Network) -> None:
        """Close a network that is not needed after all."""
        switch = network.switch
        with self._joining:
            if switch is None or switch not in self._backends:
                return
            self._backends.remove(switch)
        switch.close()

    def _tend(self) -> None:
        """Have a thread of its own bring better backends back: loading one takes seconds, and requests go on."""
        if self._tending is None:
            self._tending = threading.Thread(target=self._tend_all, name="backends", daemon=True)
            self._tending.start()

    def _tend_all(self) -> None:
        while not self._stopped.wait(TEND_S):
            for backend in tuple(self._backends):
                try:
                    backend.tend()
                except Exception as error:  # noqa: BLE001 - a defect with one must not keep the others away
                    self._listener("backend_tend_failed", model=backend.spec.name, reason=trail(error))

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
        for name in filter(spec.served_by, self._settings.backends):
            if name == BACKEND:
                found += self._engines.candidates(manifest, file) if self._engines is not None else []
                continue
            device = name.rpartition("-")[2]
            found += [
                Candidate(f"{name} {wanted.precision}", partial(made, wanted, device))
                for wanted in manifest.derived.get(file, ())
                if wanted.backend == name
            ]
            found.append(Candidate(name, partial(itself, device)))
        return found

    def lighten(self, light: bool) -> dict[str, str]:
        """Have each network run as int8 where that is installed for the backend that serves it, or again as ever.

        Loads what is to serve beside what does, request after request being answered meanwhile; takes seconds. What
        was changed says nothing; for the others the reason, by network.
        """
        reasons: dict[str, str] = {}
        for backend in self.backends:
            serving = backend.candidate
            wanted = None if not light else _lighter(serving, backend.candidates)
            if light and wanted is None:
                reasons[backend.spec.name] = _LIGHT if serving.endswith(INT8) else _NO_LIGHTER
                continue
            if why_not := backend.prefer(wanted):
                reasons[backend.spec.name] = why_not
        return reasons

    @property
    def backends(self) -> tuple[SwitchingBackend, ...]:
        """Every backend that serves, by the names of their networks."""
        return tuple(sorted(self._backends, key=lambda backend: backend.spec.name))

    def close(self) -> None:
        """Release every network."""
        self._stopped.set()
        if self._tending is not None:
            self._tending.join(10)
        for backend in self._backends:
            try:
                backend.close()
            except ApplianceError as error:  # one that hangs must not keep the others
                self._listener("close_failed", model=backend.spec.name, reason=error.detail)
        self._backends.clear()


def _lighter(serving: str, candidates: Iterable[str]) -> str | None:
    """The candidate in 8 bits on the backend that serves; None where that serves already or there is none."""
    wanted = serving.partition(" ")[0] + INT8
    return wanted if wanted != serving and wanted in candidates else None


def said(error: Exception, store: ModelStore) -> str:
    """What refused a model and what to run, Chinese / English; no path of the machine, for the page shows it."""
    account = error.account if isinstance(error, ApplianceError) else f"无法读取 / {type(error).__name__}: {error}"
    return store.without_paths(account)


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
