from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from pictures import Networks, picture, without_spaces

from appliance.artifacts.cases import Case
from appliance.errors import ModelMismatch
from appliance.inference.ctc import Decoded
from appliance.vision.image import Pixels
from appliance.vision.recognise import MAX_WIDTH, alphabet, gaps, pieces, recognise, tensor

CLASSES = alphabet(["a", "b", "7"])


class FakeRecogniser:
    """Says the given classes, one a step, whatever it is shown; remembers the widths."""

    def __init__(self, *classes: int, of: int = len(CLASSES), sure: float = 0.9) -> None:
        self.answer = np.full((len(classes), of), (1 - sure) / (of - 1), np.float32)
        self.answer[range(len(classes)), classes] = sure
        self.widths: list[int] = []

    def __call__(
        self, inputs: Mapping[str, npt.NDArray[np.generic]], /, *, deadline: float | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        self.widths.append(inputs["x"].shape[3])
        ids = np.argsort(-self.answer, axis=1, kind="stable")[:, :5]
        logprobs = np.log(np.take_along_axis(self.answer, ids, 1))
        return {"ids": ids.astype(np.int32)[None], "logprobs": logprobs[None]}


def blank(width: int) -> Pixels:
    return np.full((48, width, 3), 255, np.uint8)


def test_alphabet_has_blank_first_and_space_last() -> None:
    assert alphabet(["一", "二"]) == ("", "一", "二", " ")


def test_reads_characters_with_their_confidence() -> None:
    reading = recognise(FakeRecogniser(1, 1, 0, 1, 2, sure=0.8), blank(100), CLASSES)
    assert reading.text == "aab"
    assert [character.confidence for character in reading.characters] == pytest.approx([0.8, 0.8, 0.8])
    assert reading.confidence == pytest.approx(0.8)
    assert reading.weight == pytest.approx(2.4)


def test_each_character_says_what_else_it_may_be() -> None:
    fake = FakeRecogniser(1, 0, 3)
    fake.answer[0] = [0.1, 0.5, 0.05, 0.2, 0.15]
    first, second = recognise(fake, blank(100), CLASSES).characters
    assert (first.text, second.text) == ("a", "7")
    assert [text for text, _ in first.alternatives] == ["7", " ", "b"]  # best first, and never the blank
    assert [odds for _, odds in first.alternatives] == pytest.approx([0.2, 0.15, 0.05])
    assert len(second.alternatives) == 3


def test_columns_are_where_the_characters_stand() -> None:
    reading = recognise(FakeRecogniser(0, 1, 1, 0, 0, 2), blank(48), CLASSES)
    assert reading.columns == (16, 44)
    fake = FakeRecogniser(1)
    far = recognise(fake, blank(3000), CLASSES)
    assert far.columns == tuple(np.cumsum([4, *fake.widths[:-1]]))


def test_spaces_at_the_ends_are_padding() -> None:
    reading = recognise(FakeRecogniser(4, 0, 1, 4, 2, 4), blank(100), CLASSES)
    assert reading.text == "a b"
    assert len(reading.characters) == len(reading.columns) == 3


@pytest.mark.parametrize("classes", [(0, 0, 0), (4, 0, 4)])
def test_nothing_read_is_an_empty_reading(classes: tuple[int, ...]) -> None:
    reading = recognise(FakeRecogniser(*classes), blank(100), CLASSES)
    assert reading.text == ""
    assert reading.confidence == 0


def test_a_class_without_a_text_is_a_mismatch() -> None:
    with pytest.raises(ModelMismatch, match="expected 5 classes, got 0 to 8"):
        recognise(FakeRecogniser(1, 8, of=9), blank(100), CLASSES)
    fake = FakeRecogniser(1, 2)
    negative = {"ids": np.full((1, 2, 5), -1, np.int32), "logprobs": np.zeros((1, 2, 5), np.float32)}
    with pytest.raises(ModelMismatch, match="expected 5 classes, got -1 to -1"):
        recognise(lambda inputs, /, *, deadline=None: negative, blank(100), CLASSES)
    assert recognise(fake, blank(100), CLASSES).text == "ab"


def test_no_steps_are_nothing_read() -> None:
    none = {"ids": np.zeros((1, 0, 5), np.int32), "logprobs": np.zeros((1, 0, 5), np.float32)}
    assert recognise(lambda inputs, /, *, deadline=None: none, blank(100), CLASSES).characters == ()


@pytest.mark.parametrize("width, seen", [(1, 96), (96, 96), (97, 104), (320, 320), (1280, 1280)])
def test_tensor_has_the_natural_width(width: int, seen: int) -> None:
    made = tensor(blank(width))
    assert made.shape == (1, 3, 48, seen)
    assert made[..., :width].min() == 1
    assert not made[..., width:].any()


def test_a_long_strip_is_cut_into_pieces_that_make_it_up_again() -> None:
    strip = np.random.default_rng(1).integers(0, 255, (48, 5000, 3), np.uint8)
    made = list(pieces(strip))
    assert all(0 < piece.shape[1] <= MAX_WIDTH for piece in made)
    assert np.array_equal(np.concatenate(made, axis=1), strip)


def test_a_strip_is_cut_where_there_is_no_ink() -> None:
    strip = blank(2000)
    for left in range(0, 2000, 40):
        strip[10:38, left : left + 30] = 0
    first, second = pieces(strip)
    assert first[:, -2:].min() == 255
    assert second[:, :2].min() == 255


def test_pieces_are_read_from_left_to_right() -> None:
    fake = FakeRecogniser(1, 2)
    reading = recognise(fake, blank(3000), CLASSES)
    assert reading.text == "ab" * len(fake.widths)
    assert len(fake.widths) == 3
    assert max(fake.widths) <= MAX_WIDTH


def decoded(*middles: int) -> Decoded:
    steps = np.array(middles)
    return Decoded(np.ones_like(steps), np.ones(len(steps), np.float32), steps, steps + 1, steps)


@pytest.mark.parametrize(
    "text, middles, apart",
    [
        ("155.90", (2, 14, 17, 19, 22, 25), [1]),  # a quantity and a price in one box
        ("1234", (2, 12, 22, 32), []),  # set wide, but evenly
        ("ab", (2, 30), []),  # two characters have no rhythm to fall out of
        ("姓名12", (2, 20, 23, 26), []),  # Chinese is left alone
        ("a bc", (2, 16, 30, 32), []),  # there is a space already
        ("abcd", (2, 5, 9, 12), []),  # an uneven font
    ],
)
def test_a_gap_in_the_rhythm_becomes_a_space(text: str, middles: tuple[int, ...], apart: list[int]) -> None:
    assert [index for index, gap in enumerate(gaps(list(text), decoded(*middles))) if gap] == apart


def test_the_space_of_a_gap_has_a_confidence_too() -> None:
    reading = recognise(FakeRecogniser(1, *[0] * 14, 2, 0, 3, 0, 2), blank(160), CLASSES)
    assert reading.text == "a b7b"
    space = reading.characters[1]
    assert space.text == " "
    assert space.confidence == pytest.approx(0.9)
    assert space.alternatives == ()
    assert len(reading.characters) == len(reading.columns) == len(reading.text)


def test_the_network_reads_the_lines_of_the_cases(networks: Networks, cases: tuple[Case, ...]) -> None:
    classes = alphabet(networks.characters)
    assert len(classes) == 18_710
    truth = [case for case in cases if case.kind == "line" and not case.truth["turned"]]
    right = 0
    for case in truth:
        image = picture(case.path)
        strip = cv2.resize(image, (round(image.shape[1] * 48 / image.shape[0]), 48)).astype(np.uint8)
        reading = recognise(networks.recognise, strip, classes)
        right += without_spaces(reading.text) == without_spaces(case.truth["text"])
        assert "".join(character.text for character in reading.characters) == reading.text
        for character in reading.characters:
            odds = [odds for _, odds in character.alternatives]
            assert odds == sorted(odds, reverse=True)
            assert character.confidence >= max(odds, default=0)
            assert len(odds) in (3, 4)  # five classes, one of them the character, perhaps one the blank
            assert len({character.text, *(text for text, _ in character.alternatives)}) == len(odds) + 1
    assert right >= 0.9 * len(truth)


def test_the_network_reads_a_line_longer_than_one_piece(networks: Networks, write: Callable[..., Pixels]) -> None:
    text = "收件人地址浙江省杭州市西湖区文三路九十号东部软件园二幢三层"
    strip = write([(6, 6, text * 3)], width=3200, height=48, size=34)
    assert strip.shape[1] > 2 * MAX_WIDTH
    assert recognise(networks.recognise, strip, alphabet(networks.characters)).text == text * 3


def test_a_quantity_and_a_price_stay_apart(networks: Networks, write: Callable[..., Pixels]) -> None:
    strip = write([(6, 6, "1"), (120, 6, "55.90")], width=260, height=48, size=32)
    assert recognise(networks.recognise, strip, alphabet(networks.characters)).text == "1 55.90"
