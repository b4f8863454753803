"""Back to the beginning: all that was kept is gone, what stays is named, and a break goes on."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest

from appliance.artifacts.inuse import FILE, in_use
from appliance.errors import InvalidInput
from appliance.settings import load_settings
from appliance.support.change import finish
from appliance.support.firstboot import MARK, configured
from appliance.support.reset import planned, reset
from tests.support.test_change import killed_at

TOKEN = "0123456789abcdef"
PARTS = ("records/events.sqlite", "models/m/x", "engines/e/plan", "packs/own/pack.yaml", "bundles/keys/k", "cache/c")


def machine(place: Path) -> tuple[Path, Path]:
    root, config = place / "data", place / "etc/appliance.yaml"
    for name in PARTS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(TOKEN)
    config.parent.mkdir()
    config.write_text(f"data_dir: {root}\nhttp_token: {TOKEN}\n")
    (config.parent / MARK).touch()
    return root, config


def left(place: Path) -> set[str]:
    return {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file() and path.name != FILE}


@pytest.mark.parametrize("keep", [False, True])
def test_everything_goes_but_what_was_to_be_kept(tmp_path: Path, keep: bool) -> None:
    root, config = machine(tmp_path)
    plan = reset(root, config, keep_models=keep)
    kept = {"data/models/m/x", "data/engines/e/plan"} if keep else set()
    assert left(tmp_path) == {"etc/appliance.yaml"} | kept
    assert {path.name for path in plan.stays} == ({"models", "engines"} if keep else set())
    assert TOKEN not in config.read_text()
    assert load_settings(config, {}).data_dir == str(root)
    assert not configured(config), "the next start takes settings from a stick again"


def test_not_while_it_serves(tmp_path: Path) -> None:
    root, config = machine(tmp_path)
    before = left(tmp_path)
    with in_use(root), pytest.raises(InvalidInput, match="to be stopped"):
        reset(root, config)
    assert left(tmp_path) >= before


def test_a_machine_without_anything_has_nothing_to_lose(tmp_path: Path) -> None:
    assert planned(tmp_path / "nowhere", None).steps == ()
    assert reset(tmp_path / "nowhere", tmp_path / "none.yaml").steps == ()


def test_killed_anywhere_it_goes_on_or_has_not_begun(tmp_path: Path) -> None:
    ends = set()
    for moment in range(1, 300):
        place = tmp_path / "machine"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        root, config = machine(place)
        survived = not killed_at(moment, partial(reset, root, config))
        finish(root, config)
        gone = TOKEN not in config.read_text()
        files = left(place) - {"etc/.appliance.yaml.restore"}
        expected = (
            {"etc/appliance.yaml"} if gone else {"etc/appliance.yaml", f"etc/{MARK}", *(f"data/{p}" for p in PARTS)}
        )
        assert files == expected, moment
        ends.add(gone)
        if survived:
            break
    assert survived
    assert ends == {False, True}
