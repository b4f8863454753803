"""What a bundle has to pass on the machine, and what it changes there: settings beneath the site's, models first."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance.app.bundled import cases, merged, proving, shelf
from appliance.artifacts.store import ModelStore
from appliance.bundles.choose import choose
from appliance.bundles.contents import Contents
from appliance.bundles.make import described, gather, pack_up
from appliance.bundles.state import read_state
from appliance.errors import BundleFailed, BundleRefused, SettingInvalid
from appliance.packs.compile import find_pack
from appliance.settings import CARRIED, SETTINGS, Settings, load_settings
from tests.app.test_derive import shelf as installed
from tests.app.test_derive import understanding
from tests.bundles.conftest import NOW, Board, Desk


@pytest.fixture
def board(tmp_path: Path) -> Board:
    desk = Desk()
    made = Board(tmp_path / "data/bundles", desk)
    (tmp_path / "data").mkdir()
    made.trust(desk.public())
    return made


def on_desk(folder: Path, **more: Any) -> ModelStore:
    """A desk with a small model that understands."""
    understanding(folder, **more)
    return installed(folder)


def packed(board: Board, store: ModelStore, version: int, target: Path) -> bytes:
    files = gather(store, ("understand-zh",), None, None, None)
    contents = described(Contents(version, "Understanding", NOW, ()), files)
    pack_up(target, contents, files, board.desk.key)
    return target.read_bytes()


def settings(board: Board) -> Settings:
    return replace(Settings(), data_dir=str(board.root.parent))


def test_a_model_that_reaches_its_gate_here_is_taken_in_and_goes_first(board: Board, tmp_path: Path) -> None:
    store = on_desk(tmp_path / "desk")
    content = packed(board, store, 1, tmp_path / "x.bundle")
    name = board.install(content, prove=proving(None, settings(board)))
    chosen = choose(board.root)
    assert chosen is not None
    manifests, shown = shelf(board.root.parent, chosen.folder)
    assert (
        shown.home("understand-zh")
        == board.root / name / "models/understand-zh" / store.manifest("understand-zh").digest
    )
    assert manifests["understand-zh"].digest == store.manifest("understand-zh").digest
    assert "silero-vad" in manifests, "what the bundle does not bring stays"
    # Another precision was made of it here, and is no foreign file to who verifies the bundle.
    assert (shown.home("understand-zh") / "derived").is_dir()
    assert shown.without_paths(f"{shown.home('understand-zh')}/x").startswith("models/understand-zh/")


def test_one_that_does_not_is_refused_with_its_score(board: Board, tmp_path: Path) -> None:
    wrong = [("你好呀", "greet"), ("早上好", "return_exchange"), ("厕所在哪里", "greet")]
    store = on_desk(tmp_path / "desk", cases=wrong, derived=())
    with pytest.raises(BundleFailed, match="expected intent_accuracy of at least 0.9 on its cases, got 0.3"):
        board.install(packed(board, store, 1, tmp_path / "x.bundle"), prove=proving(None, settings(board)))
    assert choose(board.root) is None
    assert len(read_state(board.root).bad) == 1


def test_a_pack_that_does_not_compile_is_refused_with_its_line(board: Board) -> None:
    with pytest.raises(BundleFailed, match="pack.yaml"):
        board.install(board.desk.bundle(1), prove=proving(None, settings(board)))


@pytest.mark.parametrize(
    "text, said",
    [
        ("http_token: 0123456789abcdef\n", "http_token .settings.yaml of the bundle.: expected settings that a bundle"),
        ("data_dir: /etc\n", "data_dir"),
        ("kiosk_browser: rm\n", "kiosk_browser"),
        ("voice: shout\n", "voice .bundle.: expected one of off, push, wake"),
        ("voise: push\n", "voise"),
        ("[", "expected YAML"),
    ],
)
def test_settings_that_no_bundle_may_carry_are_refused(board: Board, text: str, said: str) -> None:
    content = board.desk.bundle(1, files={"settings.yaml": text.encode()})
    with pytest.raises(BundleFailed, match=said):
        board.install(content, prove=proving(None, settings(board)))


def test_what_may_be_carried_exists_and_nothing_of_it_opens_a_door() -> None:
    assert set(SETTINGS) >= CARRIED
    closed = ("http_", "wyoming_", "lan_", "bundle_", "kiosk_")
    assert not [name for name in CARRIED if name.startswith(closed)]
    assert not CARRIED & {"data_dir", "pack", "power_mode", "records_days", "speech_voice", "microphone", "log_level"}


def test_the_sites_own_settings_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, config = tmp_path / "bundle", tmp_path / "appliance.yaml"
    (bundle / "pack").mkdir(parents=True)
    (bundle / "settings.yaml").write_text("page_idle_s: 40\nspeaker_volume: 0.3\nvoice: push\n")
    config.write_text("speaker_volume: 0.9\n")
    monkeypatch.setenv("APPLIANCE_VOICE", "off")
    found = merged(config, bundle)
    assert (found.page_idle_s, found.speaker_volume, found.voice) == (40, 0.9, "off")
    assert found.pack == str(bundle / "pack")
    config.write_text("pack: store\n")
    assert merged(config, bundle).pack == "store"
    assert merged(config, None) == load_settings(config)


@pytest.mark.parametrize("rows", [{}, [{"text": "x"}], [{"text": "x", "intent": "y", "language": "fr"}], [1]])
def test_malformed_cases_are_refused(tmp_path: Path, rows: object) -> None:
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases/turns.json").write_text(json.dumps(rows))
    with pytest.raises(BundleRefused, match="expected a list of"):
        cases(tmp_path)


def test_cases_ask_for_intents_that_the_pack_knows(board: Board) -> None:
    pack = find_pack("store")
    files = {
        f"pack/{path.relative_to(pack).as_posix()}": path.read_bytes()
        for path in pack.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    rows = [{"text": "厕所在哪", "intent": "no_such_intent", "language": "zh"}]
    files["cases/turns.json"] = json.dumps(rows).encode()
    with pytest.raises(BundleRefused, match="expected intents of the pack, got 'no_such_intent'"):
        board.install(board.desk.bundle(1, files=files), prove=proving(None, settings(board)))


def test_tokens_of_bundles_are_checked_like_the_other() -> None:
    with pytest.raises(SettingInvalid, match="at least 16 characters"):
        load_settings(None, {}, {"bundle_token": "short"})
    with pytest.raises(SettingInvalid, match="printable ASCII"):
        load_settings(None, {}, {"bundle_token": "中" * 16})
