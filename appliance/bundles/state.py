"""What is served and what is on trial: two links and a small file, each changed in one step that a power cut respects.

`<root>/current` and `<root>/previous` are links to bundles; without `current` what came with the appliance serves.
`state.json` has the rest. Whoever changes anything holds `exclusive(root)`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from appliance.artifacts.disk import storage, sync
from appliance.artifacts.staging import staged, write
from appliance.bundles.contents import ID
from appliance.bundles.moments import moment_of, stamp
from appliance.errors import StorageFailed

FILE = "state.json"
CURRENT, PREVIOUS = "current", "previous"
BAD = 50
"""So many bundles that did not serve are remembered."""


@dataclass(frozen=True, slots=True)
class State:
    """What is remembered of bundles beside the links."""

    floor: int = 0
    """Version of the newest bundle that has proved itself: older ones and itself do not come in."""
    seen: datetime | None = None
    """When the youngest of these was made: it is not earlier than that."""
    trial: str | None = None
    """Id of the bundle that has to prove itself; None: none."""
    attempts: int = 0
    """How often its start was begun."""
    ready: bool = False
    """True when it has been seen to serve once."""
    bad: dict[str, str] = field(default_factory=dict)
    """Ids of bundles that did not serve, with why, the newest last."""

    def without_trial(self) -> State:
        """With nothing on trial."""
        return replace(self, trial=None, attempts=0, ready=False)

    def gave_up(self, name: str, reason: str) -> State:
        """With the bundle `name` among those that do not serve, and not on trial."""
        kept = {known: why for known, why in self.bad.items() if known != name}
        bad = dict([*kept.items(), (name, reason[:500])][-BAD:])
        return replace(self.without_trial() if self.trial == name else self, bad=bad)


def read_state(root: Path) -> State:
    """The state in `root`. Raises StorageFailed for one that cannot be read: to forget it would let old ones in.

    Where there is none, what the links name is the floor all the same.
    """
    path = root / FILE
    try:
        row = json.loads(path.read_text("utf-8"))
        seen = row["seen"]
        state = State(
            int(row["floor"]),
            moment_of(seen) if seen is not None else None,
            row["trial"],
            int(row["attempts"]),
            bool(row["ready"]),
            {str(name): str(why) for name, why in row["bad"].items()},
        )
        if state.trial is not None and not ID.fullmatch(state.trial):
            raise ValueError("no bundle's name")
    except FileNotFoundError:
        names = filter(None, (linked(root, CURRENT), linked(root, PREVIOUS)))
        return State(max((int(name.partition("-")[0]) for name in names), default=0))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageFailed(
            f"{path}: expected the state of the bundles, got {error}",
            remedy=(
                f"请检查磁盘；确认后删除 {path}（此后高于现用版本的都可安装），再重新安装更新包",
                f"Check the disk; then delete {path}, after which all above what serves come in, and install one",
            ),
        ) from error
    return state


def write_state(root: Path, state: State) -> None:
    """Replace the state in one step, on the disk when this returns. Raises StorageFailed."""
    row = {
        "floor": state.floor,
        "seen": stamp(state.seen) if state.seen is not None else None,
        "trial": state.trial,
        "attempts": state.attempts,
        "ready": state.ready,
        "bad": state.bad,
    }
    with staged(root) as stage:
        write(stage / FILE, (json.dumps(row, ensure_ascii=False, indent=1) + "\n").encode("utf-8"))
        (stage / FILE).replace(root / FILE)
        sync(root)


def linked(root: Path, link: str) -> str | None:
    """Id of the bundle that `current` or `previous` names; None without one, and for a link that names none."""
    try:
        target = (root / link).readlink()
    except OSError:
        return None
    return str(target) if ID.fullmatch(str(target)) else None


def relink(root: Path, link: str, name: str | None) -> None:
    """Make `link` name the bundle `name`, or nothing, in one step. Raises StorageFailed."""
    if name is None:
        with storage(root):
            (root / link).unlink(missing_ok=True)
            sync(root)
        return
    with staged(root) as stage:
        (stage / link).symlink_to(name)
        (stage / link).replace(root / link)
        sync(root)


def installed(root: Path) -> Iterator[str]:
    """Ids of the bundles whose folders are there, the oldest version first."""
    names = (path.name for path in root.glob("*-*") if ID.fullmatch(path.name))
    yield from sorted(names, key=lambda name: (int(name.partition("-")[0]), name))
