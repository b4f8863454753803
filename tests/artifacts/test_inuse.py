"""Who serves from a data folder keeps others from replacing it, and is kept waiting while they do."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from appliance.artifacts.inuse import FILE, alone, in_use, used


def test_many_serve_and_nobody_replaces_meanwhile(tmp_path: Path) -> None:
    assert not used(tmp_path)
    with in_use(tmp_path), in_use(tmp_path):
        assert used(tmp_path)
        with alone(tmp_path) as free:
            assert not free
    assert not used(tmp_path)
    with alone(tmp_path) as free:
        assert free


def test_who_comes_while_something_is_replaced_waits(tmp_path: Path) -> None:
    order = []

    def serve() -> None:
        with in_use(tmp_path):
            order.append("serves")

    thread = threading.Thread(target=serve)
    with alone(tmp_path):
        thread.start()
        thread.join(0.3)
        order.append("replaced")
    thread.join(10)
    assert order == ["replaced", "serves"]


def test_a_folder_that_cannot_be_written_is_served_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with in_use(tmp_path / "file" / "below"):
        assert not used(tmp_path / "file" / "below")


def test_root_and_the_service_lock_the_same_file(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with alone(tmp_path):
            assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)


def test_a_link_in_place_of_the_lock_opens_nobodys_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o600)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / FILE).symlink_to(secret)
    with in_use(tmp_path / "data"), alone(tmp_path / "data"):
        assert secret.stat().st_mode & 0o777 == 0o600
