"""What customers of the shop really say, through the real parser: each conversation stands for a fault once seen."""

from __future__ import annotations

import datetime

import pytest

from appliance.language.parse import Parser
from appliance.packs.compile import load_pack

CONVERSATIONS = {
    "a category is a place": """
- {user: 饮料在哪, expect: {says: [饮料在 7 号通道, 可乐], lacks: 啤酒, outcome: resolved, data: {aisle: "7"}}}
- {user: 零食区在哪, expect: {says: [8 号通道], outcome: resolved}}
- {user: 水果, expect: {says: [1 号通道], outcome: resolved}}
- {user: 卖酒的地方在哪, expect: {says: [啤酒：7 号通道, 红酒], lacks: 矿泉水, outcome: resolved}}
- {user: 生鲜在哪, expect: {says: ["1、2、3 号通道"], outcome: resolved, data: {aisles: 1、2、3}}}
- {user: 酱油, expect: {says: 酱油, data: {sku: P0604}}}
""",
    "a category in English": """
- {user: where are the drinks, turn: {language: en}, expect: {says: [drinks, aisle 7], outcome: resolved}}
- {user: fruit, turn: {language: en}, expect: {says: [fruit, aisle 1], outcome: resolved}}
- {user: where is the fresh food, turn: {language: en}, expect: {says: "aisles 1, 2, 3", outcome: resolved}}
""",
    "what is not sold is said so": """
- {user: 苹果手机, expect: {says: [没有找到“苹果手机”], lacks: 红富士, outcome: resolved, flow: null}}
- {user: 有没有苹果手机, expect: {says: [没有找到“苹果手机”], outcome: resolved}}
- {user: 火箭筒在哪里, expect: {says: [没有找到“火箭筒”], outcome: resolved, flow: null}}
- {user: 火箭筒多少钱, expect: {says: [没有找到“火箭筒”], outcome: resolved}}
- {user: do you have rocket launchers, turn: {language: en}, expect: {says: [cannot find “rocket launchers”]}}
- {user: where is the iphone, turn: {language: en}, expect: {says: [cannot find “iphone”], outcome: resolved}}
""",
    "a scanned product": """
- {user: "2000000009018", turn: {source: barcode}, expect: {says: [洗衣液, 9 号通道, A1 货架, 39.9 元]}}
- {user: 多少钱, expect: {says: [洗衣液, "39.9"], outcome: resolved}}
- {user: "2000000008011", turn: {source: barcode, language: en}, expect: {says: [potato chips, aisle 8, shelf A1]}}
- {user: "6901234567892", turn: {source: barcode}, expect: {says: 没有找到“6901234567892”, lacks: 快递, flow: null}}
- {user: "2099999999998", turn: {source: barcode, language: en}, expect: {says: cannot find “2099999999998”}}
- {user: 洗衣液的条码是2000000009018, expect: {says: 洗衣液}}
""",
    "a scanned parcel is no product": """
- {user: "6901234567893", turn: {source: barcode}, expect: {says: 对吗, outcome: pending}}
- {user: 不是, expect: {lacks: 没有找到}}
""",
    "several products at once": """
- {user: 牛奶和面包在哪, expect: {says: ["纯牛奶：4 号通道 A2", "吐司面包：8 号通道"], outcome: resolved, flow: null}}
- {user: 想买条毛巾还有牙刷, expect: {says: ["毛巾：12 号通道", "牙刷：10 号通道"], outcome: resolved}}
- {user: 可乐和雪碧在哪, expect: {says: [没有“雪碧”, 可乐, A2 货架], outcome: resolved}}
- {user: 电池, expect: {says: [5号电池：13 号通道 C3, 7号电池：13 号通道 C4], outcome: resolved}}
- {user: 找商品, expect: {expects: product}}
- {user: 牛奶和面包, expect: {says: ["纯牛奶：", "吐司面包："], outcome: resolved}}
""",
    "a correction after the answer": """
- {user: 洗衣液在哪, expect: {says: 洗衣液}}
- {user: "不是，是洗发水", expect: {says: [洗发水, 10 号通道], outcome: resolved}}
- {user: 多少钱, expect: {says: 洗发水}}
- {user: 厕所在哪, expect: {says: 洗手间}}
- {user: "不是，是电梯", expect: {says: 电梯, data: {place: lift}}}
- {user: 不是, expect: {outcome: resolved, flow: null}}
""",
    "what is denied is not taken": """
- {user: 退货, expect: {expects: product}}
- {user: 不是电水壶，是炒锅, expect: {expects: proof}}
- {user: 有小票, expect: {expects: bought_on}}
- {user: 三天前, expect: {says: 3 天, outcome: handed_over, data: {product: 炒锅}}}
""",
    "slots out of order": """
- {user: 退换货, expect: {expects: kind}}
- {user: 电水壶, expect: {expects: kind, lacks: 通道, outcome: pending}}
- {user: 退, expect: {expects: proof}}
- {user: 牛奶, expect: {expects: proof, lacks: 通道}}
- {user: 没有小票, expect: {expects: bought_on}}
- {user: 昨天, expect: {says: 生鲜食品, outcome: handed_over, data: {policy: fresh}}}
""",
    "the receipt before the product": """
- {user: 退货, expect: {expects: product}}
- {user: 有小票, expect: {expects: product, lacks: 发票}}
- {user: 电水壶, expect: {expects: bought_on}}
- {user: 两周前, expect: {says: [14 天, 已超过 7 天], data: {policy: too_late}}}
""",
    "fresh and other goods together": """
- {user: 我要退牛奶和面包, expect: {expects: proof}}
- {user: 有小票, expect: {expects: bought_on}}
- {user: 昨天, expect: {says: 其中的生鲜食品, outcome: handed_over}}
""",
    "dates in English": """
- {user: i want to return a kettle, turn: {language: en}, expect: {expects: proof}}
- {user: yes i have the receipt, turn: {language: en}, expect: {expects: bought_on}}
- {user: 3 days ago, turn: {language: en}, expect: {says: "purchase: 3", outcome: handed_over, data: {days: 3}}}
""",
    "the receipt is lost": """
- {user: i want to return a kettle, turn: {language: en}, expect: {expects: proof}}
- {user: i lost the receipt, turn: {language: en}, expect: {expects: bought_on, lacks: invoice}}
- {user: a month ago, turn: {language: en}, expect: {says: "purchase: 30", outcome: handed_over}}
- {user: 查快递, expect: {expects: tracking_no}}
- {user: 单号丢了, expect: {outcome: handed_over, flow: null}}
""",
    "nobody is bothered without need": """
- {user: 水果新鲜吗, expect: {lacks: 号码, outcome: not_understood}}
- {user: 哪里能充电, expect: {says: 手机充电处, outcome: resolved}}
- {user: 最近的地铁站, expect: {says: 地铁站, outcome: resolved}}
- {user: shut up, turn: {language: en}, expect: {outcome: not_understood, flow: null}}
""",
    "a value is confirmed in the customer's language": """
- {user: shampo, turn: {language: en}, expect: {says: shampoo, lacks: 洗, outcome: pending}}
- {user: "yes", turn: {language: en}, expect: {says: [shampoo, aisle 10], outcome: resolved}}
""",
    "a waybill's number without its letters": """
- {user: 单号是顺丰一三九二八四七五六一零零二, expect: {says: [顺丰, 人民路], outcome: resolved, data: {state: moving}}}
- {user: 查快递, expect: {expects: tracking_no}}
- {user: "1392847561002", expect: {says: "1392847561002", outcome: pending}}
- {user: 对, expect: {says: 人民路, outcome: resolved}}
""",
    "food is not repaired": """
- {user: 豆瓣酱坏了, expect: {says: [可以退换, 退换货处], lacks: 维修, suggests: 退换货}}
- {user: 电水壶坏了, expect: {says: [365 天, 维修点], outcome: resolved}}
- {user: 鸡蛋坏了, expect: {expects: kind, flow: return_exchange}}
""",
    "an emergency waits for no number": """
- {user: 查快递, expect: {expects: tracking_no}}
- {user: 着火了, expect: {says: ["119"], lacks: 您的号码, outcome: handed_over, flow: null}}
- {user: 我孩子不见了, expect: {says: [服务台, 广播], lacks: 您的号码, outcome: handed_over}}
- {user: someone fainted, turn: {language: en}, expect: {says: "120", outcome: handed_over}}
- {user: 转人工, expect: {says: 您的号码是 A001}}
""",
    "ways to pay need no number": """
- {user: 能用微信吗, expect: {says: 微信, lacks: 号码, outcome: resolved}}
- {user: do you accept cash, turn: {language: en}, expect: {says: cash, lacks: number, outcome: resolved}}
- {user: 微信付不了, expect: {says: 号码 A001, outcome: handed_over}}
""",
    "elsewhere is not here": """
- {user: 动物园几点开门, expect: {lacks: ["22:00", 营业时间], outcome: not_understood}}
- {user: 尼罗河在哪里, expect: {lacks: 商品表, outcome: not_understood}}
- {user: 停车场几点关, expect: {says: [没有停车场单独的时间, "22:00"], outcome: resolved}}
- {user: 服务台几点上班, expect: {lacks: 单独, outcome: resolved}}
- {user: 停车费多少, expect: {says: [停车场, 58 元], outcome: resolved}}
- {user: wifi密码多少, expect: {lacks: 取件码, outcome: not_understood, flow: null}}
""",
    "a position without a list": """
- {user: 第二个, expect: {lacks: 优惠, outcome: not_understood}}
- {user: 上一个, expect: {outcome: not_understood}}
""",
    "dialects": """
- {user: 厕所搁哪嘎达, expect: {says: 洗手间, outcome: resolved}}
- {user: 唔该 洗手间喺边度, expect: {says: 洗手间, outcome: resolved}}
- {user: 俺想买盐巴, expect: {says: 食盐, outcome: resolved}}
""",
    "shipping": """
- {user: 运费多少, expect: {expects: to}}
- {user: 不知道, expect: {lacks: 没有这个地方, outcome: resolved}}
- {user: how much to send 2 kg to Shanghai, turn: {language: en}, expect: {says: [Shanghai, 12 yuan]}}
""",
    "looking for something": """
- {user: 我想找个东西, expect: {expects: product, flow: find_product}}
- {user: 没事了, expect: {outcome: abandoned, flow: null}}
""",
}


