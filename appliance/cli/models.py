"""`appliance models list | pull | verify | import | remove`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.cells import set_cell_size
from rich.console import Console

from appliance.app.derive import backends_here, derive, prepare
from appliance.artifacts.derived import network_path
from appliance.artifacts.imported import load_imported
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.pull import Outcome, Puller
from appliance.artifacts.store import CACHE, ModelStore, State
from appliance.cli import importing
from appliance.cli.attempts import failed_lately, is_offline, is_optional, remember
from appliance.cli.exits import Exit
from appliance.cli.options import AsJson, Config, settings
from appliance.cli.outcomes import WORDS, facts, print_json, report, say
from appliance.cli.progress import Display
from appliance.errors import ApplianceError, BackendFailed, GateRefused, ModelCorrupt, ModelMissing
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


@app.command("list")
def list_models(config: Config = None, as_json: AsJson = False) -> None:
    """列出模型及其状态 / List the models of this version and whether they are installed and whole."""
    with Display(_stderr()) as display:
        store = _store(config, display)
        states = {name: _state(store, name) for name in store.manifests}
    outdated = store.outdated()
    if as_json:
        rows = [facts(store, name) | {"state": s.state, "detail": s.detail} for name, s in states.items()]
        print_json({"root": str(store.root), "models": rows, "outdated": [str(path) for path in outdated]})
        return
    for name, state in states.items():
        manifest = store.manifest(name)
        mark = "" if manifest.default else " *"
        cells = (
            set_cell_size(name, 18),
            set_cell_size(WORDS[state.state] + mark, 24),
            f"{manifest.size / 1e6:6.1f} MB",
        )
        say("".join([*cells, "  ", set_cell_size(manifest.licence, 12), f"{manifest.title_zh} / {manifest.title_en}"]))
    say(f"* 可选 / optional\n目录 / folder: {store.root}")
    for state in states.values():
        if state.state == "corrupt":
            say(state.detail)
    if outdated:
        say(f"旧版本 / other versions: {len(outdated)} (appliance models remove --old)")


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
            if once and failed_lately(store, name):
                outcomes.append(Outcome(name, "skipped", {}))
                continue
            outcomes.append(_derive(store, puller.pull(name), display, every_precision))
            remember(store, outcomes[-1])
    tolerated = {
        one.name
        for one in outcomes
        if not names and not everything and is_optional(store.manifest(one.name)) and is_offline(one.error)
    }
    report(store, outcomes, as_json, tolerated | _undone(outcomes))


@app.command()
def verify(names: Names = None, config: Config = None, as_json: AsJson = False) -> None:
    """校验已安装的模型 / Hash every file of installed models again.

    Without names: all models; one that is not marked default may be missing.
    """
    with Display(_stderr()) as display:
        store = _store(config, display)
        outcomes = [_verified(store, name) for name in _chosen(store, names, everything=True)]
    tolerated = {one.name for one in outcomes if one.result == "missing" and not names}
    report(store, outcomes, as_json, {name for name in tolerated if not store.manifest(name).default})


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
        report(store, outcomes, as_json, {one.name for one in outcomes if one.result == "partial"} | _undone(outcomes))
    store = _store(config, Display(_stderr()))
    if as_json:
        known = facts(store, made.manifest.name) | {"result": "installed", "recogniser": made.record.kind}
        warnings = [{"zh": chinese, "en": english} for chinese, english in made.warnings]
        print_json({"root": str(store.root), "models": [known | {"warnings": warnings}], "exit": int(Exit.OK)})
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
        print_json({"removed": freed})
        return
    for what, size in freed.items():
        say(f"{what}: {WORDS['removed']} ({size / 1e6:.1f} MB)")


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


def _stderr() -> Console:
    return Console(stderr=True)
