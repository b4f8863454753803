"""Only a whole engine that this installation built for this very device, library and file is ever found."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import appliance.artifacts.engine_record as module
from appliance.artifacts.engine_record import LONGEST, PLAN, RECORD
from appliance.artifacts.engines import EngineKey, EngineStore
from appliance.artifacts.seal import SECRET
from appliance.errors import EngineCorrupt, EngineMissing, InvalidInput, StorageFailed
from tests.artifacts.conftest import Events, digest

NETWORK = "pp-ocrv6-small/recogniser"
KEY = EngineKey(
    network=NETWORK,
    onnx="ab" * 32,
    tensorrt="10.3.0",
    gpu="Orin (nvgpu)",
    capability="8.7",
    platform="R36.4.3",
    precision="fp16",
    profiles="0123456789abcdef",
    typing="strong",
)
PLAN_BYTES = b"ftrt" + bytes(range(256)) * 40
TOOLS = {"tensorrt": "10.3.0", "appliance": "0.5.0"}


def put(store: EngineStore, key: EngineKey = KEY, plan: bytes | memoryview = PLAN_BYTES, value: float = 0.97) -> Path:
    """An engine as a builder publishes it."""
    with store.building(key):
        return store.publish(key, plan, metric="exact_lines", value=value, threshold=0.95, built_s=61.5, tools=TOOLS)


def names(root: Path) -> list[str]:
    """What lies in the root beside locks and the secret: engines, and anything left over."""
    return sorted(path.name for path in root.iterdir() if path.name not in (".lock", ".locks", SECRET))


def rewrite(path: Path, **changed: object) -> None:
    row = json.loads((path.parent / RECORD).read_text("utf-8"))
    (path.parent / RECORD).write_text(json.dumps(row | changed), "utf-8")


@pytest.fixture
def store(tmp_path: Path) -> EngineStore:
    return EngineStore(tmp_path / "engines")


def test_constructor_and_looking_touch_nothing(store: EngineStore) -> None:
    with pytest.raises(EngineMissing):
        store.find(KEY)
    assert store.entries() == ()
    assert store.timing_cache("10.3.0", "Orin", "8.7") == b""
    assert not store.root.exists()


def test_what_was_published_is_found_with_its_record(store: EngineStore) -> None:
    path = put(store)
    assert path == store.root / "pp-ocrv6-small" / "recogniser" / KEY.digest / PLAN
    found, record = store.find(KEY)
    assert (found, found.read_bytes()) == (path, PLAN_BYTES)
    assert store.read(KEY) == (PLAN_BYTES, record)
    assert (record.key, record.size, record.sha256) == (KEY, len(PLAN_BYTES), digest(PLAN_BYTES))
    assert (record.metric, record.value, record.threshold, record.built_s) == ("exact_lines", 0.97, 0.95, 61.5)
    assert record.tools == TOOLS
    assert datetime.fromisoformat(record.built_at).utcoffset() is not None
    assert names(store.root) == ["pp-ocrv6-small"]


def test_modes_whatever_the_umask(store: EngineStore) -> None:
    old = os.umask(0o077)
    try:
        path = put(store)
    finally:
        os.umask(old)
    modes = [stat.S_IMODE(one.stat().st_mode) for one in (path.parent, path, path.parent / RECORD)]
    assert modes == [0o755, 0o644, 0o644]
    assert stat.S_IMODE((store.root / SECRET).stat().st_mode) == 0o600
    assert len((store.root / SECRET).read_bytes()) == 32


def test_a_plan_in_any_buffer(store: EngineStore) -> None:
    """TensorRT hands out its own memory, not always as bytes."""
    words = memoryview(PLAN_BYTES).cast("I")
    put(store, plan=words)
    assert store.read(KEY)[0] == PLAN_BYTES
    assert store.find(KEY)[1].size == words.nbytes


def test_every_part_of_the_key_is_another_engine(store: EngineStore) -> None:
    put(store)
    others = [replace(KEY, **{one.name: getattr(KEY, one.name) + "x"}) for one in fields(EngineKey)]
    assert len({KEY.digest, *(other.digest for other in others)}) == 1 + len(others) == 10
    for other in others:
        with pytest.raises(EngineMissing):
            store.find(other)
    assert len(KEY.digest) == 16
    assert KEY.digest == replace(KEY).digest


def test_digest_does_not_change_between_versions_of_this_code() -> None:
    """A change would leave every engine of every board to be built again."""
    assert KEY.digest == "11201ff550d7f576"


def test_missing_says_what_was_wanted_and_what_to_run(store: EngineStore) -> None:
    with pytest.raises(EngineMissing) as caught:
        store.find(KEY)
    assert caught.value.detail == (
        f"{NETWORK} fp16: expected an engine for TensorRT 10.3.0 on Orin (nvgpu) 8.7 R36.4.3, found none"
    )
    assert "`appliance engines build`" in caught.value.remedy


def test_stale_says_for_what_the_nearest_was_built(store: EngineStore) -> None:
    put(store, replace(KEY, tensorrt="10.7.0", precision="fp32", platform="R38.2.0"))
    put(store)
    with pytest.raises(EngineMissing, match=r"found none; there is one for tensorrt 10\.3\.0$"):
        store.find(replace(KEY, tensorrt="10.4.0"))
    with pytest.raises(EngineMissing, match=r"found none; there is one for gpu Orin \(nvgpu\), capability 8\.7$"):
        store.find(replace(KEY, gpu="Thor", capability="11.0"))
    rewrite(store.home(KEY) / PLAN, built_s=0)
    with pytest.raises(EngineMissing, match=r"there is one for tensorrt 10\.7\.0, platform R38\.2\.0, precision fp32$"):
        store.find(replace(KEY, tensorrt="10.4.0"))


def truncate(path: Path) -> None:
    os.truncate(path, len(PLAN_BYTES) // 2)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)


def lose_record(path: Path) -> None:
    (path.parent / RECORD).unlink()


def pipe(path: Path) -> None:
    (path.parent / RECORD).unlink()
    os.mkfifo(path.parent / RECORD)


DAMAGE: list[tuple[Callable[[Path], object], str]] = [
    (truncate, f"engine.plan: expected {len(PLAN_BYTES)} bytes, got {len(PLAN_BYTES) // 2}"),
    (lambda path: path.write_bytes(b""), f"engine.plan: expected {len(PLAN_BYTES)} bytes, got 0"),
    (lambda path: path.write_bytes(PLAN_BYTES + b"x"), f"expected {len(PLAN_BYTES)} bytes, got {len(PLAN_BYTES) + 1}"),
    (flip, f"engine.plan: expected sha256 {digest(PLAN_BYTES)}, got "),
    (Path.unlink, "expected engine.plan beside record.json, found none"),
    (lose_record, "expected record.json beside engine.plan, found none: it was never finished"),
    (pipe, "record.json: expected a file, got something else"),
    (lambda path: (path.parent / RECORD).write_bytes(b""), "record.json: expected JSON, got something else"),
    (lambda path: (path.parent / RECORD).write_bytes(b"\xff\xfe{"), "record.json: expected JSON"),
    (lambda path: (path.parent / RECORD).write_bytes(b"[" * 50_000), "record.json: expected JSON"),
    (lambda path: (path.parent / RECORD).write_bytes(b" " * (LONGEST + 1)), f"expected at most {LONGEST} bytes"),
    (lambda path: (path.parent / RECORD).write_bytes(b"[1]"), "got a foreign or changed one"),
    (lambda path: (path.parent / RECORD).write_bytes(b"{}"), "got a foreign or changed one"),
    (lambda path: rewrite(path, value=1.0), "got a foreign or changed one"),
    (lambda path: rewrite(path, more=1), "got a foreign or changed one"),
    (lambda path: rewrite(path, seal="0" * 64), "got a foreign or changed one"),
    (lambda path: rewrite(path, seal=None), "got a foreign or changed one"),
    (lambda path: rewrite(path, seal="\ud800"), "got a foreign or changed one"),
    (lambda path: rewrite(path, sha256=digest(b"evil"), size=4), "got a foreign or changed one"),
]


@pytest.mark.parametrize("damage, message", DAMAGE)
def test_damage_is_named_and_built_again(store: EngineStore, damage: Callable[[Path], object], message: str) -> None:
    path = put(store)
    damage(path)
    for look in (store.find, store.read):
        with pytest.raises(EngineCorrupt) as caught:
            look(KEY)
        assert caught.value.detail.startswith(f"{NETWORK}/{KEY.digest}: ")
        assert message in caught.value.detail
        assert str(store.root) not in caught.value.detail, "the page shows it"
        assert "`appliance engines build`" in caught.value.remedy
    (entry,) = store.entries()
    assert message in entry.problem
    put(store)
    assert store.read(KEY)[0] == PLAN_BYTES
    assert names(store.root) == ["pp-ocrv6-small"]


def test_an_empty_folder_is_missing(store: EngineStore) -> None:
    store.home(KEY).mkdir(parents=True)
    with pytest.raises(EngineMissing, match="expected engine.plan, found none"):
        store.find(KEY)


def test_a_file_where_a_folder_should_be(store: EngineStore) -> None:
    store.home(KEY).parent.mkdir(parents=True)
    store.home(KEY).write_bytes(b"x")
    with pytest.raises(EngineMissing):
        store.find(KEY)
    put(store)
    assert store.read(KEY)[0] == PLAN_BYTES


def foreign(tmp_path: Path) -> Path:
    """The engine of another installation for the very same key."""
    return put(EngineStore(tmp_path / "elsewhere"), plan=b"hostile")


def test_an_engine_of_another_installation_is_refused_record_and_all(store: EngineStore, tmp_path: Path) -> None:
    put(store)
    shutil.rmtree(store.home(KEY))
    shutil.copytree(foreign(tmp_path).parent, store.home(KEY))
    for look in (store.find, store.read):
        with pytest.raises(EngineCorrupt) as caught:
            look(KEY)
        assert caught.value.detail == (
            f"{NETWORK}/{KEY.digest}: expected an engine that this installation built and sealed, "
            "got a foreign or changed one"
        )
    (entry,) = store.entries()
    assert entry.record is None, "nothing that a foreign record says is repeated"


def test_a_store_without_a_secret_trusts_nothing(store: EngineStore, tmp_path: Path) -> None:
    shutil.copytree(foreign(tmp_path).parent, store.home(KEY))
    with pytest.raises(EngineCorrupt, match="foreign"):
        store.find(KEY)
    assert not (store.root / SECRET).exists()


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: os.truncate(path, 31)])
def test_a_lost_secret_makes_all_foreign_and_the_next_builder_a_new_one(
    store: EngineStore, damage: Callable[[Path], object]
) -> None:
    put(store)
    old = (store.root / SECRET).read_bytes()
    damage(store.root / SECRET)
    with pytest.raises(EngineCorrupt, match="foreign"):
        store.find(KEY)
    put(store)
    assert store.read(KEY)[0] == PLAN_BYTES
    assert len((store.root / SECRET).read_bytes()) == 32
    assert (store.root / SECRET).read_bytes() != old


def test_the_secret_stays_and_is_told_to_nobody(store: EngineStore, tmp_path: Path) -> None:
    path = put(store)
    secret = (store.root / SECRET).read_bytes()
    right = store.find(KEY)[1].seal
    put(store, replace(KEY, precision="int8"))
    assert (store.root / SECRET).read_bytes() == secret
    rewrite(path, seal="0" * 64)
    with pytest.raises(EngineCorrupt) as caught:
        store.find(KEY)
    told = f"{caught.value.account} {caught.value!r} {caught.value.__cause__!r}"
    assert secret.hex() not in told
    assert right not in told, "a forger would only have to read it"
    assert repr(secret)[2:-1] not in told


def test_a_secret_that_cannot_be_read_is_no_reason_to_call_engines_foreign(store: EngineStore) -> None:
    """Nothing would be known then, and `prune` would delete every engine there is."""
    put(store)
    (store.root / SECRET).unlink()
    (store.root / SECRET).mkdir()  # unreadable for root too
    calls: list[Callable[[], object]] = [
        lambda: store.find(KEY),
        store.entries,
        lambda: store.prune((), 0),
        lambda: put(store),
        lambda: store.keep_timing_cache("10.3.0", "Orin", "8.7", b"x"),
    ]
    for call in calls:
        with pytest.raises(StorageFailed, match="expected the secret of this installation, got Is a directory") as e:
            call()
        assert "build every engine again" in e.value.remedy
    assert store.home(KEY).is_dir()
    assert store.timing_cache("10.3.0", "Orin", "8.7") == b"", "a build is only slower without it"


def test_an_engine_moved_to_the_place_of_another_key(store: EngineStore) -> None:
    """Sealed here and whole, but for another device."""
    other = replace(KEY, tensorrt="10.4.0", platform="R36.5.0")
    put(store)
    store.home(KEY).rename(store.home(other))
    with pytest.raises(EngineCorrupt) as caught:
        store.find(other)
    assert caught.value.detail == (
        f"{NETWORK}/{other.digest}: expected an engine for tensorrt 10.4.0, platform R36.5.0, "
        "got tensorrt 10.3.0, platform R36.4.3"
    )
    (entry,) = store.entries()
    assert entry.problem == (
        f"{NETWORK}/{other.digest}: expected the engine of this place, got that of {NETWORK}/{KEY.digest}"
    )


def test_a_record_of_another_version_of_this_code(store: EngineStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real = module.asdict

    def older(record: Any) -> dict[str, Any]:
        return {name: value for name, value in real(record).items() if name != "built_s"}

    monkeypatch.setattr(module, "asdict", older)
    put(store)
    monkeypatch.undo()
    with pytest.raises(EngineCorrupt, match=r"record\.json: expected the fields of this version, got others"):
        store.find(KEY)


@pytest.mark.parametrize(
    "network",
    [
        "..",
        "../..",
        "a/..",
        "../a",
        "/etc/x",
        "a//b",
        "a",
        "a/b/c",
        "",
        "a/.b",
        ".in-x/b",
        "a\\b/c",
        "a/b\n",
        "a/" * 200,
    ],
)
def test_hostile_names(store: EngineStore, network: str) -> None:
    key = replace(KEY, network=network)
    for call in (store.find, store.read, store.home, put_in(store)):
        with pytest.raises(InvalidInput, match="expected a network named MODEL/NETWORK, got "):
            call(key)
    assert not store.root.exists()


def put_in(store: EngineStore) -> Callable[[EngineKey], object]:
    return lambda key: put(store, key)


def test_replaced_while_it_is_read_is_looked_at_again(store: EngineStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A builder publishes between the record and the plan."""
    put(store)
    real, newer = module.sha256_of, PLAN_BYTES[::-1]

    def slow(path: Path) -> str:
        monkeypatch.undo()
        put(store, plan=newer)
        return real(path)

    monkeypatch.setattr(module, "sha256_of", slow)
    path, record = store.find(KEY)
    assert record.sha256 == digest(newer) == digest(path.read_bytes())


