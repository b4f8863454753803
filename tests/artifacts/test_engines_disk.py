"""Two builders, killed builders, full and read-only disks: an engine is there whole, or it is not there."""

from __future__ import annotations

import errno
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.artifacts.engine_record import PLAN, RECORD
from appliance.artifacts.engines import EngineStore
from appliance.artifacts.seal import SECRET
from appliance.errors import EngineBuildFailed, EngineMissing, StorageFailed
from tests.artifacts.conftest import digest
from tests.artifacts.test_engines import DEVICE, KEY, PLAN_BYTES, names, put

pytestmark = pytest.mark.drill

REPOSITORY = Path(__file__).parents[2]

SCRIPT = """
    import errno, json, os, signal, sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from appliance.artifacts.engines import EngineStore
    from appliance.errors import EngineCorrupt, EngineMissing, StorageFailed
    from tests.artifacts.test_engines import DEVICE, KEY, PLAN_BYTES, names, put

    NEWER = PLAN_BYTES[::-1]

    def listen(event, /, **fields):
        print(event, flush=True)

    store = EngineStore(Path(sys.argv[2]), listen)

    class Disk:
        '''Does something at the n-th change of a file system, as the interpreter itself reports them.'''

        def __init__(self, act, events):
            self.left, self.act, self.events = 0, act, events
            sys.addaudithook(self.hear)
            real = os.fsync
            os.fsync = lambda handle: (self.step(), real(handle))[1]  # the one step that is not reported

        def hear(self, event, args):
            if event == "open" and not (isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)):
                return
            if event in self.events:
                self.step()

        def step(self):
            self.left -= 1
            if self.left == 0:
                self.act()

    def state():
        try:
            plan, _ = store.read(KEY)
            return {PLAN_BYTES: "old", NEWER: "new"}[plan]
        except EngineMissing:
            return "missing"
        except EngineCorrupt as error:
            return f"corrupt: {error}"
"""


