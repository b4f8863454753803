"""Every entity type, in the ways people write and say it, with its value and its span."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.language.clean import Cleaner
from appliance.language.entities import EntityFinder, free_spans
from appliance.language.lexicon import Lexicon, PatternRule
from appliance.language.parse import Parser
from appliance.language.patterns import Patterns
from appliance.language.person import People
from appliance.language.pinyin import Syllables

CASES = [
    ("查一下单号SF1392847561002", "tracking_no", "SF1392847561002", "SF1392847561002"),
    ("查一下單號ＳＦ１３９２ 8475 61002", "tracking_no", "ＳＦ１３９２ 8475 61002", "SF1392847561002"),
    ("单号是顺丰一三九二八四七五六一零零二", "tracking_no", "一三九二八四七五六一零零二", "1392847561002"),
    ("顺丰幺三九二八四七五六幺洞洞二", "tracking_no", "幺三九二八四七五六幺洞洞二", "1392847561002"),
    ("YT2839104756201到哪了", "tracking_no", "YT2839104756201", "YT2839104756201"),
    ("jt5123456789012", "tracking_no", "jt5123456789012", "JT5123456789012"),
    ("JD0012345678901", "tracking_no", "JD0012345678901", "JD0012345678901"),
    ("DPK202612345678", "tracking_no", "DPK202612345678", "DPK202612345678"),
    ("中通75312345678901", "tracking_no", "75312345678901", "75312345678901"),
    ("772012345678901", "tracking_no", "772012345678901", "772012345678901"),
    ("ems单号RB123456785CN", "tracking_no", "RB123456785CN", "RB123456785CN"),
    ("包裹 88123456 到了吗", "tracking_no", "88123456", "88123456"),
    ("取件码3-2-1045", "pickup_code", "3-2-1045", "3-2-1045"),
    ("取件码 是 804512", "pickup_code", "804512", "804512"),
    ("三杠二杠幺零四五", "pickup_code", "三杠二杠幺零四五", "3-2-1045"),
    ("取件码是12杠3杠5045", "pickup_code", "12杠3杠5045", "12-3-5045"),
    ("取件码十二杠三杠五零四五", "pickup_code", "十二杠三杠五零四五", "12-3-5045"),
    ("二十二杠三杠五零四五", "pickup_code", "", ""),
    ("400杠800杠12345", "pickup_code", "", ""),
    ("订单号2026112200123", "order_no", "2026112200123", "2026112200123"),
    ("my order AB20261122 please", "order_no", "AB20261122", "AB20261122"),
    ("我电话是138 1234 5678", "phone", "138 1234 5678", "13812345678"),
    ("打幺三八一二三四五六七八", "phone", "幺三八一二三四五六七八", "13812345678"),
    ("+86 13912345678", "phone", "13912345678", "13912345678"),
    ("座机010-62345678", "phone", "010-62345678", "01062345678"),
    ("400-820-8820", "phone", "400-820-8820", "4008208820"),
    ("电话62345678", "phone", "62345678", "62345678"),
    ("我叫张伟", "person", "张伟", "张伟"),
    ("你好，我是张小花，想退货", "person", "张小花", "张小花"),
    (
        "寄到北京市海淀区中关村大街27号1101室",
        "address",
        "北京市海淀区中关村大街27号1101室",
        "北京市海淀区中关村大街27号1101室",
    ),
    (
        "住在杭州市西湖区文三路90号东部软件园2幢",
        "address",
        "杭州市西湖区文三路90号东部软件园2幢",
        "浙江省杭州市西湖区文三路90号东部软件园2幢",
    ),
    ("成都市武侯区人民南路四段27号", "address", "成都市武侯区人民南路四段27号", "四川省成都市武侯区人民南路四段27号"),
    ("收件人:欧阳娜娜", "person", "欧阳娜娜", "欧阳娜娜"),
    ("李女士要取件", "person", "李", "李"),
    ("my name is John Smith", "person", "John Smith", "John Smith"),
    ("寄到北京朝阳区建国路88号3单元502", "address", "北京朝阳区建国路88号3单元502", "北京市朝阳区建国路88号3单元502"),
    (
        "广东省广州市天河区体育西路103号维多利广场A座1201室",
        "address",
        "广东省广州市天河区体育西路103号维多利广场A座1201室",
        "广东省广州市天河区体育西路103号维多利广场a座1201室",
    ),
    ("发往深圳南山区", "address", "深圳南山区", "广东省深圳市南山区"),
    ("到上海", "address", "上海", "上海市"),
    ("我住中山路12号", "address", "中山路12号", "中山路12号"),
    ("洗衣液在哪", "product", "洗衣液", "洗衣液"),
    ("洗衣夜在哪", "product", "洗衣夜", "洗衣液"),
    ("水在哪", "product", "水", "矿泉水"),
    ("有没有云柔的", "brand", "云柔", "云柔"),
    ("要L码的", "size", "L", "L"),
    ("42码有吗", "size", "42码", "42码"),
    ("500ml的", "size", "500ml", "500ML"),
    ("大号", "size", "大号", "大号"),
    ("换个黑的", "colour", "黑的", "黑色"),
    ("来两瓶", "quantity", "两瓶", "2"),
    ("寄两斤半", "weight", "两斤半", "1.25"),
    ("三块五", "amount", "三块五", "3.5"),
    ("明天取", "date", "明天", "2026-11-23"),
    ("下午三点半", "time", "下午三点半", "15:30"),
    ("ＷＣ在哪", "place", "ＷＣ", "洗手间"),
    ("我排到A023了吗", "ticket_no", "A023", "A023"),
    ("发到ABC.d@qq.com吧", "email", "ABC.d@qq.com", "abc.d@qq.com"),
    ("税号91350100M000100Y43", "tax_no", "91350100M000100Y43", "91350100M000100Y43"),
]


@pytest.mark.parametrize(("text", "kind", "said", "value"), CASES)
def test_entity(parser: Parser, text: str, kind: str, said: str, value: str) -> None:
    found = [(entity.text, entity.value) for entity in parser.entities(text) if entity.type == kind]
    assert found == ([(said, value)] if said else [])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("我花了三十块", "product"),
        ("便宜一点", "time"),
        ("5号货架", "date"),
        ("税号91350100M000100Y44", "tax_no"),
        ("单号13812345678", "tracking_no"),
        ("价格是12345元", "tracking_no"),
        ("RB123456784CN", "tracking_no"),
        ("我想退货", "person"),
        ("我是来退货的", "person"),
        ("我是应该先付钱吗", "person"),
        ("收件人电话", "person"),
        ("open the door", "product"),
    ],
)
def test_what_is_none(parser: Parser, text: str, kind: str) -> None:
    assert kind not in [entity.type for entity in parser.entities(text)]


def test_the_carrier_travels_with_the_number(parser: Parser) -> None:
    carriers = {
        "SF1392847561002": "sf",
        "中通单号75312345678901": "zto",
        "YT2839104756201": "yto",
        "772012345678901": "sto",
        "462012345678901": "yunda",
        "RB123456785CN": "ems",
        "韵达462012345678901": "yunda",
    }
    for text, carrier in carriers.items():
        (entity,) = parser.entities(text)
        assert entity.detail["carrier"] == carrier


def test_an_address_has_its_parts(parser: Parser) -> None:
    (entity,) = parser.entities("杭州西湖区文三路100号")
    assert dict(entity.detail) == {
        "province": "浙江省",
        "city": "杭州市",
        "district": "西湖区",
        "street": "文三路100号",
    }
    (entity,) = parser.entities("延边延吉市")
    assert entity.detail["province"] == "吉林省"
    (entity,) = parser.entities("寄到呼和浩特")
    assert entity.value == "内蒙古自治区呼和浩特市"


def test_a_listed_name_carries_its_keys(parser: Parser) -> None:
    (entity,) = parser.entities("电池")
    assert entity.value == "电池"
    assert entity.detail["keys"].count(",") == 1
    (entity,) = parser.entities("厕所")
    assert dict(entity.detail) == {"keys": "toilet", "name_en": "toilet"}


def test_several_in_one_sentence_do_not_overlap(parser: Parser) -> None:
    text = "我叫张伟，电话幺三八一二三四五六七八，寄两公斤到深圳南山区，明天下午三点来取"
    entities = parser.entities(text)
    assert [e.type for e in entities] == ["person", "phone", "weight", "address", "date", "time"]
    assert all(a.end <= b.start for a, b in pairwise(entities))


@settings(max_examples=60)
@given(st.lists(st.one_of(st.sampled_from([c[0] for c in CASES]), st.text(max_size=8)), max_size=4).map("".join))
def test_spans_are_exact(parser: Parser, text: str) -> None:
    entities = parser.entities(text)
    for entity in entities:
        assert text[entity.start : entity.end] == entity.text
        assert entity.text
        assert 0 < entity.confidence <= 1
    assert all(a.end <= b.start for a, b in pairwise(entities))


def test_the_same_text_gives_the_same_entities(parser: Parser) -> None:
    assert all(parser.entities(text) == parser.entities(text) for text, *_ in CASES)


def test_a_pack_without_a_type_finds_none_of_it(lexicon: Lexicon, cleaner: Cleaner, syllables: Syllables) -> None:
    bare = replace(lexicon, entity_types=("quantity",), gazetteer=(), patterns=(), surnames=())
    finder = EntityFinder(bare, cleaner, syllables, lambda: date(2026, 11, 22))
    assert [c.type for c in finder.find("我叫张伟,住北京,明天三点两瓶")] == ["quantity"]


def test_patterns_need_their_context() -> None:
    rule = PatternRule("code", r"(?P<value>\d{4})", context="码", window=3, remove="0")
    assert [c.value for c in Patterns([rule]).find("码是1020")] == ["12"]
    assert list(Patterns([rule]).find("码是多少呢1020")) == []
    assert list(Patterns([PatternRule("code", "(?P<value>x)?y")]).find("y")) == []


def test_no_surnames_find_nobody() -> None:
    assert list(People((), ()).find("我叫张伟")) == []


def test_free_spans() -> None:
    assert list(free_spans("ab,cd", ())) == [(0, 2), (3, 5)]
