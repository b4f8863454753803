"""The recogniser made for engines beside the one that gives its softmax: same text, how many bytes, what CPU time.

`python -m benchmarks.engines_ocr [--data FOLDER] [--rounds N] [--check] [--json OUT]` reads the OCR model's own cases,
and every picture of FOLDER, with both recognisers in one process on one thread: as it comes (18,710 probabilities a
step, decoded on the host) and as it is prepared at installation (five ids and log-probabilities a step). What both read
is compared picture by picture. Then each strip of text goes through both in turn, N times, first one and then the other
first; CPU time is that of a run and its decoding together, the median of the rounds, summed over all strips.

`--check` exits 1 and names each limit that is missed: a picture read otherwise, outputs less than 500 times smaller, or
more than 1.10 of the CPU time. Models are never downloaded.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.app.senses import OCR_MODEL, RECOGNISER
from appliance.artifacts.derived import network_path
from appliance.artifacts.digest import sha256_of
from appliance.artifacts.manifest import Manifest, load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError
from appliance.inference.arrive import IDS, LOGPROBS, K
from appliance.inference.backend import Run
from appliance.inference.ctc import BLANK, greedy, rivals
from appliance.inference.onnxruntime import OnnxRuntimeBackend
from appliance.settings import data_dir, load_settings
from appliance.specs import ModelSpec, TensorSpec
from appliance.values import Character
from appliance.vision.image import Pixels, decode
from appliance.vision.reader import Reader
from appliance.vision.recognise import alphabet, recognise
from appliance.vision.rectify import strip
from benchmarks.machine import describe

SMALLER, TIME = 500.0, 1.10
"""Least ratio of the bytes of outputs, and most of the CPU time of a step."""

SOFTMAX = "fetch_name_0"
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")

Outputs = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two recognisers."""

    name: str
    """`softmax` or `topk`."""
    run: Run
    """Runs the network."""
    best: Callable[[Outputs], dict[str, npt.NDArray[Any]]]
    """Its outputs as ids and log-probabilities, where it does not give them itself."""

    def read(self, inputs: Outputs, /, *, deadline: float | None = None) -> dict[str, npt.NDArray[Any]]:
        """As the product's recogniser answers."""
        return self.best(self.run(inputs, deadline=deadline))

    def step(self, inputs: Outputs) -> int:
        """One run with all decoding; the bytes that the network gave."""
        outputs = self.run(inputs)
        found = self.best(outputs)
        ids, logprobs = found[IDS][0], found[LOGPROBS][0]
        rivals(ids, logprobs, greedy(ids, logprobs))
        return sum(array.nbytes for array in outputs.values())


def from_softmax(outputs: Outputs) -> dict[str, npt.NDArray[Any]]:
    """The best class of every step of a softmax, and the next four besides the blank where a character is surest.

    This is how the host decoded before the graph did: other steps have no use for more than their best class.
    """
    probabilities = outputs[SOFTMAX][0]
    steps = np.arange(len(probabilities))
    ids = np.zeros((len(steps), K), np.int32)
    odds = np.zeros((len(steps), K), np.float32)
    ids[:, 0] = probabilities.argmax(axis=1)
    odds[:, 0] = probabilities[steps, ids[:, 0]]
    for at in greedy(ids[:, :1], np.log(odds[:, :1])).surest:
        left = probabilities[at].copy()
        left[[BLANK, ids[at, 0]]] = -1
        for column in range(1, K):
            ids[at, column] = left.argmax()
            odds[at, column] = left[ids[at, column]]
            left[ids[at, column]] = -1
    with np.errstate(divide="ignore"):  # columns that nobody looks at
        return {IDS: ids[None], LOGPROBS: np.log(odds)[None]}


def sides(manifest: Manifest, store: ModelStore, stack: ExitStack) -> tuple[Side, Side]:
    """The recogniser as it comes and as it is prepared, both on one thread. Raises ApplianceError."""
    spec, how = manifest.network(RECOGNISER), manifest.prepared[RECOGNISER]
    whole = replace(spec, outputs=(TensorSpec(SOFTMAX, "float32", ("batch", "steps", how.classes)),))
    softmax = _loaded(whole, store.path(manifest.name, how.of), stack)
    topk = _loaded(spec, network_path(store, manifest.name, RECOGNISER), stack)
    return Side("softmax", softmax, from_softmax), Side("topk", topk, dict)


def _loaded(spec: ModelSpec, path: Path, stack: ExitStack) -> Run:
    backend = stack.enter_context(OnnxRuntimeBackend(spec, path, threads=1))
    return lambda inputs, /, *, deadline=None: backend.infer(inputs)


def pictures(manifest: Manifest, folder: Path | None) -> Iterator[tuple[str, Pixels, bool]]:
    """Name, pixels and whether it is a single line: the model's cases, then every picture of `folder`."""
    for case in manifest.cases():
        yield case.path.name, _pixels(case.path), case.kind == "line"
    for path in sorted(folder.iterdir()) if folder else ():
        if path.suffix.lower() in SUFFIXES:
            yield path.name, _pixels(path), False


def _pixels(path: Path) -> Pixels:
    return decode(path.read_bytes(), max_bytes=1 << 25, max_pixels=60_000_000)


def read(image: Pixels, line: bool, reader: Reader, run: Run, classes: Sequence[str]) -> list[Character]:
    """Every character of a picture, lines parted by a line feed, in the order of reading."""
    if line:
        height, width = image.shape[:2]
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        return list(recognise(run, strip(image, corners), classes).characters)
    return [
        character
        for found in reader.read(image).lines
        for character in (*found.characters, Character("\n", found.confidence))
    ]


