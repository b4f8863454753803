"""What a bundle brings to the appliance: its settings, its models beside those of the machine, and its self-test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from appliance import __version__
from appliance.app.derive import backends_here, derive, prepare, running, score
from appliance.app.engines import Engines
from appliance.artifacts.derived import network_path
from appliance.artifacts.engines import EngineStore
from appliance.artifacts.imported import load_imported
from appliance.artifacts.manifest import Manifest, load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.bundles.admit import Here
from appliance.bundles.choose import Chosen
from appliance.bundles.contents import CASES, MODELS, PACK, SETTINGS_FILE, parsed
from appliance.bundles.folder import Signed
from appliance.bundles.install import Prove
from appliance.device.board import recognise
from appliance.errors import ApplianceError, BackendFailed, BundleFailed, BundleRefused, GateRefused
from appliance.listener import Listener, silent
from appliance.packs.compile import load_pack
from appliance.packs.schema import SCHEMA
from appliance.settings import Settings, carried_settings, data_dir, load_settings
from appliance.values import Parse

if TYPE_CHECKING:
    from appliance.app.appliance import Appliance

TURNS = "turns.json"
"""Sentences of a bundle's self-test, in its folder `cases`."""
CPU = "onnxruntime-cpu"


@dataclass(frozen=True, slots=True)
class Case:
    """A sentence that the appliance with this bundle has to understand."""

    text: str
    """What a customer says."""
    intent: str
    """What it has to be understood as."""
    language: str
    """`zh` or `en`."""


def root_of(settings: Settings) -> Path:
    """Folder of the bundles."""
    return data_dir(settings) / "bundles"


def here(settings: Settings) -> Here:
    """This appliance, as a bundle's manifest asks for it."""
    return Here(recognise().family, __version__, SCHEMA, settings.bundle_key_signatures)


def merged(config: Path | None, folder: Path | None, overrides: Mapping[str, object] | None = None) -> Settings:
    """The settings with those of the bundle in `folder` beneath the site's own, and its pack where the site names none.

    Raises SettingInvalid.
    """
    beneath: dict[str, object] = {}
    if folder is not None:
        if (folder / SETTINGS_FILE).is_file():
            beneath |= carried_settings(folder / SETTINGS_FILE)
        if (folder / PACK).is_dir():
            beneath["pack"] = str(folder / PACK)
    return load_settings(config, overrides=overrides, beneath=beneath)


def shelf(folder: Path, bundle: Path | None, listener: Listener = silent) -> tuple[dict[str, Manifest], ModelStore]:
    """Manifests and store of all models in the data folder `folder` and in a bundle's, which goes first.

    Raises ManifestInvalid.
    """
    manifests = load_imported(folder / "models")[0] | load_manifests(shipped_root())
    carried: dict[str, Path] = {}
    if bundle is not None and (bundle / MODELS).is_dir():
        own = load_manifests(bundle / MODELS)
        manifests |= own
        carried = {name: bundle / MODELS / name for name in own}
    return manifests, ModelStore(folder / "models", manifests, listener, carried=carried)


def cases(folder: Path) -> tuple[Case, ...]:
    """The sentences of a bundle's self-test; none where it has none. Raises BundleRefused for a malformed file."""
    path = folder / CASES / TURNS
    if not path.is_file():
        return ()
    rows = parsed(path.read_bytes(), TURNS)
    if not isinstance(rows, list) or not all(_is_case(row) for row in rows):
        raise BundleRefused(f"{CASES}/{TURNS}: expected a list of {{text, intent, language}}, got something else")
    return tuple(Case(**row) for row in rows)


def _is_case(row: object) -> bool:
    return (
        isinstance(row, dict)
        and set(row) == {"text", "intent", "language"}
        and all(isinstance(value, str) and value for value in row.values())
        and row["language"] in ("zh", "en")
    )


def proving(
    config: Path | None,
    settings: Settings,
    listener: Listener = silent,
    engines: Callable[[EngineStore, ModelStore, Settings], Engines] = Engines,
) -> Prove:
    """What a staged bundle has to pass here before it may be started: see `Prove`."""

    def prove(folder: Path, signed: Signed) -> None:
        chosen = merged(config, folder)
        intents = None
        if signed.contents.has_pack:
            intents = set(load_pack(str(folder / PACK)).lexicon.intent_names)
        for case in cases(folder):
            if intents is not None and case.intent not in intents:
                raise BundleRefused(f"{CASES}/{TURNS}: expected intents of the pack, got {case.intent!r}")
        data = data_dir(settings)
        manifests, store = shelf(data, folder, listener)
        for name in signed.contents.models:
            _measured(store, manifests[name], listener)
        _built(make=engines, data=data, store=store, settings=chosen, names=signed.contents.models, listener=listener)

    return prove


def _measured(store: ModelStore, manifest: Manifest, listener: Listener) -> None:
    """Run every network of a model on its cases; make what is made of it here. Raises BundleFailed, ApplianceError."""
    prepare(store, manifest.name, listener)
    for file, spec in manifest.networks.items():
        if not spec.served_by(CPU):
            continue
        path = network_path(store, manifest.name, file)
        listener("bundles.measure", network=spec.name)
        if spec.gate is None:
            with running(spec, path) as run:
                run(spec.zeros())
            continue
        value = score(spec, manifest, store.folder(manifest.name), path)
        if not value >= spec.gate.threshold:  # what is no number does not reach it either
            raise BundleFailed(
                f"{spec.name}: expected {spec.gate.metric} of at least {spec.gate.threshold} on its cases, got {value}"
            )
    with suppress(GateRefused, BackendFailed):  # its own file serves, and has passed
        derive(store, manifest.name, listener, backends_here())


def _built(
    make: Callable[[EngineStore, ModelStore, Settings], Engines],
    data: Path,
    store: ModelStore,
    settings: Settings,
    names: tuple[str, ...],
    listener: Listener,
) -> None:
    """Build the engines of the bundle's models, where there is a GPU. One that fails leaves its network to the CPU."""
    device = make(EngineStore(data / "engines", listener), store, settings)
    try:
        device.facts()
    except ApplianceError:
        return
    wanted = tuple(one for one in device.wanted() if one.model in names)
    device.prepare(wanted, listener)
    for one in wanted:
        with suppress(ApplianceError):
            device.build(one, listener)


def self_test(appliance: Appliance, chosen: Chosen) -> str:
    """Why the appliance that was built from a bundle is not to serve; empty when it is. Nothing is logged of it."""
    if not appliance.ready():
        off = [f"{one.name} {one.state}" for one in appliance.features() if one.required and one.state != "ready"]
        return f"expected every required feature to serve, got {', '.join(off) or 'it stopped'}"
    try:
        for case in cases(chosen.folder):
            parse: Parse = appliance.understand(case.text, case.language)
            if parse.intent.name != case.intent:
                return f"{case.text!r}: expected the intent {case.intent}, got {parse.intent.name}"
    except ApplianceError as error:
        return error.detail
    return ""
