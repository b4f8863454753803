"""flows.yaml: what is read, and every kind of mistake with its file and line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from appliance.errors import PackInvalid
from appliance.packs.flows import load_flows
from appliance.packs.responses import load_responses
from appliance.packs.signatures import ACTIONS, POLICY_RESPONSES

STORE = Path(__file__).parents[2] / "appliance/packs/store"
INTENTS = """greet goodbye thanks affirm deny cancel repeat help human_agent track_parcel send_parcel pick_up_parcel
shipping_fee find_product check_price check_stock promotion member_points return_exchange refund_status invoice
payment_issue complaint store_hours facility_location queue_ticket warranty_repair chitchat out_of_scope"""


@pytest.fixture
def folder(tmp_path):
    copy = tmp_path / "shop"
    shutil.copytree(STORE, copy)
    return copy


def test_every_intent_of_the_pack_starts_one_flow():
    flows = load_flows(STORE)
    assert sorted(intent for flow in flows.values() for intent in flow.intents) == sorted(INTENTS.split())
    assert len(INTENTS.split()) == 29


def test_no_response_of_the_pack_lies_idle():
    flows = load_flows(STORE)
    used = set(POLICY_RESPONSES)
    for flow in flows.values():
        used |= {flow.help, *(step.say for step in flow.steps)}
        used |= {step.choose.ask for step in flow.steps if step.choose}
        used |= {name for slot in flow.slots for name in (slot.ask, slot.again)}
    assert set(load_responses(STORE)) == used - {""}


def test_a_flow_as_it_is_read():
    flow = load_flows(STORE)["track_parcel"]
    slot = flow.slot("tracking_no")
    assert (slot.types, slot.confirm, slot.retries, slot.unknown) == (("tracking_no",), "unsure", 2, "hand_over")
    assert flow.steps[0].do == "lookup"
    assert flow.steps[0].arguments["value"] == "$tracking_no"
    assert "不知道" in flow.unknown_words
    with pytest.raises(KeyError):
        flow.slot("nothing")


def test_an_integrator_adds_a_flow_without_python(folder):
    with (folder / "flows.yaml").open("a", encoding="utf-8") as file:
        file.write(
            """
  wifi:
    title: {zh: 无线网, en: Wi-Fi}
    intents: [wifi]
    steps: [{say: wifi, end: resolved}]
"""
        )
    with (folder / "responses.yaml").open("a", encoding="utf-8") as file:
        file.write(
            '\nwifi:\n  zh: "问服务台：{facts.desk.place}"\n  en: "Ask at the service desk: {facts.desk.place}"\n'
        )
    assert load_flows(folder)["wifi"].steps[0].say == "wifi"


GOOD = """
flows:
  one:
    title: {zh: 一, en: One}
    intents: [find_product]
    slots:
      product: {types: [product], ask: ask_product}
    steps:
      - {do: search, with: {table: products, text: $product}, as: item}
      - {say: price_one, when: {item.count: 1}}
