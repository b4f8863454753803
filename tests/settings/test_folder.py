"""Where models and records are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.errors import SettingInvalid
from appliance.settings import Settings, data_dir


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
