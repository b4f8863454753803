"""Recognition on a folder of recordings: `python -m benchmarks.speech --data DIR [--check]`.

Every recogniser that `--recogniser` names (default: what is installed here; benchmarks/speech/ears.py says how to name
others) hears every recording of DIR as the appliance does, on each number of threads of `--threads`, in a process of
its own. Told are the character error rate (numbers and punctuation normalised: benchmarks/speech/score.py), the
real-time factor of recognising, of all stages and of the CPU, memory and the time to load. Where a recogniser streams,
`--paced` recordings are also fed as fast as they are spoken, which says how late words and transcripts are
(benchmarks/speech/latency.py). `--noise` sweeps noise at signal-to-noise ratios in decibels. What DIR may hold stands
in benchmarks/speech/truth.py.

`--check` exits 1 and names each limit that is missed: the real-time factor on one thread (`--max-rtf`), the transcript
more than 400 ms (p50) or 800 ms (p95) after the last sample, streamed sound with 2 points more errors than whole
recordings, and, where `--max-cer` gives one, the character error rate. AISHELL's training speakers are no fair test of
a recogniser that was trained on them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from benchmarks.machine import describe
from benchmarks.ocr.sides import ROOT
from benchmarks.speech import child, ears, noise, report, truth

WIDTH = 160
"""Columns of the table where there is no terminal."""


def run(arguments: argparse.Namespace, at: Callable[[str], None]) -> dict[str, Any]:
    """Measure all and sum up; `at` hears how far it is."""
    clips, without = truth.clips(arguments.data, language=arguments.language, limit=arguments.limit)
    noises = [(kind, snr_db) for kind in arguments.noises for snr_db in arguments.noise]
    results = []
    for spec in arguments.recogniser or [ears.INSTALLED]:
        for language in dict.fromkeys(clip.language for clip in clips):
            spoken = [(str(clip.path.resolve()), clip.text) for clip in clips if clip.language == language]
            for threads in arguments.threads:
                job = child.Job(spec, language, threads, spoken, arguments.paced, noises, not arguments.no_vad)
                found = measured(job, lambda what, name=f"{spec} {language} x{threads}": at(f"{name}: {what}"))
                found["totals"] = report.totals(found)
                results.append(found)
    digest = hashlib.sha256()
    for clip in clips:
        digest.update(clip.path.read_bytes() + clip.text.encode("utf-8"))
    data = {"folder": arguments.data.resolve().name, "clips": len(clips), "without_transcript": without}
    limits = report.Limits(rtf=arguments.max_rtf, cer=arguments.max_cer)
    told = {name: getattr(limits, name) for name in ("rtf", "end_p50_ms", "end_p95_ms", "cer")}
    return {
        "machine": describe(),
        "data": data | {"sha256": digest.hexdigest()},
        "limits": told,
        "recognisers": results,
    }


def measured(job: child.Job, at: Callable[[str], None]) -> dict[str, Any]:
    """Run a job in a process of its own. Ends the program with its words when it fails."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.speech.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
        encoding="utf-8",
    )
    if process.stdin is None or process.stdout is None:
        raise SystemExit("expected pipes to the process that recognises, got none")
    with process:
        process.stdin.write(child.as_json(job))
        process.stdin.close()
        for line in process.stdout:
            said = json.loads(line)
            if "result" in said:
                found: dict[str, Any] = said["result"]
                return found
            at(said["at"])
    raise SystemExit(f"{job.spec}: expected a result, got an end with {process.returncode}; its words stand above")


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print, optionally write, draw and check."""
    arguments = _arguments(words)
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("recognising", total=None)
        result = run(arguments, lambda what: progress.update(task, description=what))
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    report.table(result["recognisers"], console)
    if result["data"]["without_transcript"]:
        print(f"{result['data']['without_transcript']} recordings have no transcript and were left out")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    if arguments.plots:
        from benchmarks.speech.plots import draw

        draw(result["recognisers"], arguments.plots)
    wrong = report.missed(result["recognisers"], report.Limits(rtf=arguments.max_rtf, cer=arguments.max_cer))
    for sentence in wrong:
        print(f"FAIL: {sentence}")
    return int(arguments.check and bool(wrong))


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speech", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of WAV files with transcripts")
    parser.add_argument(
        "--recogniser", action="append", metavar="SPEC", help="installed, model:NAME, vosk:FOLDER, factory:MODULE:NAME"
    )
    parser.add_argument("--language", choices=["zh", "en"], default="", help="only recordings in this language")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="at most N recordings")
    parser.add_argument("--threads", type=_threads, default=[1], metavar="N,N", help="threads of networks; default 1")
    parser.add_argument(
        "--paced", type=int, default=10, metavar="N", help="recordings fed as fast as spoken; default 10"
    )
    parser.add_argument("--noise", type=_decibels, default=[], metavar="DB,DB", help="ratios to sweep, as in 20,10,5,0")
    parser.add_argument("--noises", type=_kinds, default=list(noise.KINDS), metavar="KIND,KIND", help="pink, babble")
    parser.add_argument(
        "--no-vad", action="store_true", help="recognise whole recordings, without finding speech first"
    )
    parser.add_argument("--max-rtf", type=float, default=report.Limits().rtf, help="limit of --check; default 0.1")
    parser.add_argument("--max-cer", type=float, help="limit of --check; default: none, whatever it is")
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write speech-*.png there")
    parser.add_argument("--check", action="store_true")
    return parser.parse_args(words)


def _threads(text: str) -> list[int]:
    found = [int(part) for part in text.split(",")]
    if min(found) < 1:
        raise argparse.ArgumentTypeError(f"expected whole numbers of at least 1, got {text}")
    return found


def _decibels(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _kinds(text: str) -> list[str]:
    found = text.split(",")
    unknown = [kind for kind in found if kind not in noise.KINDS]
    if unknown:
        raise argparse.ArgumentTypeError(f"expected {' or '.join(noise.KINDS)}, got {unknown[0]}")
    return found


if __name__ == "__main__":
    sys.exit(main())
