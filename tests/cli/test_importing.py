"""`appliance models import` with an integrator's recogniser, beside the models that manifests name."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from appliance.cli import models as module
from appliance.cli.exits import Exit
from appliance.errors import InvalidInput, ModelCorrupt
from tests.artifacts.conftest import Shelf, make_zip, zipped

sys.path.insert(0, str(Path(__file__).parent.parent / "speech" / "ctc"))
import tone_networks

VOICE = make_zip({"voice-1/a": b"model"})


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """An optional model, known by its hash, and a data folder."""
    made = Shelf(tmp_path)
    made.add(zipped(VOICE))
    for name in [name for name in os.environ if name.startswith("APPLIANCE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("APPLIANCE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(module, "shipped_root", lambda: tmp_path / "manifests")
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(module.app, list(arguments))


def test_a_recogniser(shelf: Shelf, tmp_path: Path) -> None:
    folder = tone_networks.sherpa_folder(tmp_path / "sense")
    result = run("import", str(folder), "--name", "my-ear", "--language", "zh")
    assert result.exit_code == Exit.OK, result.output
    assert "my-ear: 已安装 / installed (sensevoice, zh," in result.stdout
    assert "许可证 / licence: unstated" in result.stdout
    assert "--licence" in result.stderr
    rows = {row["name"]: row for row in json.loads(run("list", "--json").stdout)["models"]}
    assert (rows["my-ear"]["state"], rows["my-ear"]["kind"]) == ("installed", "asr")
    assert len(rows["my-ear"]["files"][0]["sha256"]) == 64
    assert run("verify", "my-ear").exit_code == Exit.OK
    again = run("pull", "my-ear")
    assert "installed already" in again.stdout
    # Damaged, it is found, and what helps is to bring it again.
    path = next((tmp_path / "data" / "models" / "my-ear").glob("*/tokens.txt"))
    path.write_text("x")
    assert run("verify", "my-ear").exit_code == Exit.CORRUPT
    broken = run("pull", "my-ear")
    assert broken.exit_code == Exit.UNAVAILABLE
    assert "appliance models import PATH" in broken.stderr
    assert run("import", str(folder), "--name", "my-ear").exit_code == Exit.OK
    assert run("verify", "my-ear").exit_code == Exit.OK
    assert run("remove", "my-ear").exit_code == Exit.OK
    assert "my-ear" not in run("list").stdout


def test_json(shelf: Shelf, tmp_path: Path) -> None:
    folder = tone_networks.sherpa_folder(tmp_path / "sense")
    result = run("import", str(folder / "model.int8.onnx"), "--licence", "MIT", "--json")
    (row,) = json.loads(result.stdout)["models"]
    assert (row["name"], row["result"], row["recogniser"], row["licence"]) == (
        "sense",
        "installed",
        "sensevoice",
        "MIT",
    )
    assert "TensorRT" in row["warnings"][0]["en"]


def test_known_files_are_still_known_by_their_hash(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "voice.zip").write_bytes(VOICE)
    assert run("import", str(tmp_path / "voice.zip")).stdout == "voice: 已安装 / installed\n"


def test_a_damaged_copy_of_a_known_file_does_not_come_in_as_something_else(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "voice.zip").write_bytes(make_zip({"voice-1/a": b"other"}))
    assert isinstance(run("import", str(tmp_path / "voice.zip")).exception, ModelCorrupt)


@pytest.mark.parametrize("arguments", [(), ("--name", "new"), ("--language", "zh")])
def test_neither_one_nor_the_other(shelf: Shelf, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("x")
    for place in (tmp_path / "folder", tmp_path / "none"):
        assert isinstance(run("import", str(place), *arguments).exception, InvalidInput)


def test_a_name_of_this_version_is_taken(shelf: Shelf, tmp_path: Path) -> None:
    folder = tone_networks.sherpa_folder(tmp_path / "voice")
    assert isinstance(run("import", str(folder)).exception, InvalidInput)
