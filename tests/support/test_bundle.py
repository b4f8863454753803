"""Support bundles: complete where things work, honest where they do not, and without anything that was planted."""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import StorageFailed
from appliance.language.redact import redact
from appliance.records.events import EventLog
from appliance.settings import load_settings
from appliance.support import journal
from appliance.support.bundle import INDEX, MOST_BYTES, MOST_FILE, kept, made
from appliance.support.case import Case, Collector
from appliance.support.collect import COLLECTORS
from appliance.support.masked import Mask
from appliance.support.salvage import salvaged

TOKEN = "correct-horse-battery"
PLANTED = (
    TOKEN,
    "13912345678",
    "SF1392847561002",
    "ouyang",
    "欧阳明月",
    "192.168.7.12",
    "kiosk.shop.example",
    "till-17",
)


def content(bundle: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(bundle)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def index(files: dict[str, bytes]) -> dict[str, Any]:
    return {row["file"]: row for row in json.loads(files[INDEX])["files"]}


def only(*names: str) -> list[Collector]:
    return [one for one in COLLECTORS if one.file in names]


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """A machine whose service is down and in whose every corner something is planted."""
    for name in ("APPLIANCE_CONFIG", "APPLIANCE_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "appliance.yaml"
    config.write_text(
        f"data_dir: {tmp_path / 'data'}\nhttp_token: {TOKEN}\n"
        "lan_peers: [192.168.7.12]\nhttp_allowed_hosts: [kiosk.shop.example]\nhttp_port: 1\n"
    )
    log = EventLog(tmp_path / "data/records/events.sqlite", redact=redact)
    log.append("a session of ouyang", "turn", {"text": "我叫欧阳明月"})
    log.append("a session of ouyang", "ended", {})
    log.close()
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text(f"NAME=Ubuntu\nSUPPORT=ouyang@example.com {TOKEN}\n")
    entries = [
        {"MESSAGE": json.dumps({"ts": "2026-11-30T22:45:01.123Z", "message": f"{TOKEN} 13912345678"})},
        {"MESSAGE": "plain till-17 13912345678 192.168.7.12", "__REALTIME_TIMESTAMP": "1764540000000000"},
        {"MESSAGE": list(b"bytes SF1392847561002"), "__REALTIME_TIMESTAMP": "1764540000000000", "PRIORITY": "3"},
    ]
    told = {
        "journalctl": "\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries) + "\nbroken {\n",
        "systemctl": f"Id=appliance.service\nActiveState=failed\nStatusText=on till-17 with {TOKEN}\n",
    }
    monkeypatch.setattr(journal, "run", lambda command: told[command[0]])
    found = salvaged(config)
    return Case(found.settings, "", Mask(found.secrets, name=lambda: "till-17"), config, root=tmp_path, check=False)


def test_nothing_that_was_planted_is_in_it_though_the_service_is_down(case: Case) -> None:
    files = content(made(case))
    assert set(files) == {one.file for one in COLLECTORS} | {INDEX, "README.txt"}
    everything = b"\n".join(files.values()).decode()
    assert [word for word in PLANTED if word in everything] == []
    rows = index(files)
    failed = {name for name, row in rows.items() if row["problem"]}
    assert failed == {"readyz.json", "status.json", "log.json", "metrics.txt"}
    assert "unavailable" in rows["status.json"]["problem"]
    for name, row in rows.items():
        assert row["masked"]
        assert (row["bytes"], row["sha256"]) == (len(files[name]), hashlib.sha256(files[name]).hexdigest())
    events = json.loads(files["events.json"])
    assert (events["kinds"], events["sessions"], events["chain"]) == ({"ended": 1, "turn": 1}, 1, "whole")
    journal = [json.loads(line) for line in files["journal.ndjson"].splitlines()]
    assert len(journal) == 3
    assert journal[0]["ts"] == "2026-11-30T22:45:01.123Z"
    assert (journal[2]["level"], journal[1]["ts"][:2]) == ("error", "20")
    told = json.loads(files["settings.json"])
    assert {"http_token", "lan_peers", "data_dir"} <= set(told["changed"])
    models = json.loads(files["models.json"])["models"]
    assert all(len(file["sha256"]) == 64 and "*" not in file["sha256"] for m in models for file in m["files"])
    assert json.loads(files["units.json"])[0]["ActiveState"] == "failed"


def test_one_that_fails_hangs_or_is_broken_costs_its_own_file_alone(case: Case) -> None:
    def breaks(_: Case) -> bytes:
        raise KeyError("13912345678")

    def says(_: Case) -> bytes:
        raise OSError(5, "Input/output error", f"/home/ouyang/{TOKEN}")

    def hangs(_: Case) -> bytes:
        time.sleep(60)
        return b"late"

    others = [Collector(f"{one.__name__}.json", "-", one) for one in (breaks, says)]
    hung = content(made(case, [Collector("hangs.json", "-", hangs)], patience_s=0.5))
    files = content(made(case, [*others, *only("versions.json")]))
    rows = index(hung) | index(files)
    assert rows["breaks.json"]["problem"].startswith("KeyError")
    assert "Input/output error" in rows["says.json"]["problem"]
    assert rows["hangs.json"]["problem"] == "expected it within 0.5 s, got nothing"
    assert "appliance" in json.loads(files["versions.json"])
    everything = b"\n".join(files.values()).decode()
    assert [word for word in PLANTED if word in everything] == []


def test_it_is_bounded_and_keeps_the_last_lines(case: Case) -> None:
    line = b"x" * 99 + b"\n"
    large = [Collector(f"{n}.txt", "-", lambda _: line * (MOST_FILE // 100 * 2) + b"the end") for n in range(7)]
    files = content(made(case, large))
    rows = index(files)
    assert sum(row["bytes"] for row in rows.values()) <= MOST_BYTES
    assert files["0.txt"].endswith(b"the end")
    assert files["0.txt"].startswith(b"x" * 99 + b"\n")
    assert rows["0.txt"]["cut"] > MOST_FILE * 0.9


def test_it_is_written_whole_for_its_owner_alone_and_never_over_another(tmp_path: Path) -> None:
    first, second = kept(b"one", tmp_path), kept(b"two", tmp_path)
    assert (first.read_bytes(), second.read_bytes()) == (b"one", b"two")
    assert first.stat().st_mode & 0o777 == 0o600
    assert len(list(tmp_path.iterdir())) == 2
    (tmp_path / "file").touch()
    with pytest.raises(StorageFailed):
        kept(b"three", tmp_path / "file")


def test_settings_that_are_not_valid_are_no_reason_to_fail(tmp_path: Path) -> None:
    config = tmp_path / "appliance.yaml"
    config.write_text(f"http_port: {TOKEN}\nhttp_token: '{TOKEN}'\ndata_dir: {tmp_path / 'data'}\n")
    found = salvaged(config)
    assert found.problem.startswith("http_port")
    assert TOKEN not in found.problem
    assert found.secrets == (TOKEN,)
    assert found.settings.data_dir == str(tmp_path / "data")
    assert salvaged(tmp_path / "nowhere.yaml").problem
    config.write_text(f"http_token: [{TOKEN}\n")
    assert TOKEN not in salvaged(config).problem


def test_the_defaults_are_told_without_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_DATA_DIR", "/nowhere")
    assert salvaged(None).settings == load_settings(None)
