"""Conversations with the shipped pack: once with parses made by hand, once through the real parser."""

from __future__ import annotations

import datetime

import pytest

from appliance.errors import PackInvalid

FIND = """
- user: 我想找商品
  parse: {intent: find_product}
  expect: {outcome: pending, flow: find_product, expects: product, suggests: 取消}
- user: 保温杯
  parse: {intent: find_product, source: entity, entities: [{type: product, value: 保温杯, detail: {keys: P1207}}]}
  expect: {says: [保温杯, 12 号通道, B2, 每个 69 元], outcome: resolved, flow: null, data: {sku: P1207, shelf: B2}}
- user: 多少钱
  parse: {intent: check_price}
  expect: {says: [保温杯, 69 元], outcome: resolved, data: {price: "69.0"}}
- user: 还有货吗
  parse: {intent: check_stock}
  expect: {says: [保温杯, "41"], outcome: resolved, data: {stock: "41"}}
"""

TRACK = """
- user: 帮我查快递
  parse: {intent: track_parcel}
  expect: {outcome: pending, expects: tracking_no}
- user: SF1392847561002
  parse:
    intent: track_parcel
    source: entity
    entities: [{type: tracking_no, value: SF1392847561002, detail: {carrier: sf}}]
  expect: {says: [顺丰, 人民路], outcome: resolved, flow: null, data: {state: moving}}
"""

TRACK_UNKNOWN = """
- user: 查一下单号SF9990001112223
  parse: {intent: track_parcel, entities: [{type: tracking_no, value: SF9990001112223, detail: {carrier: sf}}]}
  expect:
    says: [本机没有, 顺丰, "95338", B001]
    outcome: handed_over
    flow: null
    data: {ticket: B001, hotline: "95338"}
"""

RETURN = """
- user: 我要退货
  parse: {intent: return_exchange}
  expect: {outcome: pending, flow: return_exchange, expects: product}
- user: 电水壶
  parse: {intent: find_product, source: entity, entities: [{type: product, value: 电水壶, detail: {keys: P1302}}]}
  expect: {expects: proof, suggests: [有小票, 没有小票]}
- user: 有小票
  parse: {intent: affirm, sure: 0.6, source: keyword}
  expect: {expects: bought_on}
- user: 三天前
  parse: {intent: out_of_scope, entities: [{type: date, text: 三天前, value: "2026-11-19"}]}
  expect:
    says: [3 天, 7 天退货期, C001]
    outcome: handed_over
    flow: null
    data: {policy: in_time, days: 3, ticket: C001, kind: return}
"""

RETURN_LATE_WITH_DIGRESSION = """
- user: 我想换货
  parse: {intent: return_exchange}
  expect: {expects: product}
- user: 几点关门
  parse: {intent: store_hours}
  expect: {says: ["22:00", 我们继续退换货], flow: return_exchange, expects: product, outcome: resolved}
- user: 不知道
  parse: {}
  expect: {expects: proof}
- user: 没有小票
  parse: {}
  expect: {expects: bought_on}
- user: 10月1号买的
  parse: {entities: [{type: date, text: 10月1号, value: "2026-10-01"}]}
  expect: {says: [52 天, 已超过 15 天换货期, 付款记录], outcome: handed_over, data: {policy: too_late, kind: exchange}}
"""

CANCEL_REPEAT_HELP = """
- user: 取消
  parse: {intent: cancel}
  expect: {outcome: resolved, flow: null}
- user: 帮我查快递
  parse: {intent: track_parcel}
  expect: {expects: tracking_no}
- user: 你会做什么
  parse: {intent: help}
  expect: {says: [面单, 单号], expects: tracking_no, outcome: pending}
- user: 再说一遍
  parse: {intent: repeat}
  expect: {says: [面单], expects: tracking_no, outcome: pending}
- user: 取消
  parse: {intent: cancel}
  expect: {says: 查快递, outcome: abandoned, flow: null, expects: null}
"""

ENGLISH = """
- user: track my parcel
  turn: {language: en}
  parse: {intent: track_parcel}
  expect: {says: tracking number, expects: tracking_no, suggests: Cancel}
- user: YT7384910265738
  turn: {language: en}
  parse:
    intent: track_parcel
    source: entity
    entities: [{type: tracking_no, value: YT7384910265738, detail: {carrier: yto}}]
  expect: {says: [YTO Express, our parcel counter], outcome: resolved, data: {state: arrived, carrier: YTO Express}}
- user: where is the toilet
  turn: {language: en}
  parse: {intent: facility_location, entities: [{type: place, text: toilet, value: 洗手间, detail: {keys: toilet}}]}
  expect: {says: [toilet, corridor], outcome: resolved, data: {place: toilet}}
- user: when do you close
  turn: {language: en}
  parse: {intent: store_hours}
  expect: {says: ["22:00", open now], outcome: resolved}
"""

HUMAN_IN_THE_MIDDLE = """
- user: 我要退货
  parse: {intent: return_exchange}
  expect: {expects: product}
- user: 转人工
  parse: {intent: human_agent}
  expect: {says: [A001, 一楼入口右侧], outcome: handed_over, flow: null}
"""

PARCEL_PICKUP = """
- user: 我要取快递
  parse: {intent: pick_up_parcel}
  expect: {expects: pickup_code}
- user: 3-2-1046
  parse: {intent: pick_up_parcel, source: entity, entities: [{type: pickup_code, value: 3-2-1046}]}
  expect: {says: [顺丰, 3 号架 2 层], outcome: resolved, data: {shelf: 3 号架 2 层}}
"""

SHIPPING = """
- user: 寄快递到广州多少钱
  parse:
    intent: shipping_fee
    entities: [{type: address, text: 广州, value: 广东省广州市, detail: {province: 广东省, city: 广州市}}]
  expect: {says: [广东, "12"], outcome: resolved, data: {first: "12", more: "5"}}
- user: 寄2.5公斤到新疆多少钱
  parse:
    intent: shipping_fee
    entities:
    - {type: weight, text: 2.5公斤, value: "2.5"}
    - {type: address, text: 新疆, value: 新疆维吾尔自治区, detail: {province: 新疆维吾尔自治区}}
  expect: {says: ["52", 3 公斤], outcome: resolved, data: {fee: 52.0, kilograms: 3}}
"""

CONVERSATIONS = {
    "find": FIND,
    "track": TRACK,
    "track_unknown": TRACK_UNKNOWN,
    "return": RETURN,
    "return_late": RETURN_LATE_WITH_DIGRESSION,
    "moves": CANCEL_REPEAT_HELP,
    "english": ENGLISH,
    "human": HUMAN_IN_THE_MIDDLE,
    "pickup": PARCEL_PICKUP,
    "shipping": SHIPPING,
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_with_parses_made_by_hand(stage, name):
    stage.play(CONVERSATIONS[name])


@pytest.fixture(scope="session")
def real():
    from appliance.language.parse import Parser
    from appliance.packs.compile import load_pack

    try:
        pack = load_pack("store")
    except PackInvalid as error:  # pragma: no cover
        pytest.fail(str(error))
    return pack, Parser(pack.lexicon, today=lambda: datetime.date(2026, 11, 22))


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_through_the_real_parser(staged, real, name):
    pack, parser = real
    staged(pack=pack, parser=parser).play(CONVERSATIONS[name])
