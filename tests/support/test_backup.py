"""A board is swapped: everything that cannot be fetched comes along, verified, whatever breaks off."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from appliance.artifacts.inuse import FILE, in_use
from appliance.errors import ApplianceError, InvalidInput
from appliance.records.events import EventLog
from appliance.settings import Settings, load_settings
from appliance.support import sealed
from appliance.support.backup import MANIFEST, Kept, back_up
from appliance.support.change import FOLDER, Step, commit, finish
from appliance.support.restore import finished, folder_of, restore
from tests.support.test_change import killed_at

WORDS = "correct horse battery"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """scrypt at its least cost, and no settings of the caller."""
    monkeypatch.setattr(sealed.seal, "__kwdefaults__", {"cost": 1 << 14})
    monkeypatch.delenv("APPLIANCE_CONFIG", raising=False)
    monkeypatch.delenv("APPLIANCE_DATA_DIR", raising=False)


def log(root: Path) -> EventLog:
    return EventLog(root / "records/events.sqlite", redact=str)


def said(root: Path) -> list[str]:
    with_log = log(root)
    found = [str(event.payload["text"]) for event in with_log.of_kind("turn")]
    assert with_log.verify() is None
    with_log.close()
    return found


class Machine:
    """A data folder and its settings."""

    def __init__(self, place: Path, *texts: str, token: str = "0123456789abcdef") -> None:
        self.root, self.config = place / "data", place / "etc/appliance.yaml"
        self.root.mkdir(parents=True)
        if texts:
            self.config.parent.mkdir()
            self.config.write_text(f"data_dir: {self.root}\nhttp_token: {token}\npack: {self.root}/packs/own\n")
            self.config.chmod(0o640)
            kept = log(self.root)
            kept.append_many("somebody", [("turn", {"text": text}) for text in texts])
            kept.close()
            for name in ("packs/own/pack.yaml", "bundles/keys/one.json", "engines/e/plan", "cache/c"):
                (self.root / name).parent.mkdir(parents=True)
                (self.root / name).write_text(texts[0])

    @property
    def settings(self) -> Settings:
        return load_settings(self.config, {})

    def backup(self, target: Path) -> Kept:
        return back_up(self.settings, self.config, target, WORDS)


@pytest.fixture
def old(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "old", "first", "second")


def test_a_new_board_gets_everything_that_cannot_be_fetched(tmp_path: Path, old: Machine) -> None:
    kept = old.backup(tmp_path / "backup")
    assert set(kept.files) == {
        "settings/appliance.yaml",
        "records/events.sqlite",
        "packs/own/pack.yaml",
        "bundles/keys/one.json",
    }
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600
    assert b"0123456789abcdef" not in (tmp_path / "backup").read_bytes()
    assert b"events" not in (tmp_path / "backup").read_bytes()
    before = {path: path.read_bytes() for path in old.root.rglob("*") if path.is_file()}
    shutil.rmtree(old.root)
    old.config.unlink()
    new = tmp_path / "new/etc/appliance.yaml"
    # The new board's data folder is the one that the settings in the backup name.
    done = restore(tmp_path / "backup", folder_of(new), new, WORDS)
    assert done.kept == kept
    assert "0123456789abcdef" in new.read_text()
    assert new.stat().st_mode & 0o777 == 0o640
    assert said(old.root) == ["first", "second"]
    for name in ("packs/own/pack.yaml", "bundles/keys/one.json"):
        assert (old.root / name).read_bytes() == before[old.root / name]
    assert not (old.root / FOLDER).exists()
    assert not (old.root / "engines").exists()


def test_it_replaces_what_was_there_and_leaves_engines_alone(tmp_path: Path, old: Machine) -> None:
    old.backup(tmp_path / "backup")
    new = Machine(tmp_path / "new", "other", token="fedcba9876543210")
    restore(tmp_path / "backup", new.root, new.config, WORDS)
    assert said(new.root) == ["first", "second"]
    assert (new.root / "engines/e/plan").read_text() == "other"
    assert "0123456789abcdef" in new.config.read_text()


def test_it_is_taken_while_the_appliance_writes_and_put_back_only_when_it_has_stopped(
    tmp_path: Path, old: Machine
) -> None:
    serving = log(old.root)
    with in_use(old.root):
        serving.append("somebody", "turn", {"text": "third"})
        old.backup(tmp_path / "backup")
        serving.append("somebody", "turn", {"text": "fourth"})
        with pytest.raises(InvalidInput, match="got one that serves"):
            restore(tmp_path / "backup", old.root, old.config, WORDS)
    serving.close()
    assert said(old.root) == ["first", "second", "third", "fourth"]
    restore(tmp_path / "backup", old.root, old.config, WORDS)
    assert said(old.root) == ["first", "second", "third"]


def test_a_log_that_is_broken_is_not_taken_for_a_whole_one(tmp_path: Path, old: Machine) -> None:
    with sqlite3.connect(old.root / "records/events.sqlite") as log:
        log.execute("DROP TRIGGER events_never_change")
        log.execute('UPDATE events SET payload = \'{"text":"forged"}\' WHERE sequence = 1')
    with pytest.raises(InvalidInput, match="breaks at event 1"):
        old.backup(tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


def held(place: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in place.rglob("*") if path.is_file() and path.name != FILE}


Forge = Callable[[dict[str, bytes], dict[str, Any]], None]


def forged(path: Path, change: Forge) -> None:
    """The backup at `path`, changed by somebody who knows its passphrase."""
    plain = BytesIO()
    with path.open("rb") as source:
        sealed.unseal(source, plain, WORDS)
    with zipfile.ZipFile(plain) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files.pop(MANIFEST))
    change(files, manifest)
    again = BytesIO()
    with zipfile.ZipFile(again, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr(MANIFEST, json.dumps(manifest))
    again.seek(0)
    with path.open("wb") as out:
        sealed.seal(again, out, WORDS)


def with_file(name: str, content: bytes = b"x") -> Forge:
    import hashlib

    def change(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
        files[name] = content
        manifest["files"][name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    return change


def edited(name: str, content: bytes) -> Forge:
    return lambda files, manifest: files.update({name: content})


def saying(**fields: Any) -> Forge:
    return lambda files, manifest: manifest.update(fields)


@pytest.mark.parametrize(
    "change",
    [
        with_file("packs/../../outside"),
        with_file("/packs/x"),
        with_file("elsewhere/x"),
        with_file("packs/.hidden"),
        with_file("records/events.sqlite", b"no database"),
        with_file("settings/appliance.yaml", b"no_such_setting: 1\n"),
        with_file("models/m/manifest.yaml", b"name: m\n"),
        edited("packs/own/pack.yaml", b"other"),
        edited("packs/own/more.yaml", b"unlisted"),
        lambda files, manifest: files.pop("records/events.sqlite"),
        saying(layout=3),
        saying(schema=99),
        saying(head=[7, "0"]),
        saying(files=7),
        saying(files=[]),
        saying(pack="../../../../etc"),
        saying(pack=".."),
        saying(pack=7),
        saying(bundle="../7-1f0c"),
        saying(bundle=7),
        lambda files, manifest: manifest.pop("head"),
    ],
    ids=range(21),
)
def test_a_hostile_or_newer_one_replaces_nothing(tmp_path: Path, old: Machine, change: Forge) -> None:
    old.backup(tmp_path / "backup")
    forged(tmp_path / "backup", change)
    new = Machine(tmp_path / "new", "other")
    before = held(tmp_path / "new")
    with pytest.raises(ApplianceError):
        restore(tmp_path / "backup", new.root, new.config, WORDS)
    assert held(tmp_path / "new") == before
    assert not (tmp_path / "outside").exists()


def test_one_of_an_older_version_is_put_back(tmp_path: Path, old: Machine) -> None:
    old.backup(tmp_path / "backup")

    def of_layout_1(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
        manifest.pop("bundle")
        manifest["layout"] = 1

    forged(tmp_path / "backup", of_layout_1)
    new = Machine(tmp_path / "new", "other")
    assert restore(tmp_path / "backup", new.root, new.config, WORDS).bundle == ""
    assert said(new.root) == ["first", "second"]


def test_the_bundle_that_served_is_named_until_it_serves_again(tmp_path: Path, old: Machine) -> None:
    served = "7-" + "1f0c" * 4
    (old.root / "bundles/current").symlink_to(served)
    assert old.backup(tmp_path / "backup").bundle == served
    new = Machine(tmp_path / "new", "other")
    assert restore(tmp_path / "backup", new.root, new.config, WORDS).bundle == served
    (new.root / "bundles/current").symlink_to(served)
    assert restore(tmp_path / "backup", new.root, new.config, WORDS).bundle == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_an_empty_board_of_another_user_gets_everything_as_its_own(tmp_path: Path, old: Machine) -> None:
    old.backup(tmp_path / "backup")
    new = Machine(tmp_path / "new")
    os.chown(new.root, 12345, 12345)
    restore(tmp_path / "backup", new.root, None, WORDS)
    others = [path for path in new.root.rglob("*") if path.stat().st_uid != 12345 and path.name != FILE]
    assert others == []
    assert (new.root / "packs/own/pack.yaml").exists()


def test_another_passphrase_replaces_nothing(tmp_path: Path, old: Machine) -> None:
    old.backup(tmp_path / "backup")
    with pytest.raises(InvalidInput, match="expected its passphrase"):
        restore(tmp_path / "backup", old.root, old.config, "another passphrase")
    assert said(old.root) == ["first", "second"]


def test_killed_anywhere_the_old_or_the_new_state_is_whole(
    tmp_path: Path, old: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "_key", lambda *_: b"k" * 32)  # what it costs is not what dies here
    old.backup(tmp_path / "backup")
    ends = []
    for moment in range(1, 400):
        shutil.rmtree(tmp_path / "new", ignore_errors=True)
        new = Machine(tmp_path / "new", "other", token="fedcba9876543210")

        def put_back(new: Machine = new) -> None:
            restore(tmp_path / "backup", new.root, new.config, WORDS)

        survived = not killed_at(moment, put_back)
        finish(new.root, new.config)
        now = said(new.root)
        assert now in (["other"], ["first", "second"]), moment
        mine = now == ["other"]
        assert ("fedcba9876543210" in new.config.read_text()) == mine, moment
        assert ((new.root / "packs/own/pack.yaml").read_text() == "other") == mine, moment
        assert ((new.root / "bundles/keys/one.json").read_text() == "other") == mine, moment
        ends.append(mine)
        if survived:
            break
    assert survived
    assert ends == sorted(ends, reverse=True), "once decided it is never undone"
    assert True in ends
    assert ends.count(False) > 10


def test_settings_of_one_that_died_before_its_decision_do_not_stay(tmp_path: Path, old: Machine) -> None:
    old.backup(tmp_path / "backup")
    new = Machine(tmp_path / "new", "other")
    waiting = new.config.with_name(f".{new.config.name}.restore")
    moments = 0
    while not waiting.exists():
        moments += 1
        assert killed_at(moments, lambda: restore(tmp_path / "backup", new.root, new.config, WORDS))
    assert "0123456789abcdef" in waiting.read_text()
    assert finished(new.root, new.config) == ""
    assert not waiting.exists()
    assert said(new.root) == ["other"]


def test_records_go_where_the_restored_settings_look_for_them(tmp_path: Path, old: Machine) -> None:
    old.backup(tmp_path / "backup")
    shutil.rmtree(old.root)
    new = Machine(tmp_path / "new", "other")  # a board whose settings name another folder
    restore(tmp_path / "backup", None, new.config, WORDS)
    assert said(load_settings_of(new.config)) == ["first", "second"]
    assert said(new.root) == ["other"]


def load_settings_of(config: Path) -> Path:
    return Path(load_settings(config, {}).data_dir)


def test_one_that_was_broken_off_is_finished_before_another_begins(tmp_path: Path, old: Machine) -> None:
    old.backup(tmp_path / "backup")
    commit(old.root, "reset", [Step(old.root / "engines", None)])
    restore(tmp_path / "backup", None, old.config, WORDS)
    assert not (old.root / "engines").exists()
    assert said(old.root) == ["first", "second"]


def test_a_packs_name_leads_nowhere_else(tmp_path: Path, old: Machine) -> None:
    old.backup(tmp_path / "backup")
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "mine").write_text("mine")
    forged(tmp_path / "backup", saying(pack=str(victim)))
    with pytest.raises(InvalidInput, match="a pack's name"):
        restore(tmp_path / "backup", old.root, old.config, WORDS)
    assert (victim / "mine").read_text() == "mine"


def test_it_is_unpacked_where_the_data_lies_and_not_in_memory(
    tmp_path: Path, old: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    old.backup(tmp_path / "backup")
    places: list[object] = []
    real = tempfile.TemporaryFile

    def watched(*arguments: Any, **more: Any) -> Any:
        places.append(more.get("dir"))
        return real(*arguments, **more)

    monkeypatch.setattr(tempfile, "TemporaryFile", watched)
    restore(tmp_path / "backup", None, old.config, WORDS)
    old.config.write_text("no_such_setting: 1\n")
    restore(tmp_path / "backup", None, old.config, WORDS)
    assert places == [old.root, None]
