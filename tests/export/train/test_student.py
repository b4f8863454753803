"""A student begins as what it copies of its teacher, learns from it, and is the same after it was written and read."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tiny_models  # noqa: E402

from export.train import bundle as bundles  # noqa: E402
from export.train import student  # noqa: E402
from export.train.bundle import Bundle  # noqa: E402
from export.train.encoder import tokenizer  # noqa: E402
from export.train.model import IGNORED, Exported, Understander, cross_entropy, probe, small  # noqa: E402
from export.train.noise import is_common  # noqa: E402
from export.train.rows import padded  # noqa: E402
from export.train.student import Lessons, Size, Taught  # noqa: E402

pytestmark = pytest.mark.torch
TEXTS = ("洗衣液在哪里", "盐多少钱", "四是", "where is a b", "请问退货", "1")


@pytest.fixture
def teacher() -> Bundle:
    return tiny_models.bundle()


def batch(made: Bundle, *texts: str) -> dict[str, Any]:
    return padded([{"input_ids": made.ids(text)} for text in texts])


def outputs(model: Understander, inputs: dict[str, Any]) -> list[Any]:
    with torch.inference_mode():
        vectors, _ = model.eval().vectors(inputs["input_ids"], inputs["attention_mask"])
        return [*model.heads(vectors), model.unit(vectors)]


def same(ours: list[Any], theirs: list[Any], tolerance: float = 0.0) -> bool:
    return all(torch.allclose(a, b, rtol=0, atol=tolerance) for a, b in zip(ours, theirs, strict=True))


# The network.


def test_padding_is_not_seen(teacher: Bundle) -> None:
    together = outputs(teacher.model, batch(teacher, *TEXTS))
    for number, text in enumerate(TEXTS):
        alone = outputs(teacher.model, batch(teacher, text))
        assert same([head[number : number + 1] for head in together], alone, 1e-5), text


def test_the_vector_is_the_mean_of_the_tokens_and_so_is_that_of_every_layer(teacher: Bundle) -> None:
    inputs = batch(teacher, "洗衣液在哪里")
    with torch.inference_mode():
        mean, each = teacher.model.vectors(**inputs, layers=True)
        out = teacher.model.encoder(**inputs, output_hidden_states=True)
    assert torch.allclose(mean, out.last_hidden_state.mean(1), atol=1e-6)
    assert each.shape == (5, 1, 24)  # the embeddings and four layers
    assert torch.allclose(each, torch.stack([hidden.mean(1) for hidden in out.hidden_states]), atol=1e-6)


def test_sentence_vectors_have_length_one(teacher: Bundle) -> None:
    intents, polarities, asked, unit = outputs(teacher.model, batch(teacher, *TEXTS))
    assert (intents.shape, polarities.shape, asked.shape) == ((6, 3), (6, 3), (6, 3))  # two rows, and none
    assert torch.allclose(unit.norm(dim=1), torch.ones(6), atol=1e-6)


def test_cross_entropy_counts_what_is_known() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]]))
    found = cross_entropy(logits, torch.tensor([0, IGNORED, 2]))
    assert float(found) == pytest.approx(-(math.log(0.5) + math.log(0.6)) / 2, rel=1e-5)
    # Smoothing gives a tenth of the weight to all three alike.
    found = cross_entropy(logits[:1], torch.tensor([1]), 0.1)
    wanted = -(0.9 * math.log(0.25) + 0.1 * (math.log(0.5) + 2 * math.log(0.25)) / 3)
    assert float(found) == pytest.approx(wanted, rel=1e-5)


def test_a_batch_without_labels_costs_nothing_and_still_has_gradients() -> None:
    logits = torch.ones(2, 3, requires_grad=True)
    found = cross_entropy(logits, torch.tensor([IGNORED, IGNORED]))
    found.backward()
    assert found.item() == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_the_loss_weighs_the_tasks(teacher: Bundle) -> None:
    inputs = batch(teacher, *TEXTS[:3])
    labels = {"intent": [0, 1, IGNORED], "polarity": [2, IGNORED, 0], "question": [IGNORED, IGNORED, 2]}
    given = {name: torch.tensor(values) for name, values in labels.items()}
    intents, polarities, asked, _ = outputs(teacher.model, inputs)
    with torch.inference_mode():
        found = teacher.model(**inputs, **given)
    wanted = cross_entropy(intents, given["intent"], 0.05) + 0.5 * cross_entropy(polarities, given["polarity"])
    wanted = wanted + 0.5 * cross_entropy(asked, given["question"])
    assert float(found["loss"]) == pytest.approx(float(wanted), rel=1e-5)
    assert "loss" not in teacher.model(**inputs)


def test_heads_begin_as_probes_of_the_encoder() -> None:
    model = tiny_models.understander(40)
    torch.manual_seed(8)
    labels = torch.arange(90) % 3
    vectors = torch.randn(90, 24) + 4 * torch.eye(24)[labels] + 7
    unknown = torch.full_like(labels, IGNORED)
    questions = torch.where(torch.arange(90) < 60, labels, unknown)
    model.prepare(vectors, labels, unknown, questions)
    assert torch.allclose(model.centre, vectors.mean(0))
    assert torch.allclose(model.spread, vectors.std(0))
    intents, _, asked = model.heads(vectors)
    assert bool((intents.argmax(1) == labels).all())
    assert asked is not None
    known = (labels < 2) & (questions != IGNORED)
    assert float((asked[known, :2].argmax(1) == labels[known]).float().mean()) > 0.95


def test_a_probe_is_where_the_gradient_is_nothing() -> None:
    torch.manual_seed(9)
    inputs, labels, head = torch.randn(60, 5), torch.arange(60) % 3, torch.nn.Linear(5, 3)
    with torch.no_grad():
        probe(head, inputs, labels, penalty=0.1)
    loss = torch.nn.functional.cross_entropy(head(inputs), labels) + 0.1 * head.weight.square().sum()
    slopes = torch.autograd.grad(loss, [head.weight, head.bias])
    assert max(float(slope.abs().max()) for slope in slopes) < 1e-3


def test_what_is_exported_is_what_the_heads_give(teacher: Bundle) -> None:
    inputs = batch(teacher, *TEXTS)
    with torch.inference_mode():
        found = Exported(teacher.model)(**inputs)
    intents, polarities, _, unit = outputs(teacher.model, inputs)
    assert same(list(found), [intents, polarities, unit])


# Sounds.


def hearing(made: Bundle) -> Understander:
    """The bundle's network with vectors of sounds that have been learnt."""
    model = tiny_models.understander(made.tokens.get_vocab_size(), sounds=student.sounds(made.tokens))
    model.load_state_dict(made.model.state_dict(), strict=False)
    assert model.sounds is not None
    with torch.no_grad():
        model.sounds.weight[1:] = torch.randn(len(model.sounds.weight) - 1, 24)
    return model


