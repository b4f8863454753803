"""Whatever step a crash or a full disk takes away: a verified bundle serves afterwards, and the way goes on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from appliance.bundles.choose import Chosen, choose, commit, give_up, ready, roll_back
from appliance.bundles.contents import Change
from appliance.bundles.folder import verify
from appliance.bundles.keys import Trust
from appliance.bundles.state import CURRENT, PREVIOUS, installed, linked, read_state
from appliance.errors import BundleRefused, InvalidInput, StorageFailed
from tests.bundles.conftest import Board, Desk
from tests.bundles.steps import Crash, Steps, counted

Act = Callable[[Board], object]
FAULTS = {"crash": {}, "torn": {"tear": True}, "full": {"full": True}}


def before(board: Board) -> None:
    """Version 1 and then 2 have proved themselves."""
    board.serve(board.desk.bundle(1))
    board.serve(board.desk.bundle(2))


def third(board: Board) -> bytes:
    change = Change(add=(board.desk.public(board.desk.other),))
    return board.desk.bundle(3, keys=change)


def on_trial(board: Board) -> None:
    before(board)
    board.install(third(board))


def started(board: Board) -> None:
    on_trial(board)
    assert version(choose(board.root)) == 3


def name_of(board: Board, number: int) -> str:
    return next(name for name in installed(board.root) if name.startswith(f"{number}-"))


def version(chosen: Chosen | None) -> int:
    return chosen.contents.version if chosen is not None else 0


JOURNEYS: dict[str, tuple[Callable[[Board], None], Act, set[int]]] = {
    "install": (before, lambda board: board.install(third(board)), {2, 3}),
    "start": (on_trial, lambda board: choose(board.root), {2, 3}),
    "ready": (started, lambda board: ready(board.root, name_of(board, 3)), {3}),
    "commit": (started, lambda board: commit(board.root, name_of(board, 3)), {3}),
    "give up": (started, lambda board: give_up(board.root, name_of(board, 3), "it failed"), {2, 3}),
    "roll back": (before, lambda board: roll_back(board.root, name_of(board, 2), "by hand"), {1, 2}),
}
"""What is there before, what is done, and which versions may serve after it was broken off."""


@pytest.fixture(autouse=True)
def at_once() -> Iterator[None]:
    """The disk is not waited for."""
    with counted(Steps(Path("/nowhere"))):
        yield


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Desk]]:
    """Folders as they are before each journey, made once."""
    desk, made = Desk(), dict[str, Path]()

    def place(journey: str) -> tuple[Path, Desk]:
        if journey not in made:
            board = Board(tmp_path_factory.mktemp("before") / "bundles", desk)
            board.trust(desk.public())
            JOURNEYS[journey][0](board)
            made[journey] = board.root
        return made[journey], desk

    return place


def fresh(source: Path, desk: Desk, target: Path) -> Board:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True)
    return Board(target, desk)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("journey", JOURNEYS)
def test_broken_off_at_any_step_a_verified_bundle_serves(
    places: Callable[[str], tuple[Path, Desk]], tmp_path: Path, journey: str, fault: str
) -> None:
    source, desk = places(journey)
    act, may_serve = JOURNEYS[journey][1:]
    served: Counter[int] = Counter()
    for at in range(1, 1000):
        board = fresh(source, desk, tmp_path / "bundles")
        with counted(Steps(board.root, at, **FAULTS[fault])) as steps, suppress(Crash, StorageFailed):
            act(board)
        if steps.count < at:
            left = [path for path in steps.unsynced if Path(path).is_file() and Path(path).stat().st_size]
            assert not left, "written, and not forced to the disk when all was done"
            break
        served[_serves_and_goes_on(board, may_serve, steps.seen[-1])] += 1
    else:
        pytest.fail("the journey has no end")
    assert sum(served.values()) >= 2
    assert set(served) <= may_serve
    print(f"{journey}, {fault}: {sum(served.values())} steps, served afterwards {dict(served)}")


def _serves_and_goes_on(board: Board, may_serve: set[int], step: str) -> int:
    """The version that serves after a fault, by a whole folder; then a new bundle gets through."""
    chosen = choose(board.root)
    assert chosen is not None, step
    assert chosen.contents.version in may_serve, step
    assert verify(chosen.folder, Trust(board.root).keys()).id == chosen.id
    assert not list(board.root.glob(".in-*")), step
    state = read_state(board.root)
    if chosen.trial:
        assert (state.trial, state.attempts) in ((chosen.id, 1), (chosen.id, 2)), step
        commit(board.root, chosen.id)
    assert read_state(board.root).trial is None, step
    if chosen.contents.version == 3:
        assert len(Trust(board.root).keys()) == 2, step
    assert linked(board.root, CURRENT) == chosen.id
    board.serve(board.desk.bundle(9))
    assert linked(board.root, PREVIOUS) == chosen.id
    assert len(list(installed(board.root))) == 2
    assert [path.name for path in (board.root / "incoming").iterdir()] == [".lock"]
    return chosen.contents.version


def test_with_a_disk_that_is_full_throughout_what_serves_goes_on_serving(board: Board) -> None:
    on_trial(board)
    heard: list[str] = []
    with counted(Steps(board.root, 1, full=True)):
        chosen = choose(board.root, lambda event, /, **fields: heard.append(event))
        assert (version(chosen), heard) == (2, ["bundles.unwritable"])
        with pytest.raises(StorageFailed):
            board.install(board.desk.bundle(4), again=True)
    assert version(choose(board.root)) == 3, "there is room again"


def test_on_a_full_disk_going_back_happens_or_is_refused(board: Board) -> None:
    """Links cannot be written where not even a folder can: then nothing has changed."""
    before(board)
    with counted(Steps(board.root, 1, full=True)), pytest.raises(StorageFailed):
        roll_back(board.root, name_of(board, 2), "by hand")
    assert version(choose(board.root)) == 2
    assert roll_back(board.root, name_of(board, 2), "by hand") == name_of(board, 1)
    assert version(choose(board.root)) == 1
    with counted(Steps(board.root, 1, full=True)), pytest.raises(StorageFailed):
        roll_back(board.root, name_of(board, 1), "by hand")
    assert choose(board.root) is None, "to link nothing needs no room; that it did not serve could not be noted"


KILLED = """
import io, sys
from pathlib import Path
from appliance.bundles.choose import choose, commit
from tests.bundles.steps import Steps, counted
from tests.bundles.conftest import HERE, MOST, NOW, proves
from appliance.bundles.install import install
root, at = Path(sys.argv[1]), int(sys.argv[2])
content = Path(sys.argv[3]).read_bytes()
with counted(Steps(root, at, kill=True)):
    install(root, io.BytesIO(content), HERE, NOW, proves, most=MOST)
    commit(root, choose(root).id)
