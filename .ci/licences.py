"""Fails when a package of the environment has a licence that the project does not allow.

Runtime packages must be on ALLOWED, or in REVIEWED with the reason. Test tools may be anything but AGPL: they are
run, never shipped. The licence comes from each distribution's own metadata (PEP 639 expression, field, classifiers).
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from sizes import NAME, closure

ALLOWED = re.compile(
    r"\b(MIT|MIT-0|BSD|BSD-[23]-Clause|0BSD|Apache|Apache-2\.0|ISC|PSF|PSF-2\.0|Python Software Foundation|ZLIB|Zlib|"
    r"MPL-2\.0|Mozilla Public License 2\.0|HPND|MIT-CMU|CC0-1\.0|Unlicense|BSL-1\.0|Boost|CNRI-Python|CC-BY-4\.0)\b",
    re.IGNORECASE,
)
FORBIDDEN = re.compile(r"\b(AGPL|Affero|L?GPL|General Public|SSPL|Commons Clause|BUSL|non-?commercial)", re.IGNORECASE)
REVIEWED = {
    "soxr": "LGPL-2.1-or-later: an extension module loaded dynamically, replaceable by the user's own build",
    "vosk": "Apache-2.0 per https://github.com/alphacep/vosk-api/blob/master/COPYING; the wheel has no field",
    "flatbuffers": "Apache-2.0",
    "pyclipper": "MIT; wraps Clipper (BSL-1.0)",
    "opencv-python-headless": "Apache-2.0; carries FFmpeg as LGPL-2.1 shared libraries, replaceable",
}
AGPL = re.compile(r"AGPL|Affero", re.IGNORECASE)


def licence(found: Distribution) -> str:
    """Everything that the metadata says about the licence, in one line."""
    meta = found.metadata
    parts = [meta.get("License-Expression") or "", (meta.get("License") or "").split("\n")[0][:120]]
    parts += [c.split("::")[-1] for c in meta.get_all("Classifier") or [] if c.startswith("License ::")]
    return "; ".join(dict.fromkeys(part.strip() for part in parts if part.strip())) or "not stated"


def main() -> int:
    """Print every problem; 1 when there is one."""
    runtime = set(closure(NAME)) - {NAME}
    problems = []
    seen = 0
    for found in distributions():
        name = re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower()
        text = licence(found)
        seen += 1
        if AGPL.search(text):
            problems.append(f"{name}: {text} (AGPL is never allowed)")
        elif name in runtime and name not in REVIEWED and (FORBIDDEN.search(text) or not ALLOWED.search(text)):
            problems.append(f"{name}: {text} (not on the allow-list; review it and add it to .ci/licences.py)")
    gone = sorted(set(REVIEWED) - runtime)
    problems += [f"{name}: reviewed in .ci/licences.py but no longer a runtime package" for name in gone]
    print("\n".join(problems) or f"licences of {len(runtime)} runtime packages and {seen} in all: none off the list")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
