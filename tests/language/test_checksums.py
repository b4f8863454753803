from __future__ import annotations

import pytest

from appliance.language.checksums import ean13, gb32100, upu_s10


@pytest.mark.parametrize("number", ["RB123456785CN", "EE473124829CN", "CP000000005CN"])
def test_a_postal_number_passes(number: str) -> None:
    digits = number[2:10]
    total = sum(w * int(d) for w, d in zip((8, 6, 4, 2, 3, 5, 9, 7), digits, strict=True))
    check = 11 - total % 11
    valid = number[:10] + str({10: 0, 11: 5}.get(check, check)) + number[11:]
    assert upu_s10(valid)
    assert not upu_s10(valid[:10] + str((int(valid[10]) + 1) % 10) + valid[11:])


def test_the_worked_example_of_the_standard() -> None:
    assert upu_s10("RR473124829GB")  # 473124829 is the example of UPU S10
    assert not upu_s10("RR473124828GB")


@pytest.mark.parametrize("number", ["", "RR47312482GB", "R1473124829GB", "RR47312482AGB", "RR473124829G1"])
def test_what_has_another_form_is_no_postal_number(number: str) -> None:
    assert not upu_s10(number)


@pytest.mark.parametrize("number", ["91350100M000100Y43", "91110000802100433B"])
def test_a_credit_code_passes(number: str) -> None:
    assert gb32100(number)
    for position in range(18):
        other = "2" if number[position] != "2" else "3"
        assert not gb32100(number[:position] + other + number[position + 1 :])


@pytest.mark.parametrize("number", ["", "91350100M000100Y4", "91350100I000100Y43", "91350100m000100y43"])
def test_what_has_another_form_is_no_credit_code(number: str) -> None:
    assert not gb32100(number)


@pytest.mark.parametrize("number", ["6291041500213", "4006381333931", "9780306406157", "2000000009018"])
def test_a_number_of_goods_passes(number: str) -> None:
    """The first is the worked example of GS1's own calculator, the third the ISBN example of ISO 2108."""
    assert ean13(number)
    for position in range(13):
        assert not ean13(number[:position] + str((int(number[position]) + 1) % 10) + number[position + 1 :])


@pytest.mark.parametrize(
    "number", ["", "629104150021", "62910415002133", "629104150021x", "６２９１０４１５００２１３"]
)
def test_what_has_another_form_is_no_number_of_goods(number: str) -> None:
    assert not ean13(number)
