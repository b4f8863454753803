"""Checks that every lock is whole, and can be installed where it could not be tried: other Pythons and processors.

Whole: uv resolves setup.py anew for each Python and processor under the lock as constraint; what comes out must be the
lock, package for package. That finds a lock older than setup.py, and a dependency that one processor alone has.

Wheels only: for each lock, Python and platform `pip install --dry-run --only-binary` fetches the metadata of every
pinned package. pip evaluates environment markers for the running interpreter, therefore dependencies are not followed
(--no-deps). `srt`, a dependency of vosk, exists as a source archive only; it is pure Python, and is the one exception
by name.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from lock import JETPACKS, jetpack

ROOT = Path(__file__).parent.parent
SOURCE_ONLY = {"srt"}
# manylinux_2_35 is Ubuntu 22.04 (JetPack 6), 2_36 Debian 12, 2_39 Ubuntu 24.04 (JetPack 7): what holds for the oldest
# holds for all. pip takes each tag literally, so the older ones are listed too.
GLIBC = ("2_35", "2_34", "2_31", "2_28", "2_27", "2_26", "2_24", "2_17", "2_12", "2_5")
CASES = [
    ("constraints/py310.txt", "3.10", "x86_64"),
    ("constraints/py310.txt", "3.10", "aarch64"),
    ("constraints/py311.txt", "3.11", "x86_64"),
    ("constraints/py311.txt", "3.11", "aarch64"),
    ("constraints/py312.txt", "3.12", "x86_64"),
    ("constraints/py312.txt", "3.12", "aarch64"),
    ("jetson/constraints-jetpack6.txt", "3.10", "aarch64"),
    ("jetson/constraints-jetpack7.txt", "3.12", "aarch64"),
]


def pins(lock: Path) -> dict[str, str]:
    """Name to `name==version` of every line of a lock."""
    lines = [line.split("#")[0].strip() for line in lock.read_text("utf-8").splitlines()]
    found = {re.split(r"[=<>;\[ ]", line)[0].lower(): line for line in lines if line}
    loose = [line for line in found.values() if "==" not in line]
    if loose:
        raise SystemExit(f"{lock}: expected name==version, got {loose}")
    return found


def resolve(case: tuple[str, str, str]) -> tuple[str, str]:
    """Return (what was checked, error or empty)."""
    lock, python, machine = case
    name = f"{lock} on Python {python} {machine}"
    wanted = [pin for key, pin in pins(ROOT / lock).items() if key not in SOURCE_ONLY]
    platforms = [f"manylinux_{glibc}_{machine}" for glibc in GLIBC] + [f"manylinux2014_{machine}", f"linux_{machine}"]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--only-binary=:all:", "-q"]
    command += ["--ignore-installed", "--python-version", python, "--implementation", "cp"]
    command += [part for platform in platforms for part in ("--platform", platform)]
    with tempfile.TemporaryDirectory() as target:
        done = subprocess.run(
            [*command, "--target", target, *wanted], capture_output=True, text=True, timeout=900, check=False
        )
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return f"{name}: {len(wanted)} wheels", "" if done.returncode == 0 else "\n".join(errors) or done.stderr[-2000:]


def whole(case: tuple[str, str, str]) -> tuple[str, str]:
    """Return (what was checked, error or empty) for a lock against a new resolution of setup.py."""
    lock, python, machine = case
    name = f"{lock} against setup.py on Python {python} {machine}"
    if source := JETPACKS.get(ROOT / lock):
        same = (ROOT / lock).read_text("utf-8") == jetpack(source)
        return name, "" if same else f"expected {source.name} without onnxruntime; run: make lock"
    command = [sys.executable, "-m", "uv", "pip", "compile", "-q", "--no-header", "--no-annotate", "--extra", "dev"]
    command += ["--python-version", python, "--python-platform", f"{machine}-manylinux_2_28"]
    command += ["--no-emit-find-links", "--no-emit-index-url", "-c", lock, "setup.py"]
    # What is resolved is the default, whatever the caller has chosen for an installation.
    environ = {key: value for key, value in os.environ.items() if key != "ONNXRUNTIME"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT, env=environ)
    if done.returncode != 0:
        return name, done.stderr[-2000:]
    found, locked = set(done.stdout.split("\n")) - {""}, set(pins(ROOT / lock).values())
    wrong = [f"needed, not locked: {pin}" for pin in sorted(found - locked)]
    wrong += [f"locked, not needed: {pin}" for pin in sorted(locked - found)]
    return f"{name}: {len(found)} packages", "\n".join([*wrong, "run: make lock"] if wrong else [])


def main() -> int:
    """Check all cases, two at a time."""
    failed = 0
    with ThreadPoolExecutor(2) as pool:
        for name, error in chain(pool.map(whole, CASES), pool.map(resolve, CASES)):
            print(f"{'FAIL' if error else 'ok  '} {name}", flush=True)
            if error:
                failed += 1
                print(error)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
