"""`appliance service`: what the units run beside the process that serves."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from appliance.channels.technician.pin import matches
from appliance.cli.exits import Exit
from appliance.settings import load_settings
from tests.cli.conftest import Command

TOKEN = "a-token-of-sixteen"


@pytest.fixture
def lan(monkeypatch: pytest.MonkeyPatch, command: Command) -> Command:
    """With settings for a listener in the shop's network."""
    monkeypatch.setenv("APPLIANCE_HTTP_HOST", "0.0.0.0")
    monkeypatch.setenv("APPLIANCE_HTTP_TOKEN", TOKEN)
    monkeypatch.setenv("APPLIANCE_LAN_PEERS", "192.168.1.0/24,10.0.0.7")
    return command


def test_the_drop_in_goes_to_the_screen(lan: Command) -> None:
    told = lan("service", "drop-in")
    assert told.code == Exit.OK
    assert "IPAddressAllow=192.168.1.0/24\n" in told.out
    assert 'Environment="SERVICE_OPENS=192.168.1.0/24 10.0.0.7/32"\n' in told.out
    assert TOKEN not in told.out


def test_the_drop_in_replaces_a_file_whole(lan: Command, tmp_path: Path) -> None:
    place = tmp_path / "appliance.service.d/openings.conf"
    told = lan("service", "drop-in", "-o", str(place))
    assert told.code == Exit.OK
    assert place.read_text() == lan("service", "drop-in").out
    assert place.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in place.parent.iterdir()] == [place.name]
    assert "开放 / open: 192.168.1.0/24 (lan_peers)" in told.out
    assert "systemctl daemon-reload" in told.out
    before = place.read_text()
    assert lan("service", "drop-in", "-o", str(place)).code == Exit.OK
    assert place.read_text() == before


def test_a_place_that_cannot_be_written_is_named(lan: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = lan("service", "drop-in", "-o", str(tmp_path / "file/openings.conf"))
    assert told.code == Exit.FAILED
    assert str(tmp_path / "file") in told.err


def test_nothing_beyond_loopback_is_said(command: Command, tmp_path: Path) -> None:
    told = command("service", "drop-in", "-o", str(tmp_path / "openings.conf"))
    assert told.code == Exit.OK
    assert "不开放任何地址 / nothing is opened beyond loopback" in told.out


def test_a_listener_without_peers_is_refused_with_what_to_set(lan: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APPLIANCE_LAN_PEERS")
    told = lan("service", "drop-in")
    assert told.code == Exit.USAGE
    assert "expected who may reach http_host 0.0.0.0" in told.err
    assert "192.168.1.0/24" in told.err


def test_a_power_mode_off_a_jetson_is_unavailable(command: Command) -> None:
    if Path("/etc/nvpmodel.conf").exists():
        pytest.skip("this machine has power modes, and a test must not change them")
    told = command("service", "power", "15W")
    assert told.code == Exit.UNAVAILABLE
    assert "nvpmodel.conf" in told.err
    assert "power_mode" in told.err


@pytest.fixture
def nvpmodel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in on the PATH, which knows two modes; its state is the file that is returned."""
    state = tmp_path / "state"
    state.write_text("0")
    program = tmp_path / "bin/nvpmodel"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = -m ]; then echo "$2" >{state}; exit; fi\n'
        f'case $(cat {state}) in 0) name=MAXN ;; *) name=15W ;; esac\necho "NV Power Mode: $name"; cat {state}\n'
    )
    program.chmod(0o755)
    conf = tmp_path / "etc/nvpmodel.conf"
    conf.parent.mkdir()
    conf.write_text("< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=2 NAME=15W >\n")
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr("appliance.device.mode.CONF", conf)  # an absolute path wins over the root
    return state


def test_the_setting_names_the_mode(command: Command, nvpmodel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "*MAXN, 15W" in command("service", "power").out
    monkeypatch.setenv("APPLIANCE_POWER_MODE", "15W")
    told = command("service", "power")
    assert (told.code, told.out.strip()) == (Exit.OK, "功率模式 / power mode: MAXN → 15W")
    assert nvpmodel.read_text().strip() == "2"
    assert "已是 / in force already: 15W" in command("service", "power").out
    told = command("service", "power", "7W")
    assert told.code == Exit.USAGE
    assert "expected one of MAXN, 15W, got '7W'" in told.err


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_the_browser_is_started_once_the_appliance_answers(tmp_path: Path) -> None:
    """The command becomes the browser: same process, which the unit watches."""
    seen = tmp_path / "seen"
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$$ $*" >{seen}\n')
    program.chmod(0o755)
    server = HTTPServer(("127.0.0.1", 0), Healthy)
    port = server.server_address[1]
    server.server_close()
    url = f"http://127.0.0.1:{port}/"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
    environ |= {"APPLIANCE_KIOSK_BROWSER": f"{program} --kiosk {{url}}", "APPLIANCE_KIOSK_URL": url}
    command = [sys.executable, "-m", "appliance.cli", "service", "browser"]
    shown = subprocess.run([*command, "--show"], env=environ, capture_output=True, text=True, timeout=60, check=True)
    assert shown.stdout.strip() == f"{program} --kiosk {url}"
    process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert f"等待服务 / waiting for the appliance: {url}" in process.stderr.readline()
        time.sleep(0.5)
        assert not seen.exists()
        server = HTTPServer(("127.0.0.1", port), Healthy)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert process.wait(60) == 0
        assert seen.read_text() == f"{process.pid} --kiosk {url}\n"
        server.shutdown()
        server.server_close()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_a_pin_from_a_pipe_becomes_the_setting_that_the_service_takes(command: Command, tmp_path: Path) -> None:
    told = command("service", "pin", stdin="493817\n")
    assert told.code == Exit.OK
    assert "493817" not in told.out + told.err
    file = tmp_path / "settings.yaml"
    file.write_text(told.out)
    assert matches("493817", load_settings(file, {}).service_pin)


def test_no_pin_is_refused_without_being_repeated(command: Command) -> None:
    for typed in ("12345\n", "not digits\n", "123456\n", ""):
        told = command("service", "pin", stdin=typed)
        assert told.code == Exit.USAGE
        assert told.out == ""
        assert not typed.strip() or typed.strip() not in told.err


def test_a_pin_from_a_terminal_is_asked_for_twice_and_not_shown() -> None:
    def asked(*typed: str) -> tuple[str, int]:
        """What the terminal shows, and the exit code."""
        child, terminal = pty.fork()
        if child == 0:
            os.execv(sys.executable, [sys.executable, "-m", "appliance.cli", "service", "pin"])
        shown, left = b"", list(typed)
        try:
            while piece := os.read(terminal, 4096):
                shown += piece
                if left and shown.rstrip().endswith(b":"):  # a question: what is typed before it would be echoed
                    time.sleep(0.2)
                    os.write(terminal, left.pop(0).encode() + b"\n")
                    shown += b" <typed>"
        except OSError:
            pass  # its end, as Linux says it
        return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    shown, code = asked("493817", "493817")
    assert code == Exit.OK, shown
    assert shown.count("<typed>") == 2
    assert "493817" not in shown
    assert re.search(r"service_pin: scrypt:15:8:1:[0-9a-f:]+\r\n", shown)
    shown, _ = asked("493817", "493818", "493817", "493817")
    assert shown.count("<typed>") == 4, "two that differ are asked for again"
