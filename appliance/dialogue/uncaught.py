"""Words that may have been misheard: asked for once more, asked about, or gone on with, as `catch` judges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from appliance.dialogue import catch, slots
from appliance.dialogue.course import Course
from appliance.dialogue.exchange import Exchange
from appliance.packs.schema import Pack
from appliance.values import Parse, Turn


class Uncaught:
    """Stands before the decisions of turns that were heard. Holds no session: everything is in the Exchange."""

    def __init__(
        self, pack: Pack, course: Course, reread: Callable[[Turn], Parse], thresholds: catch.Thresholds | None = None
    ) -> None:
        """`reread` parses words that a customer has confirmed."""
        self._pack, self._course, self._reread = pack, course, reread
        self._thresholds = thresholds or catch.Thresholds()

    def settles(self, x: Exchange) -> bool:
        """True when the turn is answered by a question; else it is decided on, as the words that were meant."""
        doubted = x.state.doubted
        at = self._thresholds
        faint = x.turn.source == "audio" and x.turn.confidence < at.lost
        if doubted and faint and x.intent in ("affirm", "deny") and x.state.unheard <= at.patience:
            x.note("not_caught", text=doubted)
            self._ask(x, "not_caught")
            return True
        if doubted and x.intent == "affirm":
            x.note("caught")
            x.turn = replace(x.turn, text=doubted, source="audio", confidence=1.0, alternatives=())
            x.parse = self._reread(x.turn)
            x.intent = x.parse.intent.name
            return False
        if doubted and x.intent == "deny" and x.parse.source != "turn":
            x.note("caught")
            self._ask(x, "not_caught")
            return True
        verdict = catch.ACCEPT
        if x.turn.source == "audio" and x.turn.intent is None:
            heard = catch.of(x.turn, x.parse, answers=self._answers(x), repeats=x.state.unheard)
            verdict = catch.judge(heard, self._thresholds).action
        if verdict == catch.ACCEPT:
            if doubted or x.state.unheard:
                x.note("caught")
            return False
        if verdict == catch.CONFIRM:
            x.note("not_caught", text=x.turn.text)
            x.say("heard_doubt", heard=x.turn.text)
            x.outcome = "pending"
        else:
            x.note("not_caught", text="")
            self._ask(x, "not_caught")
        return True

    def _answers(self, x: Exchange) -> bool:
        """Whether the words fit the question that the kiosk has asked."""
        flow = self._pack.flows.get(x.state.task)
        if flow is None or not x.state.asked:
            return x.intent in ("affirm", "deny") and bool(x.state.offered)
        if x.state.asking == "confirm" and x.intent in ("affirm", "deny"):
            return True
        return slots.of_asked(flow.slot(x.state.asked), x.turn, x.parse, x.now.date()) is not None

    def _ask(self, x: Exchange, response: str) -> None:
        """Ask for the words once more, and leave a task and its open question as they are."""
        x.say(response)
        flow = self._pack.flows.get(x.state.task)
        if flow is not None:
            self._course.ask_again(x, flow)
        x.outcome = "not_understood" if flow is None else "pending"
