"""Who may bring what: signatures, roles, rotation, revocation, expiry with clocks that are wrong, versions, boards."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.artifacts.disk import exclusive
from appliance.bundles.admit import Here
from appliance.bundles.choose import choose, commit, revoke, roll_back
from appliance.bundles.contents import Change
from appliance.bundles.keys import Trust, generate, key_id, load_private, load_public, public_path, raw_public
from appliance.bundles.state import read_state
from appliance.errors import BundleFailed, BundleRefused, BundleUnsuitable, BundleUntrusted, InvalidInput, StorageFailed
from tests.bundles.conftest import HERE, NOW, Board

DAY = timedelta(days=1)
YEARS_AGO = datetime(1970, 1, 2, tzinfo=timezone.utc)


def test_a_pair_is_made_once_and_only_its_passphrase_opens_it(tmp_path: Path) -> None:
    path = tmp_path / "desk.key"
    raw = generate(path, b"correct horse")
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED" in path.read_bytes()
    assert raw_public(load_private(path, b"correct horse")) == raw == load_public(public_path(path))
    for wrong in (b"wrong", b""):
        with pytest.raises(InvalidInput, match="private key and its passphrase"):
            load_private(path, wrong)
    with pytest.raises(InvalidInput, match="expected no file, found one"):
        generate(path, b"another")
    with pytest.raises(InvalidInput, match="never kept in the open"):
        generate(tmp_path / "open.key", b"")
    with pytest.raises(InvalidInput, match="public key in PEM"):
        load_public(path)
    with pytest.raises(StorageFailed):
        load_public(tmp_path / "none")


def test_one_of_several_signatures_is_enough_and_a_wrong_one_of_a_known_key_too_many(board: Board) -> None:
    desk = board.desk
    board.install(desk.bundle(1, desk.other, desk.key))
    content = desk.bundle(2, desk.other, desk.key)
    board.trust(desk.public(desk.other))
    manifest, other = desk.manifest(2), desk.manifest(3)
    from appliance.bundles.signing import signed, signers

    mixed = signed(manifest, signed(other, None, desk.other), desk.key)
    with pytest.raises(BundleUntrusted, match="expected that of this manifest, got another"):
        signers(manifest, mixed, Trust(board.root).keys(), NOW)
    assert content


def test_a_key_without_the_role_signs_in_vain(board: Board) -> None:
    board.trust(board.desk.public(board.desk.other, "downgrade"))
    with pytest.raises(BundleUntrusted, match="expected one of role `bundle`"):
        board.install(board.desk.bundle(1, board.desk.other))


def test_keys_change_when_the_bundle_has_proved_itself(board: Board) -> None:
    desk = board.desk
    change = Change(add=(desk.public(desk.other, "bundle"),), revoke=(key_id(raw_public(desk.key)),))
    stays = Ed25519PrivateKey.generate()
    board.trust(desk.public(stays, "keys"))
    board.serve(desk.bundle(1))
    board.install(desk.bundle(2, desk.key, stays, keys=change))
    assert set(Trust(board.root).keys()) == {desk.public().id, desk.public(stays).id}
    chosen = choose(board.root)
    assert chosen is not None
    commit(board.root, chosen.id)
    with pytest.raises(BundleUntrusted, match="revoked"):
        board.install(desk.bundle(3))
    assert choose(board.root) == replace(chosen, trial=False), "what the revoked key signed goes on serving"
    board.serve(desk.bundle(3, desk.other))
    with pytest.raises(BundleUntrusted, match="0? signatures of role `keys` for a change of keys, got 0"):
        board.install(desk.bundle(4, desk.other, keys=Change(add=(desk.public(desk.key),))))


def test_a_change_of_keys_needs_as_many_signatures_as_the_site_says(board: Board) -> None:
    desk = board.desk
    strict = replace(HERE, threshold=2)
    change = Change(revoke=("0" * 16,))
    with pytest.raises(BundleUntrusted, match="expected 2 signatures of role `keys`"):
        board.install(desk.bundle(1, keys=change), here=strict)
    board.install(desk.bundle(1), here=strict)
    board.trust(desk.public(desk.other))
    chosen = choose(board.root)
    assert chosen is not None
    commit(board.root, chosen.id)
    board.install(desk.bundle(2, desk.key, desk.other, keys=change), here=strict)


def test_no_bundle_brings_a_revoked_key_back(board: Board) -> None:
    desk = board.desk
    board.trust(desk.public(desk.other))
    with exclusive(board.root):
        Trust(board.root).revoke(desk.public(desk.other).id)
    board.serve(desk.bundle(1, keys=Change(add=(desk.public(desk.other),))))
    assert Trust(board.root).keys()[desk.public(desk.other).id].revoked


def test_keys_and_bundles_end(board: Board) -> None:
    desk = board.desk
    board.trust(desk.public(desk.other, not_after=NOW))
    board.serve(desk.bundle(1, desk.other))
    with pytest.raises(BundleUntrusted, match="ended 2026-12-01T00:00:00Z, it is 2026-12-02"):
        board.install(desk.bundle(2, desk.other), now=NOW + DAY)
    with pytest.raises(BundleUnsuitable, match="got one that ended 2026-12-01") as caught:
        board.install(desk.bundle(2, not_after=NOW), now=NOW + DAY)
    assert "timedatectl" in caught.value.remedy
    board.install(desk.bundle(2, not_after=NOW + DAY), now=NOW + DAY)


def test_a_clock_that_is_behind_brings_nothing_back_that_has_ended(board: Board) -> None:
    desk = board.desk
    board.serve(desk.bundle(1, not_after=NOW - DAY, created=NOW - 9 * DAY), now=YEARS_AGO)  # nobody can know
    board.serve(desk.bundle(2, created=NOW), now=YEARS_AGO)
    with pytest.raises(BundleUnsuitable, match="and it is 2026-12-01"):
        board.install(desk.bundle(3, not_after=NOW - DAY), now=YEARS_AGO)


def test_versions_do_not_go_down_without_a_key_for_that(board: Board) -> None:
    desk = board.desk
    board.serve(desk.bundle(5))
    for version in (5, 4):
        with pytest.raises(BundleUnsuitable, match="expected one above 5|expected another than the one that serves"):
            board.install(desk.bundle(version))
    with pytest.raises(BundleUntrusted, match="expected one of role `downgrade`"):
        board.install(desk.bundle(4, downgrade_from=5))
    board.trust(desk.public(desk.other, "downgrade"))
    with pytest.raises(BundleUnsuitable, match="expected one above 5"):
        board.install(desk.bundle(4, desk.key, desk.other, downgrade_from=4))
    back = desk.bundle(4, desk.key, desk.other, downgrade_from=5)
    board.serve(back)
    assert read_state(board.root).floor == 4
    board.serve(desk.bundle(6))
    with pytest.raises(BundleUnsuitable, match="expected one above 6"):
        board.install(back)


@pytest.mark.parametrize(
    "more, here, said",
    [
        ({"boards": ("pc", "agx-orin")}, HERE, "expected one for orin-nano, got one for pc, agx-orin"),
        ({"min_app": "0.10.0"}, HERE, "expected one for version 0.1.0 of the appliance, got 0.10.0"),
        ({"pack_schema": 2}, HERE, "expected a pack of revision 1, got 2"),
    ],
)
def test_it_has_to_be_for_this_appliance(board: Board, more: dict[str, object], here: Here, said: str) -> None:
    with pytest.raises(BundleUnsuitable, match=said):
        board.install(board.desk.bundle(1, **more), here=here)
    board.install(board.desk.bundle(1, boards=("orin-nano",), min_app="0.0.9"))


def test_one_that_does_not_prove_itself_is_remembered_and_gone(board: Board) -> None:
    def fails(folder: Path, _signed: object) -> None:
        assert (folder / "pack/pack.yaml").read_bytes() == b"title: 1\n"
        raise InvalidInput("pack: expected a title, got 1")

    with pytest.raises(BundleFailed, match="expected a title") as caught:
        board.install(board.desk.bundle(1), prove=fails)
    assert caught.value.status == 500
    assert "expected a title" in next(iter(read_state(board.root).bad.values()))
    with pytest.raises(BundleUnsuitable, match="which did not: pack"):
        board.install(board.desk.bundle(1))
    assert [path.name for path in (board.root / "incoming").iterdir()] == [".lock"]

    def full(_folder: Path, _signed: object) -> None:
        raise StorageFailed("no space left")

    with pytest.raises(StorageFailed):
        board.install(board.desk.bundle(2), prove=full)
    assert len(read_state(board.root).bad) == 1, "a full disk is no fault of the bundle"


def test_limits_of_size_and_disk(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BundleRefused, match="expected at most 100 bytes of files"):
        board.install(board.desk.bundle(1), most=100)
    import shutil

    usage = shutil.disk_usage(board.root)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StorageFailed, match="MB free"):
        board.install(board.desk.bundle(1))


def test_a_disk_that_writes_something_else_is_found_by_the_copy(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    import appliance.bundles.install as module

    real = module.unpack

    def rotten(tape: object, signed: object, stage: Path, listener: object) -> None:
        real(tape, signed, stage, listener)  # type: ignore[arg-type]
        (stage / "pack/pack.yaml").write_bytes(b"title: 7\n")

    monkeypatch.setattr(module, "unpack", rotten)
    with pytest.raises(BundleRefused, match="pack/pack.yaml: expected sha256"):
        board.install(board.desk.bundle(1))


def test_a_model_whose_manifest_and_files_disagree_is_refused(board: Board) -> None:
    files = {"models/tiny/0000000000000000/brain.onnx": b"weights"}
    with pytest.raises(BundleRefused, match="models/tiny: expected a manifest.yaml, found none"):
        board.install(board.desk.bundle(1, files=files))
    files["models/tiny/manifest.yaml"] = b"name: tiny\n"
    with pytest.raises(BundleRefused, match="manifest.yaml: title"):
        board.install(board.desk.bundle(1, files=files), again=True)


def test_a_damaged_key_is_not_trusted_and_is_named(board: Board) -> None:
    trust = Trust(board.root)
    (path,) = trust.folder.iterdir()
    text = path.read_text()
    (trust.folder / f"{'0' * 16}.json").write_text(text)  # under another's name
    assert list(trust.keys()) == [path.stem]
    path.write_text(text.replace("false", '"no"'))
    assert trust.keys() == {}
    assert len(trust.damaged()) == 2
    with pytest.raises(BundleUntrusted, match="there is none"):
        board.install(board.desk.bundle(1))


def test_a_key_that_is_revoked_takes_its_bundle_on_trial_with_it(board: Board) -> None:
    """Else whoever stole it would have brought in a key of his own just before."""
    desk = board.desk
    board.serve(desk.bundle(1))
    board.trust(desk.public(desk.other))
    name = board.install(desk.bundle(2, desk.other, keys=Change(add=(desk.public(Ed25519PrivateKey.generate()),))))
    revoke(board.root, desk.public(desk.other).id)
    state = read_state(board.root)
    assert state.trial is None
    assert "revoked since" in state.bad[name]
    commit(board.root, name)
    assert len(Trust(board.root).keys()) == 2
    chosen = choose(board.root)
    assert chosen is not None
    assert chosen.contents.version == 1
    revoke(board.root, desk.public().id)
    assert choose(board.root) == chosen, "what serves goes on serving"


def test_a_key_that_is_revoked_while_its_bundle_proves_itself_brings_it_in_no_more(board: Board) -> None:
    with pytest.raises(BundleUntrusted, match="revoked"):
        board.install(board.desk.bundle(1), prove=lambda *_: revoke(board.root, board.desk.public().id))
    assert choose(board.root) is None


def test_one_that_is_tried_again_lowers_no_floor(board: Board) -> None:
    desk = board.desk
    board.serve(desk.bundle(5))
    name = board.serve(desk.bundle(6))
    roll_back(board.root, name, "by hand")
    board.serve(desk.bundle(9))
    board.serve(desk.bundle(6), again=True)
    assert read_state(board.root).floor == 9


def test_without_a_state_what_serves_is_the_floor(board: Board) -> None:
    board.serve(board.desk.bundle(5))
    (board.root / "state.json").unlink()
    with pytest.raises(BundleUnsuitable, match="expected one above 5"):
        board.install(board.desk.bundle(4))


def test_a_bundle_gives_no_key_what_those_who_signed_it_have_not(board: Board) -> None:
    desk = board.desk
    more = Change(add=(desk.public(desk.other, "bundle", "downgrade"),))
    with pytest.raises(BundleUntrusted, match=r"roles that those who signed have, got downgrade"):
        board.install(desk.bundle(1, keys=more))
    with exclusive(board.root):
        Trust(board.root).add(desk.public(desk.key, "bundle", "keys", "downgrade"))
    board.serve(desk.bundle(1, keys=more))
    assert Trust(board.root).keys()[desk.public(desk.other).id].roles == ("bundle", "downgrade")


@pytest.mark.parametrize("added", ["nobody", "one without the role"])
def test_a_bundle_leaves_somebody_who_may_change_the_keys(board: Board, added: str) -> None:
    desk = board.desk
    add = () if added == "nobody" else (desk.public(desk.other, "bundle"),)
    change = Change(add=add, revoke=(desk.public().id,))
    with pytest.raises(BundleUntrusted, match=r"expected 1 of role `keys` to be left"):
        board.install(desk.bundle(1, keys=change))
    assert not Trust(board.root).keys()[desk.public().id].revoked


@pytest.mark.parametrize("how", ["without the role", "revoked here", "ended", "ended itself"])
def test_a_key_that_counts_for_nothing_is_not_one_that_is_left(board: Board, how: str) -> None:
    desk, own = board.desk, board.desk.public()
    past = NOW - timedelta(days=1)
    change = {
        "without the role": Change(add=(desk.public(desk.key, "bundle"),)),
        "revoked here": Change(add=(desk.public(desk.other),), revoke=(own.id,)),
        "ended": Change(add=(desk.public(desk.other, not_after=past),), revoke=(own.id,)),
        "ended itself": Change(add=(desk.public(desk.key, not_after=past),)),
    }[how]
    if how == "revoked here":
        with exclusive(board.root):
            Trust(board.root).add(desk.public(desk.other))
            Trust(board.root).revoke(desk.public(desk.other).id)
    with pytest.raises(BundleUntrusted, match=r"expected 1 of role `keys` to be left"):
        board.install(desk.bundle(1, keys=change))


def test_as_many_are_left_as_a_change_needs(board: Board) -> None:
    desk, strict = board.desk, replace(HERE, threshold=2)
    board.trust(desk.public(desk.other))
    change = Change(revoke=(desk.public(desk.other).id,))
    with pytest.raises(BundleUntrusted, match=r"expected 2 of role `keys` to be left"):
        board.install(desk.bundle(1, desk.key, desk.other, keys=change), here=strict)


def test_somebody_is_left_who_may_sign_bundles(board: Board) -> None:
    desk = board.desk
    board.trust(desk.public(desk.other, "keys"))
    board.trust(desk.public(desk.key, "bundle"))
    change = Change(revoke=(desk.public().id,))
    with pytest.raises(BundleUntrusted, match=r"expected 1 of role `bundle` to be left"):
        board.install(desk.bundle(1, desk.key, desk.other, keys=change))
