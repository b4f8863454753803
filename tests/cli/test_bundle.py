"""`appliance bundle ...` from a pair of keys to a bundle on trial."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.cli.exits import Exit
from tests.cli.conftest import Command


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command) -> Path:
    """A passphrase's file; the machine has a data folder of its own."""
    monkeypatch.setenv("APPLIANCE_DATA_DIR", str(tmp_path / "data"))
    path = tmp_path / "words"
    path.write_text("correct horse\r\nsecond line\n")
    return path


def test_from_keys_to_a_trial_and_back(command: Command, words: Path, tmp_path: Path) -> None:
    key, target = str(tmp_path / "desk.key"), str(tmp_path / "menu.bundle")
    secret = ("--passphrase-file", str(words))
    made = command("bundle", "key", "new", key, *secret)
    assert made.code == Exit.OK, made.err
    name = made.out.split("\n")[0]
    assert command("bundle", "key", "list").out.startswith("无 / none")
    make = ("bundle", "make", target, "--version", "3", "--title", "Menu", "--pack", "store", "--board", "pc")
    unsigned = command(*make)
    assert "未签名 / not signed" in unsigned.err
    assert command("bundle", "verify", target).code == Exit.CORRUPT
    assert command("bundle", "sign", target, "-k", key, *secret).code == Exit.OK
    assert command("bundle", "verify", target).code == Exit.CORRUPT, "not trusted yet"
    assert name in command("bundle", "key", "trust", f"{key}.pub", "--title", "the desk").out
    assert "完整且受信任，可用于 / whole and trusted, for: bundle, keys\n" in command("bundle", "verify", target).out
    assert command("bundle", "key", "trust", f"{key}.pub", "--title", "the desk", "--role", "keys").code == Exit.OK
    in_vain = command("bundle", "verify", target)
    assert (in_vain.code, "whole and trusted, for: keys\n" in in_vain.out) == (Exit.CORRUPT, True)
    assert "signatures: expected one of role `bundle`" in in_vain.err
    assert command("bundle", "key", "trust", f"{key}.pub", "--title", "the desk").code == Exit.OK
    shown = command("bundle", "inspect", target, "--json").json
    assert (shown["version"], shown["signatures"], shown["compatible"]["boards"]) == (3, [name], ["pc"])
    assert "未经验证" in command("bundle", "inspect", target).out
    installed = command("bundle", "install", target)
    assert installed.code == Exit.OK, installed.err
    listed = command("bundle", "list", "--json").json
    assert listed["trial"]["id"] == shown["id"]
    assert listed["keys"][0]["title"] == "the desk"
    again = command("bundle", "install", target)
    assert (again.code, "has yet to prove itself" in again.err) == (Exit.FAILED, True)
    assert "what came with the appliance" in command("bundle", "rollback").out
    assert "rolled back by hand" in command("bundle", "list").out
    assert command("bundle", "install", target, "--again").code == Exit.OK
    assert "已吊销" in command("bundle", "key", "revoke", name).out
    assert command("bundle", "verify", target).code == Exit.CORRUPT
    assert "revoked since" in command("bundle", "list").out
    assert command("bundle", "rollback").code == Exit.USAGE


def test_the_inbox_is_emptied(command: Command, words: Path, tmp_path: Path) -> None:
    assert command("bundle", "inbox").code == Exit.OK
    inbox = tmp_path / "data/inbox"
    inbox.mkdir(parents=True)
    (inbox / "x.bundle").write_bytes(b"x" * 600)
    told = command("bundle", "inbox")
    assert told.code == Exit.FAILED
    assert "x.bundle: 更新包无效 / bundle: expected the file manifest.json" in told.err
    assert (inbox / "x.bundle.refused").exists()
    assert command("bundle", "inbox").code == Exit.OK


def test_without_a_terminal_a_passphrase_has_to_lie_somewhere(command: Command, words: Path, tmp_path: Path) -> None:
    told = command("bundle", "key", "new", str(tmp_path / "desk.key"))
    assert told.code == Exit.USAGE
    assert "--passphrase-file" in told.err
    assert not (tmp_path / "desk.key").exists()


def test_roles_and_files_that_there_are_not(command: Command, words: Path, tmp_path: Path) -> None:
    command("bundle", "key", "new", str(tmp_path / "a.key"), "--passphrase-file", str(words))
    assert command("bundle", "key", "trust", str(tmp_path / "a.key.pub"), "--role", "root").code == Exit.USAGE
    assert command("bundle", "key", "trust", str(tmp_path / "none.pub")).code == Exit.FAILED
    assert command("bundle", "key", "revoke", "0" * 16).code == Exit.USAGE
    assert command("bundle", "verify", str(tmp_path / "none.bundle")).code == Exit.FAILED
    assert command("bundle", "make", str(tmp_path / "x"), "--version", "1", "--title", "x").code == Exit.USAGE
    role = command("bundle", "key", "trust", str(tmp_path / "a.key.pub"), "--role", "downgrade", "--days", "3")
    assert "downgrade" in role.out
    assert json.loads(command("bundle", "key", "list", "--json").out)[0]["roles"] == ["downgrade"]
