"""Settings: one table, three sources, nothing misspelt in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.errors import SettingInvalid
from appliance.settings import SETTINGS, Settings, data_dir, is_loopback, load_settings


def test_defaults_are_safe_and_in_range() -> None:
    assert load_settings(environ={}) == Settings()
    assert is_loopback(Settings().http_host)
    for setting in SETTINGS.values():
        assert setting.help
        if setting.minimum is not None:
            assert setting.minimum <= setting.default <= setting.maximum


def test_the_page_forgets_after_a_minute_and_the_process_not_long_after() -> None:
    assert Settings().page_idle_s == 60
    assert Settings().page_idle_s <= Settings().session_idle_s <= 120
    both = load_settings(environ={"APPLIANCE_PAGE_IDLE_S": "600", "APPLIANCE_SESSION_IDLE_S": "600"})
    assert (both.page_idle_s, both.session_idle_s) == (600, 600)


def test_file_then_environment_then_command_line(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("http_port: 9000\nimage_jobs: 5\nadmitted: 8\nhttp_allowed_hosts: [kiosk.local, desk]\n")
    environ = {"APPLIANCE_IMAGE_JOBS": "6", "APPLIANCE_ADMITTED": "9", "APPLIANCE_CONFIG": str(file), "HOME": "/x"}
    settings = load_settings(file, environ, {"admitted": 10})
    assert (settings.http_port, settings.image_jobs, settings.admitted) == (9000, 6, 10)
    assert settings.http_allowed_hosts == ("kiosk.local", "desk")
    assert load_settings(environ={"APPLIANCE_BACKENDS": "onnxruntime-cpu"}).backends == ("onnxruntime-cpu",)


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
        ({"APPLIANCE_ADMITTED": "200"}, "half of http_threads"),
        ({"APPLIANCE_HTTP_HOST": "0.0.0.0"}, "needs http_token"),
        ({"APPLIANCE_HTTP_TOKEN": "short"}, "at least 16"),
        ({"APPLIANCE_HTTP_TOKEN": "密" * 20}, "printable ASCII"),
        ({"APPLIANCE_HTTP_HOST": "127.example.com"}, "needs http_token"),
        ({"APPLIANCE_REQUIRED": "ocr,smell"}, "one of language"),
        ({"APPLIANCE_HTTP_TLS_KEY": "key.pem"}, "both or none"),
        ({"APPLIANCE_OCR_ORIENTATION": "sideways"}, "expected bool"),
        ({"APPLIANCE_PAGE_IDLE_S": "600"}, r"at least page_idle_s \(600\), got 120"),
        ({"APPLIANCE_SERVICE_PIN": "493817"}, "service_pin: expected the line that `appliance service pin` prints"),
        ({"APPLIANCE_SESSION_IDLE_S": "30"}, r"at least page_idle_s \(60\), got 30"),
    ],
)
def test_what_is_wrong_is_said(environ: dict[str, str], says: str) -> None:
    with pytest.raises(SettingInvalid, match=says) as caught:
        load_settings(environ=environ)
    assert "请" in caught.value.remedy


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


def test_where_data_is_kept(tmp_path: Path) -> None:
    assert data_dir(Settings(data_dir="/srv/kiosk")) == Path("/srv/kiosk")
    assert data_dir(Settings(), {"XDG_DATA_HOME": "/data"}) == Path("/data/appliance")
    assert data_dir(Settings(), {}) == Path.home() / ".local/share/appliance"


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(SettingInvalid, match="no home") as caught:
        data_dir(Settings(), {})
    assert "APPLIANCE_DATA_DIR" in caught.value.remedy


def test_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "localhost", "::1", "::ffff:127.0.0.1")))
    assert not any(
        map(is_loopback, ("0.0.0.0", "192.168.1.5", "::ffff:192.168.1.5", "::", "kiosk.local", "127.example.com", ""))
    )


def test_the_ceiling_has_to_lie_below_the_critical_temperature() -> None:
    assert load_settings(environ={"APPLIANCE_TEMPERATURE_CEILING_C": "80"}).temperature_ceiling_c == 80.0
    with pytest.raises(SettingInvalid, match="expected less than temperature_critical_c \\(95\\), got 95") as refused:
        load_settings(environ={"APPLIANCE_TEMPERATURE_CEILING_C": "95"})
    assert "APPLIANCE_TEMPERATURE_CEILING_C" in refused.value.remedy
    for wrong in ({"APPLIANCE_POWER_BUDGET_W": "0"}, {"APPLIANCE_GOVERNOR": "perhaps"}):
        with pytest.raises(SettingInvalid):
            load_settings(environ=wrong)


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
