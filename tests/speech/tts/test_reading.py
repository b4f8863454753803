"""What is said of a text: a table of sentences as answers have them, and of what a voice is given for them."""

from __future__ import annotations

import pytest
import yaml

from appliance.speech.tts.clean import cleaned
from appliance.speech.tts.reading import Run, pieces, plainly, spoken

CHINESE = """
- ['请拨打 138-1234-5678 联系我们。', '请拨打幺三八，幺二三四，五六七八联系我们。']
- ['客服热线 400-820-1234，或 010-62345678。', '客服热线四零零，八二零，幺二三四，或零幺零，六二三四，五六七八。']
- ['电话：(010)6234 5678转12', '电话：零幺零，六二三四，五六七八转幺二。']
- ['客服电话是12345', '客服电话是幺二三四五。']
- ['+86 138 1234 5678', '加八六，幺三八，幺二三四，五六七八。']
- ['您的电话号码是 13800138000，对吗？', '您的电话号码是幺三八，零零幺三，八零零零，对吗？']
- ['138****5678', '幺三八，星号，五六七八。']
- ['0571-88888888，400电话', '零五七幺，八八八八，八八八八，四零零电话。']
- ['您的单号是 SF1234567890123，请核对。', '您的单号是 S.F 幺二三四，五六七八，九零幺二三，请核对。']
- ['快递JDVA00123456789已到', '快递 J.D.V.A 零零幺二，三四五六，七八九已到。']
- ['订单号：20261129001', '订单号：二零二六，幺幺二九，零零幺。']
- ['请取件码 8-3-2071', '请取件码八杠三杠二零七幺。']
- ['验证码：482910', '验证码：四八二九，幺零。']
- ['尾号 5678', '尾号五六七八。']
- ['您的取餐号是 B086', '您的取餐号是 B 零八六。']
- ['请到3号窗口，A012号', '请到三号窗口， A 零幺二号。']
- ['请连接WiFi，密码 abc12345', '请连接 WiFi, 密码 A.B.C 幺二三四五。']
- ['订单100个，1kg糖', '订单一百个，一公斤糖。']
- ['一共¥128.50，谢谢！', '一共一百二十八元五角，谢谢！']
- ['3.5元一斤，共12.08元', '三元五角一斤，共十二元零八分。']
- ['200块，2元，0.5元', '二百块，两元，五角。']
- ['$12.5 和 €3', '十二点五美元和三欧元。']
- ['¥1.2万', '一点二万元。']
- ['5-10元，¥5-¥10', '五到十元，五元到十元。']
- ['10元/件，12.8元/kg', '十元每件，十二元八角每公斤。']
- ['¥128.5起，￥1,299.00，¥0.01，¥0', '一百二十八元五角起，一千二百九十九元，一分，零元。']
- ['5kg-10kg，¥3.5/斤', '五公斤到十公斤，三元五角每斤。']
- ['2026-11-29 18:30 截止', '二零二六年十一月二十九号晚上六点半截止。']
- ['2026年11月29日（周日）', '二零二六年十一月二十九日，周日。']
- ['2026/1/2', '二零二六年一月二号。']
- ['2025-2026年', '二零二五到二零二六年。']
- ['2023年，1990年到2000年', '二零二三年，一九九零年到二零零零年。']
- ['26年1月3日，90后', '二六年一月三日，九零后。']
- ['11月1-3日', '十一月一到三日。']
- ['2026-13-45', '二千零二十六到十三到四十五。']
- ['营业时间 9:00-21:00', '营业时间上午九点到晚上九点。']
- ['上午9:00~11:30', '上午九点到十一点半。']
- ['每天 08:00 到 22:00', '每天早上八点到晚上十点。']
- ['下午 3:30 开会', '下午三点半开会。']
- ['晚上24:00', '晚上十二点。']
- ['8:00-12:00,13:30-18:00', '早上八点到中午十二点，下午一点半到晚上六点。']
- ['第1-3名，10:30:15，6:00 AM 开门', '第一到三名，上午十点三十分十五秒，早上六点开门。']
- ['7:05 am, 3pm', '早上七点零五分，下午三点。']
- ['重量 2.5kg，体积 30×40×50cm', '重量二点五公斤，体积三十乘四十乘五十厘米。']
- ['2kg, 500g, 1.5L, 250ml', '两公斤，五百克，一点五升，二百五十毫升。']
- ['30km/h，220V，100W', '三十公里每小时，二百二十伏，一百瓦。']
- ['打8.5折，优惠20%', '打八五折，优惠百分之二十。']
- ['10%-20%', '百分之十到百分之二十。']
- ['约30%，-12.5%', '约百分之三十，负百分之十二点五。']
- ['今天气温 -5℃ 到 3℃，明天20~25°C', '今天气温零下五摄氏度到三摄氏度，明天二十到二十五摄氏度。']
- ['体温36.5°C', '体温三十六点五摄氏度。']
- ['3-5个工作日，2-3天', '三到五个工作日，二到三天。']
- ['第2个，2个，12个，2月2日，2楼', '第二个，两个，十二个，二月二日，二楼。']
- ['2两，2斤，2个半，2点', '二两，两斤，两个半，两点。']
- ['2年级，2年，第2年', '二年级，两年，第二年。']
- ['2万人，2亿', '两万人，两亿。']
- ['1,200元 和 12,345,678', '一千二百元和一千二百三十四万五千六百七十八。']
- ['305室，1203房，101路公交', '三零五室，幺二零三房，幺零幺路公交。']
- ['2.0.1版本，IP 192.168.1.1', '二点零点一版本， I.P 一九二点一六八点一点一。']
- ['1/2 杯，11/11 活动', '二分之一杯，十一月十一号活动。']
- ['3+2=5，10-3=7', '三加二等于五，十减三等于七。']
- ['温度≥30，100+ 种', '温度大于等于三十，一百多种。']
- ['0.5，-3', '零点五，负三。']
- ['3次/天', '三次每天。']
- ['满100减20，买2送1', '满一百减二十，买二送一。']
- ['iPhone 15 Pro 的 USB3.0', 'iPhone 十五 Pro 的 U.S.B 三点零。']
- ['请用 VIP 卡或 ATM 取款', '请用 V.I.P 卡或 A.T.M 取款。']
- ['5G网络，4K，A4纸', '五 G 网络，四 K, A 四纸。']
- ['HUAWEI 手机，OK', 'Huawei 手机， O.K.']
- ['https://www.example.com/a/b?x=1 查看', 'W.W.W 点 example 点 com 斜杠 a 斜杠 b 查看。']
- ['邮箱 info@shop-01.com.cn。', '邮箱 info 艾特 shop 杠零幺点 com 点 C.N.']
- ['Please wait a moment.', 'Please wait a moment.']
- ['请稍等。Please wait.', '请稍等。 Please wait.']
- ['**注意**：请带好 `身份证` 😀！', '注意：请带好身份证！']
- ['[点这里](https://a.com)看', '点这里看。']
- ['1. 退货 2. 换货', '一，退货，二，换货。']
- ['→ 右转', '右转。']
- ['A/B 两种，支付宝/微信', 'A, B 两种，支付宝、微信。']
- ['“好的”，《说明书》（见背面）', '好的，说明书，见背面。']
- ['谢谢……再见——', '谢谢，再见。']
- ['<b>粗体</b>和<br>换行', '粗体，和，换行。']
- ['您好！2 个包裹已到；请取。', '您好！两个包裹已到。请取。']
- ['😀🎉', '']
"""

