"""`appliance engines build | list | verify | prune`: TensorRT engines of this device."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.cells import set_cell_size
from rich.console import Console

from appliance.app.bundled import root_of, shelf
from appliance.app.engines import Engines
from appliance.app.wanted import Outcome, Wanted, refusal
from appliance.artifacts.engines import EngineEntry, EngineStore
from appliance.bundles.choose import settled
from appliance.cli.building import Building
from appliance.cli.exits import Exit, exit_for
from appliance.cli.options import AsJson, Config, settings
from appliance.errors import ApplianceError, EngineCorrupt, EngineMissing, ModelMissing
from appliance.settings import data_dir

app = typer.Typer(
    help="编译、查看和清理 TensorRT 引擎 / Build, list, check and prune the TensorRT engines of this device.\n\n"
    "Exit codes: 0 done, 1 a build failed or there is no TensorRT or GPU, 2 wrong usage, 3 no such model here, "
    "4 a damaged engine.",
    no_args_is_help=True,
)

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]...", help="模型或网络名 / Names of models or MODEL/NETWORK.")
]

WORDS = {
    "built": "已编译 / built",
    "present": "已有 / there already",
    "refused": "未达标，不使用 / refused by its gate",
    "failed": "失败 / failed",
    "missing": "未编译 / not built",
    "corrupt": "已损坏 / corrupt",
    "ready": "可用 / ready",
    "unknown": "本机无法判断 / not known on this machine",
}


@app.command()
def build(
    names: Names = None,
    again: Annotated[bool, typer.Option("--again", help="重新编译 / Build even what is there.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """编译引擎 / Build the engines of this device, measure each on its model's cases, keep those that pass.

    One after the other: what is there stays, so a build that was interrupted goes on where it ended.
    """
    with Building(_stderr()) as display, _stoppable() as stopped:
        engines = _engines(config, display)
        outcomes: list[Outcome] = []
        missing: list[tuple[Wanted, ApplianceError]] = []
        engines.facts()  # without TensorRT or a GPU one error says so, not one for each network
        wanted = engines.wanted(names or ())
        engines.prepare(wanted, display)
        for number, one in enumerate(wanted):
            if stopped.is_set():
                break
            display.turn(number, len(wanted), one.spec.name, one.precision)
            try:
                outcomes.append(engines.build(one, display, stopped=stopped.is_set, again=again))
            except ModelMissing as error:
                missing.append((one, error))
            except ApplianceError as error:  # with this one: the others have their turn
                outcomes.append(Outcome(one, "failed", error=error))
        removed: tuple[EngineEntry, ...] = ()
        try:
            removed = engines.prune()
        except ApplianceError as error:  # what was built is built, and has to be told
            typer.echo(f"{error.message}\n  → {error.remedy}", err=True)
    _report(outcomes, missing, removed, as_json, stopped.is_set())


@app.command("list")
def list_engines(config: Config = None, as_json: AsJson = False) -> None:
    """列出引擎 / List the engines that this device should have, and what else lies in their folder."""
    engines = _engines(config)
    rows = [_row(engines, one) for one in engines.wanted()]
    try:
        places = {engines.store.home(engines.key(one)) for one in engines.wanted()}
    except ApplianceError:  # without a device nobody knows which are its own
        places = set()
    others = [entry for entry in engines.store.entries() if entry.path not in places]
    if as_json:
        _print_json({"root": str(engines.store.root), "engines": rows, "others": [_facts(entry) for entry in others]})
        return
    for row in rows:
        cells = (set_cell_size(row["network"], 34), set_cell_size(row["precision"], 6), WORDS[row["state"]])
        typer.echo("".join(cells) + (f"  {row['metric']} {row['value']}" if row["metric"] else ""))
    for text in dict.fromkeys(row["detail"] for row in rows if row["detail"]):
        typer.echo(f"  → {text}")
    if others:
        size = sum(entry.bytes for entry in others) / 1e6
        typer.echo(f"其他 / others: {len(others)}, {size:.1f} MB (appliance engines prune)")
    typer.echo(f"目录 / folder: {engines.store.root}")


@app.command()
def verify(config: Config = None, as_json: AsJson = False) -> None:
    """校验引擎 / Hash every engine again and compare it with its sealed record."""
    engines = _engines(config)
    entries = engines.store.entries()
    if as_json:
        _print_json({"root": str(engines.store.root), "engines": [_facts(entry) for entry in entries]})
    else:
        for entry in entries:
            name = entry.path.relative_to(engines.store.root)
            typer.echo(f"{name}: {WORDS['corrupt'] if entry.problem else WORDS['ready']} {entry.problem}".rstrip())
        typer.echo(f"{len(entries)} 个引擎 / engines")
    if any(entry.problem for entry in entries):
        if not as_json:
            typer.echo("  → appliance engines build", err=True)
        raise typer.Exit(Exit.CORRUPT)


@app.command()
def prune(
    limit_mb: Annotated[
        int | None, typer.Option("--limit-mb", min=0, help="保留的兆字节数 / Megabytes to keep (engines_max_mb).")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """清理引擎 / Delete damaged engines, then those not used longest, until the rest fits the limit."""
    engines = _engines(config)
    removed = engines.prune(limit_mb)
    if as_json:
        _print_json({"removed": [_facts(entry) for entry in removed]})
        return
    for entry in removed:
        typer.echo(f"{entry.path.relative_to(engines.store.root)}: 已删除 / removed ({entry.bytes / 1e6:.1f} MB)")


def _engines(config: Config, listener: Building | None = None) -> Engines:
    chosen = settings(config)
    folder = data_dir(chosen)
    bundle = settled(root_of(chosen), hashes=False)  # its models have engines, too
    models = shelf(folder, bundle.folder if bundle is not None else None)[1]
    if listener is None:
        return Engines(EngineStore(folder / "engines"), models, chosen)
    return Engines(EngineStore(folder / "engines", listener), models, chosen)


@contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """An event that Ctrl+C and SIGTERM set: the builder ends at its next step, and nothing is left half done."""
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _row(engines: Engines, one: Wanted) -> dict[str, str]:
    row = {"network": one.spec.name, "precision": one.precision, "metric": "", "value": "", "detail": ""}
    try:
        record = engines.store.find(engines.key(one))[1]
    except EngineMissing:
        return row | {"state": "missing"}
    except EngineCorrupt as error:
        return row | {"state": "corrupt", "detail": error.account}
    except ApplianceError as error:
        return row | {"state": "unknown", "detail": error.account}
    state = "refused" if refusal(one, record) else "ready"
    return row | {"state": state, "metric": record.metric, "value": f"{record.value:.4f}"}


def _facts(entry: EngineEntry) -> dict[str, object]:
    record = entry.record
    return {
        "folder": str(entry.path),
        "network": record.key.network if record else "",
        "precision": record.key.precision if record else "",
        "tensorrt": record.key.tensorrt if record else "",
        "gpu": record.key.gpu if record else "",
        "bytes": entry.bytes,
        "problem": entry.problem,
    }


def _report(
    outcomes: Iterable[Outcome],
    missing: Iterable[tuple[Wanted, ApplianceError]],
    removed: Iterable[EngineEntry],
    as_json: bool,
    stopped: bool,
) -> NoReturn:
    outcomes, missing = list(outcomes), list(missing)
    # A refusal is the gate at work: the next precision or ONNX Runtime serves.
    failed = [one.error for one in outcomes if one.result == "failed" and one.error is not None]
    code = max((exit_for(error) for error in failed), default=Exit.OK)
    code = Exit.FAILED if stopped else code
    if as_json:
        rows = [
            {
                "network": one.wanted.spec.name,
                "precision": one.wanted.precision,
                "result": one.result,
                "metric": one.record.metric if one.record else "",
                "value": one.record.value if one.record else None,
                "bytes": one.record.size if one.record else None,
                "built_s": one.record.built_s if one.record else None,
                "error": one.error.account if one.error else "",
            }
            for one in outcomes
        ]
        absent = [{"network": one.spec.name, "precision": one.precision, "error": e.account} for one, e in missing]
        pruned = [_facts(entry) for entry in removed]
        _print_json({"engines": rows, "models_missing": absent, "removed": pruned, "exit": int(code)})
        raise typer.Exit(code)
    for one in outcomes:
        scored = f"  {one.record.metric} {one.record.value:.4f}" if one.record and one.record.metric else ""
        typer.echo(f"{one.wanted.spec.name} {one.wanted.precision}: {WORDS[one.result]}{scored}")
        if one.error is not None:
            typer.echo(f"  {one.error.message}\n  → {one.error.remedy}", err=True)
    for wanted, error in missing:
        typer.echo(f"{wanted.spec.name} {wanted.precision}: {error.message}\n  → {error.remedy}", err=True)
    if stopped:
        typer.echo("已中断，可再次运行以继续 / interrupted; run it again to go on", err=True)
    raise typer.Exit(code)


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _stderr() -> Console:
    return Console(stderr=True)
