"""The real appliance as a service: what it tells its supervisor, and the shipped unit under a real systemd."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.device.openings import drop_in, openings
from appliance.settings import load_settings
from appliance.speech.hear import DEMO
from benchmarks.speech.score import characters
from tests.conftest import REPOSITORY
from tests.device.supervisor import supervising
from tests.e2e.conftest import SILENCES, copy_models, installed_store
from tests.soundcard import need_sound
from tests.systemd import ENVIRONMENT, INSIDE, PYTHON, Systemd

START_S = 120.0
"""Longest start that is waited for on a busy machine."""
TOKEN = "a-token-of-sixteen"
HOST, PEER, STRANGER = "10.77.0.1", "10.77.0.9", "10.77.0.8"


def test_it_is_ready_when_http_answers_alive_while_it_works_and_says_when_it_ends(tmp_path: Path) -> None:
    copy_models(tmp_path / "data")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("APPLIANCE_", *SILENCES))}
    environ |= {"APPLIANCE_HTTP_PORT": str(port), "APPLIANCE_DATA_DIR": str(tmp_path / "data")}
    with supervising(tmp_path) as supervisor, (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "appliance.cli", "serve"],
            env=environ | {"NOTIFY_SOCKET": supervisor.address, "WATCHDOG_USEC": "2000000"},
            stdout=log,
            stderr=log,
        )
        try:
            assert supervisor.hear(START_S).startswith("STATUS=启动中 / starting")
            ready = supervisor.until("READY=1", START_S)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/status", timeout=10) as answer:  # at the first try
                status = json.load(answer)
            assert f"STATUS=就绪 / ready: http://127.0.0.1:{port}" in ready
            assert "WATCHDOG=1" not in supervisor.told
            assert (status["service"]["supervised"], status["service"]["watchdog_s"]) == (True, 2.0)
            for _ in range(4):
                supervisor.until("WATCHDOG=1", 2.0)
            process.terminate()
            supervisor.until("STOPPING=1", 10)
            assert process.wait(60) == 0
            assert supervisor.silent(0.1)
        finally:
            process.kill()
            process.wait()
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systemd]:
    """The shipped unit, started with its own user, sandbox and settings; its drop-in opens for PEER.

    Somebody else is logged in at the screen: their sound server has what jetson/install.sh --kiosk-user gives it.
    """
    folder = tmp_path_factory.mktemp("kiosk")
    home = installed_store().home(DEMO)
    shutil.copytree(home, copy_models(folder / "state") / DEMO / home.name)
    with Systemd(folder, state=folder / "state", addresses=(HOST, PEER, STRANGER)) as systemd:
        systemd.unit("appliance.service", (REPOSITORY / "systemd/appliance.service").read_text("utf-8"))
        # Only where the program lies and where its log goes are not as shipped: there is neither its environment nor a
        # journal.
        systemd.unit(
            "appliance.service.d/test.conf",
            f"[Service]\nExecStart=\nExecStart={PYTHON} -m appliance.cli serve\nEnvironment={ENVIRONMENT}\n"
            f"StandardOutput=append:{INSIDE}/log\nStandardError=append:{INSIDE}/log\n",
        )
        settings = {"http_host": "0.0.0.0", "http_token": TOKEN, "lan_peers": [PEER]}
        settings |= {"voice": "push", "microphone": "echo-cancel", "speaker": "echo-cancel-out"}
        opened = openings(load_settings(None, {}, settings))
        systemd.unit("appliance.service.d/openings.conf", drop_in(opened))
        users = systemd.run("systemd-sysusers", "/opt/appliance/repository/systemd/sysusers.conf")
        assert users.returncode == 0, users.stderr
        place = folder / "appliance.yaml"
        place.write_text(json.dumps(settings | {"data_dir": "/var/lib/appliance"}))  # JSON is YAML
        put = [
            "install",
            "-D",
            "-m",
            "0640",
            "-g",
            "appliance",
            f"{INSIDE}/{place.name}",
            "/etc/appliance/appliance.yaml",
        ]
        assert systemd.run(*put).returncode == 0
        if shutil.which("pulseaudio"):
            session(systemd, folder)
        assert systemd.ctl("daemon-reload").returncode == 0
        started = systemd.ctl("start", "appliance.service", timeout=START_S)
        log = (folder / "log").read_text() if (folder / "log").exists() else ""
        assert started.returncode == 0, f"{started.stderr}{systemd.ctl('status', 'appliance.service').stdout}{log}"
        yield systemd


SCREEN = "shop"
"""User of the screen."""
CARD = """
load-module module-null-sink sink_name=mic rate=48000 channels=1 format=s16le norewinds=1
load-module module-null-sink sink_name=spk rate=48000 channels=1 format=s16le norewinds=1
set-default-sink spk
set-default-source mic.monitor
load-module module-native-protocol-unix
"""
"""A sound card that there is not; what is played into `mic` is what the microphone hears."""


def session(systemd: Systemd, folder: Path) -> None:
    """The sound server of the screen's user, with the installer's own files."""
    sound = REPOSITORY / "jetson/sound"
    (folder / "session.pa").write_text(CARD + (sound / "pulseaudio.pa").read_text("utf-8"))
    (folder / "sound.conf").write_text((sound / "tmpfiles.conf").read_text("utf-8").replace("@KIOSK@", SCREEN))
    (folder / "users.conf").write_text(f"u {SCREEN} - - /run/{SCREEN}\n")
    alsa = "/opt/appliance/repository/jetson/sound/alsa.conf"
    for command in (
        ("systemd-sysusers", f"{INSIDE}/users.conf"),
        ("systemd-tmpfiles", "--create", f"{INSIDE}/sound.conf"),
        ("install", "-D", "-m", "0644", alsa, "/etc/alsa/conf.d/98-appliance.conf"),
        ("install", "-m", "0644", f"{INSIDE}/session.pa", "/etc/session.pa"),
    ):
        done = systemd.run(*command)
        assert done.returncode == 0, done.stderr
    systemd.unit(
        "session.service",
        f"[Service]\nUser={SCREEN}\nRuntimeDirectory={SCREEN}\n"
        f"Environment=HOME=/run/{SCREEN} XDG_RUNTIME_DIR=/run/{SCREEN}\n"
        "ExecStart=/usr/bin/pulseaudio -n -F /etc/session.pa --daemonize=no --exit-idle-time=-1 --use-pid-file=no\n"
        f"StandardError=append:/run/{SCREEN}.log\n",
    )
    assert systemd.ctl("daemon-reload").returncode == 0
    assert systemd.ctl("start", "session.service").returncode == 0
    listed = subprocess.CompletedProcess([], 1, "", "")
    for _ in range(200):
        listed = as_screen(systemd, "pactl", "list", "short", "sources")
        if "echo-cancel" in listed.stdout:
            return
        time.sleep(0.1)
    raise AssertionError(f"{listed}{systemd.run('cat', f'/run/{SCREEN}.log').stdout[-2000:]}")


def as_screen(systemd: Systemd, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as the user of the screen, in their session."""
    environ = [f"HOME=/run/{SCREEN}", f"XDG_RUNTIME_DIR=/run/{SCREEN}"]
    return systemd.run("runuser", "-u", SCREEN, "--", "env", *environ, *command)


