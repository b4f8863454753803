"""The beam against the sum over every alignment, and against the algorithm as the paper writes it."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from appliance.errors import ModelMismatch, SettingInvalid
from appliance.speech.ctc.align import align
from appliance.speech.ctc.phrases import Phrases
from appliance.speech.ctc.search import Ngram, Search, log_softmax

BROAD = Search(beam=10_000, classes=100, margin=1e9)
"""Leaves nothing out."""


def noise(steps: int, classes: int, seed: int, sharp: float = 1.0) -> np.ndarray:
    return log_softmax(np.random.default_rng(seed).standard_normal((steps, classes)).astype(np.float32) * sharp)


def collapse(path: tuple[int, ...], blank: int) -> tuple[int, ...]:
    return tuple(token for token, _ in itertools.groupby(path) if token != blank)


def sums(logprobs: np.ndarray, blank: int = 0) -> dict[tuple[int, ...], float]:
    """Probability of each sequence: the sum over all of its alignments, one by one."""
    steps, classes = logprobs.shape
    total: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(classes), repeat=steps):
        chance = math.exp(sum(float(logprobs[step, token]) for step, token in enumerate(path)))
        spelt = collapse(path, blank)
        total[spelt] = total.get(spelt, 0.0) + chance
    return total


@pytest.mark.parametrize(
    "steps, classes, blank, seed", [(1, 2, 0, 1), (4, 3, 0, 2), (5, 3, 2, 3), (5, 4, 1, 4), (6, 3, 0, 5)]
)
def test_every_prefix_has_the_sum_over_its_alignments(steps: int, classes: int, blank: int, seed: int) -> None:
    logprobs = noise(steps, classes, seed)
    wanted = sums(logprobs, blank)
    found = {one.tokens: math.exp(one.total) for one in BROAD.prefixes(logprobs, blank=blank)}
    assert set(found) == set(wanted)
    assert all(found[tokens] == pytest.approx(chance, rel=1e-5) for tokens, chance in wanted.items())
    assert sum(found.values()) == pytest.approx(1.0, rel=1e-5)
    best = BROAD.prefixes(logprobs, blank=blank)[0]
    assert wanted[best.tokens] == pytest.approx(max(wanted.values()))


def hannun(logprobs: np.ndarray, beam: int, lm: Ngram | None = None, weight: float = 0.0) -> list[tuple[int, ...]]:
    """Algorithm 1 of the paper, plainly: probabilities, no pruning but the beam, blank 0."""
    ends_blank, ends_token = {(): 1.0}, {(): 0.0}
    before = [()]
    for row in np.exp(logprobs.astype(np.float64)):
        new_blank: dict[tuple[int, ...], float] = {}
        new_token: dict[tuple[int, ...], float] = {}
        for prefix in before:
            b, t = ends_blank.get(prefix, 0.0), ends_token.get(prefix, 0.0)
            for token, chance in enumerate(row):
                if token == 0:
                    new_blank[prefix] = new_blank.get(prefix, 0.0) + chance * (b + t)
                    continue
                longer = (*prefix, token)
                if prefix and token == prefix[-1]:
                    new_token[longer] = new_token.get(longer, 0.0) + chance * b
                    new_token[prefix] = new_token.get(prefix, 0.0) + chance * t
                else:
                    new_token[longer] = new_token.get(longer, 0.0) + chance * (b + t)
        ends_blank, ends_token = new_blank, new_token

        scores = {}
        for prefix in ends_blank.keys() | ends_token.keys():
            total = ends_blank.get(prefix, 0.0) + ends_token.get(prefix, 0.0)
            spoken = sum(lm(prefix[:n], prefix[n]) for n in range(len(prefix))) if lm else 0.0
            scores[prefix] = total * math.exp(weight * spoken)
        before = sorted(scores, key=lambda one: (-scores[one], one))[:beam]
    return before


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("beam", [1, 2, 4, 16])
def test_the_beam_is_the_papers(seed: int, beam: int) -> None:
    logprobs = noise(12, 6, seed, 2.0)
    search = Search(beam=beam, classes=100, margin=1e9)
    assert [one.tokens for one in search.prefixes(logprobs)] == hannun(logprobs, beam)


def test_an_ngram_counts() -> None:
    def lm(before: tuple[int, ...], token: int) -> float:
        return -0.1 if before[-1:] == (token - 1,) else -4.0

    for seed in range(8):
        logprobs = noise(10, 5, seed)
        search = Search(beam=8, classes=100, margin=1e9, ngram=lm, weight=0.7)
        assert [one.tokens for one in search.prefixes(logprobs)] == hannun(logprobs, 8, lm, 0.7)


def test_greedy_is_the_best_path() -> None:
    logprobs = noise(40, 7, 9, 3.0)
    decoded = Search().decode(logprobs)
    assert tuple(decoded.indices.tolist()) == collapse(tuple(logprobs.argmax(axis=1).tolist()), 0)
    np.testing.assert_allclose(decoded.confidences, np.exp(logprobs[decoded.surest, decoded.indices]), rtol=1e-6)


def test_sharp_probabilities_give_beam_and_best_path_alike() -> None:
    for seed in range(6):
        logprobs = noise(60, 9, seed, 12.0)
        beam, path = Search(beam=8).decode(logprobs), Search().decode(logprobs)
        np.testing.assert_array_equal(beam.indices, path.indices)


def row(**chances: float) -> list[float]:
    """Probabilities of blank, a, b, c, d; what is left goes evenly to the others."""
    names = ("blank", "a", "b", "c", "d")
    left = (1 - sum(chances.values())) / max(1, 5 - len(chances))
    return [math.log(chances.get(name, left)) for name in names]


NEAR = np.array([row(a=0.9), row(b=0.5, c=0.42), row(blank=0.9), row(d=0.9)], np.float32)
"""a b d, or a c d nearly."""


def test_a_phrase_is_heard_where_it_is_nearly_as_likely() -> None:
    assert Search(beam=4).decode(NEAR).indices.tolist() == [1, 2, 4]
    assert Search(beam=4, phrases=Phrases([(1, 3)], 0.5)).decode(NEAR).indices.tolist() == [1, 3, 4]


def test_a_phrase_that_only_begins_changes_nothing() -> None:
    # `a c b b b b` begins well and cannot come in four steps: whatever the boost, it is taken back.
    for boost in (0.5, 1.5, 5.0):
        assert Search(beam=30, phrases=Phrases([(1, 3, 2, 2, 2, 2)], boost)).decode(NEAR).indices.tolist() == [1, 2, 4]
    # Nor at the very end of the sound.
    assert Search(beam=8, phrases=Phrases([(1, 3, 4, 4)], 0.5)).decode(NEAR).indices.tolist() == [1, 2, 4]


def test_a_phrases_token_is_tried_though_others_are_likelier() -> None:
    search = Search(beam=4, classes=1, phrases=Phrases([(1, 3)], 0.5))
    assert search.decode(NEAR).indices.tolist() == [1, 3, 4]


def test_nothing_is_heard_in_blanks_or_without_a_step() -> None:
    blanks = np.array([row(blank=0.96)] * 5, np.float32)
    for search in (Search(), Search(beam=4), Search(beam=4, phrases=Phrases([(1, 3)], 1.5))):
        assert len(search.decode(blanks)) == 0
        assert len(search.decode(np.zeros((0, 5), np.float32))) == 0


def best_path(logprobs: np.ndarray, tokens: tuple[int, ...], blank: int) -> float:
    """Logarithm of the likeliest single alignment, by trying all."""
    steps, classes = logprobs.shape
    return max(
        sum(float(logprobs[step, token]) for step, token in enumerate(path))
        for path in itertools.product(range(classes), repeat=steps)
        if collapse(path, blank) == tokens
    )


@pytest.mark.parametrize("tokens", [(1,), (1, 2), (2, 2), (1, 2, 1), (2, 1, 1)])
@pytest.mark.parametrize("blank", [0, 3])
def test_alignment_is_the_likeliest_of_all(tokens: tuple[int, ...], blank: int) -> None:
    logprobs = noise(5, 4, 21)
    placed = align(logprobs, tokens, blank=blank)
    path = np.full(len(logprobs), blank)
    for token, start, end in zip(placed.indices, placed.starts, placed.ends, strict=True):
        path[start:end] = token
    assert collapse(tuple(path.tolist()), blank) == tokens
    assert sum(logprobs[np.arange(5), path]) == pytest.approx(best_path(logprobs, tokens, blank), rel=1e-5)
    for token, surest, start, end in zip(placed.indices, placed.surest, placed.starts, placed.ends, strict=True):
        assert logprobs[surest, token] == logprobs[start:end, token].max()


def test_too_few_steps_for_the_tokens() -> None:
    with pytest.raises(ModelMismatch, match="expected at least 3 steps"):
        align(noise(2, 4, 1), (1, 1))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_broken_network_shows_itself(value: float) -> None:
    logprobs = noise(3, 4, 1)
    logprobs[1, 2] = value
    for search in (Search(), Search(beam=4)):
        with pytest.raises(ModelMismatch, match="finite"):
            search.decode(logprobs)
    with pytest.raises(ModelMismatch, match="shape"):
        Search().decode(np.zeros(3, np.float32))


def test_log_softmax() -> None:
    logits = np.random.default_rng(1).standard_normal((4, 9)).astype(np.float32) * 30
    np.testing.assert_allclose(np.exp(log_softmax(logits)).sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(log_softmax(log_softmax(logits)), log_softmax(logits), atol=1e-5)
    assert log_softmax(np.zeros((0, 9), np.float32)).shape == (0, 9)


@pytest.mark.parametrize("wrong", [{"beam": 0}, {"classes": 0}, {"margin": 0.0}])
def test_what_finds_nothing_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingInvalid):
        Search(**wrong)  # type: ignore[arg-type]