def age(store: EngineStore, key: EngineKey, seconds: int) -> None:
    os.utime(store.home(key), (seconds, seconds))


def test_entries_in_order_of_their_place(store: EngineStore) -> None:
    keys = [replace(KEY, network=network, precision=p) for network in ("b/z", "a/y", "b/c") for p in ("fp32", "fp16")]
    for key in keys:
        put(store, key)
    entries = store.entries()
    assert [one.path for one in entries] == sorted(store.home(key) for key in keys)
    assert {one.record.key for one in entries if one.record} == set(keys)
    assert [one.problem for one in entries] == [""] * 6
    assert store.entries() == entries, "looking changes nothing"
    assert entries[0].bytes == sum(path.stat().st_size for path in entries[0].path.iterdir())


def test_entries_name_what_does_not_belong(store: EngineStore) -> None:
    put(store)
    stray = store.root / "some-model" / "some.network" / "notes"
    stray.mkdir(parents=True)
    (stray / "readme.txt").write_text("hello")
    (store.root / "loose.txt").write_text("hello")
    ours, other = store.entries()
    assert (ours.problem, ours.path) == ("", store.home(KEY))
    assert (other.problem, other.bytes) == ("some-model/some.network/notes: expected engine.plan, found none", 5)


def test_prune_deletes_the_least_recently_used_until_it_fits(store: EngineStore, heard: tuple[Events, Any]) -> None:
    events, listen = heard
    keys = [replace(KEY, network="m/n", profiles=f"{number}" * 16) for number in range(4)]
    for number, key in enumerate(keys):
        put(store, key)
        age(store, key, 1000 + number)
    store.find(keys[0])  # now the most recently used
    sizes = {entry.path: entry.bytes for entry in store.entries()}
    limit = sum(sizes.values()) - sizes[store.home(keys[1])] - 1
    removed = EngineStore(store.root, listen).prune((), limit)
    assert [entry.path for entry in removed] == [store.home(keys[1]), store.home(keys[2])]
    assert {entry.path for entry in store.entries()} == {store.home(keys[0]), store.home(keys[3])}
    assert [(name, said["engine"]) for name, said in events] == [
        ("engines.pruned", f"m/n/{key.digest}") for key in keys[1:3]
    ]
    assert store.prune((), limit) == ()