ASK = """
import sys, urllib.request, http.client
host, source, path, token = sys.argv[1:]
connection = http.client.HTTPConnection(host, 8080, timeout=3, source_address=(source, 0))
connection.request("GET", path, headers={"Authorization": "Bearer " + token})
answer = connection.getresponse()
print(answer.status, answer.read().decode())
"""


def asked(systemd: Systemd, host: str, source: str, path: str = "/readyz") -> str:
    """What a client at `source` is answered; its error's last line when nothing."""
    done = systemd.run(PYTHON, "-c", ASK, host, source, path, TOKEN)
    return done.stdout or done.stderr.strip().splitlines()[-1]


@pytest.mark.systemd
def test_the_unit_serves_as_its_own_user(kiosk: Systemd) -> None:
    assert kiosk.property("appliance.service", "ActiveState") == "active"
    assert "就绪 / ready: http://127.0.0.1:8080" in kiosk.property("appliance.service", "StatusText")
    pid = kiosk.property("appliance.service", "MainPID")
    user = kiosk.run("stat", "-c", "%U %G", f"/proc/{pid}").stdout.split()
    assert user == ["appliance", "appliance"]
    status, _, body = asked(kiosk, "127.0.0.1", "127.0.0.1").partition(" ")
    assert status == "200"
    served = {feature["name"]: feature for feature in json.loads(body)["features"]}
    assert served["ocr"]["backend"] == "onnxruntime-cpu"  # the networks were found and run inside of the sandbox
    assert served["language"]["state"] == "ready"
    assert kiosk.property("appliance.service", "WatchdogUSec") == "20s"


