"""The one way in: open, stage, verify the copy, let it prove itself, rename, put on trial."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from appliance.artifacts.disk import exclusive, room, storage, sync, sync_tree
from appliance.artifacts.manifest import load_manifests
from appliance.artifacts.staging import discard, staged
from appliance.artifacts.store import ModelStore
from appliance.bundles.admit import Here, admit
from appliance.bundles.contents import MODELS
from appliance.bundles.folder import Signed, check_files, opened, unpack
from appliance.bundles.keys import Trust
from appliance.bundles.moments import at_least
from appliance.bundles.signing import signers
from appliance.bundles.state import CURRENT, linked, read_state, write_state
from appliance.bundles.tape import Source, Tape
from appliance.errors import (
    ApplianceError,
    BundleFailed,
    BundleRefused,
    ManifestInvalid,
    ModelCorrupt,
    ModelMissing,
    StorageFailed,
)
from appliance.listener import Listener, silent

INCOMING = "incoming"
"""Folder in that of the bundles for what is not whole yet."""
SPARE = 64_000_000
"""Bytes that stay free beside a bundle: for records, and for what is made of its models here."""

Prove = Callable[[Path, Signed], None]
"""Tries a staged bundle: packs compile, models score on their cases, engines are built. Raises ApplianceError."""


def check(root: Path, source: Source, now: datetime, listener: Listener = silent) -> Signed:
    """Read a bundle to its end without writing anything: trusted, and every byte as its manifest says.

    Raises BundleRefused with its kinds.
    """
    tape = Tape(source)
    signed = opened(tape, Trust(root).keys(), at_least(now, read_state(root).seen))
    for entry in signed.contents.files:
        tape.file(entry.path, entry.size, entry.sha256, lambda piece: None)
        listener("models.bytes", model=signed.id, file=entry.path, stage="hash", done=entry.size, total=entry.size)
    tape.end()
    return signed


def install(
    root: Path,
    source: Source,
    here: Here,
    now: datetime,
    prove: Prove,
    listener: Listener = silent,
    *,
    most: int,
    again: bool = False,
) -> Signed:
    """Take in the bundle that `source` gives, of at most `most` bytes, and put it on trial for the next start.

    What serves is not touched. Raises BundleRefused with its kinds and StorageFailed; a bundle that did not prove
    itself (BundleFailed) is remembered.
    """
    with storage(root):
        root.mkdir(parents=True, exist_ok=True)
    incoming = root / INCOMING
    with exclusive(incoming, listener), staged(incoming) as stage:
        clock = at_least(now, read_state(root).seen)
        tape = Tape(source)
        signed = opened(tape, Trust(root).keys(), clock)
        _admitted(root, signed, here, clock, again=again)
        if signed.contents.size > most:
            raise BundleRefused(f"bundle: expected at most {most} bytes of files, got {signed.contents.size}")
        room(root, signed.contents.size + SPARE)
        unpack(tape, signed, stage, listener)
        sync_tree(stage)
        check_files(stage, signed, listener)
        _proved(root, stage, signed, prove)
        with exclusive(root):
            # Again, for meanwhile another one may have come in or have been given up, and keys may have been revoked.
            by = signers(signed.manifest, signed.signatures, Trust(root).keys(), clock)
            signed = replace(signed, by=by)
            _admitted(root, signed, here, clock, again=again)
            home = root / signed.id
            if home.exists():  # put in its place by one who died before it was on trial, or given up
                discard(home, root)
            stage.rename(home)
            sync(root)
            state = read_state(root)
            bad = {name: why for name, why in state.bad.items() if name != signed.id}
            write_state(root, replace(state.without_trial(), trial=signed.id, bad=bad))
    listener("bundles.installed", id=signed.id)
    return signed


def _admitted(root: Path, signed: Signed, here: Here, now: datetime, *, again: bool) -> None:
    admit(signed, read_state(root), linked(root, CURRENT), here, now, Trust(root).keys(), again=again)


def _proved(root: Path, stage: Path, signed: Signed, prove: Prove) -> None:
    try:
        carried(stage)
        prove(stage, signed)
    except StorageFailed:
        raise  # of the disk, not of the bundle
    except ApplianceError as error:
        with suppress(StorageFailed), exclusive(root):
            state = read_state(root)
            write_state(root, state.gave_up(signed.id, error.detail))
        if isinstance(error, BundleRefused):
            raise
        raise BundleFailed(error.detail, remedy=error.both) from error


def carried(folder: Path, listener: Listener = silent) -> ModelStore | None:
    """The models in the bundle at `folder`, each whole by its own manifest; None where it has none.

    Raises BundleRefused, when a model's manifest and the files beside it disagree.
    """
    models = folder / MODELS
    if not models.is_dir():
        return None
    try:
        found = ModelStore(models, load_manifests(models), listener)
        for path in sorted(models.iterdir()):
            if path.name not in found.manifests:
                raise BundleRefused(f"{MODELS}/{path.name}: expected a manifest.yaml, found none")
        for name in found.manifests:
            found.verify(name)
    except (ManifestInvalid, ModelCorrupt, ModelMissing) as error:
        raise BundleRefused(error.detail) from error
    return found
