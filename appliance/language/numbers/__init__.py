"""Spoken numerals to digits and back: cardinals, digit strings, money, weights, counts, dates and times."""

from __future__ import annotations

from appliance.language.numbers.calendar import FoundDate, find_dates
from appliance.language.numbers.cardinal import Found, find_numbers, parse_cardinal, parse_digits, parse_number, plain
from appliance.language.numbers.clock import FoundTime, find_times
from appliance.language.numbers.measure import find_quantities, find_weights, parse_weight
from appliance.language.numbers.money import find_amounts, parse_amount
from appliance.language.numbers.speak import say_amount, say_date, say_digits, say_number, say_time, say_weekday

__all__ = [
    "Found",
    "FoundDate",
    "FoundTime",
    "find_amounts",
    "find_dates",
    "find_numbers",
    "find_quantities",
    "find_times",
    "find_weights",
    "parse_amount",
    "parse_cardinal",
    "parse_digits",
    "parse_number",
    "parse_weight",
    "plain",
    "say_amount",
    "say_date",
    "say_digits",
    "say_number",
    "say_time",
    "say_weekday",
]
