"""Any Vosk model in the place of one that the appliance knows; run as a program, `appliance` with such manifests.

`voice.py MANIFESTS ARGUMENTS`: the appliance's command line, with the manifests of that folder instead of the shipped.
"""

from __future__ import annotations

import sys
import zipfile
from hashlib import sha256
from pathlib import Path
from shutil import copytree, ignore_patterns

import yaml

PROGRAM = Path(__file__)


def write_manifests(folder: Path, model: Path, name: str = "vosk-small-cn") -> tuple[Path, Path]:
    """Manifests like the shipped ones, in which `name` is the Vosk model in `model`; gives their folder and its zip."""
    from appliance.artifacts.manifest import shipped_root

    manifests, packed = folder / "manifests", folder / "voice.zip"
    copytree(shipped_root(), manifests, ignore=ignore_patterns("cases", "__pycache__"))
    files = sorted(path for path in model.rglob("*") if path.is_file())
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as file:
        for path in files:
            file.write(path, Path("voice") / path.relative_to(model))
    path = manifests / name / "manifest.yaml"
    made = yaml.safe_load(path.read_text("utf-8"))
    made["files"] = [
        {
            "path": packed.name,
            "size": packed.stat().st_size,
            "sha256": sha256(packed.read_bytes()).hexdigest(),
            "archive": {"root": "voice", "files": len(files), "bytes": packed.stat().st_size},
            "sources": [{"https": "https://nowhere.invalid/voice.zip"}],
        }
    ]
    path.write_text(yaml.safe_dump(made, allow_unicode=True), "utf-8")
    return manifests, packed


def main() -> None:
    """Put the manifests in place before anything imports where they are."""
    root = Path(sys.argv.pop(1))
    from appliance.artifacts import manifest

    manifest.shipped_root = lambda: root
    from appliance.cli import main as appliance

    appliance()


if __name__ == "__main__":
    main()
