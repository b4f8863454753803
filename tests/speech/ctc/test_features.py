"""Front ends against FunASR's and torchaudio's numbers, and at their edges."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from appliance.errors import Unavailable
from appliance.speech.ctc.cmvn import Cmvn
from appliance.speech.ctc.features import funasr, icefall, low_rate, wav2vec2

CLOSE = {"atol": 1e-4, "rtol": 2e-5}
"""Single precision in another order: logarithms of banks that are nearly empty are what differs most."""


def heard(references: dict[str, np.ndarray]) -> np.ndarray:
    return references["sound"].astype(np.float32) / 32768


def test_funasr(references: dict[str, np.ndarray]) -> None:
    cmvn = Cmvn(references["shift"], references["scale"])
    got = funasr(heard(references), cmvn)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, references["funasr"], **CLOSE)
    np.testing.assert_allclose(funasr(heard(references)[:430], cmvn), references["short"], **CLOSE)


def test_the_reference_is_no_other_front_end(references: dict[str, np.ndarray]) -> None:
    cmvn = Cmvn(references["shift"], references["scale"])
    # Without the scale of 16 bit, or a sample later, it is another sound.
    for other in (heard(references) / 2, heard(references)[1:]):
        assert np.abs(funasr(other, cmvn)[:10] - references["funasr"][:10]).max() > 1e-2


@pytest.mark.parametrize("count", range(1, 21))
def test_low_frame_rate(references: dict[str, np.ndarray], count: int) -> None:
    got = low_rate(np.arange(count, dtype=np.float32)[:, None])
    np.testing.assert_array_equal(got, references[f"lfr_{count}"])


def test_icefall(references: dict[str, np.ndarray]) -> None:
    np.testing.assert_allclose(icefall(heard(references)), references["icefall"], **CLOSE)


@pytest.mark.parametrize("length, frames", [(0, 0), (1, 0), (399, 0), (400, 1), (560, 1), (1360, 2), (16000, 17)])
def test_short_sounds(length: int, frames: int) -> None:
    sound = np.random.default_rng(2).uniform(-0.1, 0.1, length).astype(np.float32)
    assert funasr(sound).shape == (frames, 560)
    assert icefall(sound).shape[1] == 80
    assert np.isfinite(funasr(sound)).all()


def test_digital_silence_is_finite() -> None:
    assert np.isfinite(funasr(np.zeros(16000, np.float32))).all()


def test_wav2vec2() -> None:
    sound = np.random.default_rng(3).uniform(-0.3, 0.5, 5000).astype(np.float32)
    got = wav2vec2(sound)
    assert got.dtype == np.float32
    assert abs(got.mean()) < 1e-5
    assert abs(got.std() - 1) < 1e-5
    np.testing.assert_array_equal(wav2vec2(sound, normalise=False), sound)
    assert not wav2vec2(np.full(400, 0.5, np.float32)).any(), "a constant has no variance, and must not blow up"
    assert len(wav2vec2(np.zeros(0, np.float32))) == 0


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kaldi_native_fbank", None)
    with pytest.raises(Unavailable, match="expected the package kaldi-native-fbank") as refused:
        funasr(np.zeros(16000, np.float32))
    assert "pip install kaldi-native-fbank" in refused.value.remedy
