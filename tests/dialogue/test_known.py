"""When a frequent question of the store answers a turn, and when it does not: rules 1 to 3 of `dialogue.known`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from appliance.language.clean import Cleaner
from appliance.language.faq import Faq, Weighing
from appliance.language.flatten import flatten
from appliance.language.parse import Minds, Parser
from appliance.language.pinyin import Syllables
from appliance.packs.compile import load_pack
from appliance.packs.faq import load_faq
from appliance.packs.schema import Pack
from appliance.values import Answer, FaqMatch, Intent, Turn
from tests.dialogue.conftest import STORE, Stage, parse_of

RECEIPT = "return_lost_receipt"
SAYS = "请带上微信、支付宝或银行卡的付款记录"
START = {"intent": "return_exchange", "sure": 0.97}
TRACK = {"intent": "track_parcel", "sure": 0.97}
NOTHING = {"intent": "out_of_scope", "sure": 0.7, "source": "model"}


@pytest.fixture(scope="module")
def asked(store: Pack) -> Pack:
    """The shipped pack with its frequent questions."""
    return replace(store, faq=load_faq(STORE))


@pytest.fixture
def stage(asked: Pack) -> Iterator[Stage]:
    made = Stage(asked)
    yield made
    made.dialogue.close()
    made.events.close()


def say(stage: Stage, text: str, said: Mapping[str, Any], sure: float = 0.0, row: str = RECEIPT, **turn: Any) -> Answer:
    """Say `text`, understood as `said`, with `row` as probable as `sure` behind it."""
    parse = parse_of(text, said)
    if sure:
        matches = (FaqMatch(row, sure, "小票丢了", 0.8, 0.0), FaqMatch("return_opened", sure / 10, "拆了", 0.1, 0.0))
        parse = replace(parse, faq=matches)
    return stage.dialogue.respond(stage.session, Turn(text, **turn), parse)


def quoted(answer: Answer) -> bool:
    return "faq" in answer.data


def test_a_row_that_is_probably_right_answers_where_nothing_else_does(stage: Stage) -> None:
    answer = say(stage, "小票丢了咋整", NOTHING, 0.5)
    assert answer.text.startswith("可以。" + SAYS)
    assert (answer.outcome, answer.flow, answer.expects) == ("resolved", None, None)
    assert answer.data["faq"] == RECEIPT
    assert answer.data["question"] == "小票丢了还能退货吗？"
    assert answer.data["confidence"] == 0.5
    assert answer.suggestions
    assert not quoted(say(stage, "小票丢了咋整", NOTHING, 0.49))


def test_it_answers_in_the_language_of_the_turn(stage: Stage) -> None:
    answer = say(stage, "I lost that paper", NOTHING, 0.9, language="en")
    assert answer.text.startswith("Yes. Bring the payment record")
    assert answer.data["question"] == "I have lost the receipt. Can I still return something?"


@pytest.mark.parametrize(("source", "sure"), [("template", 0.97), ("sentence", 0.99), ("entity", 0.6), ("turn", 1.0)])
def test_what_the_pack_says_itself_and_a_tap_come_before_any_row(stage: Stage, source: str, sure: float) -> None:
    """Rule 1, however sure the row is."""
    answer = say(stage, "晚上来还有人不", {"intent": "store_hours", "sure": sure, "source": source}, 0.999)
    assert not quoted(answer)
    assert "22:00" in answer.text


@pytest.mark.parametrize("source", ["model", "keyword"])
def test_an_intent_that_can_answer_at_once_gives_way_to_a_sure_row_alone(stage: Stage, source: str) -> None:
    """Rule 2: the opening hours need nothing asked."""
    hours = {"intent": "store_hours", "sure": 0.6, "source": source}
    assert not quoted(say(stage, "晚上来还有人不", hours, 0.84))
    assert quoted(say(stage, "晚上来还有人不", hours, 0.85))
    assert quoted(say(stage, "晚上来还有人不", hours | {"sure": 0.99}, 0.85))


@pytest.mark.parametrize(
    ("sure", "row", "answers"),
    [
        (0.6, 0.6, True),
        (0.6, 0.59, False),  # the intent is surer
        (0.4, 0.5, True),
        (0.4, 0.49, False),  # no row answers that is not probable
        (0.97, 0.85, True),  # very probable is enough, however sure the intent
        (0.97, 0.84, False),
    ],
)
def test_an_intent_that_would_begin_to_ask_gives_way_to_a_surer_row(
    stage: Stage, sure: float, row: float, answers: bool
) -> None:
    """Rule 2: a return without a product asks for it first."""
    answer = say(stage, "小票丢了还能退吗", START | {"sure": sure, "source": "model"}, row)
    assert quoted(answer) is answers
    if answers:
        assert (answer.flow, answer.outcome) == (None, "resolved"), "no task has begun"
    elif sure > 0.9:
        assert (answer.flow, answer.outcome) == ("return_exchange", "pending")


def test_the_same_intent_with_its_details_gives_way_less_easily(stage: Stage) -> None:
    product = {"type": "product", "value": "保温杯", "detail": {"keys": "P1207"}}
    price = {"intent": "check_price", "sure": 0.6, "source": "model"}
    assert quoted(say(stage, "多少钱能退", price, 0.7))
    answer = say(stage, "保温杯多少钱能退", price | {"entities": [product]}, 0.7)
    assert not quoted(answer)
    assert "69" in answer.text


def test_a_row_that_the_pack_lacks_answers_nothing(stage: Stage) -> None:
    assert not quoted(say(stage, "小票丢了咋整", NOTHING, 0.99, row="ghost"))


def test_in_a_task_a_very_probable_row_answers_and_the_question_is_asked_again(stage: Stage) -> None:
    """Rule 3."""
    assert say(stage, "帮我查快递", TRACK).expects == "tracking_no"
    answer = say(stage, "打折的给退不", NOTHING, 0.85)
    assert SAYS in answer.text
    assert answer.text.index(SAYS) < answer.text.index("我们继续查快递") < answer.text.index("单号")
    assert (answer.outcome, answer.flow, answer.expects) == ("resolved", "track_parcel", "tracking_no")
    assert answer.data["faq"] == RECEIPT
    assert "取消" in [suggestion.label for suggestion in answer.suggestions]


def test_in_a_task_a_row_that_is_only_probable_does_not_answer(stage: Stage) -> None:
    say(stage, "帮我查快递", TRACK)
    answer = say(stage, "打折的给退不", NOTHING, 0.84)
    assert not quoted(answer)
    assert (answer.flow, answer.expects, answer.outcome) == ("track_parcel", "tracking_no", "pending")


def test_in_a_task_an_answer_to_the_question_is_taken_as_such(stage: Stage) -> None:
    say(stage, "帮我查快递", TRACK)
    number = {"type": "tracking_no", "value": "SF1392847561002", "detail": {"carrier": "sf"}}
    answer = say(stage, "SF1392847561002", NOTHING | {"entities": [number]}, 0.99)
    assert not quoted(answer)
    assert (answer.outcome, answer.data["state"]) == ("resolved", "moving")


def test_in_a_task_values_for_other_slots_are_kept_and_answer_no_row(stage: Stage) -> None:
    """保温杯 where the receipt is asked for says another product, whatever row it is like."""
    product = {"type": "product", "value": "电水壶", "detail": {"keys": "P1302"}}
    say(stage, "我要退货", START)
    assert say(stage, "电水壶", NOTHING | {"entities": [product], "source": "model"}).expects == "proof"
    other = {"type": "product", "value": "保温杯", "detail": {"keys": "P1207"}}
    answer = say(stage, "保温杯", NOTHING | {"entities": [other]}, 0.99)
    assert not quoted(answer)
    assert (answer.flow, answer.expects) == ("return_exchange", "proof")
    asked = say(stage, "打折买的保温杯能不能退呀", NOTHING | {"entities": [other]}, 0.99, row="return_sale_item")
    assert quoted(asked), "more than values"
    assert (asked.flow, asked.expects) == ("return_exchange", "proof")


def test_in_a_task_cancel_help_and_repeat_come_before_any_row(stage: Stage) -> None:
    model = {"sure": 0.6, "source": "model"}
    say(stage, "帮我查快递", TRACK)
    answer = say(stage, "再说一遍", {"intent": "repeat", **model}, 0.99)
    assert (quoted(answer), answer.expects) == (False, "tracking_no")
    answer = say(stage, "怎么弄", {"intent": "help", **model}, 0.99)
    assert (quoted(answer), answer.expects) == (False, "tracking_no")
    answer = say(stage, "算了", {"intent": "cancel", **model}, 0.99)
    assert (quoted(answer), answer.outcome) == (False, "abandoned")


def test_an_answered_question_is_no_failed_attempt_and_the_task_goes_on(stage: Stage) -> None:
    say(stage, "帮我查快递", TRACK)
    for _ in range(5):
        assert quoted(say(stage, "打折的给退不", NOTHING, 0.9))
    number = {"type": "tracking_no", "value": "SF1392847561002", "detail": {"carrier": "sf"}}
    assert say(stage, "SF1392847561002", NOTHING | {"entities": [number]}).outcome == "resolved"


def test_a_tap_on_a_suggestion_asks_no_row(stage: Stage) -> None:
    answer = say(stage, "转人工", {"intent": "human_agent", "sure": 1.0, "source": "turn"}, 0.99, source="tap")
    assert (quoted(answer), answer.outcome) == (False, "handed_over")


def test_a_turn_without_any_match_goes_as_ever(stage: Stage) -> None:
    assert say(stage, "今天心情不错呀", NOTHING).outcome == "not_understood"


def test_the_outcome_is_logged_with_the_intent_that_was_understood(stage: Stage) -> None:
    say(stage, "小票丢了咋整", NOTHING, 0.9)
    say(stage, "小票丢了还能退吗", START | {"source": "model"}, 0.9)
    assert stage.heard.outcomes() == [("resolved", "out_of_scope"), ("resolved", "return_exchange")]


@pytest.fixture(scope="module")
def understood() -> Iterator[Callable[[], Stage]]:
    """Stages with the real pack and its parser; a row is sure when about half of the sentence's words are its own."""
    pack = load_pack("store")
    cleaner = Cleaner()
    cleaned = [[flatten(cleaner.clean(way).text).text for way in row.ways] for row in pack.faq]
    faq = Faq(pack.faq, cleaned, Syllables(), weighing=Weighing(0.0, -8.0, 22.0, 0.0, 0.0, 0.0))
    parser = Parser(pack.lexicon, minds=Minds(faq=faq))
    with ExitStack() as closing:

        def make() -> Stage:
            made = Stage(pack, parser)
            closing.callback(made.dialogue.close)
            closing.callback(made.events.close)
            return made

        yield make


