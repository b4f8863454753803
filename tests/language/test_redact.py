from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.language.parse import Parser
from appliance.language.redact import redact, redact_value
from appliance.values import Entity


@pytest.mark.parametrize(
    ("kind", "value", "masked"),
    [
        ("phone", "13812345678", "138****5678"),
        ("phone", "62345678", "******78"),
        ("person", "张伟", "张*"),
        ("person", "李", "李*"),
        ("tracking_no", "SF1392847561002", "SF*********1002"),
        ("order_no", "88123", "****3"),
        ("pickup_code", "804512", "****12"),
        ("email", "zhang@example.com", "z***@***"),
        ("address", "北京市朝阳区建国路88号", "北京市朝阳区******"),
        ("address", "88号楼", "****"),
        ("tax_no", "91350100M000100Y43", "91************0Y43"),
        ("product", "洗衣液", "洗衣液"),
        ("ticket_no", "A023", "****"),
    ],
)
def test_each_type_in_its_way(kind: str, value: str, masked: str) -> None:
    assert redact_value(kind, value) == masked


def test_a_sentence_keeps_its_sense(parser: Parser) -> None:
    text = "我叫张伟，电话13812345678，寄两公斤到北京朝阳区建国路88号，单号SF1392847561002，邮箱a.b@qq.com"
    masked = parser.redact(text)
    assert masked.startswith("我叫张*，电话138****5678，寄两公斤到北京朝阳区建")
    for secret in ("张伟", "13812345678", "88号", "1392847561002", "a.b"):
        assert secret not in masked


@pytest.mark.parametrize(
    "text",
    [
        "13812345678",
        "138-1234-5678",
        "１３８１２３４５６７８",
        "幺三八一二三四五六七八",
        "1 3 8 1 2 3 4 5 6 7 8",
        "+86 138 1234 5678",
        "身份证110101199003071234",
        "91350100M000100Y43",
        "卡号6222 0202 0000 1234 567",
        "壹叁捌壹贰叁肆伍陆柒捌",
        "a@b.c",
        "ＳＦ１３９２８４７５６１００２",
        "138.1234.5678",
        "138、1234、5678",
        "幺三八杠一二三四杠五六七八",
        "取件码十二杠三杠五零四五",
    ],
)
def test_without_entities_no_long_number_passes(text: str) -> None:
    masked = redact(text)
    assert text not in masked
    assert "*" in masked
    digits = re.sub(r"\D", "", masked)
    assert len(digits) < 7


def test_what_is_not_personal_stays() -> None:
    for text in ("洗衣液在3号货架", "一共12345元", "下午三点半", "两瓶水", "", "hello there"):
        assert redact(text) == text


def test_spans_that_do_not_fit_are_passed_over() -> None:
    wrong = Entity("person", "张伟", "张伟", 0, 2)
    assert redact("电话13812345678", [wrong]) == "电话*********78"
    assert redact("好", [Entity("person", "张伟", "张伟", 5, 7)]) == "好"


@settings(max_examples=80)
@given(
    st.text("我的电话是，。 abc", max_size=8),
    st.text("0123456789", min_size=7, max_size=20),
    st.text("寄到了吗？xyz", max_size=8),
)
def test_no_full_number_ever_passes(parser: Parser, before: str, number: str, after: str) -> None:
    for masked in (redact(before + number + after), parser.redact(before + number + after)):
        assert number not in masked
        assert max(map(len, re.findall(r"\d+", masked)), default=0) < 7
