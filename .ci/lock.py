"""Resolves setup.py into constraints/py3XX.txt, one lock per Python, by uv (`make lock`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHONS = ("3.10", "3.11", "3.12")


def main() -> int:
    """Write every lock; the versions do not depend on the platform, which .ci/resolve.py checks for each."""
    for version in PYTHONS:
        target = ROOT / "constraints" / f"py{version.replace('.', '')}.txt"
        command = ["pip", "compile", "-q", "--no-header", "--no-annotate", "--upgrade", "--extra", "dev"]
        command += ["--python-version", version, "--python-platform", "x86_64-manylinux_2_28"]
        # Addresses of this machine's mirrors have no place in a lock.
        command += ["--no-emit-find-links", "--no-emit-index-url", "setup.py", "-o", str(target)]
        subprocess.run([sys.executable, "-m", "uv", *command], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        print(f"{target.relative_to(ROOT)}: {len(target.read_text('utf-8').splitlines())} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
