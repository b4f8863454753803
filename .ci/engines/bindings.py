"""NVIDIA's Python bindings of three TensorRT versions, from PyPI by hash, and what names they hold.

The bindings are real wheels on PyPI; TensorRT itself is not. Over stub libraries (`stub.c`) they import, and what they
hold, down to the names of arguments, is what a device's have. TensorRT-RTX, where it is installed, is asked too.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STUBS = ("nvinfer", "nvinfer_plugin", "nvonnxparser")
RTX = "rtx"
"""How TensorRT-RTX is called beside the versions."""


@dataclass(frozen=True)
class Bindings:
    """One version of the bindings."""

    version: str
    """`10.3.0`."""
    package: str
    """Its name on PyPI."""
    sha256: tuple[str, ...]
    """Of its wheels for Python 3.10, 3.11 and 3.12 on x86_64."""


BINDINGS = (
    Bindings(  # JetPack 6
        "10.3.0",
        "tensorrt-cu12-bindings",
        (
            "1d6e4cf08ef1f54f6fd44a33cf6b253050af2fc6e9a1d92e40e1436a1d858eb0",
            "59ace22d7f2ca1e9dcde2cb0cb5916912cb3cd5a9d72dd7852be0160d9b3a0ee",
            "f5c2582aeaa7f5628d2c4d4148a701ebe97be78f7ff3b46a617f0ee0cb5460f2",
        ),
    ),
    Bindings(  # JetPack 7.2
        "10.16.1.11",
        "tensorrt-cu13-bindings",
        (
            "c8e171511a01a2678cb3e00ca4792bc1d7ea6c48da9781ab127970f6ad1edc4a",
            "f986d47980d042cc126506a9b84586e55ad13737a7a46826fe45457c04d66294",
            "2fb87ac24a5e5f42e43f283c16d1b661dc72ef18568fd847ce2080b7db9ca232",
        ),
    ),
    Bindings(  # the newest on PyPI; a Jetson takes 11.4.1
        "11.4.0.106",
        "tensorrt-cu13-bindings",
        (
            "1d17853da33a186c4d4d39995c1186bb59f643689aabac9c3e33ae5f0ba402f5",
            "d072ac2a095e2be749fefc847adfb25d5ebe70303401df62ede8fe67a59f27fc",
            "5fc7a6c412881f7212030893bd5531b1a0ff415c72c7678dfe4ead7a7765b38d",
        ),
    ),
)
REQUIRED = tuple(one.version for one in BINDINGS)

# Runs where only the bindings are: says which of the names on its input exist. What TensorRT calls (the methods of an
# output allocator) is in a class's documentation only, and so are the names of arguments.
PROBE = r"""
import importlib, json, re, sys
trt = importlib.import_module(sys.argv[1])
def exists(name):
    name, _, argument = name.rstrip(")=").partition("(")
    held = trt
    for part in name.split("."):
        if not hasattr(held, part):
            return not argument and f"def {part}(" in (held.__doc__ or "")
        held = getattr(held, part)
    if not argument:
        return True
    documented = (held.__doc__ or "") + (held.__init__.__doc__ or "" if isinstance(held, type) else "")
    return re.search(rf"[(,] ?{argument}: ", documented) is not None
json.dump({"version": trt.__version__, "found": [name for name in json.load(sys.stdin) if exists(name)]}, sys.stdout)
"""


class Unprovable(Exception):
    """The check cannot be made: something that it needs is missing. Its text says what to do."""


def probe(names: Iterable[str], cache: Path) -> dict[str, set[str]]:
    """Which of `names` exist, by version. Raises Unprovable."""
    asked = sorted(set(names))
    found: dict[str, set[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for one in BINDINGS:
            stubs, package = Path(folder) / "stubs" / one.version, Path(folder) / one.version
            _compile(stubs, one.version.partition(".")[0])
            with zipfile.ZipFile(_wheel(one, cache)) as wheel:
                wheel.extractall(package)  # zipfile keeps every name inside the folder
            environ = {**os.environ, "LD_LIBRARY_PATH": str(stubs), "PYTHONPATH": str(package)}
            answered = ask("tensorrt_bindings", asked, environ)
            if answered["version"] != one.version:
                raise Unprovable(f"{one.package}: expected version {one.version}, got {answered['version']}")
            found[one.version] = set(answered["found"])
    try:
        found[RTX] = set(ask("tensorrt_rtx", asked, dict(os.environ))["found"])
    except Unprovable as error:
        print(f"tensorrt_rtx is not asked: {error}", file=sys.stderr)
    return found


def ask(module: str, names: Sequence[str], environ: Mapping[str, str]) -> dict[str, Any]:
    """Version of a library in `environ`, and which of `names` it holds (see `PROBE`). Raises Unprovable."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, module],
        input=json.dumps(names),
        capture_output=True,
        text=True,
        env=dict(environ),
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise Unprovable(f"{module}: expected to import, got {said[-1]}")
    answered: dict[str, Any] = json.loads(done.stdout)
    return answered


def _compile(folder: Path, major: str) -> None:
    """Make the stub libraries of a major version in `folder`."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        raise Unprovable("expected a C compiler (cc, gcc or clang) for the stub libraries, found none; apt install gcc")
    folder.mkdir(parents=True)
    for name in STUBS:
        file = f"lib{name}.so.{major}"
        done = subprocess.run(
            [compiler, "-shared", "-fPIC", "-nostdlib", f"-Wl,-soname,{file}", "-o", folder / file,
             Path(__file__).with_name("stub.c")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise Unprovable(f"{compiler}: expected to compile stub.c, got {done.stderr.strip()[-500:]}")


def _wheel(one: Bindings, cache: Path) -> Path:
    """The wheel for this Python, from `cache` or PyPI; its hash is checked each time."""
    folder = cache / one.version
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    kept = [path for path in folder.glob(f"*-{python}-*.whl") if _digest(path) in one.sha256]
    if kept:
        return kept[0]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{one.package}=={one.version} {' '.join(f'--hash=sha256:{sha}' for sha in one.sha256)}\n")
    pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "-q", "--no-deps"]
    done = subprocess.run(
        [*pip, "--only-binary=:all:", "--require-hashes", "-d", folder, "-r", wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    found = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not found:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["no reason from pip"]
        raise Unprovable(
            f"{one.package}=={one.version}: expected its wheel for {python} on x86_64 from PyPI, got {said[-1]}; "
            f"connect to PyPI or a mirror of it"
        )
    return found[0]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