def test_prune_never_deletes_what_is_to_be_kept(store: EngineStore) -> None:
    kept, idle = KEY, replace(KEY, precision="int8")
    put(store, kept)
    put(store, idle)
    age(store, kept, 1)
    assert [entry.path for entry in store.prune({kept.digest}, 0)] == [store.home(idle)]
    assert store.prune({kept.digest}, 0) == ()
    assert store.read(kept)[0] == PLAN_BYTES


def test_prune_deletes_what_cannot_be_used_first_and_anyway(store: EngineStore, tmp_path: Path) -> None:
    damaged, unfinished, alien = (replace(KEY, network=f"m/{name}") for name in ("damaged", "unfinished", "alien"))
    for key in (KEY, damaged, unfinished):
        put(store, key)
    flip(store.home(damaged) / PLAN)
    lose_record(store.home(unfinished) / PLAN)
    shutil.copytree(put(EngineStore(tmp_path / "elsewhere"), alien).parent, store.home(alien))
    removed = store.prune({KEY.digest, damaged.digest}, 1 << 40)
    assert [entry.path for entry in removed] == [store.home(key) for key in (alien, damaged, unfinished)]
    assert all(entry.problem for entry in removed)
    assert names(store.root) == ["pp-ocrv6-small"], "empty folders went too"
    assert store.read(KEY)[0] == PLAN_BYTES


