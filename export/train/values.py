"""Invented values of every entity type, as customers write them, to fill templates and to vary mentions in sentences.

Numbers are drawn at random and belong to nobody; names are put together from common family and given names.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from appliance.packs.schema import Pack

_DIGITS = "零一二三四五六七八九"
_SPOKEN = str.maketrans("0123456789", "零幺二三四五六七八九")
_GIVEN = "伟 芳 秀英 敏 静 丽 强 磊 军 洋 勇 艳 杰 娟 涛 明 超 秀兰 霞 平 刚 桂英 志强 建国 建华 雪梅 子涵 雨桐 一诺 浩然 思远 欣怡 佳琪 小红 海燕".split()
_CALLED = ("先生", "女士", "小姐", "师傅", "阿姨", "老师", "大哥", "大姐")
_CITIES = "北京 上海 广州 深圳 杭州 南京 成都 重庆 武汉 西安 长沙 郑州 天津 青岛 沈阳 哈尔滨 昆明 福州 合肥 南昌 石家庄 太原 兰州 乌鲁木齐 拉萨".split()
_PROVINCES = "广东 浙江 江苏 四川 山东 河南 湖北 湖南 福建 安徽 江西 河北 云南 广西 海南 辽宁 吉林 黑龙江 新疆 西藏 内蒙古 贵州 甘肃 陕西".split()
_DISTRICTS = "朝阳区 海淀区 浦东新区 天河区 南山区 西湖区 鼓楼区 武侯区 江北区 洪山区 雁塔区 岳麓区 金水区 和平区 市南区".split()
_ROADS = "人民路 中山路 解放路 建设路 长江路 文化路 新华街 和平街 学院路 滨河路 民主街 光明路 体育路 东风大道 科技园路".split()
_ESTATES = "阳光花园 幸福小区 锦绣家园 万科城 翠湖苑 金桂园 康乐小区 时代广场 绿地中心 大学城".split()
_DATES = (
    "今天 明天 后天 昨天 前天 大后天 这周六 周末 下周一 下周三 上周五 上个月 这个月 月底 国庆 春节 元旦 中秋 五一 端午 除夕 双十一 礼拜天 星期二 "
    "下个月 过年 初一 十五号 二十号 today tomorrow yesterday sunday monday"
).split()
_TIMES = "早上 上午 中午 下午 晚上 半夜 傍晚 凌晨 现在 八点 九点半 下午三点 晚上十点 早上七点半 两点 六点一刻 中午十二点 下午五点 9点 21:30 8:00 10pm".split()
_COUNTED = "个 瓶 包 袋 盒 箱 条 双 件 把 斤 只 桶 罐 块 支 张 份 台 本".split()
_COLOURS = "红色 黑色 白色 蓝色 粉色 灰色 绿色 黄色 紫色 米白色 深蓝色 咖啡色 橙色 银色 红的 黑的 白的 粉红 天蓝色 墨绿 black white blue".split()
_SIZES = "大号 中号 小号 L码 XL XXL 42码 38码 40码 M码 500ml 1升 2L 1.5L 65寸 180码 S码 加大号 均码 250毫升 五号 七号 15寸 1.8米".split()
_MAILS = ("qq.com", "163.com", "126.com", "gmail.com", "sina.com", "outlook.com", "foxmail.com")


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choice("0123456789") for _ in range(count))


def _maybe_spoken(rng: random.Random, number: str, share: float = 0.25) -> str:
    return number.translate(_SPOKEN) if rng.random() < share else number


def _chinese(number: int) -> str:
    """A number below 1000 in Chinese."""
    if number < 10:
        return _DIGITS[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return ("" if tens == 1 else _DIGITS[tens]) + "十" + (_DIGITS[ones] if ones else "")
    hundreds, rest = divmod(number, 100)
    tail = "" if not rest else ("零" + _DIGITS[rest] if rest < 10 else _DIGITS[rest // 10] + "十" + (_DIGITS[rest % 10] if rest % 10 else ""))
    return _DIGITS[hundreds] + "百" + tail


def _number(rng: random.Random, low: int, high: int) -> str:
    number = rng.randint(low, high)
    return _chinese(number) if rng.random() < 0.5 else str(number)


def phone(rng: random.Random) -> str:
    """A mobile number, sometimes grouped or spoken."""
    number = "1" + rng.choice("3456789") + _digits(rng, 9)
    if rng.random() < 0.15:
        return f"{number[:3]}{rng.choice(' -')}{number[3:7]}{rng.choice(' -')}{number[7:]}"
    return _maybe_spoken(rng, number)


def tracking_no(rng: random.Random) -> str:
    """A waybill number of some carrier."""
    kinds = (("SF", 13), ("YT", 13), ("JT", 13), ("JD", 13), ("ZTO", 12), ("STO", 12), ("77", 13), ("43", 13), ("73", 12))
    head, count = rng.choice(kinds)
    if rng.random() < 0.3:
        head = head.lower()
    return head + (_digits(rng, count) if rng.random() < 0.85 else _digits(rng, count).translate(_SPOKEN))


def pickup_code(rng: random.Random) -> str:
    """A code of shelf, row and parcel, or of digits."""
    if rng.random() < 0.6:
        parts = str(rng.randint(1, 30)), str(rng.randint(1, 9)), _digits(rng, 4)
        spoken = rng.random() < 0.2
        return ("杠" if spoken else "-").join(p.translate(_SPOKEN) if spoken else p for p in parts)
    return _maybe_spoken(rng, _digits(rng, rng.choice((4, 6, 8))))


def order_no(rng: random.Random) -> str:
    """The number of an order or receipt."""
    return rng.choice(("", "", "DD", "NO", "E")) + rng.choice(("2026", "2025", "1100", "88")) + _digits(rng, rng.choice((4, 8, 10)))


def person(rng: random.Random, surnames: Sequence[str] = ()) -> str:
    """A name, or a family name with a title."""
    family = rng.choice(list(surnames) or list("王李张刘陈杨赵黄周吴"))
    return family + (rng.choice(_GIVEN) if rng.random() < 0.65 else rng.choice(_CALLED))


def address(rng: random.Random) -> str:
    """From a city alone to a door."""
    city = rng.choice(_CITIES + _PROVINCES)
    if rng.random() < 0.35:
        return city + rng.choice(("", "", "市" if city in _CITIES else "省"))
    found = (rng.choice(_PROVINCES) + "省" if rng.random() < 0.3 else "") + rng.choice(_CITIES) + rng.choice(("市", ""))
    found += rng.choice(_DISTRICTS) if rng.random() < 0.7 else ""
    if rng.random() < 0.7:
        found += rng.choice(_ROADS) + _number(rng, 1, 300) + "号"
    if rng.random() < 0.5:
        found += rng.choice(_ESTATES) + (f"{rng.randint(1, 20)}栋{rng.randint(1, 30)}0{rng.randint(1, 4)}" if rng.random() < 0.6 else "")
    return found


def quantity(rng: random.Random) -> str:
    """How many of something."""
    return rng.choice((*"一两三四五六十半", "几", "2", "3", "6")) + rng.choice(_COUNTED)


def weight(rng: random.Random) -> str:
    """How heavy."""
    unit = rng.choice(("公斤", "斤", "千克", "kg", "克", "KG"))
    return (_number(rng, 1, 30) if rng.random() < 0.7 else f"{rng.randint(1, 20)}.{rng.randint(1, 9)}") + unit + rng.choice(("", "", "", "半") if unit in ("斤", "公斤") else ("",))


def amount(rng: random.Random) -> str:
    """A sum of money."""
    if rng.random() < 0.3:
        return f"{rng.randint(1, 300)}.{rng.randint(1, 99)}" + rng.choice(("元", "块", "块钱"))
    return _number(rng, 1, 500) + rng.choice(("块", "元", "块钱", "块五", "块八"))


def date(rng: random.Random) -> str:
    """A day."""
    if rng.random() < 0.25:
        return f"{_number(rng, 1, 12)}月{_number(rng, 1, 28)}{rng.choice('号日')}"
    return rng.choice(_DATES)


def time(rng: random.Random) -> str:
    """A time of day."""
    if rng.random() < 0.3:
        return rng.choice(("早上", "上午", "下午", "晚上", "")) + _number(rng, 1, 12) + rng.choice(("点", "点半", "点钟", "点二十"))
    return rng.choice(_TIMES)


def ticket_no(rng: random.Random) -> str:
    """The number of somebody who waits."""
    return rng.choice("ABCDabc") + (_digits(rng, 3) if rng.random() < 0.8 else _digits(rng, 2).translate(_SPOKEN))


def email(rng: random.Random) -> str:
    """A mail address."""
    name = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(3, 8)))
    return name + rng.choice(("", _digits(rng, 2), _digits(rng, 4))) + "@" + rng.choice(_MAILS)


def tax_no(rng: random.Random) -> str:
    """The 18 characters of a company's tax number; its check character is not right."""
    letters = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    return "91" + _digits(rng, 6) + "MA" + "".join(rng.choice(letters) for _ in range(8))


def inventors(pack: Pack) -> Mapping[str, Callable[[random.Random], str]]:
    """A function for each of the pack's entity types that draws a value; listed things are drawn from its tables."""
    lexicon = pack.lexicon
    listed: dict[str, list[str]] = {}
    for entry in lexicon.gazetteer:
        listed.setdefault(entry.type, []).extend(entry.surfaces)

    def from_list(names: list[str]) -> Callable[[random.Random], str]:
        return lambda rng: rng.choice(names)

    found: dict[str, Callable[[random.Random], str]] = {
        kind: from_list(names) for kind, names in listed.items() if kind != "address"
    }
    found |= {
        "tracking_no": tracking_no, "pickup_code": pickup_code, "order_no": order_no, "phone": phone,
        "person": lambda rng: person(rng, lexicon.surnames[:120]), "address": address, "quantity": quantity,
        "weight": weight, "amount": amount, "date": date, "time": time, "ticket_no": ticket_no, "email": email,
        "tax_no": tax_no, "colour": lambda rng: rng.choice(_COLOURS), "size": lambda rng: rng.choice(_SIZES),
    }  # fmt: skip
    return {kind: draw for kind, draw in found.items() if kind in lexicon.entity_types}
