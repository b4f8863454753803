"""Back to the beginning: what the appliance has learnt, kept and been told goes, all of it or, after a break, the rest.

Files are deleted and not overwritten. Flash memory writes elsewhere than where it is told to, so that overwriting would
promise what it cannot keep: whoever must be sure encrypts the disk beforehand, or destroys it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from appliance.artifacts.disk import storage
from appliance.artifacts.inuse import FILE as SERVING
from appliance.support.change import FOLDER, Step, abandon, commit, finish, pending, prepare
from appliance.support.firstboot import done_mark
from appliance.support.restore import beside, place_of, stopped

MODELS = ("models", "engines")
"""What `keep_models` leaves: it is large, and holds nothing of this shop unless it was imported."""


@dataclass(frozen=True, slots=True)
class Reset:
    """What goes."""

    steps: tuple[Step, ...]
    """Everything that is deleted."""
    stays: tuple[Path, ...]
    """What is in the data folder and stays."""


def planned(root: Path, config: Path | None, *, keep_models: bool = False) -> Reset:
    """What a reset of the data folder `root` and the settings in `config` deletes. Raises StorageFailed."""
    keeps = (FOLDER, SERVING, *(MODELS if keep_models else ()))
    with storage(root):
        held = sorted(root.iterdir()) if root.is_dir() else []
    goes = [path for path in held if path.name not in keeps]
    stays = tuple(path for path in held if path.name in MODELS and keep_models)
    # The settings go first: what comes after must not serve with a token that was to be forgotten.
    told = [Step(config, place_of(config))] if config is not None and config.exists() else []
    mark = done_mark(config)
    told += [Step(mark, None)] if mark is not None and mark.exists() else []
    return Reset((*told, *(Step(path, None) for path in goes)), stays)


def reset(root: Path, config: Path | None, *, keep_models: bool = False) -> Reset:
    """Delete it. Raises InvalidInput while the appliance serves, StorageFailed.

    Broken off in the middle it goes on at the next start, or with `appliance restore --finish`.
    """
    with stopped(root):
        finish(root, config)  # of another change, which was broken off
        return _reset(root, config, keep_models)


_ROOM = (
    "请先删除数据目录下的 cache 子目录以腾出少许空间，再重试",
    "Delete the folder cache in the data folder first, for a little room, and try again",
)


def _reset(root: Path, config: Path | None, keep_models: bool) -> Reset:
    try:
        plan = planned(root, config, keep_models=keep_models)
        new = prepare(root)
        if config is not None and config.exists():
            # As they are installed: they say where the data lies. Without the file the service would not start.
            with storage(new, _ROOM):
                (new / "settings").write_text(f"data_dir: {json.dumps(str(root), ensure_ascii=False)}\n", "utf-8")
            beside(new / "settings", config)
        commit(root, "reset", list(plan.steps))
    except BaseException:
        abandon(root)
        if config is not None and not pending(root):
            place_of(config).unlink(missing_ok=True)
        raise
    finish(root, config)
    return plan
