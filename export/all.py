"""Exports, quantises, gates and measures every shipped network, without training, and prints the table of them.

    python -m export.all [--models models] [--work var/export] [--data-dir DIR] [--only NAME...] [--no-halves]

Networks that the project trains are rebuilt in PyTorch with the weights of their shipped files and exported anew, which
has to give the same files; those that come as ONNX are checked at several sizes, by onnxslim and on the oldest ONNX
Runtime. Every precision of the manifests is made as on a device and gated on the model's cases, and those that only a
spec names are tried. What is unchanged is taken from WORK: files, cases, code and libraries by their hashes. In the end
engines are built where TensorRT and a GPU are. WORK gets table.md and table.json; the models of MODELS that are not in
the tree have to be installed (`appliance models pull`). Exits 1 when a check fails or a promised file is refused.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from appliance.app.engines import Engines
from appliance.artifacts.engines import EngineStore
from appliance.artifacts.manifest import Manifest, load_manifests
from appliance.artifacts.store import ModelStore
from appliance.cli.building import Building
from appliance.errors import ApplianceError
from appliance.settings import data_dir, load_settings
from export import table
from export.steps import forget, steps
from export.train import stages
from export.variants import Network, mirror

NO_ENGINES = "no TensorRT here: engines are built on the device (appliance engines build)"


def chosen(manifests: dict[str, Manifest], names: Sequence[str]) -> list[tuple[Manifest, str]]:
    """The networks (model's manifest and file) of `names`: MODEL, MODEL/FILE or MODEL/NETWORK; none: all.

    Raises ValueError for a name that no network has.
    """
    found = {
        (manifest.name, f"{manifest.name}/{file}", spec.name): (manifest, file)
        for manifest in manifests.values()
        for file, spec in manifest.networks.items()
    }
    known = {name for group in found for name in group}
    if unknown := sorted(set(names) - known):
        raise ValueError(f"--only: expected names of {', '.join(sorted(known))}, got {', '.join(unknown)}")
    return [one for group, one in found.items() if not names or set(group) & set(names)]


def export_network(network: Network, root: Path, say: Callable[[str], None], *, halves: bool) -> tuple[int, int]:
    """Run the steps of one network in `root`; how many were run and how many were taken as they were.

    Raises whatever a step raises; steps that were finished before stay finished.
    """
    forget(network, root)
    outcomes = stages.run(steps(network, halves=halves), root, lambda line: say(f"{network.name} {line}"))
    taken = sum(outcome.cached for outcome in outcomes)
    return len(outcomes) - taken, taken


def engines_built(engines: Engines, names: Sequence[str], console: Console) -> tuple[list[str], bool]:
    """Build the engines of this device; a line for each, and True when one could not be had.

    One line says so where there is no TensorRT or no GPU.
    """
    try:
        engines.facts()
    except ApplianceError as error:
        return [NO_ENGINES, f"  {error.detail}"], False
    lines, failed = [], False
    with Building(console) as display:
        wanted = [one for one in engines.wanted() if not names or {one.model, f"{one.model}/{one.file}"} & {*names}]
        engines.prepare(wanted, display)
        for number, one in enumerate(wanted):
            display.turn(number, len(wanted), one.spec.name, one.precision)
            try:
                outcome = engines.build(one, display)
            except ApplianceError as error:
                lines.append(f"engine {one.spec.name} {one.precision}: {error.detail}")
                failed = True
                continue
            said = f": {outcome.error.detail}" if outcome.error else ""
            lines.append(f"engine {one.spec.name} {one.precision}: {outcome.result}{said}")
            failed |= outcome.error is not None
    return lines, failed


def run(asked: argparse.Namespace, console: Console) -> int:
    """Do everything; the exit code."""
    settings = load_settings()
    data = asked.data_dir or data_dir(settings)
    manifests = load_manifests(asked.models)
    networks = chosen(manifests, asked.only)
    installed = ModelStore(data / "models", manifests)
    found: list[table.Row] = []
    checked: list[tuple[str, str]] = []
    problems: list[str] = []
    began, ran, taken = time.monotonic(), 0, 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(networks))
        for manifest, file in networks:
            name = f"{manifest.name}/{file}"
            progress.update(task, description=name)
            root = asked.work / manifest.name / Path(file).stem
            try:
                network = Network(manifest, file, mirror(manifest, installed, asked.work / "models"))
                more = export_network(network, root, _say(console), halves=not asked.no_halves)
                found += table.rows(network, root)
                checked += [(name, what) for what in table.checks(network, root)]
                ran, taken = ran + more[0], taken + more[1]
            except Exception as error:  # noqa: BLE001  # whatever it is, the other networks are worth knowing of
                said = f"{error.detail} → {error.remedy}" if isinstance(error, ApplianceError) else str(error)
                problems.append(f"{name}: {type(error).__name__}: {said}")
            progress.advance(task)
    engines = Engines(EngineStore(data / "engines"), installed, settings)
    remarks, failed = engines_built(engines, asked.only, console)
    seconds = time.monotonic() - began
    remarks.append(f"{ran} steps run, {taken} taken as they were, {seconds:.0f} s")
    problems += [f"{row.network} {row.precision}: {row.problem}" for row in found if row.failed]
    write(asked.work, found, checked, [*remarks, *problems])
    print(table.plain(found))
    print(f"\n{table.NOTE}\n")
    for row in found:
        if row.problem and not row.failed:
            print(f"refused, and not promised: {row.network} {row.precision}: {row.problem}")
    for name, what in checked:
        print(f"{name}: {what}")
    print("\n".join(remarks))
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems or failed else 0


def write(work: Path, found: Sequence[table.Row], checked: Sequence[tuple[str, str]], remarks: Sequence[str]) -> None:
    """Write table.md and table.json to `work`."""
    work.mkdir(parents=True, exist_ok=True)
    (work / "table.md").write_text(table.markdown(found, checked, remarks), "utf-8")
    content = {"rows": [asdict(row) for row in found], "checked": checked, "remarks": remarks}
    (work / "table.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _say(console: Console) -> Callable[[str], None]:
    return lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read `arguments`, by default those of the command line, and run."""
    parser = argparse.ArgumentParser(
        prog="python -m export.all", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=Path("models"), help="folder of the manifests (models)")
    parser.add_argument("--work", type=Path, default=Path("var/export"), help="where everything is made (var/export)")
    parser.add_argument("--data-dir", type=Path, help="data folder of the appliance, for models that are not in git")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="MODEL or MODEL/NETWORK; default all")
    parser.add_argument("--no-halves", action="store_true", help="leave out the run of fp16 files in real halves")
    asked = parser.parse_args(arguments)
    # Its exporter warns of every library that it could have used.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    try:
        return run(asked, Console(stderr=True))
    except (ApplianceError, ValueError) as error:
        print(error.account if isinstance(error, ApplianceError) else error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
