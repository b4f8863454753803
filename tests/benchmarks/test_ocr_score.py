"""What the scorer calls read, missed and invented, and what it does not let pass."""

from __future__ import annotations

import random

import pytest

from benchmarks.ocr.score import Score, align, normal, score, total

RECEIPT = [
    "便民生活超市",
    "购物小票",
    "单号：20261122083015",
    "纯牛奶250ml",
    "11.60",
    "全麦面包",
    "1",
    "8.90",
    "合计",
    "67.85",
]
CHARACTERS = sum(map(len, RECEIPT))


def shuffled(lines: list[str], size: int) -> list[str]:
    """The same characters in another order, `size` to a line."""
    characters = list("".join(lines))
    random.Random(7).shuffle(characters)
    return ["".join(characters[at : at + size]) for at in range(0, len(characters), size)]


def test_a_perfect_reading():
    found = score(RECEIPT, RECEIPT)
    assert found == Score(CHARACTERS, CHARACTERS, 0, CHARACTERS, len(RECEIPT), len(RECEIPT))
    assert (found.recall, found.surplus, found.error_rate) == (1.0, 0.0, 0.0)


def test_the_order_of_lines_does_not_matter():
    assert score(RECEIPT, RECEIPT[::-1]) == score(RECEIPT, RECEIPT)


@pytest.mark.parametrize(
    "read",
    [
        ["便民生活超市购物小票", "单号：20261122083015", "纯牛奶250ml11.60", "全麦面包18.90", "合计67.85"],
        [
            "便民",
            "生活超市",
            "购物小票",
            "单号：",
            "20261122083015",
            "纯牛奶",
            "250ml",
            "11.60",
            "全麦面包",
            "1",
            "8.90",
        ]
        + ["合计", "67.85"],
        ["合计 67.85", "全麦面包 1 8.90", "纯牛奶250ml 11.60", "单号：20261122083015", "便民生活超市 购物小票"],
    ],
)
def test_joined_and_parted_lines_lose_no_character(read: list[str]):
    found = score(RECEIPT, read)
    assert (found.recall, found.surplus, found.error_rate) == (1.0, 0.0, 0.0)
    assert found.exact < len(RECEIPT)


def test_nothing_read():
    found = score(RECEIPT, [])
    assert (found.recall, found.surplus, found.error_rate, found.exact) == (0.0, 0.0, 1.0, 0)
    assert dict(found.missed) == {line.replace("：", ":"): line.replace("：", ":") for line in RECEIPT}


def test_nothing_printed():
    assert score([], []).error_rate == 0.0
    found = score([], ["幻觉"])
    assert (found.recall, found.surplus, found.error_rate, found.invented) == (1.0, 1.0, 1.0, ("幻觉",))


def test_one_character_read_as_another():
    found = score(["浙江省杭州市西湖区文三路90号"], ["浙江省抗州市西湖区文三路90号"])
    assert (found.characters, found.found, found.confused, found.read) == (15, 14, 1, 15)
    assert found.error_rate == pytest.approx(1 / 15)
    assert found.missed == (
        ("浙江省杭州市西湖区文三路90号", "[浙江省杭州市西湖区文三路90号→浙江省抗州市西湖区文三路90号]"),
    )


@pytest.mark.parametrize("read", ["TAMAN DAYA.", "IAMAN DAYA,"])
def test_a_confused_end_is_one_error(read: str):
    found = score(["TAMAN DAYA,"], [read])
    assert (found.found, found.confused, found.error_rate) == (9, 1, pytest.approx(0.1))


def test_a_character_too_many_and_one_too_few():
    more, less = score(["12345678"], ["123a45678"]), score(["123a45678"], ["12345678"])
    assert (more.recall, more.surplus, more.error_rate) == (1.0, pytest.approx(1 / 9), pytest.approx(1 / 8))
    assert (less.found, less.surplus, less.error_rate) == (8, 0.0, pytest.approx(1 / 9))


# What must not pay.


@pytest.mark.parametrize("size", [1, 2, 3, 10, CHARACTERS])
def test_the_right_characters_in_the_wrong_order_are_not_read(size: int):
    found = score(RECEIPT, shuffled(RECEIPT, size))
    assert found.recall < 0.25
    assert found.surplus > 0.75


@pytest.mark.parametrize("size, most", [(1, 0.0), (2, 0.9), (3, 0.8), (10, 0.6), (240, 0.15)])
def test_digits_in_the_wrong_order_are_not_read(size: int, most: float):
    """Bits of two digits find places in a page of nothing but digits; what they invent tells."""
    numbers = [f"{random.Random(n).randrange(10**12):012}" for n in range(20)]
    found = score(numbers, shuffled(numbers, size))
    assert found.recall <= most
    assert found.surplus >= 1 - most
    assert found.exact == 0


