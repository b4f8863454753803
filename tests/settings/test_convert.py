"""One value at a time: its type, its range, its choices, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.errors import SettingInvalid
from appliance.settings import load_settings


@pytest.mark.parametrize("off", ["false", "No", " off ", "0"])
def test_a_switch_is_turned_off_in_any_of_the_usual_words(tmp_path: Path, off: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(f"ocr_orientation: {off}\n")
    assert load_settings(environ={}).ocr_orientation
    assert not load_settings(file, {}).ocr_orientation
    assert not load_settings(environ={"APPLIANCE_OCR_ORIENTATION": off}).ocr_orientation
    assert load_settings(file, {"APPLIANCE_OCR_ORIENTATION": "yes"}).ocr_orientation


@pytest.mark.parametrize(
    "environ, says",
    [
        ({"APPLIANCE_HTTP_PROT": "1"}, "no such setting"),
        ({"APPLIANCE_HTTP_PORT": "eighty"}, "expected int"),
        ({"APPLIANCE_HTTP_PORT": "70000"}, "0 to 65535"),
        ({"APPLIANCE_DEADLINE_S": "nan"}, "expected"),
        ({"APPLIANCE_LOG_LEVEL": "loud"}, "one of debug"),
        ({"APPLIANCE_BACKENDS": "quantum"}, "one of tensorrt, onnxruntime-cuda"),
        ({"APPLIANCE_REQUIRED": "ocr,smell"}, "one of language"),
        ({"APPLIANCE_OCR_ORIENTATION": "sideways"}, "expected bool"),
    ],
)
def test_what_is_wrong_is_said(environ: dict[str, str], says: str) -> None:
    with pytest.raises(SettingInvalid, match=says) as caught:
        load_settings(environ=environ)
    assert "请" in caught.value.remedy
