"""The shipped pack compiles; every way to break it is refused with file, line, expected and found."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from appliance.errors import PackInvalid
from appliance.language.checksums import ean13
from appliance.language.lexicon import OUT_OF_SCOPE
from appliance.packs.compile import find_pack, load_pack, shipped_packs
from appliance.packs.schema import Pack
from appliance.packs.vocabulary import ABSENT

INTENTS = {
    "greet",
    "goodbye",
    "thanks",
    "affirm",
    "deny",
    "cancel",
    "repeat",
    "help",
    "human_agent",
    "track_parcel",
    "send_parcel",
    "pick_up_parcel",
    "shipping_fee",
    "find_product",
    "check_price",
    "check_stock",
    "promotion",
    "member_points",
    "return_exchange",
    "refund_status",
    "invoice",
    "payment_issue",
    "complaint",
    "store_hours",
    "facility_location",
    "queue_ticket",
    "warranty_repair",
    "chitchat",
    "out_of_scope",
}
TYPES = {
    "tracking_no",
    "pickup_code",
    "order_no",
    "phone",
    "person",
    "address",
    "product",
    "brand",
    "size",
    "colour",
    "quantity",
    "weight",
    "amount",
    "date",
    "time",
    "place",
    "ticket_no",
    "email",
    "tax_no",
}


@pytest.fixture(scope="module")
def store() -> Pack:
    return load_pack("store")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped_packs() / "store", tmp_path / "store"))


def test_what_was_photographed_or_scanned_is_not_said_to_have_been_spoken(store: Pack) -> None:
    """One question confirms what was typed, spoken, scanned or read in a photo."""
    for turn in range(2):
        assert not re.search("[您你]说", store.responses["confirm"].phrase("zh", turn))
        assert not re.search(r"\b(say|said)\b", store.responses["confirm"].phrase("en", turn))
    for name, response in store.responses.items():
        for phrase in response.en:
            assert not phrase.startswith("You find "), name


def test_the_store_has_its_intents_and_types(store: Pack) -> None:
    assert set(store.lexicon.intent_names) == INTENTS
    assert set(store.lexicon.entity_types) == TYPES
    assert store.name == "store"
    assert store.title.zh
    assert store.title.en
    assert store.flows
    assert store.responses
    assert store.facts


def test_every_product_can_be_shown(store: Pack) -> None:
    products = store.tables["products"]
    assert 120 <= len(products) <= 300
    assert len({row["name_zh"] for row in products}) == len(products)
    brands = {row["name_zh"] for row in store.tables["brands"]}
    for row in products:
        assert row["name_zh"], row
        assert row["name_en"], row
        assert row["category"], row
        assert float(row["price"]) > 0, row
        assert int(row["stock"]) >= 0, row
        assert row["aisle"], row
        assert row["shelf"], row
        assert bool(row["promotion_zh"]) == bool(row["promotion_en"]), row
        assert not row["brand"] or row["brand"] in brands, row
        assert not row["warranty_days"] or int(row["warranty_days"]) > 0, row
    assert len({(row["aisle"], row["shelf"]) for row in products}) == len(products)


def test_every_place_has_its_way(store: Pack) -> None:
    for row in store.tables["places"]:
        assert all(row[column] for column in ("name_zh", "name_en", "aliases", "directions_zh", "directions_en")), row


def test_the_suggestions_can_be_tapped(store: Pack) -> None:
    assert len(store.suggestions) >= 4
    assert all(suggestion.intent in INTENTS - {OUT_OF_SCOPE} for suggestion in store.suggestions)


def test_what_is_suggested_while_typing(store: Pack, copy: Path) -> None:
    assert [question.label["zh"] for question in store.questions[:2]] == ["找商品", "查快递"]
    assert {question.slot for question in store.questions} == {"", "product", "place", "brand"}
    (copy / "suggest.yaml").unlink()
    assert len(load_pack(str(copy)).questions) == len(store.suggestions)


def test_a_pack_is_found_by_name_or_path(copy: Path) -> None:
    assert find_pack("store") == shipped_packs() / "store"
    assert find_pack(str(copy)) == copy
    with pytest.raises(PackInvalid, match="nowhere: expected one of store or a folder with pack.yaml") as caught:
        find_pack("nowhere")
    assert "APPLIANCE_PACK" in caught.value.remedy


def change(folder: Path, name: str, pattern: str, replacement: str) -> None:
    path = folder / name
    text, count = re.subn(pattern, replacement, path.read_text("utf-8"), count=1, flags=re.M)
    assert count == 1
    path.write_text(text, "utf-8")


@pytest.mark.parametrize(
    ("name", "pattern", "replacement", "complaint"),
    [
        (
            "suggest.yaml",
            r"en: \"\{product\}\"",
            'en: "{place}"',
            r"suggest.yaml line 4 .*: expected the same one \{type\}",
        ),
        (
            "suggest.yaml",
            r"intent: find_product",
            "intent: fly",
            r"suggest.yaml line 4 .*an intent of the pack, got 'fly'",
        ),
        (
            "suggest.yaml",
            r"(?s)\A.*?(?=- intent: check_price)",
            '- {intent: help, label: {zh: "{phone}", en: "{phone}"}, text: {zh: "{phone}", en: "{phone}"}}\n',
            r"suggest.yaml line 1 .*a type of things that the pack lists \(.*product.*\), got 'phone'",
        ),
        ("pack.yaml", r"^title:.*$", "", r"store/pack.yaml.*expected key 'title'"),
        (
            "pack.yaml",
            r"intent: find_product",
            "intent: fly",
            r"pack.yaml line \d+ \(suggestions\[0\].intent\): .* got 'fly'",
        ),
        ("pack.yaml", r"查快递, en", "找商品, en", r"expected every suggestion once, got '找商品' twice"),
        (
            "entities.yaml",
            r"type: tracking_no",
            "type: nothing",
            r"entities.yaml line \d+ \(patterns\[0\].type\): .* got 'nothing'",
        ),
        ("entities.yaml", r"check: upu_s10", "check: luhn", r"expected one of ean13, gb32100, upu_s10, got 'luhn'"),
        (
            "entities.yaml",
            r"table: products",
            "table: goods",
            r"tables.product.table\): expected .* CSV file .* got 'goods'",
        ),
        ("entities.yaml", r"value: name_zh", "value: nom", r"expected a column of products.csv .* got 'nom'"),
        ("entities.yaml", r"^  colour:", "  color:", r"lists.color\): expected"),
        (
            "entities.yaml",
            r'single_after: ".*"$',
            'single_after: "("',
            r"single_after\): expected a regular expression",
        ),
        ("phrases.yaml", r"accept: 0.5", "accept: 5", r"thresholds.accept\): expected a number from 0 to 1, got 5"),
        ("phrases.yaml", r"^  where: .*$", "  where: (在哪", r"expansions.where\): expected a hassil template"),
        ("intents/greet.yaml", r"^intent: greet", "intent: hello", r"expected the file's name 'greet', got 'hello'"),
        ("intents/greet.yaml", r"^sentences:", "sentence:", r"expected one of .*sentences.*got 'sentence'"),
        (
            "intents/track_parcel.yaml",
            r"^alone: .*$",
            "alone: [parcel]",
            r"alone\): expected entity types .* got 'parcel'",
        ),
        ("intents/thanks.yaml", r"^cues:$", 'cues:\n  "<nowhere>": 0.5', r"got '<nowhere>': expected a rule"),
        (
            "intents/thanks.yaml",
            r"^cues:$",
            'cues:\n  "好人": 2',
            r"cues.好人\): expected a number from -1 to 0.99, got 2",
        ),
        ("entities.yaml", "{table: groups, ", "{table: herds, ", r"expected the stem of a CSV file .* got 'herds'"),
        ("entities.yaml", "by: category", "by: colour", r"expected a column of products.csv, got 'colour'"),
        ("entities.yaml", "members: members", "members: owners", r"expected columns of groups.csv .* got 'owners'"),
        ("entities.yaml", "codes: barcode", "codes: ean", r"codes\): expected a column of products.csv .* got 'ean'"),
        (
            "entities.yaml",
            r"type: phone, regex",
            "type: phone, codes: barcode, regex",
            r"codes\): expected a type that stands under tables",
        ),
        (
            "products.csv",
            "2000000009018$",
            "2000000009019",
            r"expected codes that pass ean13, got '2000000009019' of P0901",
        ),
        (
            "products.csv",
            "2000000009025$",
            "2000000009018",
            r"expected every code once, got '2000000009018' of P0901 and",
        ),
        ("groups.csv", "休闲零食$", "休闲食物", r"expected members that are keys or a category .* got '休闲食物'"),
        ("flows.yaml", r"intents: \[track_parcel\]", "intents: [teleport]", r"flows.yaml.*teleport"),
    ],
)
def test_what_is_broken_is_named(copy: Path, name: str, pattern: str, replacement: str, complaint: str) -> None:
    change(copy, name, pattern, replacement)
    with pytest.raises(PackInvalid, match=complaint):
        load_pack(str(copy))


def test_barcodes_are_of_the_shops_own_range_and_optional(store: Pack) -> None:
    """Made-up numbers must be nobody's: GS1 leaves 20 to 29 to each shop. What is weighed has none in the table."""
    codes = {row["sku"]: row["barcode"] for row in store.tables["products"]}
    printed = [code for code in codes.values() if code]
    assert len(printed) > 150
    assert all(code.startswith("2") and ean13(code) for code in printed)
    assert codes["P0901"] == "2000000009018"
    assert codes["P0101"] == ""
    rules = [rule for rule in store.lexicon.patterns if rule.codes]
    assert rules
    for rule in rules:
        assert {code: entry.key for code, entry in rule.codes.items()} == {c: sku for sku, c in codes.items() if c}
        assert rule.detail["keys"] == ABSENT


