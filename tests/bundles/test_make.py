"""What is made on a desk is what a board takes in."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.artifacts.disk import exclusive
from appliance.artifacts.publish import Fetched, publish
from appliance.bundles.contents import MANIFEST, SIGNATURES, Contents
from appliance.bundles.inbox import emptied, waiting
from appliance.bundles.install import carried, check, install
from appliance.bundles.make import described, gather, heads, pack_up, sign
from appliance.bundles.signing import signatures
from appliance.bundles.tape import END
from appliance.errors import BundleRefused, BundleUntrusted, InvalidInput, ModelMissing
from tests.artifacts.conftest import BRAIN, EARS, LABELS, Shelf, document
from tests.bundles.conftest import HERE, MOST, NOW, Board, member, proves


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A desk with the model `tiny` installed."""
    made = Shelf(tmp_path)
    made.root.mkdir()
    fetched = {}
    for path, content in {"brain.onnx": BRAIN, "ears.onnx": EARS, "labels.txt": LABELS}.items():
        (tmp_path / path).write_bytes(content)
        fetched[path] = Fetched(tmp_path / path, "test")
    with exclusive(made.root):
        home = publish(made.root, made.add(document()), fetched)
    (home / "derived").mkdir()
    (home / "derived/brain.int8.onnx").write_bytes(b"made on the desk, for the desk")
    return made


def made(shelf: Shelf, board: Board, target: Path, **more: object) -> Path:
    pack = target.parent / "pack"
    pack.mkdir(exist_ok=True)
    (pack / "pack.yaml").write_text("title: x\n")
    (pack / ".hidden").write_text("x")
    files = gather(shelf.store(), ("tiny",), pack, None, None)
    contents = described(Contents(1, "Tiny", NOW, (), **more), files)  # type: ignore[arg-type]
    pack_up(target, contents, files, board.desk.key)
    return target


def test_a_model_goes_along_with_its_manifest_and_without_what_was_made_of_it(
    shelf: Shelf, board: Board, tmp_path: Path
) -> None:
    path = made(shelf, board, tmp_path / "menu.bundle")
    with path.open("rb") as file:
        contents = check(board.root, file, NOW).contents
    assert contents.models == ("tiny",)
    assert contents.has_pack
    digest = shelf.store().manifest("tiny").digest
    assert {entry.path for entry in contents.files} == {
        "pack/pack.yaml",
        "models/tiny/manifest.yaml",
        f"models/tiny/{digest}/brain.onnx",
        f"models/tiny/{digest}/ears.onnx",
        f"models/tiny/{digest}/labels.txt",
        f"models/tiny/{digest}/installed.json",
    }
    with path.open("rb") as file:
        signed = install(board.root, file, HERE, NOW, proves, most=MOST)
    store = carried(board.root / signed.id)
    assert store is not None
    assert store.path("tiny", "brain.onnx").read_bytes() == BRAIN
    assert [one.name for one in path.parent.iterdir() if one.name.startswith(".menu")] == []


def test_what_is_made_of_a_model_here_is_no_foreign_file(shelf: Shelf, board: Board, tmp_path: Path) -> None:
    from appliance.bundles.choose import choose

    with made(shelf, board, tmp_path / "menu.bundle").open("rb") as file:
        signed = install(board.root, file, HERE, NOW, proves, most=MOST)
    folder = board.root / signed.id / "models/tiny" / shelf.store().manifest("tiny").digest / "derived"
    folder.mkdir()
    (folder / "brain.int8.onnx").write_bytes(b"x")
    assert choose(board.root) is not None


def test_signatures_are_added_without_touching_the_rest(shelf: Shelf, board: Board, tmp_path: Path) -> None:
    path = made(shelf, board, tmp_path / "menu.bundle")
    sign(path, board.desk.other)
    sign(path, board.desk.other)
    with path.open("rb") as file:
        assert len(signatures(heads(file)[1])) == 2
    with path.open("rb") as file:
        assert len(check(board.root, file, NOW).by) == 1
    board.trust(board.desk.public(board.desk.other))
    with path.open("rb") as file:
        assert len(check(board.root, file, NOW).by) == 2


