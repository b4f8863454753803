"""What a backup leaves when it dies: nothing that stays, and nothing of anybody else's goes with it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from appliance.records.events import EventLog
from appliance.settings import Settings
from appliance.support.backup import back_up
from appliance.support.restore import finished
from appliance.support.scratch import PREFIX, as_owner, beside, place, swept
from tests.support.test_change import killed_at

WORDS = "correct horse battery"


def machine(place: Path) -> Settings:
    kept = EventLog(place / "records/events.sqlite", redact=str)
    kept.append_many("somebody", [("turn", {"text": "first"})])
    kept.close()
    return Settings(data_dir=str(place))


def leftovers(root: Path) -> list[Path]:
    return [*root.glob(f"{PREFIX}*"), *root.glob("tmp*")]


@pytest.mark.parametrize("how", ["the next backup", "restore --finish", "the service's start"])
def test_what_a_killed_backup_left_of_the_records_goes_with_the_next_command(tmp_path: Path, how: str) -> None:
    settings = machine(tmp_path / "data")
    root = tmp_path / "data"
    moment = 0
    while not [*root.glob(f"{PREFIX}*/events.sqlite")]:
        moment += 1
        assert killed_at(moment, lambda: back_up(settings, None, tmp_path / "backup", WORDS))
    if how == "the next backup":
        back_up(settings, None, tmp_path / "backup", WORDS)
    elif how == "restore --finish":
        finished(root)
    else:
        swept(root)
    assert leftovers(root) == []
    assert (root / "records/events.sqlite").exists()


def test_one_that_is_being_made_stays(tmp_path: Path) -> None:
    with beside(tmp_path) as mine:
        (mine / "copy").touch()
        swept(tmp_path)
        assert (mine / "copy").exists()
    assert leftovers(tmp_path) == []


def test_a_link_or_file_of_that_name_leads_nowhere(tmp_path: Path) -> None:
    victim, root = tmp_path / "victim", tmp_path / "data"
    victim.mkdir()
    (victim / "mine").touch()
    root.mkdir()
    (root / f"{PREFIX}x").symlink_to(victim)
    (root / f"{PREFIX}y").touch()
    swept(root)
    assert (victim / "mine").exists()


def test_it_lies_elsewhere_where_the_data_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert place(tmp_path) is None
    with beside(tmp_path) as mine:
        assert tmp_path not in mine.parents
    assert not mine.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_it_belongs_to_the_datas_owner_who_may_clear_it_and_root_writes_by_no_link_of_his() -> None:
    with tempfile.TemporaryDirectory() as there:  # pytest's own folders are closed to other users
        Path(there).chmod(0o755)
        root, victim = Path(there) / "data", Path(there) / "victim"
        root.mkdir()
        os.chown(root, 12345, 12345)
        with beside(root) as mine:
            assert mine.stat().st_uid == 12345
            (mine / "events.sqlite").symlink_to(victim)
            with pytest.raises(PermissionError):
                (mine / "events.sqlite").write_text("planted")
        assert leftovers(root) == []
        assert (os.geteuid(), os.getegid()) == (0, 0)
        with as_owner(Path(there)):
            assert os.geteuid() == 0