@pytest.mark.systemd
def test_the_unit_lets_through_whom_the_settings_name_and_nobody_else(kiosk: Systemd) -> None:
    assert asked(kiosk, HOST, PEER).startswith("200 ")
    assert "timed out" in asked(kiosk, HOST, STRANGER)
    service = json.loads(asked(kiosk, "127.0.0.1", "127.0.0.1", "/v1/status").partition(" ")[2])["service"]
    assert (service["opened"], service["ok"]) == ([f"{PEER}/32"], True)
    assert f"开放 / open: {PEER}/32" in kiosk.property("appliance.service", "StatusText")


@pytest.mark.systemd
def test_the_unit_can_write_to_its_state_alone(kiosk: Systemd) -> None:
    pid = kiosk.property("appliance.service", "MainPID")
    # Beside it, as it is: its mounts, its user, its groups.
    uid, gid = (kiosk.run("id", flag, "appliance").stdout.strip() for flag in ("-u", "-g"))
    inside = ["nsenter", "--target", pid, "--mount", "setpriv", "--reuid", uid, "--regid", gid, "--init-groups"]

    def writes(folder: str) -> bool:
        return kiosk.run(*inside, "sh", "-c", f"echo >{folder}/written && rm {folder}/written").returncode == 0

    system = ["/", "/etc", "/etc/appliance", "/opt/appliance", "/usr", "/var", "/var/lib", "/run", "/dev"]
    assert [folder for folder in (*system, "/home", "/root") if writes(folder)] == []
    assert writes("/var/lib/appliance")
    assert kiosk.run("find", "/var/lib/appliance", "!", "-user", "appliance").stdout == ""
    assert kiosk.run(*inside, "ls", "/etc/appliance/appliance.yaml").returncode == 0
    assert [folder for folder in ("/home", "/root") if kiosk.run(*inside, "ls", folder).returncode == 0] == []
    limits = kiosk.run("cat", f"/proc/{pid}/limits").stdout
    assert any(line.split()[:5] == ["Max", "core", "file", "size", "0"] for line in limits.splitlines())


SEND = """
import http.client, sys
path, kind, file, token = sys.argv[1:]
connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
body = open(file, "rb").read()
connection.request("POST", path, body, {"Content-Type": kind, "Authorization": "Bearer " + token})
answer = connection.getresponse()
data = answer.read()
print(answer.status, data.decode() if "json" in answer.getheader("Content-Type") else data[:4] + b" %d" % len(data))
"""


def sent(systemd: Systemd, path: str, kind: str, body: object) -> tuple[str, Any]:
    """Status and JSON (or words) of the answer to a client on the kiosk itself; `body` is JSON unless it is a file."""
    file = body if isinstance(body, Path) else systemd.folder / "body"
    if not isinstance(body, Path):
        file.write_text(json.dumps(body))
        inside = f"{INSIDE}/body"
    else:
        inside = f"/opt/appliance/repository/{file.relative_to(REPOSITORY)}"
    done = systemd.run(PYTHON, "-c", SEND, path, kind, inside, TOKEN)
    assert done.returncode == 0, done.stderr
    status, _, text = done.stdout.partition(" ")
    return status, json.loads(text) if text.startswith(("{", "[")) else text


