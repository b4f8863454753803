"""Check digits of the numbers that customers read out. Each takes the bare number in capitals."""

from __future__ import annotations

from collections.abc import Callable, Mapping

_S10_WEIGHTS = (8, 6, 4, 2, 3, 5, 9, 7)
_GB32100_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_GB32100_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_GB11714_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def upu_s10(number: str) -> bool:
    """True for a postal item number of UPU standard S10: two letters, eight digits, a check digit, a country.

    The check digit is 11 - (weighted sum mod 11), where 10 becomes 0 and 11 becomes 5.
    """
    if len(number) != 13 or not (number[:2] + number[11:]).isalpha() or not number[2:11].isdecimal():
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_S10_WEIGHTS, number[2:10], strict=True))
    expected = 11 - total % 11
    return int(number[10]) == {10: 0, 11: 5}.get(expected, expected)


def gb32100(number: str) -> bool:
    """True for an 18-character unified social credit code (GB 32100-2015), which serves as the tax number.

    Check character: 31 - (sum of value * 3^i mod 31) mod 31, over an alphabet without I, O, S, V and Z. The inner
    organisation code must pass its own check of GB 11714-1997.
    """
    if len(number) != 18 or any(character not in _GB32100_ALPHABET for character in number):
        return False
    values = [_GB32100_ALPHABET.index(character) for character in number]
    total = sum(weight * value for weight, value in zip(_GB32100_WEIGHTS, values[:17], strict=True))
    return values[17] == (31 - total % 31) % 31 and _gb11714(number[8:17])


def _gb11714(code: str) -> bool:
    total = sum(weight * int(character, 36) for weight, character in zip(_GB11714_WEIGHTS, code[:8], strict=True))
    expected = 11 - total % 11
    return code[8] == {10: "X", 11: "0"}.get(expected, str(expected))


def ean13(number: str) -> bool:
    """True for a GTIN-13, as printed under the barcode of goods (GS1 General Specifications, 7.9): the digits,
    weighted 1 and 3 in turn, add up to a multiple of ten."""
    if len(number) != 13 or not (number.isascii() and number.isdecimal()):
        return False
    return (sum(map(int, number[::2])) + 3 * sum(map(int, number[1::2]))) % 10 == 0


CHECKS: Mapping[str, Callable[[str], bool]] = {"upu_s10": upu_s10, "gb32100": gb32100, "ean13": ean13}
"""Checksums that a pack's patterns may name."""
