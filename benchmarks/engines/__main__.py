"""Engines: every network in every precision on every backend at every shape of its profiles.

`python -m benchmarks.engines [--networks NAME...] [--backends NAME...] [--rounds N] [--seconds S] [--threads N]
[--out FOLDER] [--check]` loads each installed network on TensorRT, ONNX Runtime on CUDA and ONNX Runtime on the CPU, in
each precision that the appliance would serve there, every row in a process of its own. The rows of one network take
turns shape by shape, so that they can be compared within the run. Measured are p50, p90 and p99 of a run, runs a second
one after the other, memory added, time to load, first run and, by the gate that guards the product, the task metric;
on a board with power rails also milliwatts and joules of a run in the power mode that is set, with clocks and
temperatures before and after. Without them these figures are null. --out gets engines.json, engines.png, engines.md;
`python -m benchmarks.report` merges the JSON of several boards.

`--check` exits 1 and names each row that should be measured on this machine and is not, each metric below its gate and
percentiles out of order. TensorRT engines are not built here: `appliance engines build` does that before. Models are
never downloaded.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from appliance.app.engines import Engines
from appliance.app.wanted import Wanted
from appliance.artifacts.engines import EngineStore
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError
from appliance.settings import data_dir, load_settings
from benchmarks.engines.measure import Options, rows_of, turns
from benchmarks.engines.plan import BACKENDS, networks, refusals, subjects
from benchmarks.engines.result import SCHEMA, missed
from benchmarks.engines.table import markdown
from benchmarks.machine import describe
from benchmarks.rails import Sampler, counted, mean_milliwatts, power_mode, rails, snapshot

IDLE_S = 3.0
"""Seconds in which a board's power is taken before anything runs."""


def run(arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Measure all. Raises ApplianceError for a name that no network has."""
    settings = load_settings()
    folder = data_dir(settings)
    models = ModelStore(folder / "models", load_manifests(arguments.manifests))
    engines = Engines(EngineStore(folder / "engines"), models, settings, root=arguments.root)
    refusal = refusals(engines, arguments.root)
    options = Options(arguments.rounds, arguments.seconds, arguments.threads, arguments.root)
    chosen = [
        (network, subjects(engines, models, network, arguments.backends))
        for network in networks(engines, models, arguments.networks)
    ]
    task = progress.add_task("", total=sum(turns(network.spec, options) * len(rows) for network, rows in chosen))
    load = os.getloadavg()[0]
    power = _rails(options)
    rows: list[dict[str, Any]] = []
    listed: dict[str, Any] = {}
    for network, of_network in chosen:
        before = snapshot(options.root)
        rows += rows_of(
            network.spec,
            of_network,
            refusal,
            arguments.manifests,
            options,
            lambda what: progress.update(task, advance=1, description=what),
        )
        listed[network.spec.name] = _model(models, network) | {
            "before": asdict(before),
            "after": asdict(snapshot(options.root)),
        }
    return {
        "schema": SCHEMA,
        "machine": {**describe(), **_gpu(engines), "power_mode": power_mode(options.root)},
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **{name: getattr(options, name) for name in ("rounds", "seconds", "threads")},
        "load_before": round(load, 1),
        "rails": power,
        "networks": listed,
        "rows": rows,
    }


def _rails(options: Options) -> dict[str, Any] | None:
    """The rails that count and what they say while nothing runs; None without rails."""
    found = counted(rails(options.root))
    if not found:
        return None
    with Sampler(options.root) as sampler:
        time.sleep(min(IDLE_S, 10 * options.seconds))
    idle = mean_milliwatts(sampler.samples)
    return {"of": [rail.name for rail in found], "idle_mw": idle and round(idle)}


def _model(models: ModelStore, network: Wanted) -> dict[str, Any]:
    """Model and hash of the file that the network is, or is prepared of."""
    manifest = models.manifest(network.model)
    prepared = manifest.prepared.get(network.file)
    entry = manifest.file(prepared.of if prepared else network.file)
    return {"model": f"{manifest.name}@{manifest.digest}", "onnx": entry.sha256}


def _gpu(engines: Engines) -> Mapping[str, str]:
    """What engines here are tied to; `none` where there are none."""
    try:
        facts = engines.facts()
    except ApplianceError:
        return {"gpu": "none", "capability": "none"}
    return {"gpu": facts.gpu, "capability": facts.capability, "tensorrt": facts.tensorrt}


def write(result: Mapping[str, Any], folder: Path) -> tuple[Path, ...]:
    """JSON, picture and page; their paths."""
    from benchmarks.engines.plot import draw

    folder.mkdir(parents=True, exist_ok=True)
    paths = tuple(folder / f"engines.{kind}" for kind in ("json", "png", "md"))
    paths[0].write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    draw(result, paths[1])
    paths[2].write_text(markdown(result), "utf-8")
    return paths


def main() -> int:
    """Measure, print, optionally write and check."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engines", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", default=(), metavar="NAME", help="MODEL or MODEL/NETWORK; default all")
    parser.add_argument("--backends", nargs="+", default=BACKENDS, choices=BACKENDS)
    parser.add_argument("--rounds", type=_positive(int), default=3, help="turns of each row; default 3")
    parser.add_argument("--seconds", type=_positive(float), default=0.5, help="of a turn: row, shape and round")
    parser.add_argument("--threads", type=_positive(int), default=1, help="of one ONNX Runtime run; default 1")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write engines.json, engines.png, engines.md there")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--manifests", type=Path, default=shipped_root(), help="folder of manifests; default: shipped")
    parser.add_argument("--root", type=Path, default=Path("/"), help="where sysfs is read, for a copied tree")
    arguments = parser.parse_args()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(
            *columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
        ) as progress:
            result = run(arguments, progress)
    except ApplianceError as error:
        raise SystemExit(f"{error.message}\n  → {error.remedy}") from error
    print(markdown(result))
    if arguments.out:
        print("\n".join(f"wrote {path}" for path in write(result, arguments.out)), file=sys.stderr)
    wrong = missed(result)
    for sentence in wrong if arguments.check else ():
        print(f"FAIL: {sentence}")
    return int(arguments.check and bool(wrong))


def _positive(kind: type[int] | type[float]) -> Any:
    def read(text: str) -> float:
        number = kind(text)
        if not number > 0:
            raise argparse.ArgumentTypeError(f"expected more than 0, got {text}")
        return number

    return read


if __name__ == "__main__":
    sys.exit(main())
