"""The page's vendored JavaScript is what npm's packages hold, and the check finds whatever is not."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import REPOSITORY


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(REPOSITORY / ".ci"))
    return importlib.import_module("vendor")


@pytest.fixture
def copy(vendor: ModuleType, tmp_path: Path) -> Path:
    return Path(shutil.copytree(vendor.VENDOR, tmp_path / "vendor"))


def test_what_is_vendored_is_as_npm_packed_it(vendor: ModuleType) -> None:
    assert vendor.check() == []


def test_a_changed_a_missing_and_a_stray_file_are_found(vendor: ModuleType, copy: Path) -> None:
    script, table = copy.rglob("index.modern.esm.js"), copy.rglob("chinese.js")
    next(script).write_bytes(b"alert(1)")
    next(table).unlink()
    (copy / "stray.js").write_text("", "utf-8")
    changed, missing, stray = vendor.check(copy)
    assert "index.modern.esm.js: expected sha256" in changed
    assert "chinese.js: expected a file, got none" in missing
    assert "stray.js" in stray


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "Proprietary", "MIT AND AGPL-3.0-only"])
def test_a_licence_off_the_list_is_found(vendor: ModuleType, copy: Path, licence: str) -> None:
    manifest = json.loads((copy / "vendor.json").read_text("utf-8"))
    manifest["packages"][0]["licence"] = licence
    (copy / "vendor.json").write_text(json.dumps(manifest), "utf-8")
    (problem,) = vendor.check(copy)
    assert licence in problem


def test_every_notice_is_there_with_its_copyright(vendor: ModuleType, copy: Path) -> None:
    (notice,) = copy.rglob("LICENSE-pinyinjs")
    text = notice.read_text("utf-8")
    assert "Copyright (c) 2019 小茗同学" in text
    assert "Permission is hereby granted, free of charge" in text
    notice.unlink()
    (gone,) = vendor.check(copy)
    assert "LICENSE-pinyinjs: expected a file, got none" in gone


def test_a_source_without_its_notice_is_found(vendor: ModuleType, copy: Path) -> None:
    next(copy.rglob("LICENSE-pinyinjs")).unlink()
    manifest = json.loads((copy / "vendor.json").read_text("utf-8"))
    del manifest["packages"][1]["notices"]
    (copy / "vendor.json").write_text(json.dumps(manifest), "utf-8")
    (unnoticed,) = vendor.check(copy)
    assert "chinese.js: expected the notice of its source github.com/sxei/pinyinjs, got none" in unnoticed


def test_a_notice_with_a_licence_off_the_list_is_found(vendor: ModuleType, copy: Path) -> None:
    manifest = json.loads((copy / "vendor.json").read_text("utf-8"))
    manifest["packages"][1]["notices"]["LICENSE-pinyinjs"]["licence"] = "GPL-3.0-only"
    (copy / "vendor.json").write_text(json.dumps(manifest), "utf-8")
    (problem,) = vendor.check(copy)
    assert "LICENSE-pinyinjs: expected a licence on the allow-list" in problem


def test_another_tarball_than_the_one_that_was_reviewed_is_refused(
    vendor: ModuleType, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = json.loads((copy / "vendor.json").read_text("utf-8"))["packages"][0]

    def pack(_command: object, cwd: str, **_more: object) -> None:
        (Path(cwd) / "fake.tgz").write_bytes(b"other bytes")

    monkeypatch.setattr(vendor.subprocess, "run", pack)
    before = {path: path.read_bytes() for path in copy.rglob("*.js")}
    with pytest.raises(SystemExit, match="expected sha256"):
        vendor.fetch(package, copy)
    assert {path: path.read_bytes() for path in copy.rglob("*.js")} == before