ENGLISH = """
- ['The price is ¥128.50, open 9:00-21:00.', 'The price is 128.50 yuan, open 9 A.M to 9 P.M.']
- ['Call 400-820-1234 or 13812345678.', 'Call 4 0 0, 8 2 0, 1 2 3 4 or 1 3 8, 1 2 3 4, 5 6 7 8.']
- ['Your ticket A012, 2026-11-29 at 18:30, 2.5 kg.',
   'Your ticket A 0 1 2, November 29, 2026 at 6 30 P.M, 2.5 kilograms.']
- ['Within 7 days, yes.', 'Within 7 days, yes.']
- ['It costs 12 yuan/kg, -5°C, 20%.', 'It costs 12 yuan per kilogram, minus 5 degrees Celsius, 20 percent.']
- ['请到 window 3, 谢谢', '请到 window 3, 谢谢。']
- ['See www.example.com/help or mail a@b.com.', 'See W.W.W dot example dot com slash help or mail a at b dot com.']
- ['5 pm every day, 8:05 am', '5 P.M every day, 8 oh 5 A.M.']
- ['Your order 20261129001 is ready.', 'Your order 2 0 2 6, 1 1 2 9, 0 0 1 is ready.']
- ['$1, €2.50 & £3', '1 dollar, 2.50 euros and 3 pounds.']
"""


