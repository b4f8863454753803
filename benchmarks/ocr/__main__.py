"""Reading: quality, CPU time, memory and turned pages, beside a peer with the same weights.

`python -m benchmarks.ocr --data FOLDER [--peer rapidocr] [--check] [--json OUT] [--plots FOLDER]` reads every image of
FOLDER with this project's reader, without and with page orientation, and with the peer (`make peer` installs it), each
in a process and an environment of its own with one thread, image by image in turns. Then every image is turned by 90,
180 and 270 degrees.

`--check` exits 1 and names each limit that is missed: character recall more than 0.2 points below the peer's; CPU time
over 0.75 of the peer's in the median of the images, 0.85 with page orientation; peak resident memory over 450 MB; a
turned image that keeps less than 98 % of the characters read upright; a reading that changes between repeats. Without
the peer, the limits that need one do not apply. Other weights, or another ONNX Runtime, than the peer's are refused.
benchmarks/ocr/score.py says what recall is, benchmarks/ocr/truth.py where truth comes from.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from benchmarks.machine import describe
from benchmarks.ocr import measure, report, sides, truth

WIDTH = 200
"""Columns of the table where there is no terminal."""


def run(arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Measure all and sum up."""
    images = truth.images(arguments.data, arguments.only)
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        running = [stack.enter_context(sides.ours("off")), stack.enter_context(sides.ours("on"))]
        if arguments.peer:
            running.append(stack.enter_context(sides.peer(arguments.peer_python)))
        sides.refuse_unequal(running)
        turning = running[1:]
        rounds = len(images) * (arguments.repeats * len(running) + len(measure.ANGLES) * len(turning))
        task = progress.add_task("reading", total=rounds)

        def done(what: str) -> None:
            progress.update(task, advance=1, description=what)

        answers = measure.interleaved(running, images, arguments.repeats, done)
        after_upright = {side.name: side.peak_mb for side in running}
        turns = measure.turned(turning, images, Path(folder), done)
        said = {
            side.name: side.hello | {"peak_upright_mb": after_upright[side.name], "peak_mb": side.peak_mb}
            for side in running
        }
    listed = []
    for image in images:
        found = {side.name: measure.of_image(image, answers[side.name][image.name]) for side in running}
        for side in turning:
            upright = found[side.name]["lines"]
            found[side.name]["kept"] = measure.kept(upright, turns[side.name][image.name])
        origin = image.truth.origin if image.truth else None
        listed.append({"name": image.name, "sha256": image.sha256, "truth": origin, "sides": found})
    return {
        "machine": describe(),
        "limits": report.LIMITS,
        "repeats": arguments.repeats,
        "sides": said,
        "totals": report.totals(listed, list(said)),
        "images": listed,
    }


def main() -> int:
    """Measure, print, optionally write, draw and check."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ocr", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of images")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="only images whose names match, as in 'sroie_*'")
    parser.add_argument("--peer", choices=["rapidocr"], help="whom to compare with")
    parser.add_argument("--peer-python", type=Path, default=sides.PEER_PYTHON, help="interpreter that has the peer")
    parser.add_argument("--repeats", type=_positive, default=3, help="readings of each upright image; default 3")
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write ocr-*.png there")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        result = run(arguments, progress)
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    report.table(result, console)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1, ensure_ascii=False), "utf-8")
    if arguments.plots:
        from benchmarks.ocr.plots import draw

        draw(result, arguments.plots)
    wrong = report.missed(result)
    for sentence in wrong:
        print(f"FAIL: {sentence}")
    return int(arguments.check and bool(wrong))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {number}")
    return number


if __name__ == "__main__":
    sys.exit(main())
