"""Settings from three sources, nothing misspelt in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.errors import SettingInvalid
from appliance.settings import Settings, load_settings


def test_file_then_environment_then_command_line(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("http_port: 9000\nimage_jobs: 5\nadmitted: 8\nhttp_allowed_hosts: [kiosk.local, desk]\n")
    environ = {"APPLIANCE_IMAGE_JOBS": "6", "APPLIANCE_ADMITTED": "9", "APPLIANCE_CONFIG": str(file), "HOME": "/x"}
    settings = load_settings(file, environ, {"admitted": 10})
    assert (settings.http_port, settings.image_jobs, settings.admitted) == (9000, 6, 10)
    assert settings.http_allowed_hosts == ("kiosk.local", "desk")
    assert load_settings(environ={"APPLIANCE_BACKENDS": "onnxruntime-cpu"}).backends == ("onnxruntime-cpu",)


@pytest.mark.parametrize(
    "text, says",
    [
        ("[1, 2]", "expected names with values"),
        ("a: [", "expected YAML"),
        ("http_port: true", "expected int"),
        ("http_port: 80.5", "expected int"),
        ("backends: 7", "expected tuple"),
        ("image_jobs:", "expected int"),
        ("ocr_orientation: 2", "expected bool"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(SettingInvalid, match=says) as caught:
        load_settings(file, {})
    assert "settings.yaml" in caught.value.detail


def test_a_missing_file_is_named_and_an_empty_one_is_fine(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match="No such file"):
        load_settings(tmp_path / "none.yaml", {})
    (tmp_path / "empty.yaml").write_text("# nothing yet\n")
    assert load_settings(tmp_path / "empty.yaml", {}) == Settings()


BOMB = "[&a0 [x, x, x, x, x, x, x, x, x, x]" + "".join(
    f", &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 20_000, "RecursionError"),
        ("http_port: " + "9" * 10_000, "ValueError"),
        ("http_port: 2026-13-45", "ValueError"),
        (f"http_port: {BOMB}]", "got list"),
        ("http_token: [0123456789abcdef]", "got list"),
        ("http_token: '0123456789abcdef\nb: 1", "YAML"),
    ],
)
def test_what_a_stranger_may_have_written_is_refused_in_a_line_without_its_secrets(tmp_path, text, said):
    path = tmp_path / "appliance.yaml"
    path.write_text(text)
    with pytest.raises(SettingInvalid, match=said) as refused:
        load_settings(path, {})
    assert len(str(refused.value)) < 400
    assert "0123456789abcdef" not in str(refused.value)
