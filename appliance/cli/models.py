"""`appliance models list | pull | verify | import | remove`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from rich.cells import set_cell_size
from rich.console import Console

from appliance.app.derive import backends_here, derive, prepare
from appliance.artifacts.derived import network_path
from appliance.artifacts.imported import load_imported
from appliance.artifacts.manifest import Manifest, load_manifests, shipped_root
from appliance.artifacts.pull import Outcome, Puller
from appliance.artifacts.store import CACHE, ModelStore, State
from appliance.cli import importing
from appliance.cli.exits import Exit, exit_for
from appliance.cli.options import AsJson, Config, settings
from appliance.cli.progress import Display
from appliance.errors import ApplianceError, BackendFailed, DownloadFailed, GateRefused, ModelCorrupt, ModelMissing
from appliance.settings import data_dir

app = typer.Typer(
    help="安装、检查和删除模型 / Install, check and remove models.\n\n"
    "Exit codes: 0 done, 1 failed (disk), 2 wrong usage, 3 missing or no source reachable, 4 corrupt.",
    no_args_is_help=True,
)

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="模型名 / Names of models.")]

EveryPrecision = Annotated[
    bool,
    typer.Option("--every-precision", help="也生成本机用不到的精度 / Make precisions that nothing here serves, too."),
]

RETRY_S = 86_400
"""Seconds for which `--once` leaves an optional model alone that could not be had."""

WORDS = {
    "installed": "已安装 / installed",
    "present": "已安装 / installed already",
    "missing": "未安装 / missing",
    "corrupt": "已损坏 / corrupt",
    "partial": "不完整 / incomplete",
    "failed": "失败 / failed",
    "skipped": "未安装，今天已尝试过 / not installed, tried today already",
    "removed": "已删除 / removed",
}


@app.command("list")
def list_models(config: Config = None, as_json: AsJson = False) -> None:
    """列出模型及其状态 / List the models of this version and whether they are installed and whole."""
    with Display(_stderr()) as display:
        store = _store(config, display)
        states = {name: _state(store, name) for name in store.manifests}
    outdated = store.outdated()
    if as_json:
        rows = [_facts(store, name) | {"state": s.state, "detail": s.detail} for name, s in states.items()]
        _print_json({"root": str(store.root), "models": rows, "outdated": [str(path) for path in outdated]})
        return
    for name, state in states.items():
        manifest = store.manifest(name)
        mark = "" if manifest.default else " *"
        cells = (
            set_cell_size(name, 18),
            set_cell_size(WORDS[state.state] + mark, 24),
            f"{manifest.size / 1e6:6.1f} MB",
        )
        _say("".join([*cells, "  ", set_cell_size(manifest.licence, 12), f"{manifest.title_zh} / {manifest.title_en}"]))
    _say(f"* 可选 / optional\n目录 / folder: {store.root}")
    for state in states.values():
        if state.state == "corrupt":
            _say(state.detail)
    if outdated:
        _say(f"旧版本 / other versions: {len(outdated)} (appliance models remove --old)")


@app.command()
def pull(
    names: Names = None,
    everything: Annotated[bool, typer.Option("--all", help="全部模型 / Every model, those marked manual too.")] = False,
    folder: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="先在此目录中查找 / Look for wheels, zips and files in DIR first."),
    ] = None,
    once: Annotated[
        bool,
        typer.Option("--once", help="一天内失败过的可选模型不再尝试 / Skip optional ones that failed within a day."),
    ] = False,
    every_precision: EveryPrecision = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """下载并安装模型 / Download and install models.

    Without names: those marked default, which must succeed, and those marked optional, which are tried.
    """
    with Display(_stderr()) as display:
        store = _store(config, display)
        chosen = _chosen(store, names, everything)
        puller = Puller(store, display, folder=folder)
        outcomes = []
        for name in chosen:
            if once and _failed_lately(store, name):
                outcomes.append(Outcome(name, "skipped", {}))
                continue
            outcomes.append(_derive(store, puller.pull(name), display, every_precision))
            _remember(store, outcomes[-1])
    tolerated = {
        one.name
        for one in outcomes
        if not names and not everything and _is_optional(store.manifest(one.name)) and _is_offline(one.error)
    }
    _report(store, outcomes, as_json, tolerated | _undone(outcomes))


@app.command()
def verify(names: Names = None, config: Config = None, as_json: AsJson = False) -> None:
    """校验已安装的模型 / Hash every file of installed models again.

    Without names: all models; one that is not marked default may be missing.
    """
    with Display(_stderr()) as display:
        store = _store(config, display)
        outcomes = [_verified(store, name) for name in _chosen(store, names, everything=True)]
    tolerated = {one.name for one in outcomes if one.result == "missing" and not names}
    _report(store, outcomes, as_json, {name for name in tolerated if not store.manifest(name).default})


@app.command("import")
def import_models(
    path: Annotated[Path, typer.Argument(help="wheel、压缩包、文件或目录 / A wheel, archive, file, or folder.")],
    name: Annotated[
        str | None, typer.Option("--name", help="模型名 / Import for this model only, or what to call a new one.")
    ] = None,
    language: Annotated[
        Literal["zh", "en"] | None, typer.Option("--language", help="识别的语言 / What a recogniser hears: zh or en.")
    ] = None,
    licence: Annotated[
        str, typer.Option("--licence", metavar="SPDX", help="许可证 / Licence of a recogniser, to be recorded.")
    ] = "",
    every_precision: EveryPrecision = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """从本地文件导入模型 / Install models from files brought by hand.

    Files of known models are recognised by sha256; one whose model still lacks others is kept for the next import or
    pull. Anything else has to be a recogniser: a Vosk folder or zip, SenseVoice or zipformer-CTC as FunASR or
    sherpa-onnx exports them, or a wav2vec2-CTC as ONNX. Its hashes and licence are recorded beside it.
    """
    with Display(_stderr()) as display:
        store = _store(config, display)
        made = importing.brought(store, path, name, language or "", licence, display)
        if isinstance(made, tuple):
            outcomes = [_derive(store, one, display, every_precision) for one in made]
    if isinstance(made, tuple):
        _report(store, outcomes, as_json, {one.name for one in outcomes if one.result == "partial"} | _undone(outcomes))
    store = _store(config, Display(_stderr()))
    if as_json:
        facts = _facts(store, made.manifest.name) | {"result": "installed", "recogniser": made.record.kind}
        warnings = [{"zh": chinese, "en": english} for chinese, english in made.warnings]
        _print_json({"root": str(store.root), "models": [facts | {"warnings": warnings}], "exit": int(Exit.OK)})
        return
    importing.told(made)


@app.command()
def remove(
    names: Names = None,
    old: Annotated[bool, typer.Option("--old", help="旧版本 / Other versions than this program's.")] = False,
    cache: Annotated[bool, typer.Option("--cache", help="下载缓存 / Downloaded wheels and parts.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """删除模型 / Remove models (all their versions), other versions, or the cache."""
    store = _store(config, Display(_stderr()))
    if not (names or old or cache):
        raise typer.BadParameter("expected NAME, --old or --cache")
    for name in names or []:  # know them all before the first is gone
        store.manifest(name)
    freed = {name: store.remove(name) for name in names or []}
    if old:
        freed |= {str(path.relative_to(store.root)): store.discard(path) for path in store.outdated()}
    if cache and (store.root / CACHE).is_dir():
        freed[CACHE] = store.discard(store.root / CACHE)
    if as_json:
        _print_json({"removed": freed})
        return
    for what, size in freed.items():
        _say(f"{what}: {WORDS['removed']} ({size / 1e6:.1f} MB)")


def _store(config: Path | None, display: Display) -> ModelStore:
    root = data_dir(settings(config)) / "models"
    imported, problems = load_imported(root)
    for problem in problems:
        typer.echo(f"{problem.message}\n  → {problem.remedy}", err=True)
    return ModelStore(root, imported | load_manifests(shipped_root()), display)


def _chosen(store: ModelStore, names: list[str] | None, everything: bool) -> list[str]:
    if names:
        return [store.manifest(name).name for name in dict.fromkeys(names)]
    return [name for name, manifest in store.manifests.items() if everything or manifest.install != "manual"]


def _state(store: ModelStore, name: str) -> State:
    """Whether `name` is usable: its own files, and the networks that are prepared of them."""
    try:
        for file in store.manifest(name).prepared:
            network_path(store, name, file)
    except ModelMissing as error:
        return State("missing", error.detail)
    except ModelCorrupt as error:
        return State("corrupt", error.detail)
    return store.state(name)


def _verified(store: ModelStore, name: str) -> Outcome:
    try:
        store.verify(name, again=True)
        for file in store.manifest(name).prepared:
            network_path(store, name, file)
    except ApplianceError as error:
        return Outcome(name, "missing" if isinstance(error, ModelMissing) else "corrupt", {}, error)
    return Outcome(name, "installed", {})


def _derive(store: ModelStore, outcome: Outcome, display: Display, everything: bool) -> Outcome:
    """The outcome after making what is made of an installed model; the error says what could not be made.

    Without one of its prepared networks a model is of no use: that one failed.
    """
    if outcome.error:
        return outcome
    try:
        prepare(store, outcome.name, display)
    except ApplianceError as error:
        return replace(outcome, result="failed", error=error)
    try:
        derive(store, outcome.name, display, None if everything else backends_here())
    except ApplianceError as error:
        return replace(outcome, error=error)
    return outcome


def _undone(outcomes: Iterable[Outcome]) -> set[str]:
    """Models of which another precision could not be made here: the file itself serves, so this fails nothing."""
    refused = (GateRefused, BackendFailed)
    return {one.name for one in outcomes if one.result != "failed" and isinstance(one.error, refused)}


def _attempt_of(store: ModelStore, name: str) -> Path:
    """Empty file whose time says when this version of a model could not be had."""
    return store.root / CACHE / f"failed-{name}-{store.manifest(name).digest}"


def _failed_lately(store: ModelStore, name: str) -> bool:
    """True for an optional model that is not installed and could not be had within RETRY_S."""
    if not _is_optional(store.manifest(name)) or store.state(name).state == "installed":
        return False
    try:
        age = time.time() - _attempt_of(store, name).stat().st_mtime
    except OSError:
        return False
    return 0 <= age < RETRY_S


def _remember(store: ModelStore, outcome: Outcome) -> None:
    """Note a failure for `--once`. Without a disk to write on there is nothing to note it with, and no harm."""
    with suppress(OSError):
        if _is_offline(outcome.error):
            _attempt_of(store, outcome.name).touch()
        else:
            _attempt_of(store, outcome.name).unlink(missing_ok=True)


def _is_optional(manifest: Manifest) -> bool:
    return manifest.install == "optional"


def _is_offline(error: ApplianceError | None) -> bool:
    return isinstance(error, DownloadFailed)


def _facts(store: ModelStore, name: str) -> dict[str, object]:
    manifest = store.manifest(name)
    return {
        "name": name,
        "digest": manifest.digest,
        "kind": manifest.kind,
        "install": manifest.install,
        "title_zh": manifest.title_zh,
        "title_en": manifest.title_en,
        "licence": manifest.licence,
        "attribution": manifest.attribution,
        "page": manifest.page,
        "bytes": manifest.size,
        "folder": str(store.home(name)),
        "files": [{"path": e.path, "sha256": e.sha256, "bytes": e.size} for e in manifest.files],
        "prepared": sorted(manifest.prepared),
    }


def _report(store: ModelStore, outcomes: Iterable[Outcome], as_json: bool, tolerated: set[str]) -> NoReturn:
    """Print what became of each model and exit; an error of a model in `tolerated` does not count."""
    outcomes = list(outcomes)
    code = max((exit_for(o.error) for o in outcomes if o.error and o.name not in tolerated), default=Exit.OK)
    if as_json:
        rows = [
            {
                "name": one.name,
                "result": one.result,
                "folder": str(store.home(one.name)),
                "origins": dict(one.origins),
                "error": {"code": one.error.code, "message": one.error.message, "remedy": one.error.remedy}
                if one.error
                else None,
                "counts": one.name not in tolerated,
            }
            for one in outcomes
        ]
        _print_json({"root": str(store.root), "models": rows, "exit": int(code)})
        raise typer.Exit(code)
    for one in outcomes:
        optional = (
            " (可选，不影响其他功能 / optional, all else works)"
            if one.error and one.name in tolerated and one.result in ("failed", "missing")
            else ""
        )
        _say(f"{one.name}: {WORDS[one.result]}{optional}")
        if one.result == "skipped":
            _say(f"  → appliance models pull {one.name}")
        elif one.error and optional:
            _say(f"  → {one.error.remedy}")
        elif one.error:
            typer.echo(f"{one.error.message}\n  → {one.error.remedy}", err=True)
    raise typer.Exit(code)


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _say(line: str) -> None:
    typer.echo(line)


def _stderr() -> Console:
    return Console(stderr=True)