def test_pieces_that_sound_alike_share_a_number(teacher: Bundle) -> None:
    found = student.sounds(teacher.tokens)
    number = {piece: int(found[teacher.tokens.token_to_id(piece)]) for piece, _ in tiny_models.PIECES}
    assert len(found) == len(tiny_models.PIECES)
    assert number["洗"] == number["喜"] > 0
    assert number["四"] == number["是"] != number["洗"]
    assert [number[piece] for piece in ("<s>", "▁", "洗衣液", "a", "1")] == [0, 0, 0, 0, 0]


def test_folded_sounds_give_the_same_outputs(teacher: Bundle) -> None:
    model, inputs = hearing(teacher), batch(teacher, *TEXTS)
    before = outputs(model, inputs)
    assert not same(before, outputs(teacher.model, inputs), 1e-3)  # sounds are heard at all
    model.fold_sounds()
    assert same(outputs(model, inputs), before, 1e-5)
    assert not [name for name in model.state_dict() if "sound" in name]
    model.fold_sounds()  # nothing is left to fold
    assert same(outputs(model, inputs), before, 1e-5)


# What the student is made of.


@pytest.mark.parametrize(
    ("theirs", "ours", "wanted"),
    [(12, 4, [2, 5, 8, 11]), (12, 3, [3, 7, 11]), (12, 1, [11]), (4, 4, [0, 1, 2, 3]), (4, 2, [1, 3])],
)
def test_layers_are_copied_from_evenly_spread_ones(theirs: int, ours: int, wanted: list[int]) -> None:
    assert student.copied_layers(theirs, ours) == wanted


