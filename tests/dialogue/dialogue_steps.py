"""Steps that several tests of the dialogue take."""

from __future__ import annotations

START = "- {user: 帮我查快递, parse: {intent: track_parcel}, expect: {expects: tracking_no}}\n"
NUMBER = {"type": "tracking_no", "value": "SF1402938475610", "detail": {"carrier": "sf"}}


def photo(stage, text, *entities, partial=False):
    return stage.say(text, {"entities": list(entities)}, source="image", partial=partial)
