"""Listening into the kiosk's own words: what breaks them off, and what does not."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from appliance.channels.voice.attend import Counted, Insistence, attend
from appliance.speech.listen import Partial

RATE = 16_000
BLOCK = 320
LOUD, SOFT = 0.1, 0.001
ASKED = Insistence(seconds=0.1, sure=0.9, level=0.02)


def block(level: float) -> np.ndarray:
    return np.full(BLOCK, level, np.float32)


class Ears:
    """Blocks with the probability of speech that goes with each."""

    def __init__(self, *blocks: tuple[float, float]) -> None:
        self.blocks = deque(blocks)
        self.probability = 0.0
        self.fed = 0

    def read(self, timeout_s: float) -> np.ndarray:
        return block(self.blocks[0][0])

    def feed(self, samples: np.ndarray) -> list[Partial]:
        self.fed += 1
        _, self.probability = self.blocks.popleft()
        return [Partial("在三号货架", 1.0)]  # whatever is heard, the kiosk's own words are among it

    @property
    def done(self) -> bool:
        return not self.blocks or self.broken

    broken = False
    error = None

    def stop(self) -> None:
        self.broken = True


def attended(ears: Ears) -> bool | None:
    return attend(ears, ears, ears, ASKED)  # type: ignore[arg-type]


def test_loud_speech_breaks_the_answer_off_as_soon_as_it_has_lasted() -> None:
    ears = Ears(*[(SOFT, 0.0)] * 5, *[(LOUD, 0.99)] * 50)
    assert attended(ears) is True
    assert (ears.broken, ears.fed) == (True, 10)


@pytest.mark.parametrize(
    "blocks",
    [
        [(SOFT, 0.99)] * 50,  # what echo cancellation leaves
        [(LOUD, 0.5)] * 50,  # a slammed door, a trolley
        [*[(LOUD, 0.99)] * 4, *[(SOFT, 0.0)] * 6] * 5,  # a cough, and another
    ],
)
def test_what_is_soft_doubtful_or_short_does_not(blocks: list[tuple[float, float]]) -> None:
    ears = Ears(*blocks)
    assert attended(ears) is False
    assert not ears.broken


def test_a_short_pause_within_words_does_not_begin_anew() -> None:
    counted = Counted(ASKED)
    said = [*[(LOUD, 0.99)] * 3, *[(SOFT, 0.2)] * 3, *[(LOUD, 0.99)] * 2]
    assert [counted(block(level), sure) for level, sure in said] == [False] * 7 + [True]


def test_sound_that_waited_is_heard_and_does_not_count_however_loud_it_is() -> None:
    class Late(Ears):
        def read(self, timeout_s: float) -> np.ndarray:
            return np.full(RATE, LOUD, np.float32) if self.fed < 32 else super().read(timeout_s)

    ears = Late(*[(LOUD, 0.99)] * 32, *[(SOFT, 0.0)] * 5)
    assert attended(ears) is False
    assert ears.fed == 37


def test_a_block_counts_frame_by_frame_and_not_whole_by_its_last() -> None:
    class Coarse(Ears):
        def read(self, timeout_s: float) -> np.ndarray:
            return np.full(5 * 512, LOUD, np.float32)

    ears = Coarse(*[*[(LOUD, 0.1)] * 4, (LOUD, 0.99)] * 6)
    assert attended(ears) is False, "a fifth of it is speech"


def test_an_answer_that_nobody_may_break_off_is_said_to_its_end() -> None:
    playing = Ears(*[(LOUD, 0.99)] * 3)
    took: list[int] = []

    def next_block(samples: np.ndarray) -> None:
        took.append(len(samples))
        playing.blocks.popleft()

    assert attend(playing, playing, None, ASKED, took=next_block) is False
    assert took == [BLOCK] * 3
    assert not playing.broken


def test_what_else_is_asked_breaks_it_off_at_once() -> None:
    ears = Ears(*[(SOFT, 0.0)] * 3)
    assert attend(ears, ears, ears, ASKED, asked=lambda: True) is None  # type: ignore[arg-type]
    assert (ears.broken, ears.fed) == (True, 0)
