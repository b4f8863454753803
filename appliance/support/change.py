"""Replaces or removes many things as one: written down first, then done step by step, and gone on with after any break.

Before the plan is on the disk nothing was touched, and what was prepared is thrown away. From then on every step can be
done again: a thing is in its place when its new self is no longer where it was prepared.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from appliance.artifacts.disk import storage, sync
from appliance.artifacts.staging import write
from appliance.errors import StorageFailed

FOLDER = ".change"
"""Where in the data folder everything lies that takes part."""
MARK = ".first-boot-done"
"""Name of the file beside the settings that says that the first boot has been."""
_PLAN, _OLD, _NEW = "plan.json", "old", "new"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that changes."""

    home: Path
    """Where it is."""
    new: Path | None
    """What takes its place, on the same disk; None when it goes."""


def prepare(root: Path) -> Path:
    """An empty folder for what is to take another's place. Raises StorageFailed, also while a change is half done."""
    with storage(root):
        folder = root / FOLDER
        if (folder / _PLAN).exists():
            raise StorageFailed(
                f"{folder}: expected no change that is half done, got one",
                remedy=("请以 root 运行 `appliance restore --finish`", "Run `appliance restore --finish` as root"),
            )
        _cleared(folder)
        new = folder / _NEW
        new.mkdir(parents=True)
        folder.chmod(0o700)
        return new


def abandon(root: Path) -> None:
    """Throw away what was prepared, unless it was decided on already."""
    if not (root / FOLDER / _PLAN).exists():
        _cleared(root / FOLDER)


def _cleared(folder: Path) -> None:
    """Away with it; a link in its place goes alone: root must not be led by it to what the service may not touch."""
    if folder.is_symlink():
        folder.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def commit(root: Path, kind: str, steps: list[Step]) -> None:
    """Decide: from here on the change is gone on with, whatever happens. After StorageFailed nothing is decided."""
    folder = root / FOLDER
    rows = [{"home": str(step.home), "new": None if step.new is None else str(step.new)} for step in steps]
    with storage(root):
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f"{_PLAN}.draft"
        draft.unlink(missing_ok=True)
        write(draft, json.dumps({"kind": kind, "steps": rows}).encode(), 0o600)
        give(root, folder, draft)  # the service goes on with it at its start, as the user that it is
        sync(folder)
        draft.rename(folder / _PLAN)
        sync(folder)
        sync(root)


def give(root: Path, *paths: Path) -> None:
    """Give the paths to the owner of the data folder: root decides, and the service's user goes on. Raises OSError."""
    if os.geteuid() == 0:
        owner = root.stat()
        for path in paths:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def pending(root: Path) -> str:
    """The kind of change that was decided on and not finished; empty when there is none."""
    return _read(root)[0]


def finish(root: Path, config: Path | None = None) -> str:
    """Do what was decided on, as far as it was not done, and return its kind; empty when there was none.

    `config` is the settings file, beside which a change may replace something outside of `root`. Raises StorageFailed
    when a step cannot be done; the change stays half done then, for another try.
    """
    kind, steps = _read(root)
    folder = root / FOLDER
    if not kind:
        abandon(root)
        return ""
    _check(root, config, steps)
    with storage(root):
        (folder / _OLD).mkdir(exist_ok=True)
        for number, step in enumerate(steps):
            _do(step, folder / _OLD / str(number), root)
        # The plan goes last of what counts: without it the rest is only rubbish, which the next one clears.
        (folder / _PLAN).unlink()
        sync(folder)
    shutil.rmtree(folder, ignore_errors=True)
    return kind


def _read(root: Path) -> tuple[str, list[Step]]:
    path = root / FOLDER / _PLAN
    with storage(root):
        try:
            said = json.loads(path.read_text("utf-8"))
            rows = [Step(Path(row["home"]), Path(row["new"]) if row["new"] else None) for row in said["steps"]]
            return str(said["kind"]), rows
        except (FileNotFoundError, NotADirectoryError):
            return "", []
        except (ValueError, KeyError, TypeError) as error:  # it is renamed whole: a disk that lies
            raise StorageFailed(f"{path}: expected a plan, got {type(error).__name__}") from error


def _check(root: Path, config: Path | None, steps: list[Step]) -> None:
    """Raise StorageFailed for a plan that leads elsewhere: the service's user can write one, and root follows it."""
    inside = root.resolve()
    etc = None if config is None else config.parent.resolve()
    for step in steps:
        places = (step.home, step.new or step.home)
        # What takes the settings' place lies beside them, where only root can have put it.
        outside = all(path.parent.resolve() == etc and _beside(path, config) for path in places)
        for path in places:
            folder = path.parent.resolve()
            if not (outside or folder == inside or inside in folder.parents) or path.name in ("", ".", ".."):
                raise StorageFailed(
                    f"{root / FOLDER / _PLAN}: expected steps in {root} and for the settings, got {path}",
                    remedy=(
                        "请用 -c 指定设置文件；若仍出现，请以 root 删除该文件",
                        "Name the settings file with -c; if it stays so, delete that file as root",
                    ),
                )


def _beside(path: Path, config: Path | None) -> bool:
    """Whether it is the settings file, what waits to take its place, or the first boot's mark."""
    return config is not None and (path.name == config.name or path.name in (f".{config.name}.restore", MARK))


def _do(step: Step, aside: Path, root: Path) -> None:
    if step.new is not None and not os.path.lexists(step.new):
        return  # in its place already
    if step.new is not None and not step.new.is_dir():
        _parent(step.home, root)
        step.new.replace(step.home)
    else:
        if step.new is None and not os.path.lexists(step.home):
            return
        _away(step.home, aside)
        if step.new is not None:
            _parent(step.home, root)
            step.new.rename(step.home)
    if step.home.parent.is_dir():
        sync(step.home.parent)


def _parent(home: Path, root: Path) -> None:
    """Make the folders that `home` is to lie in, for the owner of the data folder where they lie in that."""
    lacking = [folder for folder in home.parents if not folder.exists()]
    home.parent.mkdir(parents=True, exist_ok=True)
    give(root, *(folder for folder in lacking if root in folder.parents))


def _away(home: Path, aside: Path) -> None:
    """Take away what is there, in one step for whoever looks, and from the disk later."""
    if not os.path.lexists(home):
        return
    if os.path.lexists(aside):  # a step that was done half: what is there now came after it
        _gone(aside)
    try:
        home.rename(aside)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _gone(home)


def _gone(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
