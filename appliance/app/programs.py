"""What the machine brings: programs, libraries, fonts, disk space. The self-check reports it, with the remedy."""

from __future__ import annotations

import ctypes.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from appliance.channels.http.files import FileLimit
from appliance.inference.onnxruntime import CUDA, library
from appliance.vision.draw import find_font

LEAST_FREE_MB = 200
_PLUGINS = ("lib*", "lib/*")
"""Folders below /usr in which ALSA's plugins lie, by distribution."""


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
    remedy = "" if ok else "安装 Python 3.10 至 3.12 / install Python 3.10 to 3.12"
    return Finding("python", ok, f"{version} on {platform.machine()}", remedy)


def graphics(root: Path = Path("/")) -> str | None:
    """Name of an NVIDIA GPU of this machine by what its driver shows below `root`; None when there is none."""
    for path in sorted(root.glob("proc/driver/nvidia/gpus/*/information")):
        for line in path.read_text("utf-8", "replace").splitlines():
            if line.startswith("Model:"):
                return line.removeprefix("Model:").strip()
    board = root / "proc/device-tree/model"
    if board.is_file() and any((root / "dev" / name).exists() for name in ("nvhost-gpu", "nvgpu", "nvmap")):
        return board.read_text("utf-8", "replace").strip("\0 \n")
    return "NVIDIA" if (root / "dev/nvidiactl").exists() else None


def _gpu() -> Finding:
    name = graphics()
    if name is None:
        return Finding("gpu", True, "没有，全部由 CPU 计算 / none: the CPU serves everything")
    ok = CUDA in library().get_available_providers()
    if ok:
        return Finding("gpu", True, name)
    return Finding(
        "gpu",
        False,
        f"{name}：onnxruntime 不含 CUDA，由 CPU 计算 / this onnxruntime has no CUDA, the CPU serves",
        "安装 onnxruntime-gpu：见 jetson/README.md，或运行 `ONNXRUNTIME=none pip install '.[gpu]'` / "
        "install onnxruntime-gpu: see jetson/README.md, or run `ONNXRUNTIME=none pip install '.[gpu]'`",
    )


def _first_line(program: str, *arguments: str) -> str:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=10, check=False)
    return (done.stdout or done.stderr).strip().split("\n")[0]


def _absent(name: str, turns_off: str, package: str) -> Finding:
    """A program or library that is not there; `turns_off` says what that costs, in Chinese and English."""
    return Finding(name, False, turns_off, f"sudo apt-get install {package}")


def _tesseract() -> Finding:
    program = shutil.which("tesseract")
    if program is None:
        off = "未安装：没有备用的文字识别 / not installed: nothing reads pictures when the OCR models are missing"
        return _absent("tesseract", off, "tesseract-ocr tesseract-ocr-chi-sim")
    listed = subprocess.run([program, "--list-langs"], capture_output=True, text=True, timeout=10, check=False)
    if "chi_sim" not in listed.stdout.split():
        off = "缺少中文语言包：备用识别读不了中文 / no language pack chi_sim: as a fallback it cannot read Chinese"
        return _absent("tesseract", off, "tesseract-ocr-chi-sim")
    return Finding("tesseract", True, f"{_first_line(program, '--version')}, chi_sim")


def _espeak() -> Finding:
    program = shutil.which("espeak-ng")
    if program is None:
        return _absent("espeak-ng", "未安装：答案不会念出来 / not installed: answers are not spoken", "espeak-ng")
    return Finding("espeak-ng", True, _first_line(program, "--version").split("  Data at")[0])


def _portaudio() -> Finding:
    found = ctypes.util.find_library("portaudio")
    if found is None:
        off = "未安装：本机的麦克风和扬声器不可用 / not installed: no microphone and no loudspeaker of the kiosk's own"
        return _absent("portaudio", off, "libportaudio2")
    return Finding("portaudio", True, found)


def _sound_server() -> Finding:
    """What lets PortAudio share devices through a sound server (PulseAudio, PipeWire), and not take them for itself."""
    found = [path for root in _PLUGINS for path in Path("/usr").glob(f"{root}/alsa-lib/*pcm_pulse.so")]
    if not found:
        off = "未安装：只能用没有被其他程序占用的麦克风 / not installed: only a microphone that no other program uses"
        return _absent("sound server", off, "libasound2-plugins")
    return Finding("sound server", True, found[0].name)


def _font() -> Finding:
    font = find_font()
    if font is None:
        off = "没有中文字体：图片上无法标注中文 / none found: Chinese cannot be drawn into pictures"
        return _absent("chinese font", off, "fonts-wqy-microhei")
    return Finding("chinese font", True, font.name)


def _disk(folder: Path) -> Finding:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free // 1_000_000
    detail = f"{free / 1000:.1f} GB 可用 / free in {folder}"
    if not os.access(existing, os.W_OK | os.X_OK):
        remedy = f"chown {existing}, 或另设目录 / or set APPLIANCE_DATA_DIR to a folder of this user"
        return Finding("disk", False, f"不可写 / not writable: {existing}", remedy)
    ok = free >= LEAST_FREE_MB
    remedy = (
        ""
        if ok
        else f"至少需要 {LEAST_FREE_MB} MB，或另设目录 / {LEAST_FREE_MB} MB are needed; or set APPLIANCE_DATA_DIR"
    )
    return Finding("disk", ok, detail, remedy)


def _files(limit: FileLimit) -> Finding:
    """The limit of open files: each client's connection needs one."""
    if limit.ok:
        return Finding("open files", True, f"{limit.in_force} (至少需要 / needed: {limit.needed})")
    few = f"{limit.in_force}，至少需要 {limit.needed}：同时最多 {limit.connections} 个连接"
    return Finding(
        "open files",
        False,
        f"{few} / {limit.needed} are needed: at most {limit.connections} connections at once",
        limit.remedy,
    )


def findings(folder: Path, files: FileLimit) -> tuple[Finding, ...]:
    """Look at everything; a probe that fails is itself a finding. `files` is the limit of open files."""
    probes: tuple[tuple[str, Callable[[], Finding]], ...] = (
        ("python", _python),
        ("gpu", _gpu),
        ("tesseract", _tesseract),
        ("espeak-ng", _espeak),
        ("portaudio", _portaudio),
        ("sound server", _sound_server),
        ("chinese font", _font),
        ("disk", lambda: _disk(folder)),
        ("open files", lambda: _files(files)),
    )
    found = []
    for name, probe in probes:
        try:
            found.append(probe())
        except (OSError, subprocess.SubprocessError) as error:
            found.append(Finding(name, False, f"无法检查 / could not be examined: {error}"))
    return tuple(found)
