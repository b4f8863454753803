"""Prints the task metric of every shipped network on its recorded cases, as the cards quote them and gates demand.

    python -m export.measure [--data-dir DIR]

Deliberately plain, ONNX Runtime on one core and no product code around the network, so that it measures the file and
not the pipeline. Exits 1 when a network is below the threshold in its manifest.
"""

from __future__ import annotations

import argparse
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from appliance.artifacts.cases import Case
from appliance.artifacts.manifest import Manifest, load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.inference.onnxruntime import library
from appliance.language import gate
from appliance.settings import data_dir, load_settings

Floats = npt.NDArray[np.float32]


def measure(store: ModelStore, manifest: Manifest) -> dict[str, float]:
    """Value of each gate's metric: file path to a number from 0 to 1."""
    onnxruntime = library()
    metrics: dict[str, Callable[[Any, Manifest, ModelStore], float]] = {
        "box_f1": _box_f1,
        "exact_lines": _exact_lines,
        "accuracy": _turned,
        "frame_agreement": _frames,
        gate.INTENT_ACCURACY: _language(gate.intent_accuracy),
        gate.MENTION_F1: _language(gate.mention_f1),
    }
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    values = {}
    for file, spec in manifest.networks.items():
        if spec.gate is not None:
            path = str(store.path(manifest.name, file))
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            values[file] = metrics[spec.gate.metric](session, manifest, store)
    return values


def _language(metric: Callable[..., float]) -> Callable[[Any, Manifest, ModelStore], float]:
    """A metric of `appliance.language.gate`: what a sentence becomes on its way in is the network's definition."""

    def value(session: Any, manifest: Manifest, store: ModelStore) -> float:
        names = [output.name for output in session.get_outputs()]
        cases = [sample for case in _of(manifest, "sentences") for sample in gate.samples(case.path)]

        def run(inputs: Any, /, *, deadline: float | None = None) -> dict[str, Any]:
            return dict(zip(names, session.run(names, inputs), strict=True))

        return metric(run, store.folder(manifest.name), cases)

    return value


def _box_f1(session: Any, manifest: Manifest, store: ModelStore) -> float:
    """Harmonic mean of lines found and of marks that are on a line, on pages at most 960 pixels long.

    A line is found when half of the middle half of its height is above 0.3 (the map is trained to be narrower than the
    line); a mark is a pixel above 0.3.
    """
    found, marked, right = [], 0, 0
    for case in _of(manifest, "page"):
        image = Image.open(case.path).convert("RGB")
        scale = min(1.0, 960 / max(image.size))
        width, height = (max(32, round(side * scale / 32) * 32) for side in image.size)
        pixels = np.asarray(image.resize((width, height)), np.float32)[..., ::-1] / 127.5 - 1
        text = session.run(None, {"x": np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])})[0][0, 0] > 0.3
        ratio = np.array([width / image.width, height / image.height])
        inside = Image.new("1", (width, height))
        for line in case.truth["lines"]:
            ImageDraw.Draw(inside).polygon(_polygon(np.array(line["box"]) * ratio), fill=1)
            core = Image.new("1", (width, height))
            ImageDraw.Draw(core).polygon(_polygon(_core(line["box"]) * ratio), fill=1)
            found.append(text[np.asarray(core)].mean() >= 0.5)
        marked += int(text.sum())
        right += int((text & np.asarray(inside)).sum())
    recall, precision = float(np.mean(found)), right / max(marked, 1)
    return 2 * recall * precision / max(recall + precision, 1e-9)


def _polygon(corners: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in corners]


def _core(box: list[list[float]]) -> npt.NDArray[np.float64]:
    """Middle half of the height of a line, (4, 2)."""
    a, b, c, d = np.array(box)
    return np.array([0.75 * a + 0.25 * d, 0.75 * b + 0.25 * c, 0.25 * b + 0.75 * c, 0.25 * a + 0.75 * d])


def _line(path: Path, width: int | None = None) -> Floats:
    """A line picture as (1, 3, 48, W): natural width, or fitted into `width` and padded with zeros."""
    image = Image.open(path).convert("RGB")
    natural = max(8, round(image.width * 48 / image.height))
    fitted = natural if width is None else min(natural, width)
    pixels = np.asarray(image.resize((fitted, 48)), np.float32)[..., ::-1] / 127.5 - 1
    padded = np.zeros((1, 3, 48, fitted if width is None else width), np.float32)
    padded[0, :, :, :fitted] = pixels.transpose(2, 0, 1)
    return padded


def _exact_lines(session: Any, manifest: Manifest, store: ModelStore) -> float:
    """Share of upright lines read without a single wrong character (spaces aside), greedy CTC."""
    listed = store.path(manifest.name, "characters.txt").read_text("utf-8").removesuffix("\n").split("\n")
    alphabet = ["", *listed, " "]
    right = []
    for case in _of(manifest, "line"):
        if not case.truth["turned"]:
            best = session.run(None, {"x": _line(case.path)})[0][0].argmax(axis=1)
            kept = [c for n, c in enumerate(best) if c != 0 and (n == 0 or c != best[n - 1])]
            read = "".join(alphabet[c] for c in kept)
            right.append(_bare(read) == _bare(case.truth["text"]))
    return float(np.mean(right))


def _bare(text: str) -> str:
    """Without spaces, and with ASCII punctuation: the full width of a colon cannot be seen."""
    return text.replace(" ", "").replace("：", ":").replace("，", ",")


def _turned(session: Any, manifest: Manifest, store: ModelStore) -> float:
    """Share of lines whose direction is recognised."""
    lines = _of(manifest, "line")
    return float(
        np.mean([session.run(None, {"x": _line(c.path, 192)})[0][0].argmax() == c.truth["turned"] for c in lines])
    )


def _frames(session: Any, manifest: Manifest, store: ModelStore) -> float:
    """Share of 32 ms frames that are on the right side of 0.5."""
    agreed = []
    for case in _of(manifest, "clip"):
        with wave.open(str(case.path)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
        frames = samples[: len(samples) // 512 * 512].reshape(-1, 512)
        before = np.vstack([np.zeros((1, 64), np.float32), frames[:-1, -64:]])
        rest = np.zeros((1, 1, 128), np.float32)
        speech = session.run(None, {"input": np.hstack([before, frames]), "h": rest, "c": rest})[0] > 0.5
        middle = (np.arange(len(frames)) + 0.5) * 512 / case.truth["rate"]
        truth = np.zeros(len(frames), bool)
        for start, end in case.truth["speech"]:
            truth |= (middle >= start) & (middle < end)
        agreed.append(speech == truth)
    return float(np.concatenate(agreed).mean())


def _of(manifest: Manifest, kind: str) -> list[Case]:
    return [case for case in manifest.cases() if case.kind == kind]


def main() -> None:
    """Print a table of network, metric, value, threshold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    options = parser.parse_args()
    root = (options.data_dir or data_dir(load_settings())) / "models"
    store = ModelStore(root, load_manifests(shipped_root()))
    failed = False
    for manifest in store.manifests.values():
        for file, value in measure(store, manifest).items():
            limit = manifest.network(file).gate
            if limit is not None:
                failed |= value < limit.threshold
                print(f"{manifest.name}/{file}: {limit.metric} {value:.4f} (threshold {limit.threshold})")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