def test_the_real_parser_asks_the_real_questions(understood: Callable[[], Stage]) -> None:
    stage = understood()
    answer = stage.say("包装拆开了还能退吗？")
    assert (answer.data.get("faq"), answer.outcome, answer.flow) == ("return_opened", "resolved", None)
    answer = stage.say("帮我查一下快递到哪了")
    assert (quoted(answer), answer.expects) == (False, "tracking_no")
    answer = stage.say("打折特价的东西能退换吗？")
    assert (answer.data.get("faq"), answer.expects) == ("return_sale_item", "tracking_no")
    answer = stage.say("包装拆开了还能退吗？", intent=Intent("return_exchange", 1.0))
    assert not quoted(answer), "who brings an intent asks none"


@pytest.mark.parametrize(
    "text", ["厕所在哪里", "洗衣液在哪个货架", "我要退货", "几点关门", "转人工", "SF1392847561002", "牙膏", "你好"]
)
def test_what_the_templates_understand_is_no_frequent_question(understood: Callable[[], Stage], text: str) -> None:
    assert not quoted(understood().say(text))


@pytest.mark.parametrize("text", ["", "。", "？？？", "🚻"])
def test_no_word_is_no_question(understood: Callable[[], Stage], text: str) -> None:
    assert not quoted(understood().say(text))