"""


@pytest.mark.parametrize("at", [1, 9, 24, 38, 48, 58, 66, 76])
def test_killed_by_the_kernel_a_verified_bundle_serves(board: Board, tmp_path: Path, at: int) -> None:
    before(board)
    (tmp_path / "third").write_bytes(third(board))
    command = [sys.executable, "-c", KILLED, str(board.root), str(at), str(tmp_path / "third")]
    assert subprocess.run(command, check=False).returncode == -9
    _serves_and_goes_on(board, {2, 3}, f"killed at {at}")


def test_a_start_that_never_comes_to_an_end_is_given_up_after_two(board: Board) -> None:
    on_trial(board)
    name = name_of(board, 3)
    assert [version(choose(board.root)) for _ in range(4)] == [3, 3, 2, 2]
    assert "2 starts that came to nothing" in read_state(board.root).bad[name]
    with pytest.raises(BundleRefused, match="which did not: expected it to serve"):
        board.install(third(board))
    assert board.install(third(board), again=True) == name
    assert version(choose(board.root)) == 3


def test_one_that_has_served_may_be_switched_off_more_often(board: Board) -> None:
    started(board)
    ready(board.root, name_of(board, 3))
    assert [version(choose(board.root)) for _ in range(5)] == [3, 3, 3, 3, 2]


@pytest.mark.parametrize("damage", ["flip", "gone", "more", "link"])
def test_damage_on_the_disk_brings_back_the_one_before(board: Board, damage: str) -> None:
    before(board)
    file = board.root / name_of(board, 2) / "pack/pack.yaml"
    if damage == "flip":
        file.write_bytes(b"title: 7\n")
    elif damage == "gone":
        file.unlink()
    elif damage == "more":
        (file.parent / "more.csv").write_bytes(b"")
    else:
        (file.parent / "more.csv").symlink_to("/etc/hostname")
    heard: list[str] = []
    assert version(choose(board.root, lambda event, /, **fields: heard.append(event))) == 1
    assert heard == ["bundles.damaged"]
    shutil.rmtree(board.root / name_of(board, 1))
    assert choose(board.root) is None, "what came with the appliance serves"


def test_a_trial_that_is_damaged_before_it_starts_is_given_up(board: Board) -> None:
    on_trial(board)
    name = name_of(board, 3)
    (board.root / name / "settings.yaml").write_bytes(b"[]\n")
    assert version(choose(board.root)) == 2
    assert read_state(board.root).trial is None
    assert "expected sha256" in read_state(board.root).bad[name]


def test_a_state_that_cannot_be_read_lets_nothing_in_and_serves(board: Board) -> None:
    before(board)
    (board.root / "state.json").write_text("{")
    assert version(choose(board.root)) == 2
    with pytest.raises(StorageFailed, match="state of the bundles"):
        board.install(board.desk.bundle(3))


def test_the_first_one_goes_back_to_what_came_with_the_appliance(board: Board) -> None:
    assert choose(board.root) is None
    name = board.serve(board.desk.bundle(1))
    with pytest.raises(InvalidInput, match="expected the one that serves"):
        roll_back(board.root, "1-0000000000000000", "by hand")
    assert roll_back(board.root, name, "by hand") is None
    assert choose(board.root) is None
    with pytest.raises(BundleRefused, match="which did not: by hand"):
        board.install(board.desk.bundle(1))
    assert board.serve(board.desk.bundle(1), again=True) == name


def test_a_trial_is_dropped_by_going_back(board: Board) -> None:
    on_trial(board)
    assert roll_back(board.root, name_of(board, 3), "by hand") == name_of(board, 2)
    assert version(choose(board.root)) == 2
    assert list(installed(board.root)) == [name_of(board, 1), name_of(board, 2)]


def test_without_a_folder_nothing_is_made(tmp_path: Path) -> None:
    assert choose(tmp_path / "bundles") is None
    assert not (tmp_path / "bundles").exists()