def test_copied_layers_ascend_and_end_with_the_last() -> None:
    for theirs in range(1, 25):
        for ours in range(1, theirs + 1):
            found = student.copied_layers(theirs, ours)
            assert found == sorted(set(found))
            assert len(found) == ours
            assert (found[0] >= 0, found[-1]) == (True, theirs - 1)


def test_pieces_of_the_student_are_characters_that_the_teacher_has(teacher: Bundle) -> None:
    found = student.pieces(teacher.tokens, TEXTS, 1000)
    names = [piece for piece, _ in found]
    assert tuple(names[:4]) == tokenizer.SPECIAL
    assert len(set(names)) == len(names)
    # Words are read character by character; a mark that no text has is not needed.
    assert set(names) == {piece for piece, _ in tiny_models.PIECES} - {"洗衣液", "在哪里", "？"}
    known = dict(tiny_models.PIECES)
    assert all(score == pytest.approx(known[piece]) for piece, score in found)


def test_common_characters_stay_then_what_is_used_then_what_is_likely() -> None:
    rare = "亍丌兀丐"
    assert not any(map(is_common, rare))
    listed = (*tiny_models.PIECES, *((character, -8.0 - n) for n, character in enumerate(rare)), ("zz", -20.0))
    made = tiny_models.tokens(*listed)
    single = {p for p, _ in listed if len(p.strip("▁")) <= 1} - set(rare) - {"？"}
    least = len(tokenizer.SPECIAL) + len(single)
    # What is kept in any case, then what the texts use, most often first, then the likeliest Chinese and Latin in turn.
    order = [piece for piece, _ in student.pieces(made, ["丐丐丐兀兀", "zz"], 1000)]
    assert set(order[4:least]) == single
    assert order[least : least + 3] == ["丐", "兀", "zz"]
    assert order.index("亍") < order.index("丌")
    assert len(student.pieces(made, ["丐丐丐兀兀", "zz"], least + 2)) == least + 2
    assert [piece for piece, _ in student.pieces(made, ["丐丐丐兀兀", "zz"], least + 2)] == order[: least + 2]


def test_pieces_are_the_same_in_every_process() -> None:
    even = [(piece, -9.0) for piece in ("qu", "ve", "la", "mo", "ki", "zo", "ni", "ta")]
    made = tiny_models.tokens(*tiny_models.PIECES, *even)
    order = [piece for piece, _ in student.pieces(made, [], 1000)]
    assert [piece for piece in order if (piece, -9.0) in even] == sorted(piece for piece, _ in even)


def test_a_student_as_large_as_its_teacher_says_the_same(teacher: Bundle) -> None:
    made = student.shrink(teacher.model, teacher.tokens, teacher.tokens, Size(4, 1000, 64))
    inputs = batch(teacher, *TEXTS)
    # Its sounds are silent as long as it has learnt nothing.
    assert same(outputs(made, inputs), outputs(teacher.model, inputs))


def test_a_student_has_copies_of_layers_pieces_positions_and_heads(teacher: Bundle) -> None:
    listed = student.pieces(teacher.tokens, TEXTS, 30)
    tokens = tokenizer.build(listed, precompiled=None)
    made = student.shrink(teacher.model, teacher.tokens, tokens, Size(2, 30, 20))
    theirs, ours = teacher.model.state_dict(), made.state_dict()
    for name, weights in ours.items():
        if ".layer." in name:
            for copied, original in ((0, 1), (1, 3)):
                if f".layer.{copied}." in name:
                    original_name = name.replace(f".layer.{copied}.", f".layer.{original}.")
                    assert torch.equal(weights, theirs[original_name]), name
        elif "word_embeddings" in name:
            assert weights.shape == (len(listed), 24)
            for number, (piece, _) in enumerate(listed):
                assert torch.equal(weights[number], theirs[name][teacher.tokens.token_to_id(piece)]), piece
        elif "position_embeddings" in name:
            assert torch.equal(weights, theirs[name][:20])
        elif "sound" not in name:
            assert torch.equal(weights, theirs[name]), name
    assert made.encoder.config.num_hidden_layers == 2
    assert made.encoder.config.max_position_embeddings == 20
    # Copies: what the student learns must not move its teacher.
    tiny_models.shaken(made, 1)
    assert all(torch.equal(weights, theirs[name]) for name, weights in tiny_models.bundle().model.state_dict().items())


