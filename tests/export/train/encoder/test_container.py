"""An encoder in four bits is read from the file that holds it; a file that does not hold it is refused."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from export.train.encoder import container
from export.train.encoder.container import NotAContainer, Shape

HIDDEN, INTERMEDIATE = 32, 64
PIECES = (("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.5), ("洗衣液", -7.25), ("é", -9.0))
NORMALISED = {"Ａ": "A", "㎏": "kg", "\u00ad": ""}


def quantised(values: npt.NDArray[np.float32]) -> bytes:
    """Q4_0 of ggml as its documentation has it: in blocks of 32, d = extreme / -8, weights round(x / d) + 8."""
    found = b""
    for block in values.reshape(-1, 32):
        extreme = block[np.abs(block).argmax()]
        d = np.float16(extreme / -8)
        inverse = 0.0 if d == 0 else 1.0 / float(d)
        nibbles = np.clip(np.floor(block * inverse + 8.5), 0, 15).astype(np.uint8)
        found += d.tobytes() + (nibbles[:16] | (nibbles[16:] << 4)).tobytes()
    return found


def made(
    tensors: Mapping[str, tuple[int, bytes, int]], *, magic: bytes = b"E5S1", block: int = 32, pieces: bool = True
) -> bytes:
    """A container; `tensors` have their kind (0 float32, 1 Q4_0), their bytes and how many weights they say to have."""
    words = [piece.encode() for piece, _ in PIECES] if pieces else []
    head = magic + struct.pack("<i", 1)
    head += struct.pack("<7if", HIDDEN, 1, 4, INTERMEDIATE, len(words), 16, 1, 1e-12) + struct.pack("<i", block)
    head += struct.pack("<i", len(words)) + struct.pack("<4i", 0, 2, 1, 3)
    head += struct.pack("<Q", sum(map(len, words)))
    offsets = np.cumsum([0, *map(len, words)])
    head += offsets.astype("<u4").tobytes()
    head += np.array([score for _, score in PIECES[: len(words)]], "<f4").tobytes() + b"".join(words)
    head += struct.pack("<iI", len(NORMALISED), 0)
    for character, replacement in NORMALISED.items():
        head += struct.pack("<IB", ord(character), len(replacement))
        head += struct.pack(f"<{len(replacement)}I", *map(ord, replacement))
    head += struct.pack("<i", len(tensors))
    at = len(head) + sum(2 + len(name) + 1 + 4 + 8 + 8 for name in tensors)
    body = b""
    for name, (kind, data, count) in tensors.items():
        head += struct.pack("<H", len(name)) + name.encode()
        head += struct.pack("<BIQQ", kind, count, at + len(body), len(data))
        body += data
    return head + body


@pytest.fixture
def values() -> dict[str, npt.NDArray[np.float32]]:
    rng = np.random.default_rng(5)
    return {
        "emb.word": rng.normal(size=(len(PIECES), HIDDEN)).astype(np.float32),
        "emb.ln.w": rng.normal(size=HIDDEN).astype(np.float32),
        "l0.fi.w": rng.normal(size=(INTERMEDIATE, HIDDEN)).astype(np.float32),
        "l0.fo.w": rng.normal(size=(HIDDEN, INTERMEDIATE)).astype(np.float32),
    }


@pytest.fixture
def tensors(values: dict[str, npt.NDArray[np.float32]]) -> dict[str, tuple[int, bytes, int]]:
    return {
        name: (0, array.tobytes(), array.size) if array.ndim == 1 else (1, quantised(array), array.size)
        for name, array in values.items()
    }


def read(tmp_path: Path, data: bytes) -> container.Container:
    path = tmp_path / "tiny.bin"
    path.write_bytes(data)
    return container.read(path)


def test_everything_is_read(
    tmp_path: Path, tensors: dict[str, tuple[int, bytes, int]], values: dict[str, npt.NDArray[np.float32]]
) -> None:
    found = read(tmp_path, made(tensors))
    assert found.shape == Shape(HIDDEN, 1, 4, INTERMEDIATE, len(PIECES), 16, 1, float(np.float32(1e-12)))
    assert found.pieces == PIECES
    assert found.special == {"bos": 0, "eos": 2, "pad": 1, "unk": 3}
    assert found.normalised == NORMALISED
    assert list(found.tensors) == list(values)
    assert np.array_equal(found.tensors["emb.ln.w"], values["emb.ln.w"])
    for name, array in values.items():
        assert found.tensors[name].shape == array.shape
        assert found.tensors[name].dtype == np.float32
        if array.ndim == 2:
            # Eight steps to each side of zero: half a step off, and a whole one where 16 would be asked for.
            steps = np.abs(array.reshape(-1, 32)).max(1, keepdims=True) / 8
            off = np.abs(found.tensors[name] - array).reshape(-1, 32)
            assert (off <= 1.01 * steps).all()
            assert off.mean() < 0.4 * steps.mean()


def test_weights_are_nibbles_less_eight_times_the_scale() -> None:
    rng = np.random.default_rng(2)
    nibbles = rng.integers(0, 16, (6, 32))
    scales = np.array([0.5, -0.25, 1.0, 0.0, 2.0, -8.0], np.float16)
    data = b""
    for scale, row in zip(scales, nibbles, strict=True):
        data += scale.tobytes() + bytes(int(row[i]) | int(row[i + 16]) << 4 for i in range(16))
    found = container.dequantised(np.frombuffer(data, np.uint8), 64)
    wanted = [[float(scales[b]) * (int(nibbles[b, i]) - 8) for b in (r, r + 1) for i in range(32)] for r in (0, 2, 4)]
    assert found.tolist() == wanted


def test_another_file_is_refused(tmp_path: Path) -> None:
    for data in (b"", b"E5", b"GGUF" + bytes(200)):
        with pytest.raises(NotAContainer, match=r"tiny\.bin: expected b'E5S1' at its beginning, got"):
            read(tmp_path, data)


def test_other_blocks_are_refused(tmp_path: Path, tensors: dict[str, tuple[int, bytes, int]]) -> None:
    with pytest.raises(NotAContainer, match="expected blocks of 32 weights, got 64"):
        read(tmp_path, made(tensors, block=64))


@pytest.mark.parametrize("name", ["emb.word", "emb.ln.w"])
def test_a_tensor_that_has_not_what_it_says_is_named(
    tmp_path: Path, tensors: dict[str, tuple[int, bytes, int]], name: str
) -> None:
    kind, data, count = tensors[name]
    tensors[name] = kind, data, count + 32
    with pytest.raises(NotAContainer, match=f"{name}: expected {count + 32} weights, got {count}"):
        read(tmp_path, made(tensors))


def test_a_tensor_of_half_a_block_is_refused(tmp_path: Path, tensors: dict[str, tuple[int, bytes, int]]) -> None:
    kind, data, count = tensors["l0.fi.w"]
    tensors["l0.fi.w"] = kind, data[:-9], count
    with pytest.raises(NotAContainer, match="expected a whole container"):
        read(tmp_path, made(tensors))


def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, tensors: dict[str, tuple[int, bytes, int]]) -> None:
    data = made(tensors)
    for length in (*range(4, 400), *range(400, len(data), 97), len(data) - 1):
        with pytest.raises(NotAContainer, match="expected a whole container"):
            read(tmp_path, data[:length])


def test_pieces_that_are_no_utf8_are_refused(tmp_path: Path, tensors: dict[str, tuple[int, bytes, int]]) -> None:
    with pytest.raises(NotAContainer, match="expected a whole container"):
        read(tmp_path, made(tensors).replace("洗".encode(), b"\xff\xfe\xfd"))


def test_a_container_without_pieces_and_tensors_is_one(tmp_path: Path) -> None:
    found = read(tmp_path, made({}, pieces=False))
    assert (found.pieces, found.tensors) == ((), {})
