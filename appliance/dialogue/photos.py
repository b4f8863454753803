"""What a photo does: its text is not speech, so only what was found in it counts, and its words are never logged."""

from __future__ import annotations

from dataclasses import replace

from appliance.dialogue import slots
from appliance.dialogue.course import Course
from appliance.dialogue.exchange import Exchange
from appliance.dialogue.privacy import mask
from appliance.packs.schema import Pack
from appliance.packs.task import Flow
from appliance.values import Entity, Intent

_CLEAR = 0.8
"""Entity confidence from which a thing in a photo starts a task."""

_FIRST = ("tracking_no", "pickup_code", "ticket_no", "order_no")
"""Numbers for whose sake people hold a paper under the camera; a waybill may also name a product."""

_LONGEST_LINE = 40


class Photos:
    """Answers image turns for one pack."""

    def __init__(self, pack: Pack, course: Course) -> None:
        self._pack, self._course = pack, course
        self._starts = {kind: rule.name for rule in pack.lexicon.intents for kind in rule.alone}

    def respond(self, x: Exchange) -> None:
        """Fill the slot that waits, or start the task that a found thing stands for, or say what was read.

        Of a photo that was not read to its end it is said that it was not, and a slot's value has to be confirmed: the
        number that was meant may stand in the rest.
        """
        lines = [line.strip() for line in x.turn.text.splitlines() if line.strip()]
        flow = self._pack.flows.get(x.state.task)
        if x.turn.partial and lines:
            self._say_lines(x, "image_partial", lines)
        if flow is not None and self._fills(x, flow):
            return
        found = None if flow is not None else self._thing(x.parse.entities)
        other = self._course.flow_of(self._starts[found.type]) if found else None
        if found and other is not None:
            x.intent = self._starts[found.type]
            # Only what the photo was taken for: another number on the paper must not fill a slot unseen.
            x.parse = replace(x.parse, intent=Intent(x.intent, found.confidence), entities=(found,), source="entity")
            self._course.begin(x, other)
            return
        x.outcome = "resolved" if lines and not x.turn.partial else "not_understood"
        if not lines:
            x.say("image_empty")
        elif not x.turn.partial:
            self._say_lines(x, "image_read", lines)
        if flow is not None:
            outcome = x.outcome
            self._course.ask_again(x, flow, missed=True)
            x.outcome = outcome if outcome == "not_understood" else "pending"

    def _say_lines(self, x: Exchange, response: str, lines: list[str]) -> None:
        first = lines[0][:_LONGEST_LINE]
        x.hidden[first] = mask("photo")
        x.say(response, lines=len(lines), first=first)

    def _fills(self, x: Exchange, flow: Flow) -> bool:
        slot = flow.slot(x.state.asked)
        fitting = [entity for entity in x.parse.entities if slots.fits(slot, entity, x.now.date())]
        if not fitting:
            return False
        best = max(fitting, key=lambda entity: entity.confidence)
        self._course.fill(x, {slot.name: slots.of_entity(best, x.turn)})
        self._course.go_on(x, flow)
        return True

    def _thing(self, entities: tuple[Entity, ...]) -> Entity | None:
        clear = [entity for entity in entities if entity.type in self._starts and entity.confidence >= _CLEAR]
        if not clear:
            return None

        def rank(entity: Entity) -> tuple[int, float, int]:
            place = _FIRST.index(entity.type) if entity.type in _FIRST else len(_FIRST)
            return place, -entity.confidence, entity.start

        return min(clear, key=rank)