def start(script: str, *given: object) -> subprocess.Popen[str]:
    code = textwrap.dedent(SCRIPT) + textwrap.dedent(script)
    command = [sys.executable, "-c", code, str(REPOSITORY), *map(str, given)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


@pytest.fixture
def store(tmp_path: Path) -> EngineStore:
    return EngineStore(tmp_path / "engines")


BUILD = """
    with store.building(KEY):
        if state() == "old":
            print("found", flush=True)
        else:
            print("building", flush=True)
            sys.stdin.readline()
            store.publish(KEY, PLAN_BYTES, metric="", value=0, threshold=0, built_s=1, tools={})
"""


def test_the_second_builder_waits_and_finds_what_the_first_built(store: EngineStore) -> None:
    with start(BUILD, store.root) as first:
        assert hear(first) == "building"
        with start(BUILD, store.root) as second:
            assert hear(second) == "engines.wait"
            assert select.select([second.stdout], [], [], 0.5) == ([], [], []), "it goes on only when the first is done"
            with pytest.raises(EngineMissing):
                store.find(KEY)
            tell(first)
            assert hear(first) == "engines.published"
            assert hear(second) == "found"
    assert (first.returncode, second.returncode) == (0, 0)
    assert store.read(KEY)[0] == PLAN_BYTES


def test_who_waits_for_another_builder_can_be_stopped(store: EngineStore) -> None:
    with start(BUILD, store.root) as first:
        assert hear(first) == "building"
        asked: list[bool] = []

        def stopped() -> bool:
            asked.append(True)
            return len(asked) > 2

        expected = pytest.raises(EngineBuildFailed, match="expected another builder to end, got asked to stop")
        with expected, store.building(KEY, stopped):
            pytest.fail("it was never alone")
        assert len(asked) == 3, "it looked twice"
        tell(first)
        assert hear(first) == "engines.published"
    assert first.returncode == 0
    assert store.read(KEY)[0] == PLAN_BYTES


def test_builders_of_two_keys_do_not_wait_for_each_other(store: EngineStore) -> None:
    other = replace(KEY, precision="int8")
    with start(BUILD, store.root) as process:
        assert hear(process) == "building"
        put(store, other)
        assert [entry.path for entry in store.prune((), 0)] == [store.home(other)], "pruning does not wait either"
        tell(process)
        assert hear(process) == "engines.published"
    assert process.returncode == 0
    assert store.read(KEY)[0] == PLAN_BYTES


def test_a_killed_builder_makes_room_for_the_next(store: EngineStore) -> None:
    with start(BUILD, store.root) as first:
        assert hear(first) == "building"
        with start(BUILD, store.root) as second:
            assert hear(second) == "engines.wait"
            first.send_signal(signal.SIGKILL)
            assert hear(second) == "building"
            tell(second)
            assert hear(second) == "engines.published"
    assert (first.returncode, second.returncode) == (-signal.SIGKILL, 0)
    assert store.read(KEY)[0] == PLAN_BYTES


WRITING = """
    def wait(event, args):
        if event == "open" and str(args[0]).endswith("record.json"):
            print("between plan and record", flush=True)
            sys.stdin.readline()

    with store.building(KEY):
        sys.addaudithook(wait)
        store.publish(KEY, PLAN_BYTES, metric="", value=0, threshold=0, built_s=1, tools={})
"""


@pytest.mark.parametrize("fate", ["goes on", "is killed"])
def test_what_is_being_written_is_never_cleared_and_what_was_left_always(store: EngineStore, fate: str) -> None:
    """The builder stops between plan and record, and somebody prunes."""
    removed = []
    with start(WRITING, store.root) as builder:
        assert hear(builder) == "between plan and record"
        (stage,) = store.root.glob(".in-*")
        assert (stage / PLAN).read_bytes() == PLAN_BYTES
        assert not (stage / RECORD).exists()
        with pytest.raises(EngineMissing):
            store.find(KEY)
        assert store.entries() == ()
        pruner = threading.Thread(target=lambda: removed.append(store.prune((KEY.digest,), 0)))
        pruner.start()
        pruner.join(0.3)
        assert pruner.is_alive(), "it waits for the builder"
        assert (stage / PLAN).exists()
        if fate == "is killed":
            builder.send_signal(signal.SIGKILL)
        else:
            tell(builder)
            assert hear(builder) == "engines.published"
    pruner.join(20)
    assert removed == [()]
    if fate == "is killed":
        assert names(store.root) == []
        put(store)
    assert store.read(KEY)[0] == PLAN_BYTES
    assert names(store.root) == ["pp-ocrv6-small"]


EACH_DEATH = """
    CHANGES = {"open", "os.mkdir", "os.rename", "os.chmod", "os.rmdir", "os.remove", "shutil.rmtree"}
    disk = Disk(lambda: os.kill(os.getpid(), signal.SIGKILL), CHANGES)
    states, before = [], sys.argv[3]
    for number in range(1, 200):
        store = EngineStore(Path(sys.argv[2]) / str(number))
        if before == "old":
            put(store)
        child = os.fork()
        if child == 0:
            disk.left = number
            put(store, plan=NEWER)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        states.append(state())
        with store.building(KEY):
            left = [name for name in names(store.root) if name.startswith(".")]
            assert not left, left
            assert state() == states[-1], state()
        if os.WIFEXITED(status):
            break
    print(json.dumps([os.WEXITSTATUS(status), states]))
"""


@pytest.mark.parametrize("before", ["missing", "old"])
def test_killed_at_every_change_of_the_disk(store: EngineStore, before: str) -> None:
    """The n-th builder dies at its n-th change, until one lives."""
    with start(EACH_DEATH, store.root, before) as process:
        status, states = json.loads(hear(process))
    assert (process.returncode, status) == (0, 0)
    assert len(states) > 12
    assert states[-1] == "new"
    turn = states.index("new")
    assert set(states[turn:]) == {"new"}
    if before == "missing":
        assert set(states[:turn]) == {"missing"}
    else:  # gone only between the old one's leaving and the new one's coming
        assert set(states[: turn - 1]) == {"old"}
        assert states[turn - 1] == "missing"


EACH_REFUSAL = """
    def refuse():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    disk = Disk(refuse, {"open", "os.mkdir", "os.rename", "os.chmod"})
    before = sys.argv[3]
    told = []
    for number in range(1, 200):
        store = EngineStore(Path(sys.argv[2]) / str(number))
        if before == "old":
            put(store)
            store.keep_timing_cache(*DEVICE, b"learnt")
        disk.left = number
        try:
            put(store, plan=NEWER)
            store.keep_timing_cache(*DEVICE, b"newer")
        except StorageFailed as error:
            disk.left = 0
            left = names(store.root) if store.root.exists() else []
            told.append([str(error), error.remedy, state(), left, store.timing_cache(*DEVICE).decode()])
            put(store, plan=NEWER)
        assert state() == "new"
        if disk.left > 0:
            break
    print(json.dumps([told, disk.left > 0]))
"""


@pytest.mark.parametrize("before", ["missing", "old"])
def test_a_disk_that_is_full_at_every_change(store: EngineStore, before: str) -> None:
    """The n-th change is refused, until nothing is: what was there stays, and nothing else does."""
    with start(EACH_REFUSAL, store.root, before) as process:
        told, unfired = json.loads(hear(process))
    assert process.returncode == 0
    assert unfired, "in the last round there were no more changes to refuse"
    assert len(told) > 15
    kept = ["pp-ocrv6-small"]
    timing = {"missing": "", "old": "learnt"}[before]
    for message, remedy, state, left, learnt in told:
        assert "No space left on device" in message
        assert "Free some space" in remedy
        assert left in ([], [".timing"], kept, [".timing", *kept])
        assert (state == "missing") == (kept[0] not in left), "no empty folder stays"
        assert learnt in (timing, "newer")
    states = [row[2] for row in told]
    turn = states.index("new")  # from here on the engine was published and the timing cache refused
    assert set(states[:turn]) == {before}
    assert set(states[turn:]) == {"new"}
    assert {row[4] for row in told[:turn]} == {timing}


@contextmanager
def longest_file(size: int) -> Iterator[None]:
    """The kernel refuses to make files longer than `size`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("plan, limit", [(PLAN_BYTES, 5000), (b"short", 500)], ids=["in the plan", "in the record"])
@pytest.mark.parametrize("there", [False, True])
def test_a_disk_that_stops_writing(store: EngineStore, plan: bytes, limit: int, there: bool) -> None:
    """A real refusal by the kernel, half way through a file."""
    if there:
        put(store, plan=b"what was there")
    with store.building(KEY), longest_file(limit), pytest.raises(StorageFailed, match="File too large"):
        store.publish(KEY, plan, metric="", value=0, threshold=0, built_s=0, tools={})
    if there:
        assert store.read(KEY)[0] == b"what was there"
    assert names(store.root) == (["pp-ocrv6-small"] if there else [])
    put(store, plan=plan)
    assert store.read(KEY)[0] == plan


def test_a_disk_that_stops_writing_the_secret_or_a_timing_cache(store: EngineStore) -> None:
    with longest_file(16), pytest.raises(StorageFailed, match="File too large"), store.building(KEY):
        pytest.fail("a builder without a secret would build for nothing")
    assert names(store.root) == []
    assert not (store.root / SECRET).exists()
    store.keep_timing_cache(*DEVICE, b"learnt")
    with longest_file(500), pytest.raises(StorageFailed, match="File too large"):
        store.keep_timing_cache(*DEVICE, bytes(1000))
    assert store.timing_cache(*DEVICE) == b"learnt"
    assert names(store.root) == [".timing"]


def test_no_room(store: EngineStore, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store)
    usage = shutil.disk_usage(store.root)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StorageFailed, match="expected 1 MB free, got 0 MB") as caught:
        put(store, plan=b"newer")
    assert "APPLIANCE_DATA_DIR" in caught.value.remedy
    assert store.read(KEY)[0] == PLAN_BYTES


def test_pruning_needs_no_space(store: EngineStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what makes some."""
    put(store)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "mkdir", full)
    assert len(store.prune((), 0)) == 1
    assert names(store.root) == []


