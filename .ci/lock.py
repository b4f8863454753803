"""Resolves setup.py by uv into constraints/, one lock per Python, and jetson/'s lock from these (`make lock`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHONS = ("3.10", "3.11", "3.12")
JETPACK = ROOT / "jetson" / "constraints-jetpack6.txt"
JETPACK_FROM = ROOT / "constraints" / "py310.txt"
JETPACK_HEADER = """\
# JetPack 6 (Ubuntu 22.04, Python 3.10, aarch64). onnxruntime-gpu for Jetson is not on PyPI: it comes from NVIDIA's
# public Jetson index (see jetson/README.md) and is the one package not pinned here; TensorRT comes from JetPack itself.
"""


def jetpack(lock: str) -> str:
    """Text of JetPack's lock, made of that of Python 3.10: NVIDIA's wheel takes the place of `onnxruntime`."""
    lines = [line for line in lock.splitlines(keepends=True) if not line.startswith("onnxruntime==")]
    return JETPACK_HEADER + "".join(lines)


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
    JETPACK.write_text(jetpack(JETPACK_FROM.read_text("utf-8")), "utf-8")
    print(f"{JETPACK.relative_to(ROOT)}: {JETPACK_FROM.name} without onnxruntime")
    return 0


if __name__ == "__main__":
    sys.exit(main())