def timed(pair: Sequence[Side], strips: Sequence[Outputs], rounds: int) -> dict[str, dict[str, float]]:
    """CPU seconds and bytes of each side over all strips."""
    spent: dict[str, list[list[float]]] = {side.name: [[] for _ in strips] for side in pair}
    given = {side.name: 0 for side in pair}
    for number in range(rounds):
        for index, inputs in enumerate(strips):
            for side in pair if (number + index) % 2 else pair[::-1]:
                began = time.process_time()
                size = side.step(inputs)
                spent[side.name][index].append(time.process_time() - began)
                given[side.name] += size if not number else 0
    return {
        name: {"cpu_s": sum(statistics.median(each) for each in of_strips), "bytes": given[name]}
        for name, of_strips in spent.items()
    }


def compare(manifest: Manifest, store: ModelStore, folder: Path | None, rounds: int) -> dict[str, Any]:
    """All figures. Raises ApplianceError when a model is not installed."""
    import cv2

    cv2.setNumThreads(1)
    listed = store.path(manifest.name, "characters.txt").read_text("utf-8").removesuffix("\n").split("\n")
    classes, strips = alphabet(listed), list[Outputs]()
    texts: dict[str, tuple[str, str]] = {}
    differences, others, same = [0.0], 0, 0
    with ExitStack() as stack:
        pair = sides(manifest, store, stack)
        detect, orient = (
            _loaded(manifest.network(file), store.path(manifest.name, file), stack)
            for file in ("detector.onnx", "orientation.onnx")
        )

        def kept(inputs: Outputs, /, *, deadline: float | None = None) -> dict[str, npt.NDArray[Any]]:
            strips.append(inputs)
            return pair[1].read(inputs)

        runs: tuple[Run, Run] = (pair[0].read, kept)
        readers = [Reader(detect, run, orient, listed, name="benchmark") for run in runs]
        for name, image, line in pictures(manifest, folder):
            one, two = (read(image, line, *how, classes) for how in zip(readers, runs, strict=True))
            texts[name] = ("".join(c.text for c in one), "".join(c.text for c in two))
            if texts[name][0] == texts[name][1]:
                differences += [abs(a.confidence - b.confidence) for a, b in zip(one, two, strict=True)]
                for a, b in zip(one, two, strict=True):
                    others += bool(a.alternatives)
                    said = [text for text, _ in b.alternatives]
                    same += bool(said) and [text for text, _ in a.alternatives][: len(said)] == said
        figures = timed(pair, strips, rounds)
    softmax, topk = figures["softmax"], figures["topk"]
    return {
        "pictures": len(texts),
        "characters": sum(len(text.replace("\n", "")) for text, _ in texts.values()),
        "strips": len(strips),
        "read_otherwise": {name: pair for name, pair in texts.items() if pair[0] != pair[1]},
        "confidence_difference": max(differences),
        "same_alternatives": same / max(others, 1),
        "sides": figures,
        "bytes_ratio": softmax["bytes"] / topk["bytes"],
        "cpu_ratio": topk["cpu_s"] / softmax["cpu_s"],
        "sha256": {
            "softmax": sha256_of(store.path(manifest.name, manifest.prepared[RECOGNISER].of)),
            "topk": sha256_of(network_path(store, manifest.name, RECOGNISER)),
        },
    }


def missed(found: Mapping[str, Any]) -> list[str]:
    """A sentence for each limit that is missed."""
    wrong = [f"{name}: expected {one!r}, got {two!r}" for name, (one, two) in found["read_otherwise"].items()]
    if found["bytes_ratio"] <= SMALLER:
        wrong.append(f"expected outputs more than {SMALLER:g} times smaller, got {found['bytes_ratio']:.0f}")
    if found["cpu_ratio"] > TIME:
        wrong.append(f"expected at most {TIME} of the CPU time, got {found['cpu_ratio']:.3f}")
    return wrong


def main() -> int:
    """Measure, print, optionally write and check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args()
    manifests = load_manifests(shipped_root())
    store = ModelStore(data_dir(load_settings()) / "models", manifests)
    try:
        found = compare(manifests[OCR_MODEL], store, options.data, max(1, options.rounds))
    except ApplianceError as error:
        raise SystemExit(f"{error.message}\n  → {error.remedy}") from error
    print(f"{found['pictures']} pictures, {found['strips']} strips, {found['characters']} characters: ", end="")
    print(f"{len(found['read_otherwise'])} pictures read otherwise; ", end="")
    print(f"confidences differ by at most {found['confidence_difference']:.1e}, ", end="")
    print(f"{found['same_alternatives']:.1%} of the characters have the same alternatives")
    for name, row in found["sides"].items():
        print(f"{name:8} {row['cpu_s']:8.2f} s CPU {row['bytes'] / 1e6:10.3f} MB of outputs")
    print(f"outputs {found['bytes_ratio']:.0f} times smaller (limit {SMALLER:g}), ", end="")
    print(f"{found['cpu_ratio']:.3f} of the CPU time (limit {TIME})")
    if options.json:
        written = {"machine": describe(), "rounds": max(1, options.rounds), **found}
        options.json.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", "utf-8")
    wrong = missed(found)
    for sentence in wrong if options.check else ():
        print(f"FAIL: {sentence}")
    return int(options.check and bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