def test_prune_of_a_link_deletes_the_link(store: EngineStore, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "photo").write_bytes(b"photo")
    put(store)
    store.home(KEY).with_name("link").symlink_to(precious)
    (entry,) = store.prune((KEY.digest,), 1 << 40)
    assert entry.path.name == "link"
    assert (precious / "photo").read_bytes() == b"photo"


DEVICE = ("10.3.0", "Orin (nvgpu)", "8.7")


def test_timing_cache_of_each_device(store: EngineStore) -> None:
    store.keep_timing_cache(*DEVICE, b"learnt")
    store.keep_timing_cache("10.3.0", "Orin (nvgpu)", "8.6", memoryview(b"other"))
    assert store.timing_cache(*DEVICE) == b"learnt"
    assert store.timing_cache("10.3.0", "Orin (nvgpu)", "8.6") == b"other"
    assert store.timing_cache("10.3.0", "Thor", "8.7") == b""
    store.keep_timing_cache(*DEVICE, b"")
    assert store.timing_cache(*DEVICE) == b""
    assert store.entries() == ()
    assert store.prune((), 0) == ()
    assert store.timing_cache("10.3.0", "Orin (nvgpu)", "8.6") == b"other"


def test_timing_cache_that_is_changed_foreign_or_of_another_device_is_none(store: EngineStore, tmp_path: Path) -> None:
    store.keep_timing_cache(*DEVICE, b"learnt")
    (path,) = (store.root / ".timing").iterdir()
    good = path.read_bytes()
    for content in (good[:-1], good + b"x", b"", b"\xff" * 80, b"0" * 64 + b"learnt"):
        path.write_bytes(content)
        assert store.timing_cache(*DEVICE) == b""
    elsewhere = EngineStore(tmp_path / "elsewhere")
    elsewhere.keep_timing_cache(*DEVICE, b"hostile")
    shutil.copyfile(elsewhere.root / ".timing" / path.name, path)
    assert store.timing_cache(*DEVICE) == b""
    store.keep_timing_cache("10.4.0", *DEVICE[1:], b"newer")
    (newer,) = (one for one in path.parent.iterdir() if one != path)
    shutil.copyfile(newer, path)
    assert store.timing_cache(*DEVICE) == b"", "sealed here, but for another TensorRT"
    path.write_bytes(good)
    assert store.timing_cache(*DEVICE) == b"learnt"


def test_a_timing_cache_is_no_record(store: EngineStore) -> None:
    """What is sealed for one purpose serves no other: TensorRT chooses the bytes of a timing cache."""
    put(store)
    row = json.loads((store.home(KEY) / RECORD).read_text("utf-8"))
    del row["seal"]
    store.keep_timing_cache(*DEVICE, module.canonical(row | {"value": 1.0}))
    (path,) = (store.root / ".timing").iterdir()
    rewrite(store.home(KEY) / PLAN, value=1.0, seal=path.read_bytes()[:64].decode())
    with pytest.raises(EngineCorrupt, match="foreign"):
        store.find(KEY)


def test_record_is_read_by_people_too(store: EngineStore) -> None:
    row = json.loads((put(store).parent / RECORD).read_text("utf-8"))
    assert row["key"] == asdict(KEY)
    assert row["tools"] == TOOLS
