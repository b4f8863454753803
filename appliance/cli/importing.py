"""`appliance models import`: models that a manifest names, known by their hashes, and recognisers of an integrator."""

from __future__ import annotations

from pathlib import Path

import typer

from appliance.artifacts.bring import locate
from appliance.artifacts.carried import is_archive
from appliance.artifacts.pull import Outcome, Puller
from appliance.artifacts.store import ModelStore
from appliance.errors import InvalidInput
from appliance.listener import Listener
from appliance.speech.ctc.install import Installed, bring, is_candidate


def brought(
    store: ModelStore, path: Path, name: str | None, language: str, licence: str, listener: Listener
) -> tuple[Outcome, ...] | Installed:
    """Install what lies at `path`: files that the manifests of `store` name, or else a recogniser.

    Raises InvalidInput when it is neither, saying what both expected, and as `Puller.bring` and `bring` do.
    """
    shipped = {one: manifest for one, manifest in store.manifests.items() if manifest.home.parent != store.root}
    entries = [entry for manifest in shipped.values() for entry in manifest.files]
    known = name is None or name in shipped
    # A damaged copy of a file that a manifest names must not come in under its own name as something else.
    damaged = name is None and is_archive(path) and path.name in {entry.path for entry in entries}
    if known and not (language or licence) and (damaged or locate(path, entries) or not is_candidate(path)):
        return Puller(ModelStore(store.root, shipped), listener).bring(path, name)
    if not path.exists():
        raise InvalidInput(f"{path}: expected a folder or file, found none", remedy=("请检查路径", "Check the path"))
    return bring(
        store.root, path, name=name or "", language=language, licence=licence, taken=tuple(shipped), listener=listener
    )


def told(made: Installed) -> None:
    """Say what was installed, with its hash and licence, and what to do next."""
    manifest, record = made.manifest, made.record
    typer.echo(
        f"{manifest.name}: 已安装 / installed "
        f"({record.kind}, {'+'.join(record.languages)}, {manifest.size / 1e6:.1f} MB)\n"
        f"  sha256 {manifest.digest}, 许可证 / licence: {manifest.licence}"
    )
    for chinese, english in made.warnings:
        typer.echo(f"  ! {chinese} / {english}", err=True)
    typer.echo("  → 几秒后开始使用，也可启动服务 / It serves some seconds from now, or start it: appliance serve")
