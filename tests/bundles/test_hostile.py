"""Hostile and damaged bundles: each is refused with a reason of its own, and nothing of it stays."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.bundles.choose import settled
from appliance.bundles.contents import MANIFEST, SIGNATURES
from appliance.bundles.install import check
from appliance.bundles.state import installed, read_state
from appliance.bundles.tape import BLOCK, END, header
from appliance.errors import BundleRefused, BundleUntrusted
from tests.bundles.conftest import NOW, Board, Desk, member

Make = Callable[[Desk], bytes]


def forged(path: str, kind: bytes = b"0", size: int = 0, target: bytes = b"") -> bytes:
    """A header as tar writes it for something that no bundle has."""
    info = tarfile.TarInfo(path)
    info.type, info.size, info.linkname = kind, size, target.decode()
    return info.tobuf(tarfile.USTAR_FORMAT)


def instead(block: bytes) -> Make:
    """A signed bundle in which this block stands where its first file should begin."""

    def made(desk: Desk) -> bytes:
        return desk.heads(desk.manifest(2)) + block + bytes(4 * BLOCK)

    return made


def listing(**changed: object) -> Make:
    """A bundle with a good signature over a manifest with these changes, or of a file with this path."""

    def made(desk: Desk) -> bytes:
        rows = json.loads(desk.manifest(2))
        if "path" in changed:
            rows["files"][0]["path"] = changed["path"]
            rows["files"].sort(key=lambda row: row["path"])
        else:
            rows |= changed
        return desk.heads(json.dumps(rows).encode()) + END

    return made


def raw(content: bytes) -> Make:
    return lambda desk: desk.heads(content) + END


def truncated(at: int) -> Make:
    return lambda desk: desk.bundle(2)[:at]


def changed(old: bytes, new: bytes) -> Make:
    def made(desk: Desk) -> bytes:
        content = desk.bundle(2)
        assert content.count(old) == 1
        return content.replace(old, new)

    return made


def unsigned(desk: Desk) -> bytes:
    return member(MANIFEST, desk.manifest(2)) + member(SIGNATURES, b'{"signatures": []}') + END


def signed_for_another(desk: Desk) -> bytes:
    """Good signature of the right key, of another manifest."""
    other = desk.heads(desk.manifest(3))
    manifest = desk.manifest(2)
    return member(MANIFEST, manifest) + other[len(member(MANIFEST, desk.manifest(3))) :] + END


def signed_without_domain(desk: Desk) -> bytes:
    """A signature over the bare manifest, as some other tool of the same key might give it."""
    import base64

    from appliance.bundles.keys import key_id, raw_public

    manifest = desk.manifest(2)
    row = {"key": key_id(raw_public(desk.key)), "ed25519": base64.b64encode(desk.key.sign(manifest)).decode()}
    return member(MANIFEST, manifest) + member(SIGNATURES, json.dumps({"signatures": [row]}).encode()) + END


def huge_manifest(_desk: Desk) -> bytes:
    return header(MANIFEST, 8**11 - 1) + bytes(BLOCK)


FILE = header("pack/faq.csv", 2100)
HOSTILE: dict[str, tuple[Make, str]] = {
    "empty": (lambda _: b"", "expected manifest.json, got the end of the file: it is cut short"),
    "not a bundle": (lambda _: b"hello world" * 100, "got something that is no tar header"),
    "compressed": (lambda desk: gzip.compress(desk.bundle(2)), "something compressed (gzip); a bundle never is"),
    "zip": (lambda _: b"PK\3\4" + bytes(BLOCK), "something compressed (zip)"),
    "manifest bomb": (huge_manifest, "manifest.json: expected at most 4194304 bytes, got 8589934591"),
    "cut in the manifest": (truncated(700), "manifest.json: expected"),
    "cut in a file": (truncated(5000), "cut short"),
    "cut before the end": (lambda desk: desk.bundle(2)[:-BLOCK], "expected its end, got the end of the file"),
    "more behind the end": (lambda desk: desk.bundle(2) + b"x", "expected nothing behind its end, got more bytes"),
    "flipped bit in a file": (changed(b"title: 2\n", b"title: 3\n"), "pack/pack.yaml: expected sha256"),
    "padding": (
        lambda desk: desk.bundle(2).replace(b"title: 2\n" + b"\0", b"title: 2\nx"),
        "pack/pack.yaml: expected zeros behind it, got other bytes",
    ),
    "flipped bit in the manifest": (changed(b'"Menu 2"', b'"Menu 3"'), "expected that of this manifest, got another"),
    "path that leads out": (instead(forged("../../etc/passwd")), "a path that leads out of its folder: '../../etc/pas"),
    "absolute path": (instead(forged("/etc/cron.d/x")), "a path that leads out of its folder: '/etc/cron.d/x'"),
    "symbolic link": (instead(forged("pack", b"2", target=b"/etc")), "a symbolic link 'pack'; only plain files are"),
    "hard link": (instead(forged("pack/x", b"1", target=b"/etc/shadow")), "a hard link 'pack/x'; only plain files"),
    "device": (instead(forged("pack/x", b"4")), "a block device 'pack/x'"),
    "named pipe": (instead(forged("pack/x", b"6")), "a named pipe 'pack/x'"),
    "folder": (instead(forged("pack", b"5")), "a folder 'pack/'"),
    "extended header": (instead(forged("x", b"x", size=1 << 30)), "an extended header (pax) 'x'"),
    "sparse file": (instead(forged("x", b"S", size=1 << 30)), "a sparse file 'x'"),
    "file that is not in the manifest": (instead(header("pack/extra", 3)), "got the file 'pack/extra' of 3 bytes"),
    "file that is larger than declared": (
        instead(header("pack/faq.csv", 8**11 - 1)),
        "got the file 'pack/faq.csv' of 85",
    ),
    "set-uid file": (
        instead(forged("pack/faq.csv", size=2100).replace(b"0000644", b"0004755")),
        "a header with a wrong checksum",
    ),
    "file of another owner": (
        lambda desk: desk.heads(desk.manifest(2)) + _owned("pack/faq.csv", 2100) + bytes(BLOCK),
        "with mode, owner, time or extensions of its own",
    ),
    "missing file": (lambda desk: desk.heads(desk.manifest(2)) + END, "got the end of the archive"),
    "manifest names a path that leads out": (listing(path="pack/../../x"), "a relative path inside the bundle, got"),
    "manifest names a hidden file": (listing(path="pack/.bashrc"), "a relative path inside the bundle, got"),
    "manifest names a file elsewhere": (
        listing(path="records/x"),
        "or files in pack/, models/ and cases/, got 'records",
    ),
    "manifest names what is made here": (
        listing(path="models/a/0/derived/x.onnx"),
        "expected models/NAME/..., without `derived`",
    ),
    "manifest names a file twice": (listing(path="pack/pack.yaml"), "expected every path once, got 'pack/pack.yaml'"),
    "manifest names a file and a folder": (
        listing(path="pack/pack.yaml/x"),
        "expected a file or a folder, got both called 'pack/pack.yaml'",
    ),
    "manifest with a negative size": (
        listing(files=[{"path": "pack/a", "size": -1, "sha256": "0" * 64}]),
        "size: expected a whole number from 0",
    ),
    "manifest with a key of a later format": (listing(format=2), "format: expected 1, as this version"),
    "manifest with an unknown key": (listing(script="rm"), "script: expected one of"),
    "manifest with a key twice": (raw(b'{"format": 1, "format": 1}'), "a key stands twice"),
    "manifest of nested lists": (raw(b"[" * 100_000), "manifest.json: expected JSON"),
    "manifest with too many files": (
        listing(files=[{"path": "a", "size": 0, "sha256": ""}] * 20_001),
        "files: expected a list of at most 20000 entries",
    ),
    "without a signature": (unsigned, "expected one by a key that is trusted here"),
    "signed by a stranger": (lambda desk: desk.bundle(2, desk.other), "(not trusted here)"),
    "signature of another bundle": (signed_for_another, "expected that of this manifest, got another"),
    "signature of something else": (signed_without_domain, "expected that of this manifest, got another"),
}


def _owned(path: str, size: int) -> bytes:
    info = tarfile.TarInfo(path)
    info.size, info.uid, info.uname = size, 0, "root"
    return info.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_with_its_reason_and_nothing_of_it_stays(board: Board, name: str) -> None:
    board.serve(board.desk.bundle(1))
    before = sorted(path for path in board.root.rglob("*") if path.name != "incoming" and path.name != ".lock")
    make, reason = HOSTILE[name]
    content = make(board.desk)
    with pytest.raises(BundleRefused) as caught:
        board.install(content, again=True)
    assert reason in caught.value.detail
    with pytest.raises(BundleRefused) as told:
        check(board.root, io.BytesIO(content), NOW)
    assert told.value.detail == caught.value.detail
    assert sorted(path for path in board.root.rglob("*") if path.name != "incoming" and path.name != ".lock") == before
    assert [path.name for path in (board.root / "incoming").iterdir()] == [".lock"]
    assert not list(board.root.parent.glob("x"))


def test_reasons_differ() -> None:
    assert len(HOSTILE) >= 40
    assert len({reason for _, reason in HOSTILE.values()}) >= 34


def test_any_flipped_byte_is_found(board: Board) -> None:
    whole = board.desk.bundle(2)
    for place in range(0, len(whole), 11):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        with pytest.raises(BundleRefused):
            check(board.root, io.BytesIO(bytes(content)), NOW)


def test_any_cut_is_found(board: Board) -> None:
    whole = board.desk.bundle(2)
    for size in range(0, len(whole), 97):
        with pytest.raises(BundleRefused):
            check(board.root, io.BytesIO(whole[:size]), NOW)


def test_a_reader_that_gives_single_bytes_is_read_all_the_same(board: Board) -> None:
    class Dripping(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(1, size or 0))

    assert check(board.root, Dripping(board.desk.bundle(2)), NOW).contents.version == 2


def test_tar_lists_a_bundle(board: Board, tmp_path: Path) -> None:
    path = "models/" + "m" * 60 + "/" + "0" * 16 + "/" + "w" * 80 + ".onnx"  # longer than a tar's name alone
    content = board.desk.bundle(2, files={path: b"weights", "pack/说明.md": b"x"})
    with tarfile.open(fileobj=io.BytesIO(content)) as file:
        assert file.getnames() == [MANIFEST, SIGNATURES, path, "pack/说明.md"]
        assert all(member.isreg() and member.mode == 0o644 for member in file)
    assert check(board.root, io.BytesIO(content), NOW).contents.models == ("m" * 60,)


def test_a_refused_one_changes_nothing_of_what_is_known(board: Board) -> None:
    with pytest.raises(BundleUntrusted):
        board.install(board.desk.bundle(2, board.desk.other))
    assert read_state(board.root).bad == {}
    assert settled(board.root) is None
    assert list(installed(board.root)) == []
