"""Models that an integrator brought: installed like any other, with a manifest of their own in the data folder.

`<root>/<name>/manifest.yaml` names every file with its hash, where it came from and under which licence; the files lie
in `<root>/<name>/<digest>/`, put there by `publish`. From then on `ModelStore` verifies them as it does the shipped
ones. The hashes are those of what was brought: they tell of damage, not of who made it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.artifacts.digest import progress_of, sha256_of
from appliance.artifacts.disk import storage, sync
from appliance.artifacts.manifest import FileEntry, Manifest, load_manifest
from appliance.artifacts.publish import Fetched, publish
from appliance.artifacts.sources import Carried
from appliance.artifacts.staging import discard, staged, write
from appliance.errors import InvalidInput, ManifestInvalid
from appliance.listener import Listener, silent
from appliance.specs import ModelSpec

FILE = "manifest.yaml"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""What a model may be called: it becomes a folder."""


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of a model beside its files."""

    name: str
    """What it is called here."""
    title_zh: str
    """Chinese title."""
    title_en: str
    """English title."""
    kind: str
    """As in manifests: `asr`."""
    licence: str
    """SPDX name, or whatever is known; `unstated` where nothing is."""
    attribution: str
    """Whose work it is; `unstated` where nobody says."""
    page: str
    """Page of the source; `unstated` where there is none."""
    origin: str
    """Where it was brought from, in words."""
    networks: Mapping[str, ModelSpec]
    """File to the spec of the network in it."""


def load_imported(root: Path) -> tuple[dict[str, Manifest], tuple[ManifestInvalid, ...]]:
    """Manifests of the models that were imported into the store at `root`, by name, and of those that are damaged, why.

    One that cannot be read must not keep the others, or the appliance, from starting.
    """
    found: dict[str, Manifest] = {}
    problems = []
    for path in sorted(root.glob(f"*/{FILE}")):
        if path.parent.name.startswith("."):
            continue
        try:
            found[path.parent.name] = load_manifest(path)
        except ManifestInvalid as error:
            problems.append(error)
    return found, tuple(problems)


def install(
    root: Path,
    card: Card,
    files: Mapping[str, Path],
    check: Callable[[Path, Manifest], None],
    listener: Listener = silent,
) -> Manifest:
    """Copy `files` (name in the model's folder to where it lies) into the store at `root` as `card.name`.

    `check` is given the folder that was published, before anybody knows of it, and raises ApplianceError when it does
    not serve: then it is gone again. A model of that name that was imported before gives way when the new one is whole;
    its files stay as another version. The caller holds `exclusive(root)`. Raises InvalidInput for a name that cannot be
    one, ModelCorrupt when a file changes meanwhile, StorageFailed.
    """
    if not NAME.fullmatch(card.name):
        raise InvalidInput(
            f"expected a name of a-z, 0-9, `.`, `_` and `-`, at most 64 of them, got {card.name!r}",
            remedy=("请用 --name 指定名称", "Give one with --name"),
        )
    with storage(root):
        entries = tuple(
            FileEntry(
                name,
                sha256_of(path, progress_of(listener, card.name, name, "hash", path.stat().st_size)),
                path.stat().st_size,
                (Carried(card.origin),),
            )
            for name, path in sorted(files.items())
        )
    manifest = Manifest(
        name=card.name,
        title_zh=card.title_zh,
        title_en=card.title_en,
        kind=card.kind,
        install="manual",
        licence=card.licence,
        attribution=card.attribution,
        page=card.page,
        files=entries,
        networks=card.networks,
        prepared={},
        derived={},
        home=root / card.name,
    )
    before = load_imported(root)[0].get(card.name)
    folder = publish(root, manifest, {name: Fetched(path, card.origin) for name, path in files.items()}, listener)
    try:
        check(folder, manifest)
    except BaseException:  # also of whoever lost patience: gigabytes that nothing names would stay
        if before is None or before.digest != manifest.digest:
            discard(folder, root)
        raise
    # Last: whoever starts meanwhile finds the old model or the new one.
    with staged(root) as stage:
        (stage / card.name).mkdir()  # a manifest's folder bears its name
        made = stage / card.name / FILE
        write(made, written(manifest).encode())
        load_manifest(made)  # before it takes the old one's place
        made.replace(manifest.home / FILE)
        sync(manifest.home)
    return load_manifest(manifest.home / FILE)


def written(manifest: Manifest) -> str:
    """The manifest as YAML, in the order and with the keys that `load_manifest` reads."""
    import yaml  # lazy, as where manifests are read

    top: dict[str, Any] = {
        "name": manifest.name,
        "title": {"zh": manifest.title_zh, "en": manifest.title_en},
        "kind": manifest.kind,
        "install": manifest.install,
        "licence": manifest.licence,
        "attribution": manifest.attribution,
        "page": manifest.page,
        "files": [
            {
                "path": entry.path,
                "size": entry.size,
                "sha256": entry.sha256,
                "sources": [{"carried": one.origin} for one in entry.sources if isinstance(one, Carried)],
            }
            for entry in manifest.files
        ],
    }
    if manifest.networks:
        top["networks"] = {file: _network(spec) for file, spec in manifest.networks.items()}
    return yaml.safe_dump(top, allow_unicode=True, sort_keys=False, width=120)


def _network(spec: ModelSpec) -> dict[str, Any]:
    made: dict[str, Any] = {
        side: [{"name": one.name, "dtype": one.dtype, "shape": list(one.shape)} for one in tensors]
        for side, tensors in (("inputs", spec.inputs), ("outputs", spec.outputs))
    }
    if spec.profiles:
        made["profiles"] = [
            {"minimum": dict(one.minimum), "optimum": dict(one.optimum), "maximum": dict(one.maximum)}
            for one in spec.profiles
        ]
    made["precisions"] = list(spec.precisions)
    if spec.backends:
        made["backends"] = list(spec.backends)
    return {**made, "opset": spec.opset}
