"""The VAD's task metric, counted by hand, and inputs that carry the state from frame to frame."""

from __future__ import annotations

import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from appliance.artifacts.cases import Case
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.inference.backend import Run
from appliance.speech.gate import frame_agreement, frames_in

FRAME = 512


def clip(folder: Path, loud: range, frames: int, speech: list[list[float]], name: str = "clip") -> Case:
    """A recording of noise, a thousand times louder in the frames `loud`; who speaks when is what `speech` says."""
    samples = np.random.default_rng(1).normal(size=frames * FRAME) * 2
    samples[loud.start * FRAME : loud.stop * FRAME] *= 1000
    path = folder / f"{name}.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(np.clip(samples, -32767, 32767).astype("<i2").tobytes())
    return Case(path, "clip", {"rate": 16000, "seconds": frames * 0.032, "speech": speech}, "MIT")


def loud(inputs: Mapping[str, npt.NDArray[Any]], /, *, deadline: float | None = None) -> dict[str, npt.NDArray[Any]]:
    """Takes for speech what is loud, and counts frames in its state."""
    heard = np.abs(inputs["input"]).max(axis=1) > 0.05
    return {"speech_probs": heard.astype(np.float32), "hn": inputs["h"] + len(heard), "cn": inputs["c"]}


def test_agreement_is_the_share_of_frames_on_the_right_side(tmp_path: Path) -> None:
    second = 10 * 0.032
    told = clip(tmp_path, range(10, 20), 40, [[second, 2 * second]])
    # The first frame after the loud ones repeats the last of their samples, so the network hears it too.
    assert frame_agreement(loud, [told], tmp_path) == pytest.approx(39 / 40)
    silent = clip(tmp_path, range(10, 20), 40, [], "silent")
    assert frame_agreement(loud, [silent], tmp_path) == pytest.approx(29 / 40)
    longer = clip(tmp_path, range(0, 0), 120, [], "longer")
    assert frame_agreement(loud, [silent, longer], tmp_path) == pytest.approx((29 + 120) / 160)


def test_other_cases_are_not_its_own(tmp_path: Path) -> None:
    told = clip(tmp_path, range(0, 10), 20, [])
    assert frame_agreement(loud, [Case(told.path, "utterance", told.truth, "MIT")], tmp_path) == 0.0
    assert list(frames_in([Case(told.path, "utterance", told.truth, "MIT")], tmp_path)) == []


def test_inputs_are_whole_clips_from_a_state_of_zeros(tmp_path: Path) -> None:
    cases = [clip(tmp_path, range(5), 300, []), clip(tmp_path, range(5), 7, [], "short")]
    fed = list(frames_in(cases, tmp_path))
    assert [feed["input"].shape for feed in fed] == [(300, 576), (7, 576)]
    for feed in fed:
        assert {name: array.dtype for name, array in feed.items()} == dict.fromkeys(("input", "h", "c"), np.float32)
        assert not feed["h"].any()
        assert not feed["c"].any()
    np.testing.assert_array_equal(fed[0]["input"][1:, :64], fed[0]["input"][:-1, -64:])


def test_what_the_network_says_to_these_inputs_is_what_the_pipeline_hears(vad_run: Run) -> None:
    """The Mandarin clip takes two calls of the pipeline: the second begins in the state in which the first ended."""
    manifest = load_manifests(shipped_root())["silero-vad"]
    clips = [case for case in manifest.cases() if case.path.stem == "mandarin"]
    heard: list[npt.NDArray[np.float32]] = []

    def listening(
        inputs: Mapping[str, npt.NDArray[Any]], /, *, deadline: float | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        found = vad_run(inputs)
        heard.append(found["speech_probs"])
        return found

    assert 0.9 < frame_agreement(listening, clips, manifest.home) < 1
    assert len(heard) == 2
    (feed,) = frames_in(clips, manifest.home)
    np.testing.assert_allclose(vad_run(feed)["speech_probs"], np.concatenate(heard), atol=1e-4)
