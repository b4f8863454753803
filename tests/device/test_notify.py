"""The notification protocol, over real sockets."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.device import notify
from appliance.device.notify import LONGEST_STATUS, Notifier
from tests.device.supervisor import Supervisor, supervising


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with supervising(tmp_path) as heard:
        yield heard


def test_it_says_what_systemd_reads(supervisor: Supervisor) -> None:
    notifier = Notifier.of({"NOTIFY_SOCKET": supervisor.address})
    assert notifier.supervised
    assert notifier.status("载入 / loading")
    assert notifier.ready("就绪 / ready: http://127.0.0.1:8080")
    assert notifier.alive()
    assert notifier.stopping()
    said = [supervisor.hear() for _ in range(4)]
    assert said == [
        "STATUS=载入 / loading",
        "READY=1\nSTATUS=就绪 / ready: http://127.0.0.1:8080",
        "WATCHDOG=1",
        "STOPPING=1",
    ]


def test_an_abstract_socket_is_reached() -> None:
    supervisor = Supervisor(f"@appliance-test-{secrets.token_hex(8)}")
    try:
        assert Notifier(supervisor.address).ready()
        assert supervisor.hear() == "READY=1"
    finally:
        supervisor.close()


def test_a_status_is_one_line_and_fits_a_datagram(supervisor: Supervisor) -> None:
    notifier = Notifier(supervisor.address)
    assert notifier.status("正在停止\nREADY=1\r\n 好")
    assert supervisor.hear() == "STATUS=正在停止 READY=1 好"
    assert notifier.status("好" * 5000)
    long = supervisor.hear()
    assert long == "STATUS=" + "好" * (LONGEST_STATUS // 3)
    assert len(long.encode()) < 4096
    assert not notifier.status(" \n")  # nothing to say is not said
    assert supervisor.silent(0.05)


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}])
def test_without_a_supervisor_nothing_is_told(environ: dict[str, str]) -> None:
    notifier = Notifier.of(environ | {"WATCHDOG_USEC": "20000000"})
    assert not notifier.supervised
    assert notifier.watchdog_s == 0
    assert not notifier.ready("x")


def test_an_address_of_another_kind_is_named(caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier.of({"NOTIFY_SOCKET": "vsock:2:9999", "WATCHDOG_USEC": "20000000"})
    assert not notifier.supervised
    assert notifier.watchdog_s == 0
    assert "expected a path or @name, got 'vsock:2:9999'" in caplog.text


@pytest.mark.parametrize(
    ("given", "process", "seconds"),
    [
        ("20000000", "", 20.0),
        ("500000", "own", 0.5),
        ("20000000", "1", 0.0),  # meant for another process, as sd_watchdog_enabled(3) says
        ("", "", 0.0),
    ],
)
def test_the_watchdogs_time_is_that_of_this_process(given: str, process: str, seconds: float) -> None:
    environ = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": given}
    if process:
        environ["WATCHDOG_PID"] = str(os.getpid()) if process == "own" else process
    assert Notifier.of(environ).watchdog_s == seconds


@pytest.mark.parametrize("given", ["soon", "-1", "0", "1.5"])
def test_a_watchdog_time_that_is_none_is_named(given: str, caplog: pytest.LogCaptureFixture) -> None:
    assert Notifier.of({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": given}).watchdog_s == 0
    assert f"expected microseconds, got {given!r}" in caplog.text


def test_a_supervisor_that_has_gone_is_logged_once_and_is_no_error(
    supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = Notifier(supervisor.address)
    supervisor.close()
    with caplog.at_level(logging.WARNING):
        assert not notifier.alive()
        assert not notifier.alive()
    assert caplog.text.count("WATCHDOG could not be told to the service manager") == 1


def filled(address: str) -> bool:
    """Add a message to the queue; False when it is full. Each has a socket of its own, whose buffer is never full."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        try:
            other.sendto(b"WATCHDOG=1", address)
        except BlockingIOError:
            return False
    return True


def test_a_supervisor_that_reads_late_still_hears_everything(supervisor: Supervisor) -> None:
    """systemd reads nothing while it is reloaded: its queue fills, and what comes then waits instead of being lost."""
    notifier = Notifier(supervisor.address)
    count = 0
    while filled(supervisor.address):
        count += 1
    sent: list[bool] = []
    sender = threading.Thread(target=lambda: sent.append(notifier.ready()))
    sender.start()
    time.sleep(0.1)
    assert sent == []
    assert [supervisor.hear() for _ in range(count + 1)][-1] == "READY=1"
    sender.join(10)
    assert sent == [True]


def test_a_supervisor_that_never_reads_holds_nobody_up(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notify, "SEND_S", 0.05)
    notifier = Notifier(supervisor.address)
    while notifier.alive():
        pass
    assert "could not be told to the service manager: timed out" in caplog.text


def test_the_watchdog_is_given_time_where_there_is_one(supervisor: Supervisor) -> None:
    assert Notifier(supervisor.address, 20.0).allow(300.0)
    assert supervisor.hear() == "WATCHDOG_USEC=300000000"
    assert not Notifier(supervisor.address).allow(300.0)
