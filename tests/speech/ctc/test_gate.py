"""The metric of networks without words: how often the recorded class is the likeliest."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from appliance.artifacts.cases import load_cases
from appliance.errors import ManifestInvalid
from appliance.speech.ctc.gate import arrays_in, best_path


def cases(folder: Path, **arrays: np.ndarray) -> Path:
    np.savez(folder / "one.npz", **arrays)
    row = {"file": "one.npz", "kind": "arrays", "truth": {"count": 4}, "licence": "Apache-2.0"}
    (folder / "cases.json").write_text(json.dumps([row]))
    return folder


def run(inputs: dict, /, *, deadline: float | None = None) -> dict:
    return {"lens": np.array([len(inputs["x"][0])]), "logits": np.eye(5, dtype=np.float32)[inputs["x"]]}


def test_share_of_the_steps(tmp_path: Path) -> None:
    held = load_cases(cases(tmp_path, x=np.array([[1, 2, 3, 4]]), best=np.array([1, 2, 3, 0])))
    assert best_path(run, held, tmp_path) == 0.75
    ((inputs),) = list(arrays_in(held, tmp_path))
    assert set(inputs) == {"x"}


def test_another_number_of_steps_is_no_agreement(tmp_path: Path) -> None:
    held = load_cases(cases(tmp_path, x=np.array([[1, 2, 3, 4]]), best=np.array([1, 2, 3])))
    assert best_path(run, held, tmp_path) == 0.0
    assert best_path(run, (), tmp_path) == 0.0


def test_what_is_no_case(tmp_path: Path) -> None:
    held = load_cases(cases(tmp_path, x=np.array([[1]])))
    with pytest.raises(ManifestInvalid, match="expected an array `best`, got x"):
        best_path(run, held, tmp_path)
    (tmp_path / "one.npz").write_text("x")
    with pytest.raises(ManifestInvalid, match=r"one\.npz: expected an \.npz of arrays"):
        best_path(run, held, tmp_path)