def test_a_group_names_many_products_or_none() -> None:
    named = {entry.name: entry.key for entry in load_pack("store").lexicon.gazetteer if entry.type == "product"}
    assert named["酒水"] == "P0711,P0712,P0713"
    assert named["水果"].split(",")[0] == "P0101"
    assert named["手机"] == ABSENT


def test_a_pack_without_intents_is_refused(copy: Path) -> None:
    shutil.rmtree(copy / "intents")
    with pytest.raises(PackInvalid, match="expected at least one intent file, got none"):
        load_pack(str(copy))


def test_a_repeated_product_is_refused(copy: Path) -> None:
    path = copy / "products.csv"
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([*lines, lines[1]]), "utf-8")
    with pytest.raises(PackInvalid, match=r"products.csv line \d+: expected every sku once, got 'P0101' as in line 2"):
        load_pack(str(copy))


def test_out_of_scope_is_always_there(copy: Path) -> None:
    (copy / "intents" / "out_of_scope.yaml").unlink()
    assert OUT_OF_SCOPE in load_pack(str(copy)).lexicon.intent_names


def test_a_new_table_needs_no_python(copy: Path) -> None:
    (copy / "lotteries.csv").write_text("id,name\n1,抽奖\n", "utf-8")
    assert [dict(row) for row in load_pack(str(copy)).tables["lotteries"]] == [{"id": "1", "name": "抽奖"}]
