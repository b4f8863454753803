"""Actions that compute: days since a date, whether the shop is open, a fee by weight."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import Any

from appliance.dialogue.actions import Computed, Context
from appliance.packs.conditions import number, words


def age(arguments: Mapping[str, object], context: Context) -> Mapping[str, Any]:
    """Whole days from `date` (YYYY-MM-DD) to today, negative for a day to come; None where either is not known."""
    text = words(arguments["date"])
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        return {"days": None, "date": text}
    if not context.sure:
        return {"days": None, "date": text}
    return {"days": (context.now.date() - day).days, "date": text}


def hours(arguments: Mapping[str, object], context: Context) -> Mapping[str, Any]:
    """Whether it is between `opens` and `closes` (HH:MM) now; closing before opening means after midnight.

    None where it is not known what time it is.
    """
    if not context.sure:
        return {"open": None, "now": None}
    opens, closes = (datetime.time.fromisoformat(words(arguments[name])) for name in ("opens", "closes"))
    now = context.now.time()
    inside = opens <= now < closes if opens <= closes else now >= opens or now < closes
    return {"open": inside, "now": f"{context.now:%H:%M}"}


def tariff(arguments: Mapping[str, object], context: Context) -> Mapping[str, Any]:
    """Fee for `weight` kilograms: `first` for the first, `more` for each further one begun; None without weight."""
    first, more, weight = (number(arguments[name]) for name in ("first", "more", "weight"))
    if first is None or more is None or weight is None or weight <= 0:
        return {"fee": None, "kilograms": None}
    # 1.0000001 kg from a sum of grams is 1 kg: the scale shows grams.
    kilograms = max(1, math.ceil(round(weight, 3)))
    return {"fee": round(first + more * (kilograms - 1), 2), "kilograms": kilograms}


AGE = Computed("age", age)
HOURS = Computed("hours", hours)
TARIFF = Computed("tariff", tariff)
