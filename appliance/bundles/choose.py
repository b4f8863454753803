"""Which bundle serves: chosen at each start, counted before it is loaded, committed when it has proved itself.

Every step leaves a state from which the next start finds a verified bundle: a crash, a power cut or a full disk between
two of them changes which one, never whether. See docs/bundles.md for the states in a table.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from appliance.artifacts.disk import exclusive
from appliance.artifacts.staging import discard
from appliance.bundles.contents import Contents
from appliance.bundles.folder import Signed, verify
from appliance.bundles.keys import Trust
from appliance.bundles.signing import changed
from appliance.bundles.state import CURRENT, PREVIOUS, installed, linked, read_state, relink, write_state
from appliance.errors import BundleRefused, InvalidInput, StorageFailed
from appliance.listener import Listener, silent

STARTS = 2
"""So many starts of a bundle that has never served, the next one gives it up."""
STARTS_READY = 5
"""The same of one that has: a kiosk that is switched off within its first minutes did not fail."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The bundle that is to serve."""

    id: str
    """Its id."""
    folder: Path
    """Where it lies, verified."""
    contents: Contents
    """What its manifest says."""
    trial: bool
    """True when it has to prove itself."""


def choose(root: Path, listener: Listener = silent, *, skip: Collection[str] = ()) -> Chosen | None:
    """What a service that starts is to serve; None: what came with the appliance.

    A trial's start is on the disk before this returns; where that cannot be written the trial has to wait, and what
    serves already serves. Those in `skip`, which have just failed, are passed over. Tells `bundles.gave_up` and
    `bundles.damaged` (id, reason). Never raises for the disk.
    """
    if not root.is_dir():
        return None
    try:
        with exclusive(root):
            trial = _trial(root, listener)
            if trial is None:
                _clear(root)
        if trial is not None and trial.id not in skip:
            return trial
    except StorageFailed as error:
        listener("bundles.unwritable", reason=error.detail)
    return settled(root, listener, skip=skip)


def settled(
    root: Path, listener: Listener = silent, *, hashes: bool = True, skip: Collection[str] = ()
) -> Chosen | None:
    """The bundle that has proved itself: `current`, else `previous`, else None. Changes nothing.

    Commands use it beside the service. Without `hashes` only sizes are compared.
    """
    known = Trust(root).keys()
    for link in (CURRENT, PREVIOUS):
        name = linked(root, link)
        if name is None or name in skip:
            continue
        try:
            return _chosen(root / name, verify(root / name, known, hashes=hashes), trial=False)
        except BundleRefused as error:
            listener("bundles.damaged", id=name, reason=error.detail)
    return None


def pending(root: Path) -> str | None:
    """Id of the bundle that is on trial now; None where there is none, or nobody can say."""
    try:
        return read_state(root).trial
    except StorageFailed:
        return None


def ready(root: Path, name: str) -> None:
    """Note that the bundle on trial, `name`, has been seen to serve. Raises StorageFailed."""
    with exclusive(root):
        state = read_state(root)
        if state.trial == name and not state.ready:
            write_state(root, replace(state, ready=True))


def commit(root: Path, name: str) -> None:
    """Make the trial `name` what serves: the one before becomes `previous`, keys change, older ones do not come in.

    Does nothing when it is not on trial (any more). May be repeated after a crash. Raises StorageFailed, BundleRefused
    when the bundle is not whole any more.
    """
    with exclusive(root):
        if read_state(root).trial == name:
            _commit(root, verify(root / name, Trust(root).keys(), hashes=False))


def give_up(root: Path, name: str, reason: str) -> None:
    """Let the trial `name` go for good: what served before serves from the next start. Raises StorageFailed."""
    with exclusive(root):
        state = read_state(root)
        if state.trial == name:
            write_state(root, state.gave_up(name, reason))


def roll_back(root: Path, name: str, reason: str) -> str | None:
    """Go back from the bundle `name`, which serves or is on trial, to the one before; its id, None for none.

    Raises InvalidInput when another one serves by now, StorageFailed.
    """
    with exclusive(root):
        state = read_state(root)
        if state.trial == name and linked(root, CURRENT) != name:
            write_state(root, state.gave_up(name, reason))
            return linked(root, CURRENT)
        if linked(root, CURRENT) != name:
            raise InvalidInput(
                f"bundle: expected the one that serves ({linked(root, CURRENT) or 'none'}), got {name}",
                remedy=("请先运行 `appliance bundle list`", "See `appliance bundle list`"),
            )
        before = linked(root, PREVIOUS)
        before = None if before == name else before
        relink(root, CURRENT, before)  # first: that must be possible on a full disk
        relink(root, PREVIOUS, None)
        write_state(root, state.gave_up(name, reason))
        return before


def revoke(root: Path, key: str) -> None:
    """Let nothing new in by the key called `key`; what it has brought on trial is given up, and changes no keys.

    Raises InvalidInput for one that is not known, StorageFailed.
    """
    with exclusive(root):
        Trust(root).revoke(key)
        state = read_state(root)
        if state.trial is None or linked(root, CURRENT) == state.trial:
            return
        try:
            by = {one.id for one in verify(root / state.trial, Trust(root).keys(), hashes=False).by}
        except BundleRefused:
            return  # its next start finds that, too
        if key in by:
            write_state(root, state.gave_up(state.trial, f"expected keys that are trusted, got {key}, revoked since"))


def _trial(root: Path, listener: Listener) -> Chosen | None:
    """The bundle on trial, its start counted and its files verified; None when there is none or it is given up."""
    state = read_state(root)
    name = state.trial
    if name is None:
        return None
    known = Trust(root).keys()
    reason = ""
    try:
        if linked(root, CURRENT) == name:  # a commit that did not come to its end
            _commit(root, verify(root / name, known))
            return None
        if state.attempts >= (STARTS_READY if state.ready else STARTS):
            reason = f"expected it to serve, got {state.attempts} starts that came to nothing"
        else:
            write_state(root, replace(state, attempts=state.attempts + 1))
            return _chosen(root / name, verify(root / name, known), trial=True)
    except BundleRefused as error:
        reason = error.detail
    listener("bundles.gave_up", id=name, reason=reason)
    write_state(root, read_state(root).gave_up(name, reason))
    return None


def _commit(root: Path, signed: Signed) -> None:
    name, trust, contents = signed.id, Trust(root), signed.contents
    current = linked(root, CURRENT)
    if current != name:
        relink(root, PREVIOUS, current)
        relink(root, CURRENT, name)
    known = trust.keys()
    for key in changed(known, contents.keys).values():
        if known.get(key.id) != key:
            trust.add(key)
    state = read_state(root)
    seen = contents.created if state.seen is None else max(state.seen, contents.created)
    back = contents.downgrade_from is not None and state.floor <= contents.downgrade_from
    floor = contents.version if back else max(state.floor, contents.version)  # lower only where that was signed
    write_state(root, replace(state.without_trial(), floor=floor, seen=seen))
    _clear(root)


def _clear(root: Path) -> None:
    """Delete bundles that nothing names. What cannot be deleted now is tried again at the next start."""
    state = read_state(root)
    keep = {linked(root, CURRENT), linked(root, PREVIOUS), state.trial}
    for name in installed(root):
        if name not in keep:
            with suppress(StorageFailed):
                discard(root / name, root)


def _chosen(folder: Path, signed: Signed, *, trial: bool) -> Chosen:
    return Chosen(signed.id, folder, signed.contents, trial)
