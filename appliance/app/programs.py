"""What the machine brings: programs, libraries, fonts, disk space. The self-check reports it, with the remedy."""

from __future__ import annotations

import ctypes.util
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from appliance.vision.draw import find_font

LEAST_FREE_MB = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked for on this machine."""

    name: str
    """What was looked for."""
    ok: bool
    """True when it is there."""
    detail: str
    """What was found, or what is missing and what that turns off."""
    remedy: str = ""
    """Command that mends it."""


def _python() -> Finding:
    version = platform.python_version()
    ok = (3, 10) <= sys.version_info[:2] <= (3, 12)
    return Finding("python", ok, f"{version} on {platform.machine()}", "" if ok else "install Python 3.10 to 3.12")


def _version(program: str, *arguments: str) -> str:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=10, check=False)
    return (done.stdout or done.stderr).strip().split("\n")[0]


def _tesseract() -> Finding:
    program = shutil.which("tesseract")
    if program is None:
        return Finding(
            "tesseract",
            False,
            "not installed: no OCR fallback when the OCR models are missing",
            "apt-get install tesseract-ocr tesseract-ocr-chi-sim",
        )
    listed = subprocess.run([program, "--list-langs"], capture_output=True, text=True, timeout=10, check=False)
    if "chi_sim" not in listed.stdout.split():
        return Finding(
            "tesseract", False, "no Chinese language pack (chi_sim)", "apt-get install tesseract-ocr-chi-sim"
        )
    return Finding("tesseract", True, f"{_version(program, '--version')}, chi_sim")


def _espeak() -> Finding:
    program = shutil.which("espeak-ng")
    if program is None:
        return Finding("espeak-ng", False, "not installed: spoken answers will be off", "apt-get install espeak-ng")
    return Finding("espeak-ng", True, _version(program, "--version"))


def _portaudio() -> Finding:
    found = ctypes.util.find_library("portaudio")
    if found is None:
        return Finding(
            "portaudio", False, "libportaudio2 not installed: microphone is off", "apt-get install libportaudio2"
        )
    return Finding("portaudio", True, found)


def _font() -> Finding:
    font = find_font()
    if font is None:
        return Finding(
            "chinese font",
            False,
            "none found: Chinese cannot be drawn into pictures",
            "apt-get install fonts-wqy-microhei",
        )
    return Finding("chinese font", True, font.name)


def _disk(folder: Path) -> Finding:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free // 1_000_000
    ok = free >= LEAST_FREE_MB
    remedy = "" if ok else f"free some space, {LEAST_FREE_MB} MB are needed, or set APPLIANCE_DATA_DIR"
    return Finding("disk", ok, f"{free} MB free in {folder}", remedy)


def findings(folder: Path) -> tuple[Finding, ...]:
    """Look at everything; a probe that fails is itself a finding."""
    probes: tuple[tuple[str, Callable[[], Finding]], ...] = (
        ("python", _python),
        ("tesseract", _tesseract),
        ("espeak-ng", _espeak),
        ("portaudio", _portaudio),
        ("chinese font", _font),
        ("disk", lambda: _disk(folder)),
    )
    found = []
    for name, probe in probes:
        try:
            found.append(probe())
        except (OSError, subprocess.SubprocessError) as error:
            found.append(Finding(name, False, f"could not be examined: {error}"))
    return tuple(found)
