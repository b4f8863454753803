"""Many things replaced as one: killed at every step, it is all old or, at the next start, all new."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.errors import StorageFailed
from appliance.support import change
from appliance.support.change import FOLDER, Step, abandon, commit, finish, pending, prepare

KILLED = 41


def killed_at(moment: int, work: Callable[[], object]) -> bool:
    """Run `work` in a process of its own that dies before its `moment`-th touch of the disk; False when it outlived."""
    child = os.fork()
    if child == 0:
        left = [moment]

        def dying(real: Callable[..., object]) -> Callable[..., object]:
            def touch(*arguments: object, **more: object) -> object:
                left[0] -= 1
                if left[0] == 0:
                    os._exit(KILLED)
                return real(*arguments, **more)

            return touch

        for name in ("rename", "replace", "unlink", "mkdir", "rmdir", "fsync", "open", "chmod", "fchmod"):
            setattr(os, name, dying(getattr(os, name)))
        for name in ("rename", "replace", "unlink", "mkdir"):
            setattr(Path, name, dying(getattr(Path, name)))
        code = 0
        try:
            work()
        except BaseException:  # noqa: BLE001 - told by its code
            code = 1
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, KILLED), code
    return code == KILLED


def state(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in sorted(root.rglob("*"))
        if path.is_file() and FOLDER not in path.parts
    }


def old(root: Path) -> None:
    for name in ("records/a", "records/b", "packs/one/x", "keys/k", "settings.yaml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("old")


def exchange(root: Path) -> None:
    new = prepare(root)
    for name in ("records/c", "packs/two/y", "settings"):
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        (new / name).write_text("new")
    steps = [Step(root / "settings.yaml", new / "settings"), Step(root / "keys", None)]
    commit(root, "restore", [*steps, *(Step(root / name, new / name) for name in ("records", "packs"))])
    finish(root)


BEFORE = dict.fromkeys(("keys/k", "packs/one/x", "records/a", "records/b", "settings.yaml"), "old")
AFTER = {"packs/two/y": "new", "records/c": "new", "settings.yaml": "new"}


def moments(root: Path, work: Callable[[], object]) -> Iterator[int]:
    """Kill `work` at every moment there is, from the old state each time."""
    for moment in range(1, 500):
        shutil.rmtree(root, ignore_errors=True)
        old(root)
        if not killed_at(moment, work):
            return
        yield moment
    raise AssertionError("it never ended")


def test_killed_anywhere_it_is_all_old_or_goes_on_to_all_new(tmp_path: Path) -> None:
    root = tmp_path / "data"
    ends = set()
    for moment in moments(root, lambda: exchange(root)):
        decided = pending(root)
        assert decided or state(root) in (BEFORE, AFTER), moment
        finish(root)
        assert state(root) == (AFTER if decided else state(root)), moment
        assert state(root) in (BEFORE, AFTER), moment
        assert not pending(root)
        ends.add(decided)
    assert state(root) == AFTER
    assert ends == {"", "restore"}


def test_going_on_may_be_killed_anywhere_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "data"

    def decide() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(change, "_do", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                exchange(root)

    for moment in range(1, 500):
        shutil.rmtree(root, ignore_errors=True)
        old(root)
        decide()
        if not killed_at(moment, lambda: finish(root)):
            break
        finish(root)
        assert state(root) == AFTER, moment
    assert moment > 10
    assert state(root) == AFTER


def test_what_was_prepared_and_not_decided_is_thrown_away(tmp_path: Path) -> None:
    old(tmp_path)
    (prepare(tmp_path) / "x").write_text("new")
    abandon(tmp_path)
    assert state(tmp_path) == BEFORE
    (prepare(tmp_path) / "x").write_text("new")
    assert finish(tmp_path) == ""
    assert not (tmp_path / FOLDER).exists()


def test_nothing_new_begins_while_a_change_is_half_done(tmp_path: Path) -> None:
    old(tmp_path)
    commit(tmp_path, "reset", [Step(tmp_path / "keys", None)])
    with pytest.raises(StorageFailed, match="half done"):
        prepare(tmp_path)
    abandon(tmp_path)
    assert finish(tmp_path) == "reset"
    assert not (tmp_path / "keys").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_services_user_goes_on_with_what_root_decided() -> None:
    with tempfile.TemporaryDirectory() as place:  # pytest's own folders are closed to other users
        Path(place).chmod(0o755)
        root = Path(place) / "data"
        old(root)
        for path in (root, *root.rglob("*")):
            os.chown(path, 12345, 12345)
        commit(root, "reset", [Step(root / "keys", None)])
        child = os.fork()
        if child == 0:
            os.setgid(12345)
            os.setuid(12345)
            os._exit(0 if _goes_on(root) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert not (root / "keys").exists()


def _goes_on(root: Path) -> bool:
    try:
        return finish(root) == "reset"
    except StorageFailed as error:
        print(error.detail)
        return False


@pytest.mark.parametrize(
    "home", ["victim/mine", "data/../victim/mine", "data/link/mine", "etc/appliance.yaml", "etc/x"]
)
def test_a_plan_of_the_services_user_leads_root_nowhere_else(tmp_path: Path, home: str) -> None:
    root, config = tmp_path / "data", tmp_path / "etc/appliance.yaml"
    old(root)
    for place in (tmp_path / "victim/mine", config, tmp_path / "etc/x"):
        place.parent.mkdir(exist_ok=True)
        place.write_text("mine")
    (root / "link").symlink_to(tmp_path / "victim")
    (root / "bait").write_text("bait")
    commit(root, "restore", [Step(tmp_path / home, root / "bait")])
    with pytest.raises(StorageFailed, match="expected steps in"):
        finish(root, config)
    assert (tmp_path / home).read_text() == "mine"
    assert (root / "bait").exists()


def test_a_link_in_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    root, victim = tmp_path / "data", tmp_path / "victim"
    old(root)
    victim.mkdir()
    victim.chmod(0o755)
    (root / FOLDER).symlink_to(victim)
    prepare(root)
    assert not (root / FOLDER).is_symlink()
    assert victim.stat().st_mode & 0o777 == 0o755
    assert list(victim.iterdir()) == []