def test_a_student_without_questions(teacher: Bundle) -> None:
    plain = tiny_models.bundle(questions=0)
    made = student.shrink(plain.model, plain.tokens, plain.tokens, Size(1, 1000, 64))
    assert made.prototypes is None
    assert made.heads(torch.zeros(1, 24))[2] is None


def test_a_piece_that_the_teacher_has_not_is_refused(teacher: Bundle) -> None:
    tokens = tiny_models.tokens(*tiny_models.PIECES, ("龘", -9.0))
    with pytest.raises(ValueError, match=r"expected pieces of the teacher, got \['龘'\]"):
        student.shrink(teacher.model, teacher.tokens, tokens, Size(1, 1000, 64))


def test_a_smaller_configuration_leaves_the_larger_as_it_is(teacher: Bundle) -> None:
    config = teacher.model.encoder.config
    found = small(config, 2, 30, 20)
    assert (found.num_hidden_layers, found.vocab_size, found.max_position_embeddings) == (2, 30, 20)
    assert found.hidden_size == config.hidden_size
    assert (config.num_hidden_layers, config.max_position_embeddings) == (4, 64)


# What it learns.


def rows(made: Bundle) -> list[dict[str, Any]]:
    return [
        {"input_ids": made.ids(text), "intent": number % 3, "polarity": IGNORED, "question": 1}
        for number, text in enumerate(TEXTS)
    ]


def test_signals_are_what_the_teacher_says_of_each_row(teacher: Bundle) -> None:
    found = student.signals(teacher.model, rows(teacher), 2)
    assert len(found) == len(TEXTS)
    for text, (logits, means) in zip(TEXTS, found, strict=True):
        inputs = batch(teacher, text)
        with torch.inference_mode():
            _, each = teacher.model.vectors(**inputs, layers=True)
        assert np.allclose(logits, torch.cat(outputs(teacher.model, inputs)[:3], dim=1)[0], atol=1e-4)
        assert np.allclose(means, each[[2, 4], 0], atol=1e-5)  # behind the second and the fourth layer


def test_divergence_is_kullback_leiblers() -> None:
    rng = np.random.default_rng(3)
    ours, theirs = rng.normal(size=(4, 5)), rng.normal(size=(4, 5))

    def chances(logits: Any) -> Any:
        return np.exp(logits / 2) / np.exp(logits / 2).sum(1, keepdims=True)

    p, q = chances(theirs), chances(ours)
    wanted = 4 * (p * np.log(p / q)).sum(1).mean()
    assert float(student.divergence(torch.tensor(ours), torch.tensor(theirs), 2.0)) == pytest.approx(wanted)
    assert float(student.divergence(torch.tensor(ours), torch.tensor(ours), 2.0)) == pytest.approx(0.0, abs=1e-9)


def test_a_student_that_says_what_its_teacher_says_loses_nothing_by_it(teacher: Bundle) -> None:
    twin = student.shrink(teacher.model, teacher.tokens, teacher.tokens, Size(4, 1000, 64)).eval()
    taught = rows(teacher)
    for row, (logits, means) in zip(taught, student.signals(teacher.model, taught, 4), strict=True):
        row["teacher_logits"], row["teacher_means"] = logits, means
    with torch.inference_mode():
        alone = teacher.model(**padded(rows(teacher)))["loss"]
        found = Taught(twin, Lessons())(**padded(taught))
    assert float(found["loss"]) == pytest.approx(float(alone), abs=1e-4)
    assert set(found) == {"loss", "intent_logits", "sentiment_logits"}


