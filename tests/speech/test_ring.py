"""The ring between the audio thread and its reader: order, what is lost, and two threads at once."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from appliance.speech.ring import Ring


def count(first: int, samples: int) -> np.ndarray:
    """Samples that tell their place: exact in float32."""
    return np.arange(first, first + samples, dtype=np.float32)


def test_what_is_written_is_read_in_order_across_the_end_of_the_memory() -> None:
    ring = Ring(10)
    read = []
    for first in range(0, 70, 7):
        ring.write(count(first, 7))
        assert ring.waiting == 7
        read += [ring.read(4, 0), ring.read(4, 0)]
        assert [len(piece) for piece in read[-2:]] == [4, 3]
    assert np.array_equal(np.concatenate(read), count(0, 70))
    assert ring.lost == 0
    assert len(ring.read(4, 0)) == 0


def test_a_reader_that_comes_too_late_gets_the_newest_and_the_rest_is_counted() -> None:
    ring = Ring(10)
    for first in range(0, 35, 5):
        ring.write(count(first, 5))
    assert ring.lost == 25
    assert np.array_equal(ring.read(100, 0), count(25, 10))
    assert ring.lost == 25
    ring.write(count(35, 23))
    assert np.array_equal(ring.read(100, 0), count(48, 10))
    assert ring.lost == 38


def test_what_is_forgotten_is_not_lost() -> None:
    ring = Ring(10)
    ring.write(count(0, 14))
    ring.clear()
    assert (ring.waiting, ring.lost) == (0, 4)
    ring.write(count(14, 3))
    assert np.array_equal(ring.read(9, 0), count(14, 3))
    assert ring.lost == 4


def test_a_copy_stays_as_it_was() -> None:
    ring = Ring(4)
    ring.write(count(0, 4))
    kept = ring.read(4, 0)
    ring.write(count(4, 4))
    assert np.array_equal(kept, count(0, 4))


def test_a_reader_waits_for_the_writer() -> None:
    ring = Ring(10)
    heard: list[np.ndarray] = []
    reader = threading.Thread(target=lambda: heard.append(ring.read(10, 30)))
    reader.start()
    ring.write(count(0, 3))
    reader.join(20)
    assert not reader.is_alive()
    assert len(heard[0])


def test_a_ring_has_room() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Ring(0)


@pytest.mark.parametrize("size", [997, 20_000])
def test_a_writer_in_haste_and_a_reader_at_once(size: int) -> None:
    """Nothing is torn: each piece is a run of neighbours, behind the one before, and what is missing is counted."""
    ring = Ring(size)
    total = 2_000_000
    lengths = np.random.default_rng(5).integers(1, 700, 10_000)

    def write() -> None:
        at = 0
        for length in lengths:
            ring.write(count(at, min(int(length), total - at)))
            at = min(total, at + int(length))

    writer = threading.Thread(target=write)
    writer.start()
    seen = read = 0
    while writer.is_alive() or ring.waiting:
        piece = ring.read(500, 0.01)
        if len(piece):
            assert np.array_equal(piece, count(int(piece[0]), len(piece)))
            assert piece[0] >= seen
            seen, read = int(piece[-1]) + 1, read + len(piece)
    writer.join()
    assert read + ring.lost == min(total, int(lengths.sum()))