def test_reading_a_line_twice_counts_once_and_is_seen():
    found = score(RECEIPT, RECEIPT + RECEIPT)
    assert (found.recall, found.surplus, found.exact) == (1.0, 0.5, len(RECEIPT))
    assert found.error_rate == 1.0


def test_a_line_printed_twice_has_to_be_read_twice():
    found = score(["日常价¥", "日常价¥"], ["日常价¥"])
    assert (found.found, found.characters, found.exact, found.lines) == (4, 8, 1, 2)


def test_reading_everything_that_could_be_printed_is_seen():
    guesses = [f"{n}.{m:02}" for n in range(20) for m in range(0, 100, 5)]
    found = score(["11.60", "8.90"], guesses)
    assert found.recall == 1.0
    assert found.surplus > 0.99
    assert found.error_rate > 100


def test_a_few_digits_inside_another_number_are_no_reading():
    assert score(["20261122083015"], ["8301599"]).found == 5  # most of what was read
    assert score(["20261122083015"], ["7783099517"]).found == 0
    assert score(["1"], ["20261122083015"]).found == 0
    assert score(["W"], ["W"]).found == 1


def test_one_character_of_two_counts():
    assert score(["福州"], ["福洲"]).found == 1
    assert score(["福州"], ["福建省"]).found == 0


def test_short_lines_are_compared_as_they_stand():
    found = score(["12.80"], ["12:90"])
    assert (found.found, found.confused, found.error_rate) == (3, 2, 0.4)
    assert score(["12.80"], ["82:95"]).found == 0


def test_characters_are_used_up():
    found = score(["南丰站", "南丰售"], ["南丰站"])
    assert (found.found, found.read) == (3, 3)


@pytest.mark.parametrize(
    ("truth", "bits", "most"),
    [("1392847561002", ["13", "92", "84", "75", "61", "00", "2"], 0.5), ("abcdefgh", ["ab", "cd", "ef", "gh"], 0.75)],
)
def test_a_line_in_bits_is_not_read(truth: str, bits: list[str], most: float):
    found = score([truth], bits)
    assert found.recall <= most
    assert found.surplus > 0.2


def test_a_line_in_three_pieces_is_read():
    assert score(["合计 3 件  89.70 元"], ["合计3", "件89.", "70元"]).recall == 1


def test_illegible_lines_neither_help_nor_harm():
    legible, illegible = ["登记栏"], ["机动车登记证书"]
    assert score(legible, ["登记栏"], illegible).recall == 1.0
    read = score(legible, ["登记栏", "机动车登记证书"], illegible)
    assert (read.characters, read.found, read.read, read.surplus, read.lines) == (3, 3, 3, 0.0, 1)
    # What was misread there is not invented; what is nowhere is.
    assert score(legible, ["登记栏", "机动牛登记证书"], illegible).surplus == 0.0
    assert score(legible, ["登记栏", "机动车登记证书", "幻觉"], illegible).invented == ("幻觉",)
    # A legible line may not be found in what was read of an illegible one and again by itself.
    assert score(["登记"], ["登记"], ["登记"]).read == 2


def test_what_is_compared():
    assert normal("￥ 53.0 元：（Ａ）\u3000") == "¥53.0元:(A)"
    assert normal("ﬁsh 40℃") == "fish40°C"
    assert normal("Cash Bill", caseless=True) == "cashbill"
    assert score(["CASH BILL"], ["Cash bill"]).found < 8
    assert score(["CASH BILL"], ["Cash bill"], caseless=True).recall == 1.0


def test_alignment():
    tile = align("xx1234yy", "a12z34b")
    assert (tile.points, tile.equal, tile.unequal, tile.truth, tile.read) == (3, 4, 0, (2, 6), (1, 6))
    assert align("abc", "xyz").equal == 0
    assert align("", "abc").points == 0


def test_images_add_up():
    one, other = score(["12345678"], ["12345678"]), score(["AB"], [])
    both = total([one, other])
    assert (both.characters, both.found, both.lines, both.exact, both.recall) == (10, 8, 2, 1, 0.8)
    assert total([]).recall == 1.0


@pytest.mark.parametrize("seed", range(30))
def test_counts_always_fit_together(seed: int):
    chance = random.Random(seed)
    truth, read, illegible = (
        ["".join(chance.choices("0123ab测试", k=chance.randint(1, 9))) for _ in range(chance.randint(0, 8))]
        for _ in range(3)
    )
    found = score(truth, read, illegible)
    assert 0 <= found.found <= min(found.characters, found.read)
    assert found.found + found.confused <= found.characters
    assert found.read <= sum(map(len, read))
    assert found.error_rate >= 0.0
    assert score(truth, truth).recall == 1.0
