"""A Vosk folder is proved harmless before this process touches it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from sounds import vosk_folder

from appliance.errors import ModelCorrupt, ModelMissing, Unavailable
from appliance.speech.rehearsal import check_files, rehearse


def test_a_whole_folder_passes(tmp_path: Path) -> None:
    check_files(vosk_folder(tmp_path / "model"))


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="found none") as caught:
        check_files(tmp_path / "model")
    assert "appliance models pull" in caught.value.remedy


@pytest.mark.parametrize(
    "name",
    [
        "am/final.mdl",
        "conf/model.conf",
        "conf/mfcc.conf",
        "graph/HCLr.fst",
        "graph/Gr.fst",
        "graph/disambig_tid.int",
        "ivector/final.ie",
        "ivector/splice.conf",
    ],
)
def test_each_file_must_be_there_and_have_content(tmp_path: Path, name: str) -> None:
    folder = vosk_folder(tmp_path / "model")
    (folder / name).write_bytes(b"")
    with pytest.raises(ModelCorrupt, match=f"expected content in {name}, got an empty file"):
        check_files(folder)
    (folder / name).unlink()
    with pytest.raises(ModelCorrupt, match=f"expected the file {name}, found none"):
        check_files(folder)


def test_other_layouts(tmp_path: Path) -> None:
    large = vosk_folder(tmp_path / "large")
    for name in ("HCLG.fst", "words.txt"):
        (large / "graph" / name).write_text("x")
    for name in ("HCLr.fst", "Gr.fst", "disambig_tid.int"):
        (large / "graph" / name).unlink()
    shutil.rmtree(large / "ivector")
    (large / "conf" / "mfcc.conf").rename(large / "conf" / "fbank.conf")
    check_files(large)
    flat = tmp_path / "flat"
    flat.mkdir()
    for name in ("final.mdl", "mfcc.conf", "HCLr.fst", "Gr.fst", "disambig_tid.int"):
        (flat / name).write_text("x")
    check_files(flat)
    (flat / "Gr.fst").unlink()
    with pytest.raises(ModelCorrupt, match=r"expected the file Gr\.fst"):
        check_files(flat)


def test_an_empty_cmvn_configuration_is_all_defaults(tmp_path: Path) -> None:
    folder = vosk_folder(tmp_path / "model")
    (folder / "ivector" / "online_cmvn.conf").write_bytes(b"")
    check_files(folder)


def test_the_real_vosk_refuses_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelCorrupt, match="VoskAPI") as caught:
        rehearse(vosk_folder(tmp_path / "model"))
    assert "appliance models pull" in caught.value.remedy


@pytest.mark.usefixtures("fake_vosk")
@pytest.mark.parametrize(
    "behaviour, words",
    [
        ("refuse", r"got ERROR \(VoskAPI:Read\(\).*Failed to read matrix"),
        ("deaf", "Failed to create a recognizer"),
        ("segfault", "SIGSEGV: "),
        ("abort", "SIGABRT: ASSERTION_FAILED"),
        ("stumble", "Failed to process waveform"),
    ],
)
def test_what_a_damaged_folder_does_happens_to_the_child(tmp_path: Path, behaviour: str, words: str) -> None:
    with pytest.raises(ModelCorrupt, match=words):
        rehearse(vosk_folder(tmp_path / "model", behaviour))


@pytest.mark.usefixtures("fake_vosk")
def test_a_good_folder_is_rehearsed(tmp_path: Path) -> None:
    rehearse(vosk_folder(tmp_path / "model"))


@pytest.mark.usefixtures("fake_vosk")
def test_a_child_that_never_ends_is_ended(tmp_path: Path) -> None:
    with pytest.raises(ModelCorrupt, match="expected to hear 1 s within 1 s, got no end"):
        rehearse(vosk_folder(tmp_path / "model", "hang"), timeout=1)


@pytest.mark.usefixtures("fake_vosk")
def test_a_child_that_swells_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(ModelCorrupt, match="expected it to load"):
        rehearse(vosk_folder(tmp_path / "model", "swell"), limit=1 << 29)


def test_without_the_vosk_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [p for p in sys.path if "-packages" not in p])
    with pytest.raises(Unavailable, match="expected the package vosk, got No module named 'vosk'") as caught:
        rehearse(vosk_folder(tmp_path / "model"))
    assert "pip install vosk" in caught.value.remedy


@pytest.mark.vosk
def test_a_real_model_passes(vosk_model: Path) -> None:
    rehearse(vosk_model)


@pytest.mark.vosk
def test_damage_that_kills_the_real_vosk(vosk_model: Path, tmp_path: Path) -> None:
    check_files(vosk_model)
    damaged = tmp_path / "model"
    shutil.copytree(vosk_model, damaged, copy_function=os.symlink)
    file = damaged / "ivector" / "splice.conf"
    file.unlink()
    file.write_text("--left-context=3\n")
    with pytest.raises(ModelCorrupt, match="SIGABRT: ASSERTION_FAILED"):
        rehearse(damaged)