"""


@pytest.mark.parametrize(
    "find, put, expected",
    [
        ("intents: [find_product]", "intents: []", "at least one intent"),
        ("types: [product], ", "", "types or options, got neither"),
        ("ask: ask_product}", "ask: no_such}", "a response of responses.yaml, got 'no_such'"),
        ("ask: ask_product}", "ask: ask_product, confirm: maybe}", "one of never, unsure, always, got 'maybe'"),
        ("ask: ask_product}", "ask: ask_product, retries: 99}", "a number from 0 to 9"),
        ("ask: ask_product}", "ask: ask_product, colour: red}", "got 'colour'"),
        ("ask: ask_product}", "confirm: always}", "ask for slot product"),
        ("ask: ask_product}", "ask: ask_product, when: {nobody: 1}}", "a name under product"),
        ("product: {types", "facts: {types", "another name for a slot"),
        ("do: search", "do: dance", "an action (age, hand_over"),
        ("table: products", "table: nothing", "a table (brands"),
        ("text: $product}", "text: $product, mood: good}", "search with table, text, keys, got 'mood'"),
        ("with: {table: products, text: $product}", "with: {table: products}", "search with text, got none"),
        ("text: $product", "text: $thing", "a name under product"),
        (
            "do: search, with: {table: products, text: $product}",
            "do: lookup, with: {table: products, column: weight}",
            "column of products.csv",
        ),
        ("as: item", "as: product", "a result name that is not a slot's"),
        ("item.count: 1", "item.colour: 1", "got 'item.colour'"),
        ("item.count: 1", "item.count: {most: 1}", "one of exists, max, min, not, over"),
        ("item.count: 1", "'item count': 1", "a dotted name"),
        ("say: price_one, ", "say: price_one, do: age, ", "one of do, say, choose"),
        ("say: price_one, ", "", "one of do, say, choose (or end alone), got none"),
        (
            "say: price_one, ",
            "say: parcel_arrived, ",
            "only known names in response parcel_arrived, got {parcel.carrier}",
        ),
        ("say: price_one, ", "say: price_line, each: nothing, ", "the name of an earlier lookup"),
        ("say: price_one, ", "say: offer_line, ", "only known names in response offer_line"),
        (
            "say: price_one, ",
            "choose: {slot: size, rows: item, ask: choose_product}, ",
            "a slot of the flow to choose for",
        ),
        (
            "say: price_one, ",
            "choose: {slot: product, rows: x, ask: choose_product}, ",
            "the name of an earlier lookup",
        ),
        ("when: {item.count: 1}}", "end: perhaps}", "one of resolved, handed_over"),
        (
            "- {say: price_one",
            "- {do: ticket, with: {queue: A}}\n      - choose: {slot: product, rows: item, ask: choose_product}\n"
            "      - {say: price_one",
            "choose before any step that acts",
        ),
        (
            "- {say: price_one",
            "- {do: age, with: {date: $product}, as: item}\n      - {say: price_one",
            "one kind of result",
        ),
        ("  one:\n", "  one: &one\n", None),
    ],
)
def test_mistakes_are_named_with_their_line(folder, find, put, expected):
    units = "      - {do: lookup, with: {table: units, column: unit, value: $item.unit}, as: unit}\n"
    text = GOOD.replace("      - {say", units + "      - {say")
    assert find in text
    (folder / "flows.yaml").write_text(text.replace(find, put, 1), "utf-8")
    responses = folder / "responses.yaml"
    # This pack has one flow, so what the responses suggest must be that one.
    lines = [line for line in responses.read_text("utf-8").splitlines() if not line.startswith("  suggest:")]
    responses.write_text("\n".join(lines), "utf-8")
    if expected is None:
        assert list(load_flows(folder)) == ["one"]
        return
    with pytest.raises(PackInvalid) as caught:
        load_flows(folder)
    assert expected in caught.value.detail
    assert "shop/flows.yaml line " in caught.value.detail


def test_an_intent_starts_one_flow_only(folder):
    path = folder / "flows.yaml"
    path.write_text(path.read_text("utf-8").replace("intents: [thanks]", "intents: [greet]"), "utf-8")
    with pytest.raises(PackInvalid, match="it also starts greet"):
        load_flows(folder)


@pytest.mark.parametrize(
    "find, put, expected",
    [
        ("cancelled:", "canceled:", "expected a response 'cancelled'"),
        ('"已取消{task}', '"已取消{thing}', r"expected only \['task'\], got \['thing'\]"),
        ("suggest: [human_agent]", "suggest: [human_angel]", "expected flows to suggest, got 'human_angel'"),
        ("{facts.desk.place}", "{facts.desk.palace}", "expected a key of facts.yaml"),
        ("{facts.desk.place}", "{facts.desk}", "expected a key of facts.yaml"),
    ],
)
def test_responses_are_checked_against_flows_and_facts(folder, find, put, expected):
    path = folder / "responses.yaml"
    text = path.read_text("utf-8")
    assert find in text
    path.write_text(text.replace(find, put, 1), "utf-8")
    with pytest.raises(PackInvalid, match=expected):
        load_flows(folder)


def test_the_built_in_actions_are_those_that_flows_may_name():
    from appliance.dialogue.policy import built_in
    from appliance.records.events import EventLog

    log = EventLog(None, redact=str)
    assert {action.name for action in built_in(log)} == set(ACTIONS)
    log.close()
