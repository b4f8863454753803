"""Resolves setup.py by uv into constraints/, one lock per Python, and jetson/'s locks from these (`make lock`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHONS = ("3.10", "3.11", "3.12")
JETPACKS = {
    ROOT / "jetson" / "constraints-jetpack6.txt": ROOT / "constraints" / "py310.txt",
    ROOT / "jetson" / "constraints-jetpack7.txt": ROOT / "constraints" / "py312.txt",
}
"""A JetPack's lock, and that of its Python."""
JETPACK_HEADERS = {
    "py310.txt": """\
# JetPack 6 (Ubuntu 22.04, Python 3.10, aarch64). onnxruntime-gpu for Jetson is not on PyPI: it comes from NVIDIA's
# public Jetson index (see jetson/README.md) and is the one package not pinned here; TensorRT comes from JetPack itself.
""",
    "py312.txt": """\
# JetPack 7 (Ubuntu 24.04, Python 3.12, aarch64). PyPI's onnxruntime-gpu has no code for a Jetson's GPU: which wheel of
# ONNX Runtime is installed, the installer decides (see jetson/README.md); TensorRT comes from JetPack itself.
""",
}


def jetpack(source: Path) -> str:
    """Text of a JetPack's lock, made of that of its Python: another wheel takes the place of `onnxruntime`."""
    lines = source.read_text("utf-8").splitlines(keepends=True)
    return JETPACK_HEADERS[source.name] + "".join(line for line in lines if not line.startswith("onnxruntime=="))


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
    for target, source in JETPACKS.items():
        target.write_text(jetpack(source), "utf-8")
        print(f"{target.relative_to(ROOT)}: {source.name} without onnxruntime")
    return 0


if __name__ == "__main__":
    sys.exit(main())
