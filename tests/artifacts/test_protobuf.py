"""Messages read field by field: what was written, and nothing of what is out of bounds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import StringStringEntryProto, TensorProto

from appliance.artifacts.protobuf import Message, message
from appliance.errors import ModelCorrupt


def read(path: Path, data: bytes) -> list[tuple[int, int, bytes]]:
    path.write_bytes(data)
    with path.open("rb") as file:
        top = message(path, file)
        return [(one.number, one.value, top.content(one) if one.start >= 0 else b"") for one in top.fields()]


def test_what_protobuf_writes(tmp_path: Path) -> None:
    pair = StringStringEntryProto(key="键", value="v" * 300)
    assert read(tmp_path / "m", pair.SerializeToString()) == [(1, 0, "键".encode()), (2, 0, b"v" * 300)]
    tensor = TensorProto(dims=[1 << 40], data_type=7, float_data=[1.0])
    found = read(tmp_path / "m", tensor.SerializeToString())
    assert (2, 7, b"") in found
    assert (4, 0, b"\x00\x00\x80\x3f") in found


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a\x05abc",  # five bytes announced, three there
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # nearly 2 ** 64
        b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # a number without an end
        b"\x08",
        b"\x0d\x00\x00",
        b"\x09\x00",
        b"\x00\x00",  # field 0
        b"\x0b\x0c",  # a group
    ],
)
def test_what_is_out_of_bounds(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ModelCorrupt, match="expected"):
        read(tmp_path / "m", data)


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    try:
        found = read(tmp_path_factory.getbasetemp() / "m", data)
    except ModelCorrupt:
        return
    assert sum(len(content) for *_, content in found) <= len(data)


def test_a_message_does_not_reach_beyond_its_own_end(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(b"\x0a\x03\x12\x05ab" + b"cdefgh")  # the inner one says 5 and has 1
    with path.open("rb") as file:
        top = Message(file, 0, 5, "m")
        (field,) = top.fields()
        with pytest.raises(ModelCorrupt):
            list(top.inside(field).fields())


def test_a_number_is_no_message(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"\x08\x01")
    with (tmp_path / "m").open("rb") as file:
        top = message(tmp_path / "m", file)
        (field,) = top.fields()
        for use in (top.inside, top.content, top.text):
            with pytest.raises(ModelCorrupt):
                use(field)
