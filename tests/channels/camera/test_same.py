"""Whether two readings are of one document."""

from __future__ import annotations

import pytest

from appliance.channels.camera.same import same

WAYBILL = (
    "示例速运\n标准快件\nSF1392847561002\n收件人：李明月\n13800138000\n"
    "浙江省杭州市西湖区文三路90号\n寄件人：王建国\n021-55501234"
)


@pytest.mark.parametrize(
    "again",
    [
        WAYBILL,
        WAYBILL.replace("\n", " "),
        WAYBILL.replace("月", "目").replace("：", ":"),
        WAYBILL.replace("SF1392847561002", "SF139284756102"),
    ],
)
def test_a_character_read_otherwise_makes_no_other_document(again: str) -> None:
    assert same(again, WAYBILL)


@pytest.mark.parametrize(
    "other",
    [
        "",
        "小票\n合计 39.90\n谢谢惠顾",
        WAYBILL.replace("SF1392847561002", "SF1392847561019"),  # the sender's next parcel
        WAYBILL.replace("SF1392847561002", "SF1392847561003"),  # the same, numbered without a check digit
        WAYBILL + "\nSF9999999999999",
        WAYBILL[:20],
    ],
)
def test_another_number_or_other_words_do(other: str) -> None:
    assert not same(other, WAYBILL)
    assert not same(WAYBILL, "")
