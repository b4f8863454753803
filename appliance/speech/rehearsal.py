"""Proves a Vosk model folder harmless before this process touches it.

Vosk's C++ does not only throw on a damaged folder. Seen with vosk 0.3.45: a truncated graph/disambig_tid.int ends the
process with SIGSEGV, a truncated ivector/splice.conf with SIGABRT, and an empty conf/model.conf decodes without
bounds until the memory is gone. So the files are looked at first, and then the folder is loaded and heard with once in
a child process whose time and memory are limited.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from appliance.errors import ModelCorrupt, ModelMissing, Unavailable

_GRAPHS = (("HCLr.fst", "Gr.fst", "disambig_tid.int"), ("HCLG.fst", "words.txt"))
"""Either a graph composed while decoding (all small models) or one composed before (large models)."""
_IVECTOR = ("final.dubm", "final.ie", "final.mat", "global_cmvn.stats", "online_cmvn.conf", "splice.conf")
_TIMEOUT_S = 120.0
_SPARE_BYTES = 4 << 30
"""Address space that a child may take beside six times the model: libraries, threads' stacks and arenas."""

# The path list is handed over: the child must find the vosk that this process would import, and no other.
_SCRIPT = """
import json, resource, sys
sys.path[:], folder, limit = json.loads(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
try:
    import vosk
except (ImportError, OSError) as error:
    print(error, file=sys.stderr)
    sys.exit(4)
vosk.SetLogLevel(-2)
try:
    recogniser = vosk.KaldiRecognizer(vosk.Model(folder), 16000.0)
    recogniser.SetWords(True)
    # One second of a 125 Hz buzz: voiced enough that every layer, the graph and the lattice are gone through.
    buzz = b"".join((64 * (n % 128) - 4096).to_bytes(2, "little", signed=True) for n in range(16000))
    recogniser.AcceptWaveform(buzz)
    json.loads(recogniser.FinalResult())
except Exception as error:
    print(error, file=sys.stderr)
    sys.exit(3)
"""


def check_files(folder: Path) -> None:
    """Raise ModelMissing when `folder` is not there, ModelCorrupt when a file that Vosk needs is absent or empty.

    Knows both of Vosk's layouts: `am/ conf/ graph/ ivector/`, and the older flat one.
    """
    if not folder.is_dir():
        raise ModelMissing(f"expected the Vosk model folder {folder}, found none")
    flat = (folder / "final.mdl").exists() and not (folder / "am").exists()
    graph = folder if flat else folder / "graph"
    needed = [folder / "final.mdl", folder / "mfcc.conf"] if flat else _structured(folder)
    needed += [graph / name for name in _GRAPHS[(graph / "HCLG.fst").exists()]]
    if (folder / "ivector").is_dir():
        needed += [folder / "ivector" / name for name in _IVECTOR]
    for path in needed:
        if not path.is_file():
            raise ModelCorrupt(f"Vosk model {folder}: expected the file {path.relative_to(folder)}, found none")
        # Only this one may be empty: all of its options have defaults.
        if path.stat().st_size == 0 and path.name != "online_cmvn.conf":
            raise ModelCorrupt(
                f"Vosk model {folder}: expected content in {path.relative_to(folder)}, got an empty file"
            )


def rehearse(folder: Path, *, timeout: float = _TIMEOUT_S, limit: int | None = None) -> None:
    """Load `folder` and recognise one second of sound in a child process, within `timeout` seconds.

    `limit` bounds the child's address space in bytes; by default 4 GiB and six times the folder's size. Raises
    ModelCorrupt with Vosk's own words or the signal that ended the child, and Unavailable when vosk cannot be imported.
    """
    if limit is None:
        limit = _SPARE_BYTES + 6 * sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    arguments = json.dumps([sys.path, str(folder), limit])
    try:
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ModelCorrupt(f"Vosk model {folder}: expected to hear 1 s within {timeout:g} s, got no end") from None
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    if done.returncode == 4:
        raise not_importable(said[-1] if said else "no reason given")
    if done.returncode:
        raise ModelCorrupt(f"Vosk model {folder}: expected it to load, got {_ending(done.returncode, said)}")


def not_importable(reason: str) -> Unavailable:
    """The error for a machine on which the vosk package is absent or does not load."""
    return Unavailable(
        f"speech recognition: expected the package vosk, got {reason}",
        remedy=("请运行 `pip install vosk==0.3.45`", "Run `pip install vosk==0.3.45`"),
    )


def _structured(folder: Path) -> list[Path]:
    features = folder / "conf" / "fbank.conf"
    features = features if features.exists() else folder / "conf" / "mfcc.conf"
    return [folder / "am" / "final.mdl", folder / "conf" / "model.conf", features]


def _ending(code: int, said: list[str]) -> str:
    """How a child ended: the signal's name, and the first complaint that Vosk wrote (the last ones only follow)."""
    complaints = [line for line in said if "VoskAPI" in line] or said[-1:]
    # Vosk quotes what it read, which in a damaged file may be anything.
    reason = "".join(c if c.isprintable() else "?" for c in complaints[0][:300]) if complaints else "no reason given"
    return f"{signal.Signals(-code).name}: {reason}" if code < 0 else reason