@pytest.mark.parametrize(("text", "said"), yaml.safe_load(CHINESE))
def test_chinese(text: str, said: str) -> None:
    assert plainly(spoken(text)) == said


@pytest.mark.parametrize(("text", "said"), yaml.safe_load(ENGLISH))
def test_english(text: str, said: str) -> None:
    assert plainly(spoken(text, "en")) == said


@pytest.mark.parametrize(("text", "said"), yaml.safe_load(CHINESE))
def test_what_was_read_stays_as_it_is(text: str, said: str) -> None:
    """No figure is left in Chinese words, and reading them again changes nothing."""
    for run in spoken(said):
        if run.language == "zh":
            assert not any(c.isascii() and c.isalnum() for c in run.text)
            assert plainly(spoken(run.text)).rstrip("。，：") == run.text.rstrip("。，：")


def test_scripts_are_apart() -> None:
    assert spoken("请扫 QR code，谢谢") == (
        Run("请扫", "zh"),
        Run("Q.R code,", "en"),
        Run("谢谢。", "zh"),
    )
    assert spoken("请稍等。Please wait for 2 minutes.") == (
        Run("请稍等。", "zh"),
        Run("Please wait for 2 minutes.", "en"),
    )


def test_one_in_a_telephone_number() -> None:
    assert (
        plainly(spoken("电话 13811112222，2011年", telephone=False)) == "电话一三八，一一一一，二二二二，二零一一年。"
    )
    assert "幺三八" in plainly(spoken("电话 13811112222"))


def test_nothing_to_say() -> None:
    for text in ("", " \n ", "😀🎉", "……", "——", "***", "---", "(){}[]", "\x00\x1b\u200d\ufe0f"):
        assert spoken(text) == (), text
        assert pieces(text) == ()


def test_pieces_are_sentences() -> None:
    text = "您好！价格是 3.50 元，见 www.a.com/b?x=1。要袋子吗？\n好的\n\nYes. No."
    assert pieces(text) == ("您好!", "价格是 3.50 元, 见 www.a.com/b?x=1。", "要袋子吗?", "好的", "Yes.", "No.")


def test_a_text_without_full_stops_is_cut_at_its_commas() -> None:
    parts = pieces("一句很长很长的话，" * 40)
    assert len(parts) > 2
    assert all(len(part) <= 120 for part in parts)
    assert "".join(parts).count("一句") == 40


def test_a_table_and_a_list_in_markdown() -> None:
    text = "## 价目\n\n| 商品 | 价格 |\n|---|---|\n| 苹果 | ¥5 |\n\n* 第一\n* 第二\n\n```\ncode\n```\n~~旧~~ __新__"
    assert plainly(spoken(text)) == "价目。商品，价格。苹果，五元。第一。第二。 code. 旧新。"


def test_cleaned_brings_characters_to_one_form() -> None:
    assert cleaned("ＡＢＣ１２３，℃ ① ㎏") == "ABC123, °C 1 kg"


@pytest.mark.parametrize(
    "text", ["9" * 400, "1." * 300, "-" * 500, "¥" * 200, "1-" * 200, "a@" * 200, "(" * 500, "１，" * 300]
)
def test_hostile_texts_end(text: str) -> None:
    spoken(text)
    spoken(text, "en")


def test_hostile_texts_take_no_time_to_speak_of_and_raise_nothing() -> None:
    for text in (
        " " * 2000 + "x",
        "\n" * 2000 + "- x",
        "|" + "-" * 1998 + "x",
        "余额99999999999999999元",
        "¥99999999999999999999",
        "RMB 99999999999999999",
    ):
        assert isinstance(spoken(text, "zh"), tuple)


def test_an_amount_below_nothing_keeps_its_unit() -> None:
    assert "元" in "".join(run.text for run in spoken("¥-5", "zh"))
