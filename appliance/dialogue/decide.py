"""What a turn does: answers the question that was asked, starts or ends a task, or asks what was meant.

In the middle of a task these rules hold, in this order.

1. cancel, repeat and help always work.
2. What fits the asked slot answers the question, if it is most of the turn or no intent of its own came with it.
3. Another intent that can be answered at once is answered, and the question is asked again; one that itself has to ask
   replaces the task; one whose flow says `ends_task` ends it. A turn of little more than other slots' values is none.
   A frequent question is answered, too (see `known`).
4. What fits other slots is kept, and the question stands; 'I don't know' does what the slot says.
5. Anything else is an attempt that failed; after the slot's retries a person takes over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from appliance.dialogue import slots
from appliance.dialogue.course import Course
from appliance.dialogue.exchange import Exchange
from appliance.dialogue.flows import Line
from appliance.dialogue.known import Known
from appliance.dialogue.tracker import Filled
from appliance.dialogue.uncaught import Uncaught
from appliance.language.lexicon import OUT_OF_SCOPE
from appliance.packs.schema import Pack
from appliance.packs.task import Flow
from appliance.values import Intent, Parse, Turn

Reread = Callable[[Turn], Parse]
"""Parses another reading of a turn."""

_MOVES = ("affirm", "deny", "cancel", "repeat", OUT_OF_SCOPE)
"""Intents that are no topic of their own."""

_TOPIC = 0.65
"""Confidence from which an intent leaves a task that waits for an answer; a fresh turn needs less."""

_CLEAR = 0.8
"""Confidence from which templates and sentences are clear about an intent."""

_MOST, _MUCH = 0.6, 0.4
"""Share of a turn's words that its values must make up to outweigh an intent: a clear one, and any other."""

_ONLY = 0.75
"""Share from which a turn is nothing but values, whatever intent such a value has alone."""

_MOSTLY_UNKNOWN = 0.5
_HUMAN = "human_agent"
_LEAST_CLARIFIED = 0.3
_FOREIGN = 0.95
"""Confidence from which a turn is known to be about something else, and no guess is offered."""

_MISSES = 2
_READINGS = 3


