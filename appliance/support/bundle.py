"""Makes a support bundle: one zip with an index, bounded in size and time, whatever state the appliance is in."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

from appliance import __version__
from appliance.artifacts.disk import storage, sync
from appliance.artifacts.staging import write
from appliance.errors import ApplianceError
from appliance.support.case import Case, Collector, written
from appliance.support.collect import COLLECTORS
from appliance.trail import trail

MOST_BYTES = 20 << 20
"""Bytes of a bundle, before they are packed."""
MOST_FILE = 4 << 20
"""Bytes of one of its files; of one that is longer the end is kept, where the latest lines stand."""
MOST_S = 150.0
"""Seconds for one collector: a self-check loads every network."""
INDEX = "index.json"
_README = """\
这是设备自检资料，发给维护人员用。其中没有顾客说过、展示过或被听到的内容。
What is in here is for the maintainers. It holds nothing that a customer said, showed or was heard saying.
index.json 说明每个文件的来源和遮盖方式 / says how each file was masked, and which could not be made and why.
"""


@dataclass(frozen=True, slots=True)
class Piece:
    """One file of a bundle, as its index tells of it."""

    file: str
    """Its name."""
    masked: str
    """What was taken out, and how."""
    bytes: int
    """Its length."""
    sha256: str
    """Its hash."""
    seconds: float
    """How long it took."""
    cut: int
    """Bytes that were left out at its beginning."""
    problem: str
    """Why it could not be made; empty when it was."""


def made(case: Case, collectors: Sequence[Collector] = COLLECTORS, *, patience_s: float = MOST_S) -> bytes:
    """The zip. Never raises for what a collector does: the index says what failed."""
    out, pieces, left = BytesIO(), [], MOST_BYTES
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for collector in collectors:
            piece, content = _collected(collector, case, patience_s, min(MOST_FILE, left))
            left -= piece.bytes
            pieces.append(piece)
            archive.writestr(collector.file, content)
        index = {
            "appliance": __version__,
            "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "files": [asdict(piece) for piece in pieces],
        }
        archive.writestr(INDEX, written(index))
        archive.writestr("README.txt", _README)
    return out.getvalue()


def _collected(collector: Collector, case: Case, patience_s: float, most: int) -> tuple[Piece, bytes]:
    began = time.monotonic()
    content, problem = _in_time(lambda: collector.collect(case), patience_s)
    # What a failure says may quote what it met.
    problem = case.mask.text(problem)
    if problem:
        content = written({"problem": problem})
    cut = max(0, len(content) - most)
    content = content[cut:]
    if cut:  # whole lines, and no half character
        content = content[content.find(b"\n") + 1 :]
    digest = hashlib.sha256(content).hexdigest()
    taken = round(time.monotonic() - began, 2)
    return Piece(collector.file, collector.masked, len(content), digest, taken, cut, problem), content


def _in_time(work: Callable[[], bytes], patience_s: float) -> tuple[bytes, str]:
    """What `work` gives, or why it gave nothing; one that hangs is left behind in its thread."""
    done: list[bytes] = []
    failed: list[str] = []

    def run() -> None:
        try:
            done.append(work())
        except ApplianceError as error:
            failed.append(f"{error.code}: {error.detail}")
        except OSError as error:
            failed.append(f"{type(error).__name__}: {error}")
        except BaseException as error:  # noqa: BLE001 - half of the appliance may be broken: the rest is wanted all the same
            failed.append(trail(error))

    thread = threading.Thread(target=run, name="support", daemon=True)
    thread.start()
    thread.join(patience_s)
    if done:
        return done[0], ""
    return b"", failed[0] if failed else f"expected it within {patience_s:g} s, got nothing"


_ELSEWHERE = ("请用 -o 换一个可写且空间足够的目录", "Name another folder with -o, which can be written and has room")


def kept(content: bytes, folder: Path) -> Path:
    """Write the bundle into `folder`, whole or not at all, for its owner alone. Raises StorageFailed."""
    with storage(folder, _ELSEWHERE):
        folder.mkdir(parents=True, exist_ok=True)
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        names = (f"appliance-support-{stamp}{more}.zip" for more in ("", *(f"-{n}" for n in range(1, 1000))))
        place = next(folder / name for name in names if not os.path.lexists(folder / name))
        stage = folder / f".{place.name}.part"
        try:
            # A stick has no owners and refuses to change what it does not have.
            write(stage, content, 0o600)
            stage.rename(place)
        finally:
            stage.unlink(missing_ok=True)
        sync(folder)
    return place
