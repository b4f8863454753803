"""ONNX Runtime's options, measured side by side on what the appliance does with them: reading pages.

`python -m benchmarks.runtime [--rounds N] [--only WORD] [--json OUT]` reads the OCR model's own case pages once with
each variant of the options, in a child process of its own, and again N times in turn, so that a busy minute hits all
variants alike. It prints for each the median of CPU seconds, of wall seconds and of the peak of resident memory, each
also as a share of the shipped options, and whether it read the same. Models are never downloaded.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from appliance.artifacts.derived import network_path
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError
from appliance.inference.backend import Backend, Run
from appliance.inference.onnxruntime import GIVES_BACK_EVERY, OnnxRuntimeBackend
from appliance.settings import data_dir, load_settings
from appliance.vision.image import decode
from appliance.vision.reader import Reader
from benchmarks.machine import describe

MODEL = "pp-ocrv6-small"
NETWORKS = ("detector.onnx", "recogniser.topk.onnx", "orientation.onnx")


@dataclass(frozen=True, slots=True)
class Options:
    """One set of options; the defaults are those of appliance/inference/onnxruntime.py."""

    threads: int = 1
    """Threads of one run."""
    spinning: bool = False
    """Idle threads spin."""
    arena: bool = True
    """Memory of a run comes from an arena."""
    gives_back_every: int = GIVES_BACK_EVERY
    """Runs after which the arena's free memory is given back; 0: never."""
    pattern: bool = False
    """Memory of a run is one block, remembered for each shape."""
    optimisation: str = "ORT_ENABLE_ALL"
    """Level of graph optimisation."""


SHIPPED = Options()
VARIANTS = {
    "shipped, 1 thread": SHIPPED,
    "2 threads": replace(SHIPPED, threads=2),
    "2 threads, spinning": replace(SHIPPED, threads=2, spinning=True),
    "no arena": replace(SHIPPED, arena=False, gives_back_every=0),
    "arena given back each run": replace(SHIPPED, gives_back_every=1),
    "arena kept": replace(SHIPPED, gives_back_every=0),
    "memory pattern": replace(SHIPPED, pattern=True),
    "memory pattern, arena kept": replace(SHIPPED, pattern=True, gives_back_every=0),
    "no optimisation": replace(SHIPPED, optimisation="ORT_DISABLE_ALL"),
    "basic optimisation": replace(SHIPPED, optimisation="ORT_ENABLE_BASIC"),
    "extended optimisation": replace(SHIPPED, optimisation="ORT_ENABLE_EXTENDED"),
}


class Variant(OnnxRuntimeBackend):
    """The shipped backend with other options."""

    chosen = SHIPPED

    def _options(self) -> Any:
        options = super()._options()
        levels = self._library.GraphOptimizationLevel
        options.intra_op_num_threads = self.chosen.threads
        if self.chosen.spinning:
            options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        options.enable_cpu_mem_arena = self.chosen.arena
        options.enable_mem_pattern = self.chosen.pattern
        options.graph_optimization_level = getattr(levels, self.chosen.optimisation)
        return options


def child(options: Options) -> dict[str, object]:
    """Load, read every case page twice, measure the second time; runs in a process of its own."""
    import cv2

    cv2.setNumThreads(1)  # so that only ONNX Runtime's threads differ
    manifest = load_manifests(shipped_root())[MODEL]
    store = ModelStore(data_dir(load_settings()) / "models", {MODEL: manifest})
    characters = store.path(MODEL, "characters.txt").read_text("utf-8").removesuffix("\n").split("\n")
    pages = [
        decode(case.path.read_bytes(), max_bytes=1 << 24, max_pixels=40_000_000)
        for case in manifest.cases()
        if case.kind == "page"
    ]
    kind = type("Chosen", (Variant,), {"chosen": options, "gives_back_every": options.gives_back_every})
    with ExitStack() as stack:
        networks = [stack.enter_context(kind(manifest.network(f), network_path(store, MODEL, f))) for f in NETWORKS]
        detect, recognise, orient = map(_run, networks)
        reader = Reader(detect, recognise, orient, characters, name="benchmark")
        for page in pages:
            reader.read(page)
        cpu, wall = time.process_time(), time.perf_counter()
        texts = [reader.read(page).text for page in pages]
        return {
            "cpu_s": time.process_time() - cpu,
            "wall_s": time.perf_counter() - wall,
            "peak_mb": _peak_mb(),
            "texts": texts,
        }


def _peak_mb() -> float:
    (line,) = (x for x in Path("/proc/self/status").read_text("utf-8").splitlines() if x.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


def _run(backend: Backend) -> Run:
    return lambda inputs, /, *, deadline=None: backend.infer(inputs)


def measure(options: Options) -> dict[str, Any]:
    """One child's figures."""
    command = [sys.executable, "-m", "benchmarks.runtime", "--child", json.dumps(asdict(options))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{options}: expected figures, got status {done.returncode}: {done.stderr.strip()[-500:]}")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def summary(runs: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Medians of each variant and their shares of the first one's."""
    rows: list[dict[str, Any]] = []
    for name, figures in runs.items():
        row: dict[str, Any] = {"variant": name, **asdict(VARIANTS[name])}
        for key in ("cpu_s", "wall_s", "peak_mb"):
            row[key] = statistics.median(figure[key] for figure in figures)
            row[f"{key}_share"] = row[key] / (rows[0] if rows else row)[key]
        first = next(iter(runs.values()))[0]["texts"]
        row["same_text"] = all(figure["texts"] == first for figure in figures)
        rows.append(row)
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="measure the variants with this word, and the shipped one")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        try:
            print(json.dumps(child(Options(**json.loads(options.child))), ensure_ascii=False))
        except ApplianceError as error:
            raise SystemExit(f"{error.detail} → {error.remedy}") from error
        return
    names = [name for name in VARIANTS if name.startswith("shipped") or options.only in name]
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for _ in range(max(1, options.rounds)):
        for name in names:
            runs[name].append(measure(VARIANTS[name]))
    rows = summary(runs)
    print(f"{'variant':28}{'CPU s':>8}{'share':>7}{'wall s':>8}{'share':>7}{'peak MB':>9}{'share':>7}  same text")
    for row in rows:
        print(
            f"{row['variant']:28}{row['cpu_s']:8.2f}{row['cpu_s_share']:7.2f}{row['wall_s']:8.2f}"
            f"{row['wall_s_share']:7.2f}{row['peak_mb']:9.0f}{row['peak_mb_share']:7.2f}  {row['same_text']}"
        )
    if options.json:
        written = {"machine": describe(), "rounds": max(1, options.rounds), "variants": rows}
        options.json.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
