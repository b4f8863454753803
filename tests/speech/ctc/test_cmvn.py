"""am.mvn: read as FunASR writes it, and every way in which it may be broken named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from appliance.errors import ModelCorrupt, ModelMismatch, ModelMissing
from appliance.speech.ctc.cmvn import Cmvn, metadata_cmvn, read_cmvn, write_cmvn

GOOD = """<Nnet>
<Splice> 3 3
[ 0 ]
<AddShift> 3 3
<LearnRateCoef> 0 [ -8.5 -9 1e-3 ]
<Rescale> 3 3
<LearnRateCoef> 0 [ 0.5 0.25 2 ]
</Nnet>
"""


def test_read(tmp_path: Path) -> None:
    (tmp_path / "am.mvn").write_text(GOOD)
    found = read_cmvn(tmp_path / "am.mvn")
    np.testing.assert_allclose(found.shift, [-8.5, -9, 1e-3])
    np.testing.assert_allclose(found.scale, [0.5, 0.25, 2])
    np.testing.assert_allclose(found(np.array([[8.5, 13, 1]], np.float32)), [[0, 1, 2.002]], rtol=1e-6)


def test_one_line(tmp_path: Path) -> None:
    (tmp_path / "am.mvn").write_text(GOOD.replace("\n", " "))
    assert len(read_cmvn(tmp_path / "am.mvn").shift) == 3


def test_written_and_read_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    made = Cmvn(rng.standard_normal(560).astype(np.float32), rng.uniform(0.1, 1, 560).astype(np.float32))
    write_cmvn(made, tmp_path / "am.mvn")
    found = read_cmvn(tmp_path / "am.mvn")
    np.testing.assert_array_equal(found.shift, made.shift)
    np.testing.assert_array_equal(found.scale, made.scale)


SHIFT = GOOD[GOOD.index("<AddShift>") : GOOD.index("<Rescale>")]


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("<Nnet>\n", "", "expected <Nnet> first, got <Splice>"),
        ("<Rescale> 3 3\n", "", "expected <Rescale> once, found it 0 times"),
        ("<Rescale> 3 3", "<AddShift> 3 3", "expected <AddShift> once, found it 2 times"),
        ("0.25 2 ]", "0.25 ]", "<Rescale>: expected 3 numbers, got 2"),
        ("0.25", "x", "<Rescale>: expected numbers, got could not convert"),
        ("0.25", "nan", "expected finite numbers"),
        ("<LearnRateCoef> 0 [ 0.5", "[ 0.5", "<Rescale>: expected `N N <LearnRateCoef> 0"),
        ("2 ]\n</Nnet>", "2\n</Nnet>", "<Rescale>: expected `N N <LearnRateCoef> 0"),
        ("<AddShift> 3 3", "<AddShift> 3 4", "<AddShift>: expected `N N"),
        (SHIFT, "<AddShift> 1 1 <LearnRateCoef> 0 [ 1 ] ", "as many"),
        (GOOD, "", "got nothing"),
    ],
)  # fmt: skip
def test_broken(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    (tmp_path / "am.mvn").write_text(GOOD.replace(old, new))
    with pytest.raises(ModelCorrupt) as refused:
        read_cmvn(tmp_path / "am.mvn")
    assert said in refused.value.detail
    assert "am.mvn" in refused.value.remedy


def test_binary_and_missing(tmp_path: Path) -> None:
    (tmp_path / "am.mvn").write_bytes(b"\x00\xff\xfe")
    with pytest.raises(ModelCorrupt, match="binary"):
        read_cmvn(tmp_path / "am.mvn")
    with pytest.raises(ModelMissing):
        read_cmvn(tmp_path / "none.mvn")


def test_another_width() -> None:
    with pytest.raises(ModelMismatch, match="width 2"):
        Cmvn(np.zeros(2, np.float32), np.ones(2, np.float32))(np.zeros((1, 3), np.float32))


def test_metadata() -> None:
    found = metadata_cmvn({"neg_mean": "-1,-2", "inv_stddev": "3,4"}, "model.onnx")
    np.testing.assert_array_equal(found.scale, [3, 4])
    with pytest.raises(ModelCorrupt, match="expected inv_stddev in its metadata"):
        metadata_cmvn({"neg_mean": "-1,-2"}, "model.onnx")
    with pytest.raises(ModelCorrupt, match="neg_mean: expected numbers"):
        metadata_cmvn({"neg_mean": "-1,", "inv_stddev": "3,4"}, "model.onnx")
