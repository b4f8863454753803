"""Answers as JSON: joules are there where power is measured, and never 0 for what is not known."""

from __future__ import annotations

from dataclasses import replace

from promised import valid

from appliance.channels.http.reply import json_response, ocr_json, reply_json, transcript_json
from appliance.values import Answer, Intent, Joules, OcrResult, Parse, Reply, Transcript, Turn

SPENT = Joules(2.34567, {"detect": 2.3, "other": None}, True, "VDD_IN")
SHORT = Joules(None, {"understand": None}, False, "package-0")
REPLY = Reply("s" * 24, Turn("你好"), Parse(Intent("greet", 0.9)), Answer("您好"), {"total": 1.0})


def test_joules_are_written_as_promised() -> None:
    body = reply_json(replace(REPLY, joules=SPENT))
    valid("Reply", body)
    assert body["joules"] == {
        "total": 2.346,
        "stages": {"detect": 2.3, "other": None},
        "net": True,
        "source": "VDD_IN",
    }
    body = reply_json(replace(REPLY, joules=SHORT))
    valid("Reply", body)
    assert body["joules"]["total"] is None
    json_response(body)


def test_images_and_recordings_have_them_too() -> None:
    read = ocr_json(OcrResult((), 4, 4, "tesseract", {"recognise": 1.0}, joules=SPENT))
    valid("OcrResult", read)
    assert read["joules"]["total"] == 2.346
    heard = transcript_json(Transcript("", 0.0, "zh", joules=SPENT))
    valid("Transcript", heard)
    assert heard["joules"]["source"] == "VDD_IN"


def test_a_machine_that_measures_nothing_says_nothing() -> None:
    assert "joules" not in reply_json(REPLY)
    assert "joules" not in ocr_json(OcrResult((), 4, 4, "tesseract"))
    assert "joules" not in transcript_json(Transcript("", 0.0, "zh"))
