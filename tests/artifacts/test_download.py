"""Downloads over a real socket: resumed, cut off, wrong, refused."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

import appliance.artifacts.download as module
from appliance.artifacts.download import Downloads
from appliance.artifacts.sources import Unusable
from tests.artifacts.conftest import BRAIN, Site, digest

LABEL = ("tiny", "brain.onnx")


def get(site: Site, part: Path, path: str = "/b", content: bytes = BRAIN, downloads: Downloads | None = None) -> None:
    (downloads or Downloads()).fetch(site.address + path, len(content), digest(content), part, LABEL)


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "x.part"


def test_whole_with_progress(site: Site, part: Path) -> None:
    site.files["/b"] = BRAIN
    events: list[dict[str, object]] = []
    get(site, part, downloads=Downloads(lambda event, /, **fields: events.append(fields | {"event": event})))
    assert part.read_bytes() == BRAIN
    assert site.requests == [("/b", "")]
    assert events[-1] == {
        "event": "models.bytes",
        "model": "tiny",
        "file": "brain.onnx",
        "stage": "download",
        "done": len(BRAIN),
        "total": len(BRAIN),
    }


def test_goes_on_from_what_is_there(site: Site, part: Path) -> None:
    site.files["/b"] = BRAIN
    part.write_bytes(BRAIN[:100_000])
    get(site, part)
    assert part.read_bytes() == BRAIN
    assert site.requests == [("/b", "bytes=100000-")]


def test_connection_cut_twice(site: Site, part: Path) -> None:
    site.files["/b"] = BRAIN
    site.cuts = [70_000, 70_000]
    get(site, part)
    assert part.read_bytes() == BRAIN
    assert len(site.requests) == 3
    assert [wanted for _, wanted in site.requests][0] == ""
    assert all(wanted.startswith("bytes=") for _, wanted in site.requests[1:])


def test_always_cut_at_once(site: Site, part: Path) -> None:
    site.files["/b"] = BRAIN
    site.cuts = [0] * 50
    with pytest.raises(Unusable):
        get(site, part)
    assert len(site.requests) == module.ATTEMPTS


def test_server_without_ranges(site: Site, part: Path) -> None:
    site.files["/b"], site.ranges = BRAIN, False
    part.write_bytes(b"x" * 1000)
    get(site, part)
    assert part.read_bytes() == BRAIN


def test_part_of_another_file_is_begun_again(site: Site, part: Path) -> None:
    site.files["/b"] = BRAIN
    part.write_bytes(b"x" * 1000)
    get(site, part)
    assert part.read_bytes() == BRAIN
    assert [wanted for _, wanted in site.requests] == ["bytes=1000-", ""]


def test_part_longer_than_the_file(site: Site, part: Path) -> None:
    site.files["/b"] = BRAIN
    part.write_bytes(BRAIN + b"more")
    get(site, part)
    assert part.read_bytes() == BRAIN


def test_wrong_bytes_leave_nothing(site: Site, part: Path) -> None:
    site.files["/b"] = bytes(len(BRAIN))
    with pytest.raises(
        Unusable, match=f"expected sha256 {digest(BRAIN)[:16]}..., got {digest(bytes(len(BRAIN)))[:16]}"
    ):
        get(site, part)
    assert not part.exists()
    part.write_bytes(BRAIN[:5])
    with pytest.raises(Unusable, match="expected sha256"):
        get(site, part)
    assert not part.exists()


@pytest.mark.parametrize("content", [BRAIN + b"x", BRAIN[:-1]])
def test_wrong_size_is_refused_before_it_is_fetched(site: Site, part: Path, content: bytes) -> None:
    site.files["/b"] = content
    with pytest.raises(Unusable, match=f"expected {len(BRAIN)} bytes, got {len(content)}"):
        get(site, part)
    assert not part.exists()


def test_endless_answer_is_stopped(site: Site, part: Path) -> None:
    site.files["/b"], site.understate = BRAIN * 3, 1
    with pytest.raises(Unusable, match="got more"):
        get(site, part)
    assert part.stat().st_size <= len(BRAIN)


def test_shorter_on_the_server_than_here(site: Site, part: Path) -> None:
    site.files["/b"] = BRAIN[:1000]
    part.write_bytes(BRAIN[:2000])
    with pytest.raises(Unusable, match=f"expected {len(BRAIN)} bytes, got 1000"):
        get(site, part)


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_refusals_name_the_status(site: Site, part: Path, status: int) -> None:
    site.status = status
    with pytest.raises(Unusable, match=f"HTTP {status}"):
        get(site, part)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_dead_host_is_asked_once(part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    address, downloads = f"http://127.0.0.1:{closed_port()}", Downloads()
    asked: list[str] = []
    real = Downloads._open

    def counted(self: Downloads, url: str, host: str, had: int) -> object:
        asked.append(url)
        return real(self, url, host, had)

    monkeypatch.setattr(Downloads, "_open", counted)
    for path in ("/a", "/b"):
        with pytest.raises(Unusable, match="refused"):
            downloads.fetch(address + path, 1, digest(b"x"), part, LABEL)
    assert asked == [address + "/a"]


def test_unknown_host(part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(Unusable, match="cannot resolve the host name"):
        Downloads().fetch("https://nowhere.invalid/x", 1, digest(b"x"), part, LABEL)


def test_silent_host(part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(module, "READ_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"http://127.0.0.1:{mute.getsockname()[1]}/x"
        with pytest.raises(Unusable, match="no answer in time"):
            Downloads().fetch(address, 1, digest(b"x"), part, LABEL)


def test_name_lookup_that_hangs(part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(module, "ANSWER_S", 0.1)

    def hang(*_: object, **__: object) -> list[object]:
        released.wait(30)
        raise socket.gaierror(-2, "late")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    downloads = Downloads()
    for _ in range(2):
        with pytest.raises(Unusable, match="slow.invalid: no answer within"):
            downloads.fetch("https://slow.invalid/x", 1, digest(b"x"), part, LABEL)
    released.set()
