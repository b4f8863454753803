"""`appliance serve`: it says what it can do, answers, and ends cleanly when told to."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.channels.http.server import Server
from appliance.cli.exits import Exit
from tests.cli.conftest import Command


@pytest.fixture
def unchanged() -> Iterator[None]:
    """What `serve` sets for its whole process is put back."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    root = logging.getLogger()
    logs, level = root.handlers[:], root.level
    hooks = sys.excepthook, threading.excepthook
    turns = sys.getswitchinterval()
    yield
    gc.unfreeze()
    sys.setswitchinterval(turns)
    sys.excepthook, threading.excepthook = hooks
    for number, handler in handlers.items():
        signal.signal(number, handler)
    root.handlers[:] = logs
    root.setLevel(level)


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.usefixtures("unchanged")
def test_what_kills_a_thread_is_logged_without_its_message(
    command: Command, port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The hooks are those of the process: any thread's last word goes through them."""
    monkeypatch.setenv("APPLIANCE_HTTP_PORT", str(port))
    monkeypatch.setattr("appliance.channels.http.server.Server.serve_forever", Server.stop)
    assert command("serve").code == Exit.OK
    logging.getLogger().addHandler(caplog.handler)

    def dies() -> None:
        int("13812345678x")

    thread = threading.Thread(target=dies, name="sessions")
    thread.start()
    thread.join(10)
    try:
        dies()
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    assert "sessions died: ValueError" in caplog.text
    assert "serve died: ValueError" in caplog.text
    assert " dies" in caplog.text
    assert "13812345678" not in caplog.text


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_it_answers_until_it_is_told_to_stop(
    command: Command, port: int, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setenv("APPLIANCE_HTTP_PORT", str(port))
    ready: list[bool] = []
    passed_over: list[int] = []

    def visit() -> None:
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=30) as answer:
                    ready.append(json.load(answer)["ready"])
                passed_over.append(gc.get_freeze_count())
                break
            except OSError:
                time.sleep(0.1)
        os.kill(os.getpid(), number)

    visitor = threading.Thread(target=visit)
    visitor.start()
    told = command("serve")
    visitor.join()
    assert told.code == Exit.OK
    assert ready == [True]
    # The collector need not look through the pack and the indexes again and again.
    assert passed_over[0] > 50_000
    assert f"就绪 / ready: http://127.0.0.1:{port}" in told.err
    assert "pp-ocrv6-small" in told.err
    assert "Traceback" not in told.err
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_the_process_ends_with_0_on_sigterm_even_while_a_stream_is_open(data: Path, port: int, tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
    environ |= {"APPLIANCE_DATA_DIR": str(data), "APPLIANCE_HTTP_PORT": str(port)}
    log = tmp_path / "serve.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "appliance.cli", "serve"], env=environ, stdout=out, stderr=out
        )
    try:
        with opened(f"http://127.0.0.1:{port}/v1/events", process) as stream:
            assert stream.readline()
            process.terminate()
            while stream.readline():
                pass  # the server ends the stream
        assert process.wait(60) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in log.read_text()


def opened(url: str, process: subprocess.Popen[bytes]) -> Any:
    """The open answer at `url`, once the process serves."""
    for _ in range(600):
        assert process.poll() is None, "the appliance ended before it served"
        try:
            return urllib.request.urlopen(url, timeout=60)
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the appliance did not serve within a minute")


def test_a_port_in_use_is_named_with_its_remedy(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        held = holder.getsockname()[1]
        monkeypatch.setenv("APPLIANCE_HTTP_PORT", str(held))
        told = command("serve")
    assert told.code == Exit.USAGE
    assert f"expected a free port on 127.0.0.1, got {held}" in told.err
    assert "APPLIANCE_HTTP_PORT" in told.err
    assert "Traceback" not in told.err
