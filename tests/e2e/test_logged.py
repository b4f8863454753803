"""A whole conversation at the loudest level: typed, shown, spoken, malformed, refused. No line holds a word of it."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from appliance.artifacts.manifest import shipped_root
from appliance.request import HEADER
from appliance.speech.encode import wav
from appliance.values import Audio
from tests.e2e.conftest import Running, copy_models, serving

pytestmark = pytest.mark.models

SAID = (
    "你好，我叫欧阳明月，电话13912345678",
    "帮我寄快递到北京市海淀区中关村大街27号1101室，收件人赵铁柱",
    "我的邮箱是 mingyue.ouyang@example.com",
    "查一下 SF1392847561002 到哪了",
)
PRIVATE = (
    *(
        "欧阳明月",
        "13912345678",
        "139****5678",
        "中关村",
        "1101室",
        "赵铁柱",
        "mingyue",
        "SF1392847561002",
        "1392847561002",
    ),
    *("李明月", "13800138000", "文三路", "东部软件园", "王建国", "DD20261122000381"),
    *("EXIFNAME", "ZZSESSION", "QQFIELD", "WWTYPE", "UUPATH"),
)
"""What customers say, what the photographed waybill says, and what malformed requests carry."""


def waybill() -> bytes:
    return next((shipped_root() / "pp-ocrv6-small" / "cases").glob("waybill*.png")).read_bytes()


def photo_with_a_name() -> bytes:
    """A TIFF and JPEG reader logs every tag that it parses."""
    image = Image.new("RGB", (64, 48), "white")
    tags = Image.Exif()
    tags[0x010E] = "EXIFNAME ouyang"
    out = io.BytesIO()
    image.save(out, "JPEG", exif=tags)
    return out.getvalue()


def converse(running: Running) -> None:
    session = None
    for text in SAID:
        status, _, answer = running.ask("/v1/turns", {"text": text, **({"session": session} if session else {})})
        assert status == 200
        session = answer["session"]
    assert running.ask("/v1/turns", waybill(), "image/png")[0] == 200
    assert running.ask("/v1/ocr", waybill(), "image/png")[0] == 200
    running.ask("/v1/turns", photo_with_a_name(), "image/jpeg")
    noise = np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)
    running.ask("/v1/turns", wav(Audio(noise, 16_000)), "audio/wav")
    running.ask("/v1/suggestions", {"text": "欧阳明月"})
    wrong: tuple[tuple[str, Any, str], ...] = (
        ("/v1/turns", b'{"text": "13912345678', "application/json"),
        ("/v1/turns", {"text": "欧阳明月", "QQFIELD": 1}, "application/json"),
        ("/v1/turns", {"text": "欧阳明月", "session": "ZZSESSION 13912345678"}, "application/json"),
        ("/v1/turns", {"text": "欧阳明月" * 200}, "application/json"),
        ("/v1/turns", {"text": "a", "entities": [{"type": "phone", "value": "13912345678" * 60}]}, "application/json"),
        ("/v1/turns", "欧阳明月".encode("gbk"), "application/json"),
        ("/v1/turns", "欧阳明月".encode(), "text/WWTYPE"),
        ("/v1/turns", "欧阳明月".encode(), "image/png"),
        ("/v1/turns", "欧阳明月".encode(), "audio/wav"),
        ("/v1/UUPATH/13912345678", None, ""),
        ("/v1/sessions/ZZSESSION-13912345678", None, "DELETE"),
        ("/v1/turns?session=ZZSESSION&language=13912345678", {"text": "欧阳明月"}, "application/json"),
    )
    for path, body, kind in wrong:
        method = "DELETE" if kind == "DELETE" else None
        status, head, problem = running.ask(path, body, kind, method=method)
        assert 400 <= status < 500, path
        assert problem["request_id"] == head[HEADER]


def test_a_conversation_leaves_none_of_its_words_in_the_log(tmp_path: Path) -> None:
    copy_models(tmp_path / "data")
    log = tmp_path / "log"
    with serving(tmp_path / "data", log, APPLIANCE_LOG_LEVEL="debug", APPLIANCE_LOG_FORMAT="json") as running:
        converse(running)
        kept = unspoken(running, log)
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert sum("request_id" in line for line in lines) >= len(SAID)
    assert sum("request_id" in line for line in kept) >= len(SAID)


def test_nor_when_it_is_made_louder_while_it_serves_and_writes_text(tmp_path: Path) -> None:
    copy_models(tmp_path / "data")
    log = tmp_path / "log"
    with serving(tmp_path / "data", log, APPLIANCE_LOG_FORMAT="text") as running:
        running.ask("/v1/turns", {"text": "你好"})
        assert "POST /v1/turns 200" not in log.read_text("utf-8")
        assert running.ask("/v1/log", {"level": "debug", "minutes": 5}, method="PUT")[0] == 200
        converse(running)
        unspoken(running, log)


def unspoken(running: Running, log: Path) -> list[dict[str, Any]]:
    """See that every turn is in the log and none of its words; returns the lines that the process remembers."""
    until = time.monotonic() + 10
    while (written := log.read_text("utf-8")).count("POST /v1/turns 200") < len(SAID) and time.monotonic() < until:
        time.sleep(0.05)
    assert written.count("POST /v1/turns 200") >= len(SAID)
    kept: list[dict[str, Any]] = running.ask("/v1/log")[2]["lines"]
    assert [word for word in PRIVATE if word in written] == []
    assert [word for word in PRIVATE if word in json.dumps(kept, ensure_ascii=False)] == []
    return kept