class Decider:
    """Decides turns of one pack. Holds no session: everything is in the Exchange."""

    def __init__(self, pack: Pack, course: Course, reread: Reread, sure: float) -> None:
        """An intent whose confidence is below `sure` is asked back."""
        self._pack, self._course, self._reread, self._sure = pack, course, reread, sure
        self._known = Known(pack, course)
        self._uncaught = Uncaught(pack, course, reread)
        self._alone = {kind: rule.name for rule in pack.lexicon.intents for kind in rule.alone}

    def respond(self, x: Exchange) -> None:
        """Decide one turn of words."""
        if x.turn.source == "audio" and not x.turn.text.strip():
            self._silence(x)
            return
        if self._uncaught.settles(x):
            return
        labelled = self._course.labelled(slots.said(x.turn, x.parse))
        if labelled is not None and x.turn.intent is None:
            x.intent = labelled.intents[0]
            x.parse = replace(x.parse, intent=Intent(x.intent, 1.0), source="turn")
        flow = self._pack.flows.get(x.state.task)
        if x.intent == "repeat" and x.repeat():
            x.outcome = "pending" if flow else "resolved"
        elif x.intent == "repeat":
            x.say("nothing_to_repeat")
        elif flow is not None:
            self._in_task(x, flow)
        elif x.intent == "affirm" and x.state.offered:
            self._start(x, x.state.offered)
        elif x.intent == "deny" and self._corrected(x):
            self._start(x, self._corrected(x))
        else:
            self._fresh(x)

    def _silence(self, x: Exchange) -> None:
        """Nothing was heard: say so, and leave a task and its open question as they are."""
        x.intent = OUT_OF_SCOPE
        x.say("not_heard")
        flow = self._pack.flows.get(x.state.task)
        if flow is not None:
            self._course.ask_again(x, flow)
        x.outcome = "not_understood" if flow is None else "pending"

    def _recalled(self, x: Exchange) -> str:
        """The intent to follow: the best one, or the next best where only that one needs nothing to be asked.

        After 牛奶多少钱, 在哪里 means the milk and not a place still to be named.
        """
        best = self._course.flow_of(x.intent)
        if best is None or x.parse.source == "turn" or not self._course.asks(x, best):
            return x.intent
        for intent in x.parse.alternatives:
            other = self._course.flow_of(intent.name)
            known = other is not None and any(slot.recall in x.state.memory for slot in other.slots)
            if (
                known
                and other is not None
                and intent.confidence >= _LEAST_CLARIFIED
                and not self._course.asks(x, other)
            ):
                return intent.name
        return x.intent

    def _corrected(self, x: Exchange) -> str:
        """What 不是，是洗发水 asks for when no task waits: the intent that such a thing has alone; else nothing."""
        for entity in slots.meant(x.turn, x.parse.entities):
            if entity.type in self._alone and entity.confidence >= self._sure:
                return self._alone[entity.type]
        return ""

    def _start(self, x: Exchange, intent: str) -> None:
        flow = self._course.flow_of(intent)
        if flow is None:
            self._not_understood(x)
        else:
            x.intent = intent
            self._course.begin(x, flow)

    def _fresh(self, x: Exchange) -> None:
        row = self._known.row(x)
        if row is not None:
            self._known.answer(x, row)
            return
        intent = x.parse.intent
        if intent.name != OUT_OF_SCOPE and intent.confidence >= self._sure:
            self._start(x, self._recalled(x))
        else:
            self._clarify(x)

    def _clarify(self, x: Exchange) -> None:
        candidates: list[Flow] = []
        if x.intent == OUT_OF_SCOPE and x.parse.intent.confidence >= _FOREIGN:
            self._not_understood(x)
            return
        for intent in (x.parse.intent, *x.parse.alternatives):
            flow = self._course.flow_of(intent.name)
            if flow and intent.name not in _MOVES and intent.confidence >= _LEAST_CLARIFIED and flow not in candidates:
                candidates.append(flow)
        if not candidates:
            self._not_understood(x)
            return
        x.outcome = "not_understood"
        if len(candidates) == 1:
            x.offered = candidates[0].intents[0]
            x.say("clarify_one", task=candidates[0].title.said_in(x.language))
        else:
            x.say("clarify")
        x.fresh_suggestions()
        x.suggest(*(flow.name for flow in candidates[:_READINGS]))
        human = self._course.flow_of(_HUMAN)
        if human is not None:
            x.suggest(human.name)

    def _not_understood(self, x: Exchange) -> None:
        x.outcome = "not_understood"
        flow = self._course.flow_of(OUT_OF_SCOPE)
        if x.state.misses >= _MISSES:
            x.say("not_understood_again")
        elif x.intent == OUT_OF_SCOPE and flow is not None:
            self._course.begin(x, flow)
        else:
            x.say("not_understood")

    def _in_task(self, x: Exchange, flow: Flow) -> None:
        if x.intent == "cancel":
            self._course.end(x, flow, "abandoned")
            x.outcome, x.intent = "abandoned", flow.intents[0]
            x.say("cancelled", task=flow.title.said_in(x.language))
        elif x.intent == "help" and flow.help and not self._unknown(x, flow):
            x.say_lines([Line(flow.help, x.scope(flow, x.state.slots))])
            self._course.ask_again(x, flow)
        elif self._answers(x, flow) or not self._digresses(x, flow):
            x.intent = flow.intents[0]

    def _answers(self, x: Exchange, flow: Flow) -> bool:
        """Rule 2: True when the turn answered the question."""
        confirming = x.state.asking == "confirm"
        if confirming and x.intent == "affirm":
            x.note("slot_confirmed", slot=x.state.asked)
            self._course.go_on(x, flow)
            return True
        filled = self._value(x, flow, x.turn, x.parse)
        if filled is None and confirming and x.intent == "deny":
            self._course.deny(x, flow)
            return True
        if filled is None:
            return False
        others = slots.volunteered(flow, x.state, x.turn, x.parse, x.now.date(), filled.said)
        share = slots.share((filled, *others.values()), slots.said(x.turn, x.parse))
        if self._topic(x, flow) and share < (_MOST if self._clear(x) else _MUCH):
            return False
        self._course.fill(x, {x.state.asked: filled, **others})
        self._course.go_on(x, flow)
        return True

    def _value(self, x: Exchange, flow: Flow, turn: Turn, parse: Parse) -> Filled | None:
        """What the turn gives for the asked slot, in its best reading that gives anything."""
        slot, said = flow.slot(x.state.asked), slots.said(turn, parse)
        if x.state.asking == "choose":
            chosen = slots.of_choices(x.state.choices, said, (*parse.entities, *parse.personal))
            if chosen is not None:
                return chosen
        filled = slots.of_asked(slot, turn, parse, x.now.date())
        if filled is not None:
            return filled
        for text in turn.alternatives[:_READINGS]:
            other = replace(turn, text=text, alternatives=())
            filled = self._value(x, flow, other, self._reread(other))
            if filled is not None:
                return slots.of_reading(filled, parse)
        # 我要退货 said again is no product's name.
        request = self._topic(x, flow) or (x.intent in flow.intents and self._clear(x))
        plain = x.state.asking == "slot" and not request and not self._unknown(x, flow)
        return slots.of_text(slot, turn, parse) if plain else None

    def _topic(self, x: Exchange, flow: Flow) -> bool:
        """True when the turn has an intent of its own, apart from the task's."""
        other = self._course.flow_of(x.intent)
        own = other is not None and other is not flow and x.intent not in _MOVES and not self._unknown(x, flow)
        return own and x.parse.source not in ("entity", "none") and x.parse.intent.confidence >= max(_TOPIC, self._sure)

    def _clear(self, x: Exchange) -> bool:
        return x.parse.source in ("template", "sentence", "turn", "model") and x.parse.intent.confidence >= _CLEAR

    def _unknown(self, x: Exchange, flow: Flow) -> bool:
        """True when the turn says that the customer does not know, and hardly anything else."""
        return slots.means_unknown(flow, slots.said(x.turn, x.parse)) >= _MOSTLY_UNKNOWN

    def _digresses(self, x: Exchange, flow: Flow) -> bool:
        """Rules 3 to 5: True when the turn was about something else."""
        row = self._known.within(x)
        if row is not None and not self._mostly_other_slots(x, flow):
            self._known.answer(x, row, flow)
            return True
        other = self._course.flow_of(x.intent)
        if other is not None and self._topic(x, flow) and not self._mostly_other_slots(x, flow):
            self._course.digress(x, flow, other)
            return True
        if not self._adds(x, flow):
            self._course.miss(x, flow)
        return False

    def _mostly_other_slots(self, x: Exchange, flow: Flow) -> bool:
        """True when the turn is hardly more than values for other slots: 牛奶 where the receipt was asked for."""
        others = slots.volunteered(flow, x.state, x.turn, x.parse, x.now.date())
        return slots.share(others.values(), slots.said(x.turn, x.parse)) >= _ONLY

    def _adds(self, x: Exchange, flow: Flow) -> bool:
        """Rule 4: True when the turn filled other slots, or said that the customer does not know."""
        others = slots.volunteered(flow, x.state, x.turn, x.parse, x.now.date())
        if others:
            self._course.fill(x, others)
            self._course.go_on(x, flow)
            return True
        slot = flow.slot(x.state.asked)
        denied = x.intent == "deny" and x.state.asking == "slot"
        if slot.unknown == "ask" or not (denied or slots.means_unknown(flow, slots.said(x.turn, x.parse)) > 0):
            return False
        if slot.unknown == "skip":
            x.note("slot_skipped", slot=slot.name)
            self._course.go_on(x, flow)
        else:
            self._course.give_up(x, flow)
        return True
