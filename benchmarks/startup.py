"""Cold start to /readyz and resident memory with OCR and VAD loaded.

`python -m benchmarks.startup [--check] [--runs N] [--json OUT]` starts the appliance as its own process on a free
loopback port, N times, and measures: seconds from exec to the first 200 of /readyz, RSS then, and after reading
the OCR model's own case pictures twice RSS, its peak (VmHWM) and CPU seconds. `--check` exits 1 over 6 s (median of the
runs), or over 450 MB (largest RSS of any run, the peak while reading included).
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

from appliance.artifacts.manifest import shipped_root
from benchmarks.machine import describe

READY_S = 6.0
RSS_MB = 450.0


def free_port() -> int:
    """A TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str, data: bytes | None = None, content_type: str = "") -> tuple[int, bytes]:
    """Status and body; 0 while nobody answers."""
    request = urllib.request.Request(url, data, {"Content-Type": content_type} if data else {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:
        return 0, b""


def peak_mb(pid: int) -> float:
    """Largest resident memory that the process has had so far."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


def run_once(pictures: list[Path]) -> dict[str, float]:
    """Start, wait for ready, read pictures, stop."""
    port = free_port()
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "appliance.cli", "serve"],
        env=os.environ | {"APPLIANCE_HTTP_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while get(f"http://127.0.0.1:{port}/readyz")[0] != 200:
            if process.poll() is not None or time.perf_counter() - begin > 60:
                raise SystemExit(f"the appliance did not become ready (exit {process.poll()}); run `appliance check`")
            time.sleep(0.02)
        ready = time.perf_counter() - begin
        watched = psutil.Process(process.pid)
        at_ready = watched.memory_info().rss / 1e6
        states = json.loads(get(f"http://127.0.0.1:{port}/readyz")[1])
        loaded = {feature["name"]: feature["state"] for feature in states["features"]}
        if loaded.get("ocr") != "ready" or loaded.get("vad") != "ready":
            raise SystemExit(f"expected OCR and VAD loaded, got {loaded}; run `appliance models pull`")
        before = sum(watched.cpu_times()[:2])
        for picture in pictures * 2:
            kind = "image/png" if picture.suffix == ".png" else "image/jpeg"
            status, body = get(f"http://127.0.0.1:{port}/v1/ocr", picture.read_bytes(), kind)
            if status != 200:
                raise SystemExit(f"{picture.name}: expected 200, got {status} {body[:200]!r}")
        return {
            "ready_s": round(ready, 2),
            "rss_ready_mb": round(at_ready, 1),
            "rss_read_mb": round(watched.memory_info().rss / 1e6, 1),
            "rss_peak_mb": round(peak_mb(process.pid), 1),
            "read_cpu_s": round(sum(watched.cpu_times()[:2]) - before, 2),
        }
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> int:
    """Measure, print, optionally write and check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    cases = shipped_root() / "pp-ocrv6-small" / "cases"
    pictures = sorted(p for p in cases.iterdir() if p.suffix in (".png", ".jpg") and not p.name.startswith("line-"))
    runs = [run_once(pictures) for _ in range(arguments.runs)]
    for number, run in enumerate(runs, 1):
        print(f"run {number}: {run}")
    ready = statistics.median(run["ready_s"] for run in runs)
    largest = {name: max(run[name] for run in runs) for name in ("rss_ready_mb", "rss_read_mb", "rss_peak_mb")}
    print(f"median to /readyz {ready:.2f} s (limit {READY_S:g} s); largest RSS (limit {RSS_MB:g} MB):")
    print(", ".join(f"{name} {value:.0f}" for name, value in largest.items()))
    if arguments.json:
        result = {"machine": describe(), "runs": runs, "limits": {"ready_s": READY_S, "rss_mb": RSS_MB}}
        arguments.json.write_text(json.dumps(result, indent=1), "utf-8")
    missed = ready > READY_S or max(largest.values()) > RSS_MB
    if arguments.check and missed:
        print("FAIL: a limit is missed")
    return int(arguments.check and missed)


if __name__ == "__main__":
    sys.exit(main())
