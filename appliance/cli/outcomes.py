"""What became of models, told to people or to programs, and the exit code that says it in a number."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NoReturn

import typer

from appliance.artifacts.pull import Outcome
from appliance.artifacts.store import ModelStore
from appliance.cli.exits import Exit, exit_for

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


def facts(store: ModelStore, name: str) -> dict[str, object]:
    """What `--json` says of a model, whether it is installed or not."""
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


def report(store: ModelStore, outcomes: Iterable[Outcome], as_json: bool, tolerated: set[str]) -> NoReturn:
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
        print_json({"root": str(store.root), "models": rows, "exit": int(code)})
        raise typer.Exit(code)
    for one in outcomes:
        optional = (
            " (可选，不影响其他功能 / optional, all else works)"
            if one.error and one.name in tolerated and one.result in ("failed", "missing")
            else ""
        )
        say(f"{one.name}: {WORDS[one.result]}{optional}")
        if one.result == "skipped":
            say(f"  → appliance models pull {one.name}")
        elif one.error and optional:
            say(f"  → {one.error.remedy}")
        elif one.error:
            typer.echo(f"{one.error.message}\n  → {one.error.remedy}", err=True)
    raise typer.Exit(code)


def print_json(value: object) -> None:
    """Print `value` for programs."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def say(line: str) -> None:
    """Print a line for people."""
    typer.echo(line)