@pytest.fixture(scope="module")
def real():
    pack = load_pack("store")
    return pack, Parser(pack.lexicon, today=lambda: datetime.date(2026, 11, 22))


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_conversation(staged, real, name):
    pack, parser = real
    stage = staged(pack=pack, parser=parser)
    stage.play(CONVERSATIONS[name])
    stage.dialogue.close()
    stage.events.close()


def test_one_list_says_what_is_personal(real):
    from appliance.dialogue import policy, privacy
    from appliance.language import redact

    assert policy.PERSONAL is privacy.PERSONAL is redact.PERSONAL
    assert real[0].lexicon.entity_types
    assert set(real[0].lexicon.entity_types) >= redact.PERSONAL


def test_chinese_texts_have_chinese_punctuation(real):
    import re

    pack = real[0]
    wrong = re.compile("[\u4e00-\u9fff][!,?;:]|[!,?;:][\u4e00-\u9fff]")
    texts = [pack.welcome.zh, *(s.label.zh for s in pack.suggestions), *(s.text.zh for s in pack.suggestions)]
    texts += [phrase for response in pack.responses.values() for phrase in response.zh]
    texts += [words for flow in pack.flows.values() for words in (flow.title.zh, flow.tap.zh)]
    assert [text for text in texts if wrong.search(text)] == []