def test_unsigned_it_is_made_and_not_taken(shelf: Shelf, board: Board, tmp_path: Path) -> None:
    files = gather(shelf.store(), ("tiny",), None, None, None)
    pack_up(tmp_path / "x.bundle", described(Contents(1, "Tiny", NOW, ()), files), files, None)
    with (tmp_path / "x.bundle").open("rb") as file, pytest.raises(BundleUntrusted, match="got none"):
        check(board.root, file, NOW)


def test_what_cannot_be_a_bundle_is_not_made(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="expected models, a pack or settings"):
        gather(shelf.store(), (), None, None, None)
    with pytest.raises(InvalidInput, match="expected a folder with pack.yaml"):
        gather(shelf.store(), (), tmp_path, None, None)
    with pytest.raises(BundleRefused, match="title: expected a line of 1 to 200"):
        described(Contents(1, "", NOW, ()), gather(shelf.store(), ("tiny",), None, None, None))
    (shelf.store().home("tiny") / "brain.onnx").unlink()
    with pytest.raises(ModelMissing):
        gather(shelf.store(), ("tiny",), None, None, None)


def test_a_file_that_changes_meanwhile_leaves_no_bundle(shelf: Shelf, board: Board, tmp_path: Path) -> None:
    files = gather(shelf.store(), ("tiny",), None, None, None)
    contents = described(Contents(1, "Tiny", NOW, ()), files)
    (shelf.store().home("tiny") / "ears.onnx").write_bytes(b"shorter")
    with pytest.raises(BundleRefused, match="got it changed meanwhile"):
        pack_up(tmp_path / "x.bundle", contents, files, board.desk.key)
    assert not list(tmp_path.glob("*x.bundle*"))


def test_the_inbox_is_emptied_whatever_lies_in_it(board: Board, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    assert emptied(inbox, lambda path: None, lambda path, error: None)
    inbox.mkdir()
    for name, content in {"a.bundle": b"bad", "b.bundle": board.desk.bundle(1), "c.txt": b""}.items():
        (inbox / name).write_bytes(content)
    (inbox / "d.bundle").symlink_to(inbox / "c.txt")
    (inbox / "old.bundle.refused").write_bytes(b"")
    told: list[str] = []

    def take(path: Path) -> None:
        with path.open("rb") as file:
            install(board.root, file, HERE, NOW, proves, most=MOST)

    assert not emptied(inbox, take, lambda path, error: told.append(f"{path.name}: {error.code}"))
    assert told == ["d.bundle: bundle_refused", "a.bundle: bundle_refused"]
    assert waiting(inbox) == []
    left = sorted(path.name for path in inbox.iterdir())
    assert left == [".lock", "a.bundle.refused", "c.txt", "refused.txt"]
    assert "cut short" in (inbox / "refused.txt").read_text()


def test_nothing_stays_in_the_inbox_under_a_name_that_is_tried_again(board: Board, tmp_path: Path) -> None:
    """What watches it would start the same work at once, and for ever."""
    inbox = tmp_path / "inbox"
    (inbox / "folder.bundle/x").mkdir(parents=True)
    assert not emptied(inbox, lambda path: None, lambda path, error: None)
    manifest = board.desk.manifest(1)
    signatures = b'{"signatures": [{"key": "\\ud800%s", "ed25519": "%s=="}]}' % (b"0" * 15, b"A" * 86)
    (inbox / "a.bundle").write_bytes(member(MANIFEST, manifest) + member(SIGNATURES, signatures) + END)

    def take(path: Path) -> None:
        with path.open("rb") as file:
            install(board.root, file, HERE, NOW, proves, most=MOST)

    assert not emptied(inbox, take, lambda path, error: print(error.message.encode("utf-8")))
    (inbox / "b.bundle").write_bytes(b"")
    with pytest.raises(ZeroDivisionError):
        emptied(inbox, lambda path: print(1 // 0), lambda path, error: None)
    assert sorted(path.name for path in inbox.iterdir()) == [".lock", "b.bundle.refused", "refused.txt"]