def test_each_lesson_costs_what_it_should(teacher: Bundle) -> None:
    other = student.shrink(teacher.model, teacher.tokens, teacher.tokens, Size(2, 1000, 64)).eval()
    tiny_models.shaken(other, 11)
    taught = rows(teacher)
    said = student.signals(teacher.model, taught, 2)
    for row, (logits, means) in zip(taught, said, strict=True):
        row["teacher_logits"], row["teacher_means"] = logits, means
    inputs = padded(taught)
    nothing = Lessons(logits=0.0, vector=0.0, layers=0.0)

    def cost(lessons: Lessons) -> float:
        with torch.inference_mode():
            return float(Taught(other, lessons)(**inputs)["loss"])

    vectors, each = other.vectors(inputs["input_ids"], inputs["attention_mask"], layers=True)
    means = np.stack([means for _, means in said])
    ours = ((vectors - other.centre) / other.spread).detach().numpy()
    theirs = (means[:, -1] - other.centre.numpy()) / other.spread.numpy()
    cosine = (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    squares = (each[1:].detach().numpy().transpose(1, 0, 2) - means) ** 2
    base = cost(nothing)
    assert cost(replace(nothing, vector=1.0)) - base == pytest.approx((1 - cosine).mean(), abs=1e-4)
    assert cost(replace(nothing, layers=1.0)) - base == pytest.approx(squares.mean(), rel=1e-4)
    assert cost(replace(nothing, logits=1.0)) > base
    without = {name: values for name, values in inputs.items() if not name.startswith("teacher")}
    with torch.inference_mode():  # as for dev: labels alone
        assert float(Taught(other, Lessons())(**without)["loss"]) == pytest.approx(base, rel=1e-6)


# In a folder.


@pytest.mark.parametrize("kind", ["plain", "sounds", "folded", "without questions"])
def test_a_bundle_is_the_same_after_it_was_written_and_read(tmp_path: Path, kind: str) -> None:
    made = tiny_models.bundle(questions=0 if kind == "without questions" else 2)
    if kind == "without questions":
        made = Bundle(made.model, made.tokens, replace(made.meaning, questions=()))
    if kind in ("sounds", "folded"):
        made = Bundle(hearing(made).eval(), made.tokens, made.meaning)
    if kind == "folded":
        made.model.fold_sounds()
    bundles.save(made, tmp_path / "there")
    found = bundles.load(tmp_path / "there")
    assert found.meaning == made.meaning
    assert found.model.weights == made.model.weights
    assert found.tokens.get_vocab() == made.tokens.get_vocab()
    assert all(np.array_equal(a, b) for a, b in zip(found.read(TEXTS), made.read(TEXTS), strict=True))
    inputs = batch(made, *TEXTS)
    assert same(
        [x for x in outputs(found.model, inputs) if x is not None],
        [x for x in outputs(made.model, inputs) if x is not None],
    )


def test_texts_are_read_in_their_order_however_many(teacher: Bundle) -> None:
    texts = [text * (1 + number % 4) for number in range(12) for text in TEXTS]
    intents, polarities, vectors = teacher.read(texts)
    assert (intents.shape, polarities.shape, vectors.shape) == ((72, 3), (72, 3), (72, 24))
    for number in (0, 17, 71):
        one, *_, vector = teacher.read([texts[number]])
        assert np.allclose(one[0], intents[number], atol=1e-4)
        assert np.allclose(vector[0], vectors[number], atol=1e-5)


def test_a_text_has_its_prefix_and_is_cut_with_its_end_kept() -> None:
    made = tiny_models.bundle()
    assert made.ids("盐") == made.tokens.encode("query: 盐").ids
    whole = made.tokens.encode("query: " + "盐" * 100).ids
    assert len(whole) > 64
    assert made.ids("盐" * 100) == [*whole[:63], whole[-1]]
    assert made.tokens.id_to_token(whole[-1]) == tokenizer.END
