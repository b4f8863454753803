"""Everything that an appliance is asked in a day, in a few seconds; as a module, in a network that leads nowhere."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.channels.http.page import PAGE, TYPES
from tests.e2e.conftest import Running, serving

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
STRANGER = ("192.0.2.1", 80)
"""An address that documentation is written with (RFC 5737)."""


def everything(running: Running) -> dict[str, Any]:
    """Words, photos, streams, a recording, suggestions, the page and the docs with all their files: what came back."""
    cases = {case.path.name: case for case in load_manifests(shipped_root())["pp-ocrv6-small"].cases()}
    waybill = cases["waybill-photo.jpg"].path.read_bytes()
    clip = next(c for c in load_manifests(shipped_root())["silero-vad"].cases() if c.path.suffix == ".wav")
    turn = running.ask("/v1/turns", {"text": "洗衣液在哪个货架"})[2]
    status, _, notice = running.ask("/v1/ocr", cases["notice.png"].path.read_bytes(), "image/png")
    looked, _, photo = running.ask("/v1/turns", waybill, "image/jpeg")
    heard, _, refusal = running.ask("/v1/turns", clip.path.read_bytes(), "audio/wav")
    return {
        "intent": turn["parse"]["intent"]["name"],
        "answer": turn["answer"]["text"],
        "ended": running.ask(f"/v1/sessions/{turn['session']}", method="DELETE")[0],
        "ocr": status,
        "lines": len(notice.get("lines", ())),
        "image turn": [looked, sorted({entity["type"] for entity in photo["parse"]["entities"]})],
        "streamed": streamed(running, "/v1/ocr", cases["receipt.png"].path.read_bytes(), "image/png"),
        "streamed turn": streamed(running, "/v1/turns", waybill, "image/jpeg"),
        "heard": heard,
        "refusal": refusal.get("code", ""),
        "suggested": [row["label"] for row in running.ask("/v1/suggestions", {"text": "xyy"})[2]["suggestions"]],
        "page": served(running),
        "docs": {path: running.ask(path)[0] for path in linked(running.ask("/docs")[2])},
        "others": {
            path: running.ask(path)[0] for path in ("/", "/docs", "/openapi.json", "/v1/status", "/v1/greeting")
        },
        "ready": running.ask("/readyz")[0],
        "metrics": b"appliance_turns_total{" in running.ask("/metrics")[2],
        "event": first_event(running),
    }


def linked(html: bytes) -> list[str]:
    """What a page loads with itself."""
    return sorted(set(re.findall(r'(?:src|href)="(/[^"]+)"', html.decode())))


def served(running: Running) -> dict[str, bool]:
    """Every file of the page's folder, whoever loads it and when: whether it comes as it is there."""
    files = {f"/assets/{path.relative_to(PAGE).as_posix()}": path for path in PAGE.rglob("*") if path.suffix in TYPES}
    assert set(linked(running.ask("/")[2])) <= set(files), "the page loads what is not in its folder"
    return {name: running.ask(name)[::2] == (200, path.read_bytes()) for name, path in files.items()}


def streamed(running: Running, path: str, image: bytes, kind: str) -> list[str]:
    """Names of the events of a reading."""
    connection = http.client.HTTPConnection(running.url.removeprefix("http://"), timeout=60)
    connection.request("POST", path, image, {"Accept": "text/event-stream", "Content-Type": kind})
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]


def first_event(running: Running) -> str:
    """Name of the first event of the stream."""
    host, port = running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as sock, sock.makefile("rb") as file:
        sock.sendall(b"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n")
        for line in file:
            if line.startswith(b"event:"):
                return line.decode().split()[1]
    return ""


def loopback_up() -> None:
    """Switch the loopback of this network namespace on, which begins switched off (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        asked = struct.pack("16sH14s", b"lo", 0, b"")
        flags = struct.unpack("16sH14s", fcntl.ioctl(sock, SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", flags | IFF_UP, b""))


def way_out() -> str:
    """What becomes of an attempt to reach a stranger."""
    try:
        socket.create_connection(STRANGER, timeout=3).close()
    except OSError as error:
        return type(error).__name__ if error.errno is None else os.strerror(error.errno)
    return "reached"


def main() -> None:
    """Do it all on the data folder given, alone in this network, and print what was seen as JSON."""
    loopback_up()
    data = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder, serving(data, Path(folder) / "log") as running:
        seen = everything(running)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
    check = subprocess.run(
        [sys.executable, "-m", "appliance.cli", "check", "--json"],
        env=environ | {"APPLIANCE_DATA_DIR": str(data)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    print(json.dumps({"way_out": way_out(), "seen": seen, "check": check.returncode, "said": check.stdout}))


if __name__ == "__main__":
    main()
