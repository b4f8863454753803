"""What the service page sends, as pydantic models."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from appliance.channels.http.schemas import SESSION_PATTERN, checked
from appliance.channels.technician.pin import PATTERN

Check = Literal["microphone", "speaker", "camera", "touch", "scanner", "printer", "screen"]
CHECKS: tuple[Check, ...] = get_args(Check)
"""Everything that a technician tries, in the page's order."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class EntryIn(_Strict):
    """The technician at the kiosk's screen."""

    pin: Annotated[str, Field(pattern=PATTERN, description="The technician's PIN")]
    session: str | None = Field(
        default=None, pattern=SESSION_PATTERN, description="Session of the customer who stood here, which is forgotten"
    )


class SoundIn(_Strict):
    """A test of the loudspeaker."""

    sound: Literal["left", "right", "both", "voice"] = Field(description="A tone from one box or both, or a sentence")
    language: Literal["zh", "en"] = Field(default="zh", description="Language of the sentence")


class ReportIn(_Strict):
    """What the technician found."""

    results: dict[Check, Literal["pass", "fail", "not run"]] = Field(description="Result of each test by its name")


def read_entry(body: bytes) -> EntryIn:
    """A PIN from a JSON body; raises BadRequest or InvalidInput, neither of which says it again."""
    return checked(EntryIn, body)


def read_sound(body: bytes) -> SoundIn:
    """A test of the loudspeaker from a JSON body; raises BadRequest or InvalidInput naming the field."""
    return checked(SoundIn, body)


def read_report(body: bytes) -> ReportIn:
    """The technician's findings from a JSON body; raises BadRequest or InvalidInput naming the field."""
    return checked(ReportIn, body)