READ_ONLY = """
    if os.geteuid() == 0:  # root may write wherever it likes
        os.setgid(65534)
        os.setuid(65534)

    def refused(call):
        try:
            call()
        except StorageFailed as error:
            return str(error)
        return "nothing"

    print(json.dumps([
        state(),
        [entry.problem for entry in store.entries()],
        store.timing_cache(*DEVICE).decode(),
        refused(lambda: put(store)),
        refused(lambda: store.prune((), 0)),
        refused(lambda: store.keep_timing_cache(*DEVICE, b"newer")),
        store.root.chmod(0) or refused(lambda: store.find(KEY)),
        refused(store.entries),
    ]))
"""


def test_a_read_only_store_serves_and_is_not_written(
    store: EngineStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put(store)
    store.keep_timing_cache(*DEVICE, b"learnt")
    for path in sorted(store.root.rglob("*"), reverse=True) + [store.root]:
        path.chmod(0o555 if path.is_dir() else 0o400)
        if os.geteuid() == 0:
            os.chown(path, 65534, 65534)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)  # another user may not walk there
    with start(READ_ONLY, store.root.name) as process:
        state, problems, learnt, *refusals = json.loads(hear(process))
    for path in (store.root, *store.root.rglob("*")):
        path.chmod(0o755)  # so that pytest can clear it away
    assert (state, problems, learnt) == ("old", [""], "learnt")
    assert len(refusals) == 5, "the last two: it may not even be read"
    for refusal in refusals:
        assert "Permission denied" in refusal
    assert digest((store.home(KEY) / PLAN).read_bytes()) == digest(PLAN_BYTES)


def test_a_store_that_cannot_be_made(store: EngineStore) -> None:
    store.root.write_bytes(b"a file where the folder should be")
    with pytest.raises(StorageFailed, match="engines"):
        put(store)
    with pytest.raises(EngineMissing):
        store.find(KEY)
    assert store.entries() == ()
