"""Runs the benchmarks and writes their figures into the README's table (`make measured`).

No figure of the README is typed by hand: each row comes from a benchmark's JSON and the table names the machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def run(module: str, folder: Path) -> dict[str, Any]:
    """Run one benchmark with its checks and return what it wrote."""
    target = folder / f"{module}.json"
    subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", "--check", "--json", str(target)], check=True, cwd=ROOT
    )
    loaded: dict[str, Any] = json.loads(target.read_text("utf-8"))
    return loaded


def table(startup: dict[str, Any], http: dict[str, Any]) -> str:
    """The README's table."""
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


def main() -> int:
    """Measure and write."""
    with tempfile.TemporaryDirectory() as folder:
        text = table(run("startup", Path(folder)), run("http", Path(folder)))
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", "utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
