"""The tagger and its CRF: what it learns, what it finds, and that the appliance finds the same without torch."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tiny_models  # noqa: E402
from torchcrf import CRF  # noqa: E402
from transformers import BertConfig, BertModel  # noqa: E402

from appliance.language.candidates import Candidate  # noqa: E402
from appliance.language.tagger import Tagger as Runtime  # noqa: E402
from appliance.language.tagger import mentions, read_alphabet  # noqa: E402
from appliance.language.viterbi import Transitions, best_tags  # noqa: E402
from export.train import crf, lend, tagger  # noqa: E402
from export.train.encoder import tokenizer  # noqa: E402
from export.train.fit import Schedule  # noqa: E402
from export.train.model import IGNORED  # noqa: E402
from export.train.sentences import Sentence, Span  # noqa: E402
from export.train.tagger import PAD, UNKNOWN, Shape, tag_batch, tags_of  # noqa: E402
from export.train.vary import Varier  # noqa: E402

# The Trainer warns of what a machine without a GPU cannot pin, and of file systems without exact times.
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::UserWarning")]
TAGS = tiny_models.TAGS
NUMBERS = {tag: number for number, tag in enumerate(TAGS)}


def emissions(model: tagger.Tagger, row: dict[str, Any]) -> Any:
    with torch.inference_mode():
        return model.emissions(torch.tensor([row["input_ids"]]), torch.tensor([row["hints"]]))[0]


# Viterbi.


def crf_of(tags: int, seed: int) -> tuple[CRF, Transitions]:
    torch.manual_seed(seed)
    made = CRF(tags, batch_first=True)
    for weights in made.parameters():
        torch.nn.init.normal_(weights, std=2.0)
    order = Transitions(
        made.start_transitions.detach().numpy(),
        made.end_transitions.detach().numpy(),
        made.transitions.detach().numpy(),
    )
    return made, order


@pytest.mark.parametrize("tags", [1, 2, 5, 39])
def test_numpys_viterbi_finds_the_tags_that_torchcrf_finds(tags: int) -> None:
    made, order = crf_of(tags, tags)
    draw = np.random.default_rng(tags)
    for length in (1, 2, 3, 10, 64, 128):
        for scale in (0.1, 1.0, 5.0):
            scores = (draw.normal(size=(length, tags)) * scale).astype(np.float32)
            (wanted,) = made.decode(torch.from_numpy(scores)[None])
            found, sure = best_tags(scores, order)
            assert found.tolist() == wanted, (length, scale)
            assert ((sure > 0) & (sure <= 1 + 1e-4)).all()


def test_the_loss_is_the_chance_of_the_true_tags_among_all() -> None:
    model = tiny_models.tagger()
    rows = tiny_models.tagger_rows(3, 2, 4)
    with torch.inference_mode():
        found = model(**tag_batch(rows))["loss"]
    start, end = model.crf.start_transitions.tolist(), model.crf.end_transitions.tolist()
    between = model.crf.transitions.tolist()
    costs = []
    for row in rows:
        scores = emissions(model, row).tolist()

        def score(path: tuple[int, ...], scores: list[list[float]] = scores) -> float:
            total = start[path[0]] + end[path[-1]] + sum(scores[at][tag] for at, tag in enumerate(path))
            return float(total + sum(between[a][b] for a, b in itertools.pairwise(path)))

        every = [score(path) for path in itertools.product(range(len(TAGS)), repeat=len(row["tags"]))]
        costs.append(float(np.logaddexp.reduce(every)) - score(tuple(row["tags"])))
    assert float(found) == pytest.approx(np.mean(costs), rel=1e-4)


# The network.


def test_sentences_in_a_batch_do_not_see_the_padding() -> None:
    model, rows = tiny_models.tagger(), tiny_models.tagger_rows(1, 9, 4)
    batch = tag_batch(rows)
    with torch.inference_mode():
        together = model(batch["input_ids"], batch["attention_mask"], batch["hints"], batch["words"])
    assert set(together) == {"emissions"}
    for found, row in zip(together["emissions"], rows, strict=True):
        assert torch.allclose(found[: len(row["tags"])], emissions(model, row), atol=1e-5)


def test_a_batch_is_padded_with_what_says_nothing() -> None:
    batch = tag_batch(
        [
            {"input_ids": [5, 6], "hints": [1, 2], "words": [8, 9], "tags": [3, 4]},
            {"input_ids": [7], "hints": [3], "words": [4], "tags": [0]},
        ]
    )
    assert {name: values.tolist() for name, values in batch.items()} == {
        "input_ids": [[5, 6], [7, PAD]],
        "attention_mask": [[1, 1], [1, 0]],
        "hints": [[1, 2], [3, 0]],
        "words": [[8, 9], [4, 0]],
        "tags": [[3, 4], [0, IGNORED]],
    }


def test_hints_are_heard_and_dropped_for_some_sentences_while_it_learns() -> None:
    model = tiny_models.tagger()
    (row,) = tiny_models.tagger_rows(6)
    without = {**row, "hints": [0] * 6}
    assert not torch.allclose(emissions(model, row), emissions(model, without))
    # Nothing else is drawn here, so each sentence of a batch is as with its hints or as without.
    model.dropout.p = 0.0
    model.train()
    torch.manual_seed(2)
    batch = tag_batch([row] * 400)
    with torch.inference_mode():
        found = model(batch["input_ids"], batch["attention_mask"], batch["hints"], batch["words"])["emissions"]
    close = [
        [bool(torch.allclose(one, emissions(model, given), atol=1e-5)) for given in (row, without)] for one in found
    ]
    assert all(sum(pair) == 1 for pair in close)
    assert np.mean([pair[1] for pair in close]) == pytest.approx(model.shape.hint_dropout, abs=0.06)


def test_without_hints_none_are_heard() -> None:
    model = tiny_models.tagger(hint=0)
    (row,) = tiny_models.tagger_rows(6)
    assert torch.equal(emissions(model, row), emissions(model, {**row, "hints": [0] * 6}))


def test_folded_sounds_give_the_same_outputs() -> None:
    sounds = torch.tensor([0, 0, *(1 + number % 7 for number in range(58))])
    model, silent = tiny_models.tagger(sounds=sounds), tiny_models.tagger()
    assert model.sounds is not None
    rows = tiny_models.tagger_rows(8, 3)
    before = [emissions(model, row) for row in rows]
    silent.load_state_dict({name: weights for name, weights in model.state_dict().items() if "sound" not in name})
    assert not torch.allclose(before[0], emissions(silent, rows[0]), atol=1e-3)  # sounds are heard at all
    model.fold_sounds()
    assert all(torch.allclose(a, emissions(model, row), atol=1e-5) for a, row in zip(before, rows, strict=True))
    assert set(model.state_dict()) == set(silent.state_dict())
    model.fold_sounds()  # nothing is left to fold
    assert torch.allclose(before[0], emissions(model, rows[0]), atol=1e-5)


# Rows.


def test_tags_are_bio() -> None:
    assert tags_of(("date", "product")) == ("O", "B-date", "I-date", "B-product", "I-product")
    tags = {"O": 0, "B-x": 1, "I-x": 2}
    assert tagger.encoded([Span(1, 3, "x"), Span(3, 4, "x")], 5, tags) == [0, 1, 2, 1, 0]
    assert tagger.encoded([Span(0, 2, "y")], 3, tags) == [0, 0, 0]
    assert tagger.encoded([Span(1, 9, "x")], 3, tags) == [0, 1, 2]


def test_digits_are_alike() -> None:
    assert tagger.uniform("买2瓶，a13８二") == "买0瓶，a00８二"


def test_characters_are_those_of_the_sentences_and_the_common_ones() -> None:
    numbers = tagger.character_numbers([Sentence("龘b7"), Sentence("b3")])
    assert list(numbers.values()) == list(range(2, 2 + len(numbers)))
    assert list(numbers)[:3] == ["0", "b", "龘"]
    assert len(numbers) == 3 + 3755
    assert "龘" not in tagger.character_numbers([Sentence("龘b7"), Sentence("b3")], least=2)


def test_rows_have_numbers_hints_and_tags_and_are_cut() -> None:
    numbers = {"洗": 2, "0": 3}
    sentence = Sentence("洗5x" * 3, spans=(Span(0, 2, "product"), Span(5, 7, "date")))
    (row,) = crf.rows_of([sentence], numbers, NUMBERS, lambda text: [Span(1, 3, "date")], longest=6)
    assert row == {
        "input_ids": [2, 3, UNKNOWN, 2, 3, UNKNOWN],
        "hints": [NUMBERS[tag] for tag in ("O", "B-date", "I-date", "O", "O", "O")],
        "words": [0] * 6,
        "tags": [NUMBERS[tag] for tag in ("B-product", "I-product", "O", "O", "O", "B-date")],
    }
    (row,) = crf.rows_of([sentence], numbers, NUMBERS, crf.no_hints)
    assert row["hints"] == [0] * 9


def test_mentions_are_read_as_the_appliance_reads_them() -> None:
    assert crf.spans_of(["O", "B-x", "I-x", "I-y", "B-y", "I-x"]) == (
        Span(1, 3, "x"), Span(3, 4, "y"), Span(4, 5, "y"), Span(5, 6, "x"),
    )  # fmt: skip
    rng = random.Random(4)
    for _ in range(300):
        tags = [rng.choice(TAGS) for _ in range(rng.randrange(12))]
        assert [(span.start, span.end, span.type) for span in crf.spans_of(tags)] == list(mentions(tags))


def test_tags_and_mentions_are_each_others_inverse() -> None:
    rng = random.Random(5)
    for _ in range(100):
        edges = sorted(rng.sample(range(30), 6))
        spans = tuple(Span(edges[at], edges[at + 1], rng.choice(("product", "date"))) for at in (0, 2, 4))
        assert crf.spans_of([TAGS[number] for number in tagger.encoded(spans, 30, NUMBERS)]) == spans


def test_f1_counts_whole_mentions_of_the_right_type() -> None:
    truth = [["B-x", "I-x", "O"], ["B-y", "O", "B-x"]]
    guess = [["B-x", "O", "O"], ["B-y", "O", "B-y"]]
    # Three there, three guessed, one right.
    assert crf.f1(truth, guess) == pytest.approx(1 / 3)
    assert crf.f1(truth, truth) == 1.0
    assert crf.f1([["O"]], [["O"]]) == 0.0


def test_rows_are_decoded_in_their_order_however_many() -> None:
    model = tiny_models.tagger()
    rows = tiny_models.tagger_rows(*(1 + number % 9 for number in range(70)))
    found = crf.decode(model, rows, TAGS)
    for row, tags in zip(rows, found, strict=True):
        (path,) = model.crf.decode(emissions(model, row)[None])
        assert tags == [TAGS[tag] for tag in path]


def test_a_mention_that_is_less_probable_than_asked_is_none() -> None:
    model, rows = tiny_models.tagger(), tiny_models.tagger_rows(*(1 + number % 9 for number in range(70)))
    every = [crf.spans_of(tags) for tags in crf.decode(model, rows, TAGS)]
    assert not any(crf.spans_of(tags) for tags in crf.decode(model, rows, TAGS, 1.01))
    some = [crf.spans_of(tags) for tags in crf.decode(model, rows, TAGS, 0.3)]
    assert 0 < sum(map(len, some)) < sum(map(len, every))
    assert all(set(few) <= set(all_) for few, all_ in zip(some, every, strict=True))
    _, sure = best_tags(emissions(model, rows[8]).numpy(), order_of(model))
    assert some[8] == tuple(span for span in every[8] if sure[span.start : span.end].min() >= 0.3)


def order_of(model: tagger.Tagger) -> Transitions:
    weights = (model.crf.start_transitions, model.crf.end_transitions, model.crf.transitions)
    return Transitions(*(weight.detach().numpy() for weight in weights))


def test_the_least_probability_is_that_with_which_most_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [(["B-x", "O", "B-x"], [0.66, 1.0, sure]) for sure in (0.55, 0.58, 0.9)]
    monkeypatch.setattr(crf, "_paths", lambda *_: paths)
    truth = [["B-x", "O", "O"], ["B-x", "O", "O"], ["B-x", "O", "B-x"]]
    # Below 0.58 what is wrong is believed, above 0.66 what is right is not.
    assert 0.6 <= crf.least_of(tiny_models.tagger(), [], TAGS, truth) <= 0.65


def test_of_least_probabilities_that_are_nearly_as_good_the_highest_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    # One of 400 mentions is lost from 0.45 on, and nothing from there to 0.7, where many are.
    paths = [(["B-x"], [0.42]), *[(["B-x"], [0.71])] * 200, *[(["B-x"], [0.99])] * 199]
    monkeypatch.setattr(crf, "_paths", lambda *_: paths)
    assert crf.least_of(tiny_models.tagger(), [], TAGS, [["B-x"]] * 400) == 0.65


def test_where_the_least_probability_makes_no_difference_it_stays_one_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crf, "_paths", lambda *_: [(["B-x", "O"], [0.99, 1.0])])
    for truth in ([["B-x", "O"]], [["O", "O"]]):
        assert crf.least_of(tiny_models.tagger(), [], TAGS, truth) == 0.5


# In a folder, and in the appliance.


def test_a_tagger_is_the_same_after_it_was_written_and_read(tmp_path: Path) -> None:
    model = tiny_models.tagger()
    model.least = 0.65
    numbers = {chr(0x4E00 + number): number for number in range(2, 60)}
    crf.save(model, numbers, TAGS, tmp_path / "there")
    found, characters, tags = crf.load(tmp_path / "there")
    assert (characters, tags, found.shape, found.least) == (numbers, TAGS, model.shape, 0.65)
    assert not found.training
    for row in tiny_models.tagger_rows(5, 1):
        assert torch.equal(emissions(found, row), emissions(model, row))


def test_the_appliance_finds_what_the_tagger_finds(tmp_path: Path) -> None:
    model = tiny_models.tagger()
    model.least = 0.0  # so small a network is sure of nothing
    characters = "洗衣液在哪里盐多少钱0明天买瓶a"
    numbers = {character: number for number, character in enumerate(characters, 2)}
    crf.save(model, numbers, TAGS, tmp_path)
    alphabet = read_alphabet(tmp_path / "tagger.json")
    assert (dict(alphabet.characters), alphabet.tags, alphabet.longest) == (numbers, TAGS, crf.LONGEST)
    assert np.allclose(alphabet.order.between, model.crf.transitions.detach().numpy(), atol=1e-5)

    def run(inputs: Any, /, *, deadline: float | None = None) -> dict[str, Any]:
        with torch.inference_mode():
            found = model.emissions(*(torch.from_numpy(inputs[name]) for name in ("characters", "hints")))
        return {"emissions": found.numpy()}

    runtime, rng, some = Runtime(run, alphabet, ("product", "date")), random.Random(6), 0
    for _ in range(60):
        text = "".join(rng.choice(characters + "龘9") for _ in range(rng.randrange(1, 150)))
        start = rng.randrange(len(text))
        hint = Span(start, min(len(text), start + 3), rng.choice(("product", "date", "person")))
        rows = crf.rows_of([Sentence(text)], numbers, NUMBERS, lambda _, hint=hint: [hint])  # type: ignore[misc]
        (tags,) = crf.decode(model, rows, TAGS)
        hinted = Candidate(hint.type, hint.start, hint.end, text[hint.start : hint.end], 0.9, "table", 3)
        found = runtime.find(text, [hinted])
        assert [Span(one.start, one.end, one.type) for one in found] == list(crf.spans_of(tags))
        some += len(found)
    assert some > 100


# Learning.


def test_a_tagger_learns_what_stands_before_and_behind_a_mention(tmp_path: Path) -> None:
    things, days = ["洗衣液", "盐", "手机充电器", "毛巾", "牙膏", "酱油"], ["明天", "后天", "周末", "十号"]

    def said(thing: str, day: str) -> Sentence:
        at = len(day) + 1
        return Sentence(f"{day}买{thing}吗", spans=(Span(0, len(day), "date"), Span(at, at + len(thing), "product")))

    train = [said(thing, day) for thing in things[:5] for day in days[:3]] * 4
    dev = [said(things[5], days[3]), said(things[0], days[3]), said(things[5], days[0])]
    numbers = tagger.character_numbers(train)
    shape = Shape(embedding=16, hint=0, hidden=16, dropout=0.1)
    begin = {character: np.full(16, 0.1, np.float32) for character in "洗吗龘"}
    model, log = crf.train(
        train, dev, numbers, TAGS, tmp_path, shape, Schedule(epochs=8, rate=3e-2, batch=8, patience=8),
        varier=Varier(train, {}, 1), begin=begin,
    )  # fmt: skip
    scores = [row["eval_dev_score"] for row in log if "eval_dev_score" in row]
    assert max(scores) == 1.0
    assert model.sounds is None  # folded
    # What the trainer said of the epoch that it kept is what the network does.
    guess = crf.decode(model, crf.rows_of(dev, numbers, NUMBERS, crf.no_hints), TAGS)
    assert [crf.spans_of(tags) for tags in guess] == [sentence.spans for sentence in dev]


def test_it_begins_with_the_vectors_that_it_was_lent(tmp_path: Path) -> None:
    train = [Sentence("买盐", spans=(Span(1, 2, "product"),)), Sentence("买糖", spans=(Span(1, 2, "product"),))]
    numbers = tagger.character_numbers(train)
    begin = {character: np.full(8, 5.0, np.float32) for character in "盐鹅龘"}  # the last has no number
    model, _ = crf.train(
        train,
        train,
        numbers,
        TAGS,
        tmp_path,
        Shape(embedding=8, hint=0, hidden=4),
        Schedule(epochs=1, rate=1e-4, decay=0.0),
        begin=begin,
    )
    weights = model.characters.weight.detach()
    # One small step moves what was seen by little, and what was not seen by nothing.
    assert torch.allclose(weights[numbers["盐"]], torch.full((8,), 5.0), atol=0.01)
    assert torch.equal(weights[numbers["鹅"]], torch.full((8,), 5.0))
    assert float(weights[numbers["买"]].abs().max()) < 4.5
    assert not weights[PAD].any()


def test_characters_are_lent_by_an_encoder(tmp_path: Path) -> None:
    tokens = tiny_models.tokens()
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=tokens.get_vocab_size(), hidden_size=24, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=8, max_position_embeddings=16,
    )  # fmt: skip
    encoder = BertModel(config, add_pooling_layer=False)
    encoder.save_pretrained(tmp_path)
    tokenizer.save(tokens, tmp_path, 16)
    found = lend.character_vectors(tmp_path, 24)
    # In the order of their numbers: another order in each process would make other sums of them.
    assert list(found) == [piece for piece, _ in tiny_models.PIECES if len(piece) == 1]
    narrow = np.stack(list(found.values()))
    assert narrow.std() == pytest.approx(1.0, rel=1e-5)
    # With all directions kept nothing but the scale has changed.
    words = encoder.embeddings.word_embeddings.weight.detach().numpy()
    vectors = np.stack([words[tokens.token_to_id(piece)] for piece in found])

    def distances(points: Any) -> Any:
        return np.linalg.norm(points[:, None] - points[None], axis=-1)

    ratio = distances(narrow)[0, 1] / distances(vectors)[0, 1]
    assert np.allclose(distances(narrow), distances(vectors) * ratio, atol=1e-3)
    # With few, those in which they differ most: no others keep more of their variance.
    few = np.stack(list(lend.character_vectors(tmp_path, 3).values()))
    centred = vectors - vectors.mean(0)
    strongest = np.linalg.eigvalsh(centred.T @ centred)[::-1][:3]
    kept = (few**2).sum(0)
    assert few.shape == (len(found), 3)
    assert np.allclose(kept / kept.sum(), strongest / strongest.sum(), atol=1e-4)