@pytest.mark.systemd
def test_shut_in_it_answers_reads_hears_and_speaks(kiosk: Systemd) -> None:
    """As its own user, with one folder to write to and no way out: what a customer can do is done."""
    status, reply = sent(kiosk, "/v1/turns", "application/json", {"text": "洗衣液在哪个货架"})
    assert (status, reply["answer"]["outcome"]) == ("200", "resolved")
    assert reply["answer"]["data"]["shelf"]

    photo = REPOSITORY / "models/pp-ocrv6-small/cases/waybill-photo.jpg"
    status, reply = sent(kiosk, "/v1/turns", "image/jpeg", photo)
    assert (status, reply["backends"]["ocr"]) == ("200", "pp-ocrv6-small/onnxruntime-cpu")
    assert "SF1392847561002" in [entity["value"] for entity in reply["parse"]["entities"]]

    case = next(c for c in load_manifests(shipped_root())[DEMO].cases() if len(str(c.truth["text"])) >= 10)
    status, reply = sent(kiosk, "/v1/turns", "audio/wav", case.path)
    assert status == "200", reply
    assert characters(str(case.truth["text"]), reply["transcript"]["text"]).rate <= 0.2, reply["transcript"]

    if shutil.which("espeak-ng"):
        wanted = {"model": "local", "voice": "zh", "input": "您好，欢迎光临", "response_format": "wav"}
        status, said = sent(kiosk, "/v1/audio/speech", "application/json", wanted)
        assert (status, said[:7]) == ("200", "b'RIFF ")
        assert int(said[7:].strip("'\n")) > 10_000


VOICE = """
import json, subprocess, sys, urllib.request
sound, token = sys.argv[1:]
def ask(path, body=None):
    head = {"Content-Type": "application/json", "Accept": "text/event-stream, */*", "Authorization": "Bearer " + token}
    return urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:8080" + path, body, head), timeout=60)
events, name, listens = ask("/v1/voice/events"), "", False
ask("/v1/voice/listen", b'{"language": "zh"}')
for line in events:
    print(line.decode().rstrip(), file=sys.stderr)
    kind, _, value = line.decode().strip().partition(": ")
    if kind == "event":
        name = value
    elif kind == "data" and name == "state" and json.loads(value)["phase"] == "listening" and not listens:
        listens = True
        shop = ["runuser", "-u", "shop", "--", "env", "HOME=/run/shop", "XDG_RUNTIME_DIR=/run/shop"]
        subprocess.Popen([*shop, "paplay", "--device=mic", sound])
    elif kind == "data" and name == "reply":
        print(value)
        break
"""
"""Somebody speaks at the kiosk: the sentence is played into its microphone, and the reply printed."""


@pytest.mark.systemd
def test_it_hears_through_the_sound_server_of_the_screens_user(kiosk: Systemd) -> None:
    """The way that jetson/install.sh makes: PulseAudio of another user, its canceller, one socket."""
    need_sound()
    features = json.loads(asked(kiosk, "127.0.0.1", "127.0.0.1").partition(" ")[2])["features"]
    states = {feature["name"]: feature["state"] for feature in features}
    assert states["microphone"] in ("ready", "fallback"), features  # a card that there is not is silent to the last bit
    assert states["speech"] == "ready", features
    case = next(c for c in load_manifests(shipped_root())[DEMO].cases() if len(str(c.truth["text"])) >= 10)
    inside = f"/opt/appliance/repository/{case.path.relative_to(REPOSITORY)}"
    done = kiosk.run(PYTHON, "-c", VOICE, inside, TOKEN, timeout=120)
    assert done.stdout, done.stderr
    heard = json.loads(done.stdout)["transcript"]["text"]
    assert characters(str(case.truth["text"]), heard).rate <= 0.2, (case.truth["text"], heard)
    # A stranger on the board does not reach that socket.
    stranger = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "env", "HOME=/tmp")
    reached = kiosk.run(*stranger, "pactl", "--server=unix:/run/appliance-sound/native", "info")
    assert reached.returncode != 0


