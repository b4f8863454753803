"""`appliance models ...` as a user runs it, on small models and real sources."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from appliance.artifacts.store import ModelStore
from appliance.cli import models as module
from appliance.cli.exits import Exit, exit_for
from appliance.errors import ERRORS, DownloadFailed, InvalidInput, ModelCorrupt, ModelMissing, StorageFailed
from tests.artifacts.conftest import BRAIN, EARS, Shelf, document, make_wheel, make_zip, zipped

VOICE = make_zip({"voice-1/a": b"model"})


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """A default model in a wheel folder and an optional one whose host does not exist; pip sees only the folder."""
    made = Shelf(tmp_path)
    made.add(document())
    made.add(zipped(VOICE))
    folder = tmp_path / "wheels"
    make_wheel(folder, "tiny-brain", "1.0", {"tiny_brain/brain.onnx": BRAIN, "tiny_brain/ears.onnx": EARS})
    for name in [name for name in os.environ if name.startswith(("PIP_", "APPLIANCE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("APPLIANCE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(module, "shipped_root", lambda: tmp_path / "manifests")
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(module.app, list(arguments))


def store(shelf: Shelf) -> ModelStore:
    return ModelStore(shelf.home / "data" / "models", shelf.store().manifests)


def test_pull_installs_the_default_and_forgives_the_optional(shelf: Shelf) -> None:
    result = run("pull")
    assert result.exit_code == Exit.OK
    assert "tiny: 已安装 / installed" in result.stdout
    assert "voice: 失败 / failed (可选，不影响其他功能 / optional, all else works)" in result.stdout
    assert "appliance models import" in result.stdout
    assert "← wheel tiny-brain==1.0" in result.stderr
    assert "← https://nowhere.invalid/voice.zip\n      ✗ cannot resolve" in result.stderr
    assert store(shelf).installed() == ("tiny",)
    assert "installed already" in run("pull", "tiny").stdout


def test_pull_once_leaves_an_optional_model_alone_for_a_day(shelf: Shelf) -> None:
    assert "voice: 失败" in run("pull", "--once").stdout
    again = run("pull", "--once")
    assert again.exit_code == Exit.OK
    assert "voice: 未安装，今天已尝试过 / not installed, tried today already" in again.stdout
    assert "appliance models pull voice" in again.stdout
    assert "nowhere.invalid" not in again.stderr
    assert "nowhere.invalid" in run("pull").stderr, "without --once everything is tried"
    (note,) = (store(shelf).root / ".cache").glob("failed-voice-*")
    os.utime(note, (0, 0))
    assert "nowhere.invalid" in run("pull", "--once").stderr, "a note of long ago counts no more"
    (shelf.home / "wheels" / "voice.zip").write_bytes(VOICE)
    assert run("pull", "voice", "--from", str(shelf.home / "wheels")).exit_code == Exit.OK
    assert not note.exists()
    assert "voice: 已安装 / installed already" in run("pull", "--once").stdout


def test_pull_by_name_must_succeed(shelf: Shelf) -> None:
    result = run("pull", "voice")
    assert result.exit_code == Exit.UNAVAILABLE
    assert "下载失败 / voice: no source gave voice.zip" in result.stderr
    assert run("pull", "--all").exit_code == Exit.UNAVAILABLE


def test_pull_without_a_source_for_the_default(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf.home / "none"))
    result = run("pull")
    assert result.exit_code == Exit.UNAVAILABLE
    assert "No matching distribution found for tiny-brain==1.0" in result.stderr
    assert "PIP_FIND_LINKS" in result.stderr


def test_pull_from_a_folder(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    (shelf.home / "wheels" / "voice.zip").write_bytes(VOICE)
    assert run("pull", "--from", str(shelf.home / "wheels")).exit_code == Exit.OK
    assert store(shelf).installed() == ("tiny", "voice")


def test_pull_json(shelf: Shelf) -> None:
    result = run("pull", "--json")
    told = json.loads(result.stdout)
    assert (told["exit"], result.exit_code) == (0, 0)
    tiny, voice = told["models"]
    assert (tiny["name"], tiny["result"], tiny["error"], tiny["counts"]) == ("tiny", "installed", None, True)
    assert tiny["folder"] == str(store(shelf).home("tiny"))
    assert (voice["result"], voice["error"]["code"], voice["counts"]) == ("failed", "download_failed", False)


def test_list(shelf: Shelf) -> None:
    run("pull", "tiny")
    (store(shelf).root / "gone" / "0").mkdir(parents=True)
    lines = run("list").stdout.splitlines()
    assert lines[0].startswith("tiny")
    assert "已安装 / installed" in lines[0]
    assert "未安装 / missing *" in lines[1]
    assert "小模型 / Tiny model" in lines[1]
    assert "remove --old" in lines[-1]
    store(shelf).path("tiny", "brain.onnx").write_bytes(b"x")
    text = run("list").stdout
    assert "已损坏 / corrupt" in text
    assert "expected 307200 bytes, got 1" in text


def test_list_json(shelf: Shelf) -> None:
    told = json.loads(run("list", "--json").stdout)
    assert told["root"] == str(store(shelf).root)
    assert [(row["name"], row["state"], row["install"]) for row in told["models"]] == [
        ("tiny", "missing", "default"),
        ("voice", "missing", "optional"),
    ]
    assert told["models"][0]["files"][0]["bytes"] == len(BRAIN)
    assert not store(shelf).root.exists()


def test_verify(shelf: Shelf) -> None:
    assert run("verify").exit_code == Exit.UNAVAILABLE
    run("pull", "tiny")
    result = run("verify")
    assert result.exit_code == Exit.OK
    assert "voice: 未安装 / missing (可选，不影响其他功能 / optional, all else works)" in result.stdout
    assert run("verify", "voice").exit_code == Exit.UNAVAILABLE
    path = store(shelf).path("tiny", "brain.onnx")
    path.write_bytes(BRAIN[::-1])
    result = run("verify", "tiny")
    assert result.exit_code == Exit.CORRUPT
    assert "expected sha256" in result.stderr
    assert "appliance models pull tiny" in result.stderr
    assert run("pull").exit_code == Exit.OK
    assert run("verify", "tiny").exit_code == Exit.OK


def test_import(shelf: Shelf) -> None:
    (wheel,) = (shelf.home / "wheels").iterdir()
    result = run("import", str(wheel))
    assert (result.exit_code, result.stdout) == (Exit.OK, "tiny: 已安装 / installed\n")
    (shelf.home / "voice.zip").write_bytes(VOICE)
    result = run("import", str(shelf.home / "voice.zip"), "--name", "voice", "--json")
    assert json.loads(result.stdout)["models"][0]["result"] == "installed"
    assert store(shelf).installed() == ("tiny", "voice")


def test_import_one_file_of_several(shelf: Shelf) -> None:
    (shelf.home / "b").write_bytes(BRAIN)
    result = run("import", str(shelf.home / "b"))
    assert result.exit_code == Exit.OK
    assert "tiny: 不完整 / incomplete" in result.stdout
    assert "still missing ears.onnx" in result.stderr


def test_import_of_something_else(shelf: Shelf) -> None:
    (shelf.home / "x").write_text("x")
    result = run("import", str(shelf.home / "x"))
    assert isinstance(result.exception, InvalidInput)
    (shelf.home / "voice.zip").write_bytes(VOICE[1:])
    assert isinstance(run("import", str(shelf.home / "voice.zip")).exception, ModelCorrupt)


def test_remove(shelf: Shelf) -> None:
    run("pull", "tiny")
    (store(shelf).root / "gone" / "0").mkdir(parents=True)
    assert isinstance(run("remove", "tiny", "ghost").exception, InvalidInput)
    assert store(shelf).installed() == ("tiny",)
    result = run("remove", "tiny", "--old", "--cache")
    assert result.exit_code == Exit.OK
    assert "tiny: 已删除 / removed (0.3 MB)" in result.stdout
    assert {line.split(":")[0] for line in result.stdout.splitlines()} == {"tiny", "gone/0", ".cache"}
    assert isinstance(run("remove", "tiny").exception, ModelMissing)
    assert run("remove").exit_code == Exit.USAGE
    run("pull", "tiny")
    assert json.loads(run("remove", "tiny", "--json").stdout)["removed"]["tiny"] > len(BRAIN)


def test_unknown_name(shelf: Shelf) -> None:
    for command in ("pull", "verify"):
        assert isinstance(run(command, "ghost").exception, InvalidInput)


def test_disk_error_counts_even_for_an_optional_model(shelf: Shelf) -> None:
    (shelf.home / "data").write_text("a file where a folder should be")
    result = run("pull")
    assert result.exit_code == Exit.FAILED
    assert "存储失败" in result.stderr


def test_every_error_has_an_exit_code() -> None:
    for error in ERRORS.values():
        assert exit_for(error("x")) in set(Exit) - {Exit.OK}
    assert exit_for(DownloadFailed("x")) == exit_for(ModelMissing("x")) == Exit.UNAVAILABLE == 3
    assert exit_for(ModelCorrupt("x")) == Exit.CORRUPT == 4
    assert exit_for(StorageFailed("x")) == Exit.FAILED == 1
    assert exit_for(InvalidInput("x")) == Exit.USAGE == 2


def test_bars_on_a_terminal(shelf: Shelf) -> None:
    """A real pseudo-terminal: the bars and their labels are drawn on stderr, and stdout stays JSON."""
    script = (
        "import sys; from pathlib import Path; from appliance.cli import models as m; "
        f"m.shipped_root = lambda: Path({str(shelf.home / 'manifests')!r}); m.app()"
    )
    leader, follower = pty.openpty()
    environ = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [sys.executable, "-c", script, "pull", "tiny", "--json"], stdout=subprocess.PIPE, stderr=follower, env=environ
    ) as process:
        os.close(follower)
        assert process.stdout is not None
        told = json.loads(process.stdout.read())
        drawn = b""
        try:
            while piece := os.read(leader, 65536):
                drawn += piece
        except OSError:
            pass  # Linux: the other end is closed
        os.close(leader)
    assert told["models"][0]["result"] == "installed"
    assert "写入 / write" in drawn.decode() or "校验 / verify" in drawn.decode()
    assert b"\x1b[" in drawn
