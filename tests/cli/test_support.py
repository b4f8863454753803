"""The technician's commands from their outside: what they say, and their exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.cli.exits import Exit
from appliance.records.events import EventLog
from tests.cli.conftest import Command


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "machine/data"
    log = EventLog(root / "records/events.sqlite", redact=str)
    log.append("s", "turn", {})
    log.close()
    path = tmp_path / "machine/appliance.yaml"
    path.write_text(f"data_dir: {root}\nhttp_port: 1\nhttp_token: 0123456789abcdef\n")
    return path


@pytest.fixture
def own(command: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command by its settings file alone."""
    monkeypatch.delenv("APPLIANCE_DATA_DIR")
    return command


def test_a_bundle_is_made_though_nothing_serves(own: Command, config: Path, tmp_path: Path) -> None:
    done = own("support-bundle", "-o", str(tmp_path / "out"), "--no-check", "-c", str(config))
    assert done.code == Exit.OK
    (made,) = (tmp_path / "out").iterdir()
    assert done.out.startswith(str(made))
    both = own("support-bundle", "-o", str(tmp_path), "--usb")
    assert (both.code, "got both" in both.err) == (Exit.USAGE, True)


def test_there_and_back_by_passphrase(own: Command, config: Path, tmp_path: Path) -> None:
    (tmp_path / "words").write_text("correct horse battery\n")
    (tmp_path / "wrong").write_text("another passphrase\n")
    (tmp_path / "short").write_text("short\n")
    file, named = str(tmp_path / "backup"), ["-c", str(config)]
    assert own("backup", "-o", file, "--passphrase-file", str(tmp_path / "short"), *named).code == Exit.USAGE
    saved = own("backup", "-o", file, "--passphrase-file", str(tmp_path / "words"), *named)
    assert saved.code == Exit.OK
    assert "1 events" in saved.out
    config.write_text(f"data_dir: {tmp_path / 'machine/data'}\n")
    refused = own("restore", file, "--passphrase-file", str(tmp_path / "wrong"), *named)
    assert refused.code == Exit.USAGE
    assert "expected its passphrase" in refused.err
    done = own("restore", file, "--passphrase-file", str(tmp_path / "words"), *named)
    assert done.code == Exit.OK, done.err
    assert "0123456789abcdef" in config.read_text()
    assert "nothing was broken off" in own("restore", "--finish", *named).out


def test_the_first_boot_takes_settings_once(own: Command, tmp_path: Path) -> None:
    stick, config = tmp_path / "stick", tmp_path / "etc/appliance.yaml"
    stick.mkdir()
    (stick / "appliance.yaml").write_text("log_level: loud\n")
    given = ["first-boot", "--from", str(stick), "-c", str(config)]
    wrong = own(*given)
    assert wrong.code == Exit.USAGE
    assert str(stick) in wrong.err
    (stick / "appliance.yaml").write_text("log_level: warning\n")
    assert own(*given).code == Exit.OK
    assert "warning" in config.read_text()
    (stick / "appliance.yaml").write_text("log_level: error\n")
    assert "has its settings" in own(*given).out
    assert "warning" in config.read_text(), "a stranger's stick changes nothing"
    assert own(*given, "--force").code == Exit.OK
    assert "error" in config.read_text()
    assert own("first-boot").code == Exit.USAGE


def test_a_first_boot_without_a_stick_is_the_first_boot_too(own: Command, tmp_path: Path) -> None:
    config = tmp_path / "appliance.yaml"
    config.write_text("data_dir: /var/lib/appliance\n")
    assert "no appliance.yaml was found" in own("first-boot", "--from", str(tmp_path / "none"), "-c", str(config)).out
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick/appliance.yaml").write_text("log_level: error\n")
    assert "has its settings" in own("first-boot", "--from", str(tmp_path / "stick"), "-c", str(config)).out
    assert "error" not in config.read_text()


def test_a_reset_asks_and_says_what_it_does_not_promise(
    own: Command, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.prompt", lambda *_, **__: "no")
    asked = own("factory-reset", "-c", str(config))
    assert asked.code == Exit.USAGE
    assert "not erased" in asked.out
    assert (config.parent / "data/records").is_dir()
    assert own("factory-reset", "--yes", "-c", str(config)).code == Exit.OK
    assert not (config.parent / "data/records").exists()
    assert "0123456789abcdef" not in config.read_text()


def test_the_level_of_a_log_that_nobody_keeps(own: Command, config: Path) -> None:
    asked = own("log-level", "debug", "-c", str(config))
    assert asked.code == Exit.UNAVAILABLE
    assert "systemctl status appliance" in asked.err