REACHES = f"""
import os, socket
pid = os.getpid()
open("/sys/fs/cgroup/system.slice/appliance.service/cgroup.procs", "w").write(str(pid))
def tried(what):
    try:
        what()
    except OSError as error:
        return error.strerror
    return "done"
def sent(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.sendto(b"x", (address, 9))
for address in ("{PEER}", "{STRANGER}", "127.0.0.1"):
    print(address, tried(lambda: sent(address)))
for device in ("/dev/null", "/dev/kmsg"):
    print(device, tried(lambda: os.close(os.open(device, os.O_RDONLY))))
"""
"""What the unit lets even root do from within: addresses and devices are the kernel's filters on its control group."""


@pytest.mark.systemd
def test_the_unit_has_no_way_out_and_no_device_but_those_it_names(kiosk: Systemd) -> None:
    found = dict(line.split(" ", 1) for line in kiosk.run(PYTHON, "-c", REACHES).stdout.splitlines())
    assert found == {
        PEER: "done",
        STRANGER: "Operation not permitted",
        "127.0.0.1": "done",
        "/dev/null": "done",
        "/dev/kmsg": "Operation not permitted",
    }
    assert kiosk.run(PYTHON, "-c", "open('/dev/kmsg').close()").returncode == 0  # the unit alone shuts it


@pytest.mark.systemd
def test_the_unit_ends_cleanly_when_told(kiosk: Systemd) -> None:
    assert kiosk.ctl("stop", "appliance.service").returncode == 0
    assert kiosk.property("appliance.service", "Result") == "success"
    assert kiosk.property("appliance.service", "ExecMainStatus") == "0"
    log = (kiosk.folder / "log").read_text()
    assert "Traceback" not in log
    assert "could not raise the limit" not in log


@pytest.mark.systemd
def test_the_first_boot_takes_settings_within_its_sandbox_and_only_once(tmp_path: Path) -> None:
    """The stick is a folder here: the kernel shows no USB disk that is not there."""
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "appliance.yaml").write_text("http_port: many\n")
    with Systemd(tmp_path) as systemd:
        unit = "appliance-first-boot.service"
        systemd.unit(unit, (REPOSITORY / "systemd" / unit).read_text("utf-8"))
        systemd.unit(
            f"{unit}.d/test.conf",
            f"[Service]\nExecStart=\nExecStart={PYTHON} -m appliance.cli first-boot --from {INSIDE}/stick\n"
            f"Environment={ENVIRONMENT}\nStandardOutput=append:{INSIDE}/log\nStandardError=append:{INSIDE}/log\n",
        )
        assert systemd.run("systemd-sysusers", "/opt/appliance/repository/systemd/sysusers.conf").returncode == 0
        example = "/opt/appliance/repository/systemd/appliance.yaml"
        installed = "/etc/appliance/appliance.yaml"
        assert systemd.run("install", "-D", "-m", "0640", "-g", "appliance", example, installed).returncode == 0
        assert systemd.ctl("daemon-reload").returncode == 0
        assert systemd.ctl("start", unit, timeout=120).returncode != 0
        assert "http_port" in (tmp_path / "log").read_text()
        (stick / "appliance.yaml").write_text("data_dir: /var/lib/appliance\nlog_level: warning\n")
        started = systemd.ctl("start", unit, timeout=120)
        assert started.returncode == 0, (tmp_path / "log").read_text()
        assert "warning" in systemd.run("cat", installed).stdout
        assert systemd.run("stat", "-c", "%a %U %G", installed).stdout.split() == ["640", "root", "appliance"]
        (stick / "appliance.yaml").write_text("log_level: error\n")
        assert systemd.ctl("restart", unit, timeout=120).returncode == 0
        assert systemd.property(unit, "ConditionResult") == "no"
        assert "warning" in systemd.run("cat", installed).stdout
