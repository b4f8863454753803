"""Runs the benchmarks and writes their figures into the README's table (`make measured`).

Rows about the language networks come from the environment that trains them (`--training`), the teacher's after `make
models` only. Photos to read are not part of the project: the rows about reading come with `OCR_DATA=folder make
measured` only, and those about half an hour in a shop, which takes that long, with `SOAK=30 make measured`.

No figure of the README is typed by hand: each row comes from a benchmark's JSON and the table names the machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def run(module: str, folder: Path, *arguments: str, python: str = sys.executable) -> dict[str, Any]:
    """Run one benchmark with its checks and return what it wrote."""
    target = folder / f"{module}.json"
    command = [python, "-m", f"benchmarks.{module}", *arguments, "--check", "--json", str(target)]
    subprocess.run(command, check=True, cwd=ROOT)
    loaded: dict[str, Any] = json.loads(target.read_text("utf-8"))
    return loaded


def table(startup: dict[str, Any], http: dict[str, Any], further: list[tuple[str, str, str, str]]) -> str:
    """The README's table; `further` rows come last."""
    runs, users, one = startup["runs"], http["users"], http["one_user"]["ms"]
    ready = sorted(run["ready_s"] for run in runs)[len(runs) // 2]
    rss = users["rss"]
    rows = [
        ("cold start to `/readyz`, median", f"{ready:.1f} s", "6 s", "startup"),
        ("resident memory, OCR and VAD loaded", f"{max(r['rss_ready_mb'] for r in runs):.0f} MB", "450 MB", "startup"),
        ("largest while reading photos", f"{max(r['rss_peak_mb'] for r in runs):.0f} MB", "450 MB", "startup"),
        ("one user's text turn, p50 / p99", f"{one['p50']:.1f} / {one['p99']:.1f} ms", "15 ms (p50)", "http"),
        (
            f"{users['users']} closed-loop users, {users['settle_s']:.0f} s and a measured {users['measured_s']:.0f} s",
            f"{users['statuses'].get('200', 0)} × 200, {users['statuses'].get('503', 0)} × 503 with Retry-After, "
            f"{users['unanswered']} unanswered",
            "only these, 0 unanswered",
            "http",
        ),
        (
            "their answers, p50 / p99",
            f"{users['answered_ms']['p50']:.0f} / {users['answered_ms']['p99']:.0f} ms",
            "",
            "http",
        ),
        (
            "resident memory under that load: at first, settled, at the end",
            f"{rss['first_mb']:.0f}, {rss['settled_mb']:.0f}, {rss['last_mb']:.0f} MB; "
            f"{rss['growth_kb'] / 1000:+.1f} MB in the measured minute",
            "flat: 1 MB",
            "http",
        ),
        *further,
    ]
    machine = startup["machine"]
    lines = [
        f"On {machine['cpu']}, {machine['cores']} cores, {machine['board']}, Python {machine['python']}, "
        f"ONNX Runtime {machine['onnxruntime']} ({machine['commit']}); `make measured` wrote this table.",
        "",
        "| what | measured | limit | command |",
        "|---|---|---|---|",
        *(
            f"| {what} | {seen} | {limit} | `python -m benchmarks.{module} --check` |"
            for what, seen, limit, module in rows
        ),
    ]
    return "\n".join(lines)


def reading(ocr: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """The rows about reading: without and with page orientation, and the peer."""
    of, sides, limits = ocr["totals"], ocr["sides"], ocr["limits"]
    off, on, peer = "ours-off", "ours-on", "peer"
    kept = [share for image in ocr["images"] for share in image["sides"][on]["kept"].values() if share is not None]
    module = "ocr --data FOLDER --peer rapidocr"
    version = sides[peer]["versions"]["rapidocr"]
    return [
        (
            f"characters read in {of[on]['labelled']} labelled images, rapidocr {version} with the same weights",
            f"{of[on]['recall']:.2%}, rapidocr {of[peer]['recall']:.2%}",
            f"at most {100 * limits['recall_below_peer']:g} points below",
            module,
        ),
        (
            "their CPU time, one thread each, median share of rapidocr's; with page orientation",
            f"{of[off]['cpu_ratio']:.2f}; {of[on]['cpu_ratio']:.2f}",
            f"{limits['cpu_ratio'][off]:g}; {limits['cpu_ratio'][on]:g}",
            module,
        ),
        (
            "largest resident memory of the reader alone",
            f"{max(sides[side]['peak_mb'] for side in (off, on)):.0f} MB, rapidocr {sides[peer]['peak_mb']:.0f} MB",
            f"{limits['rss_mb']:g} MB",
            module,
        ),
        (
            "each image turned by 90, 180 and 270 degrees keeps of its characters, least",
            f"{min(kept):.1%}",
            f"{limits['kept']:.0%}",
            module,
        ),
    ]


def hearing(result: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """The row about what comes before recognition."""
    worst = max(form["rtf"] for form in result["forms"].values())
    return [
        (
            "a recording decoded, resampled, brought to level and searched for speech, CPU seconds per second",
            f"{worst:.4f} at most of {len(result['forms'])} forms",
            f"{result['limits']['before_rtf']:g}",
            "hearing",
        )
    ]


def load(result: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """A row for each crowd."""
    names = {
        "think": "{} users who think 1 to 3 s",
        "retry": "{} users who also ask again 1 s after a 503",
        "photos": "{} users, and some who show photos",
    }
    limits = result["limits"]
    limit = f"p99 {limits['p99_ms'] / 1000:g} s, {limits['unanswered_s']:g} s, 0, {limits['rss_mb']:g} MB"
    rows = []
    for name, phase in result["phases"].items():
        answered = phase["answered_ms"]
        rows.append(
            (
                f"{names[name].format(phase['users'])}, {phase['seconds']:.0f} s",
                f"{phase['answered_per_s']:.0f} × 200 and {phase['refused_per_s']:.0f} × 503 a second; 200s p50 / p99 "
                f"{answered['p50']:.0f} / {answered['p99']:.0f} ms; longest wait for any answer "
                f"{phase['oldest_s']:.1f} s; {phase['resets']} resets; {phase['process']['rss_max_mb']:.0f} MB",
                limit,
                "load",
            )
        )
    return rows


def soak(result: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """The rows about the half hour."""
    mixed, within, grown = result["mixed"], result["within"], result["trends"]["mixed"]
    return [
        (
            f"{result['minutes']:g} minutes of mixed traffic: availability, (200 + deliberate 503) / sent",
            f"{mixed['availability']:.3%} of {mixed['sent']}",
            "99.9%",
            "soak",
        ),
        (
            "of these, within the capacity: 200s alone",
            f"{within['answered_share']:.3%} of {within['sent']}",
            "99.9%",
            "soak",
        ),
        (
            "resident memory meanwhile: largest; its trend; trend of the heap in use",
            f"{result['process']['rss_max_mb']:.0f} MB; {grown['rss_mb_per_h']:+.1f} and "
            f"{grown['heap_mb_per_h']:+.1f} MB an hour",
            "600 MB; the last 20 MB an hour",
            "soak",
        ),
    ]


def language(result: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Rows about the language networks."""
    found, named = result["variants"], ("teacher", "TF-IDF + LR", "templates")
    student, marked, asked = found["student int8"], result["entities"], result["questions"]
    beside = ", ".join(f"{name} {found[name]['intent']['accuracy']:.3f}" for name in named if name in found)
    cpu = {name: value["median"] for name, value in result["cpu_ms"].items()}
    both = cpu["student int8"] + cpu["tagger int8"]
    rows = [
        (
            f"intent, {student['intent']['count']} test sentences in scope, student int8; beside it",
            f"{student['intent']['accuracy']:.3f}; {beside}",
            "0.95",
        ),
        (
            "the same on their noisy half; AUROC of what is out of scope; calibration error",
            f"{student['intent']['accuracy_noisy']:.3f}; {student['intent']['auroc']:.3f}; "
            f"{student['intent']['ece']:.3f}",
            "0.92; 0.95; 0.05",
        ),
        ("sentiment of the same sentences", f"{student['sentiment']['accuracy']:.3f}", "0.90"),
        (
            "entities, F1 of whole mentions; tables and patterns alone, network alone",
            f"{marked['joined']['f1']:.3f}; {marked['rules']['f1']:.3f}, {marked['network']['f1']:.3f}",
            "0.92",
        ),
        (
            f"frequent questions: {asked['answerable']} answered right, {asked['unanswerable']} that nothing answers "
            "refused; right by keyword matching",
            f"{asked['answered_right']:.3f}, {asked['refused']:.3f}; {asked['keywords']:.3f}",
            "0.85, 0.90",
        ),
        (
            "CPU time of intent, sentiment and entities of one sentence, one thread; share of a 12-layer encoder's",
            f"{both:.1f} ms; "
            + (f"{both / cpu['12-layer encoder int8']:.2f}" if "12-layer encoder int8" in cpu else "not measured"),
            "0.6",
        ),
        ("resident memory that the language networks add", f"{result['memory']['added_mb']:.0f} MB", "150 MB"),
    ]
    return [(*row, "language") for row in rows]


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ocr-data", type=Path, help="folder of photos for benchmarks.ocr")
    parser.add_argument("--training", help="Python of the environment that trains, for benchmarks.language")
    parser.add_argument("--soak-minutes", type=float, help="how long benchmarks.soak runs; not at all by default")
    arguments = parser.parse_args()
    data, minutes = arguments.ocr_data, arguments.soak_minutes
    further: list[tuple[str, str, str, str]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if data:
            further += reading(run("ocr", folder, "--data", str(data.resolve()), "--peer", "rapidocr"))
        further += hearing(run("hearing", folder))
        startup, http = run("startup", folder), run("http", folder)
        further += load(run("load", folder))
        if arguments.training:
            without = [] if (ROOT / "var/train/teacher/done.json").is_file() else ["--without", "teacher"]
            further += language(run("language", folder, *without, python=arguments.training))
        if minutes:
            further += soak(run("soak", folder, "--minutes", f"{minutes:g}"))
        text = table(startup, http, further)
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", "utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
