"""Every intent is answered in both languages, and no walk through the dialogue leaves it in a state that cannot be."""

from __future__ import annotations

import random
import re

import pytest

from appliance.dialogue.tracker import rebuild

OUTCOMES = {"resolved", "handed_over", "abandoned", "not_understood", "pending"}
ENTITIES = [
    {"type": "product", "text": "洗衣液", "value": "洗衣液", "detail": {"keys": "P0901"}},
    {"type": "product", "text": "湿巾", "value": "湿巾", "detail": {"keys": "P1018,P1104,P1108"}},
    {"type": "product", "text": "火箭筒", "value": "火箭筒", "confidence": 0.52, "source": "template"},
    {"type": "product", "text": "洗一液", "value": "洗衣液", "confidence": 0.7},
    {"type": "place", "text": "厕所", "value": "洗手间", "detail": {"keys": "toilet"}},
    {"type": "date", "text": "昨天", "value": "2026-11-21"},
    {"type": "date", "text": "明天", "value": "2026-11-23"},
    {"type": "tracking_no", "value": "SF1402938475610", "detail": {"carrier": "sf"}},
    {"type": "tracking_no", "value": "4455667788990"},
    {"type": "pickup_code", "value": "3-2-1046"},
    {"type": "order_no", "value": "A20261120"},
    {"type": "address", "text": "新疆", "value": "新疆维吾尔自治区", "detail": {"province": "新疆维吾尔自治区"}},
    {"type": "weight", "text": "三公斤", "value": "3"},
    {"type": "weight", "text": "一百公斤", "value": "100"},
]
WORDS = [
    "不知道",
    "没有",
    "退货",
    "换货",
    "有小票",
    "没有小票",
    "第二个",
    "对",
    "随便说点什么",
    "",
    "？？",
    "the first one",
    "\ud83d",
    "x" * 500,
]


def intents(store):
    return sorted(intent for flow in store.flows.values() for intent in flow.intents)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_intent_is_answered_in_the_language_of_the_turn(store, staged, language):
    for intent in intents(store):
        answer = staged().say("嗯", {"intent": intent}, language=language)
        assert answer.language == language
        assert answer.text, intent
        assert answer.suggestions, intent
        assert "{" not in answer.text, intent
        assert answer.outcome in OUTCOMES, intent
        if language == "en":
            assert not re.search("[\u4e00-\u9fff]", answer.text), answer.text
            assert not any(re.search("[\u4e00-\u9fff]", s.label) for s in answer.suggestions), intent
        else:
            assert re.search("[\u4e00-\u9fff]", answer.text), answer.text


@pytest.mark.parametrize("seed", range(12))
def test_a_random_walk_keeps_the_dialogue_sound(store, staged, seed):
    chance = random.Random(seed)
    stage = staged()
    names = intents(store)
    for _ in range(80):
        said = chance.sample(ENTITIES, chance.choice([0, 0, 1, 1, 2]))
        text = chance.choice(WORDS) + "".join(str(item.get("text", item["value"])) for item in said)
        parse = {
            "intent": chance.choice([*names, "out_of_scope", "affirm", "deny", "find_product"]),
            "sure": chance.choice([0.3, 0.6, 0.97]),
            "source": chance.choice(["template", "sentence", "keyword", "entity", "none"]),
            "entities": said,
            "alternatives": {chance.choice(names): 0.4},
        }
        source = chance.choice(["text", "text", "audio", "tap", "image"])
        answer = stage.say(text, parse, source=source, language=chance.choice(["zh", "en"]))
        state = stage.dialogue.state(stage.session)
        assert answer.text
        assert "{" not in answer.text
        assert answer.outcome in OUTCOMES
        assert 1 <= len(answer.suggestions) <= 8
        assert (answer.flow is None) == (answer.expects is None)
        assert (answer.flow or "", answer.expects or "") == (state.task, state.asked)
        if answer.outcome == "pending":
            assert answer.flow
        if state.task:
            flow = store.flows[state.task]
            assert flow.slot(state.asked)
            assert set(state.slots) <= {slot.name for slot in flow.slots}
    live = stage.dialogue.state(stage.session)
    replayed = rebuild(stage.events.read(stage.session))
    for name in ("task", "asked", "asking", "turns", "tasks", "attempts", "misses", "skipped", "outcome", "language"):
        assert getattr(replayed, name) == getattr(live, name), name
    assert stage.events.verify() is None


def test_buttons_read_aloud_mean_what_they_say(store, staged):
    for flow in store.flows.values():
        if flow.name in ("out_of_scope", "repeat"):
            continue
        for words in (flow.title.zh, flow.title.en, flow.tap.zh, flow.tap.en):
            stage = staged()
            stage.say(words, {})
            assert stage.heard.outcomes()[-1][1] in flow.intents, words
