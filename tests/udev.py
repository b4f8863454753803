"""Tells a systemd of the tests' own about a block device as udev does when a stick is put in or pulled out.

What udev would say is what the shipped rule says: its conditions are matched and its assignments made by `ruled`, which
knows as much of the rules' language as that file uses, and no more. A machine with udev has `udevadm verify` besides.
"""

from __future__ import annotations

import fnmatch
import re
import struct
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.systemd import PYTHON, Systemd

RULES = REPOSITORY / "systemd/udev/90-appliance-usb.rules"
TOKEN = re.compile(r'\s*([A-Z]+)(?:\{(\w+)\})?(==|!=|\+=|:=|=)"([^"]*)"\s*(?:,|$)')
FEED, UDEV_GROUP = 0xFEEDCAFE, 2


def tokens(line: str) -> list[tuple[str, str, str, str]]:
    """Key, attribute, operator and value of each part of a rule. Raises ValueError for what is no rule."""
    found, at = [], 0
    while at < len(line):
        match = TOKEN.match(line, at)
        if match is None:
            raise ValueError(f'expected KEY{{attribute}}op"value", got {line[at:]!r}')
        found.append((match[1], match[2] or "", match[3], match[4]))
        at = match.end()
    return found


def lines(path: Path) -> Iterator[str]:
    """The rules of a file."""
    for line in path.read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line


def ruled(properties: dict[str, str], path: Path = RULES) -> dict[str, str]:
    """`properties` of a device after the rules: names such as ENV's, with TAGS as udev writes them."""
    made = dict(properties)
    for line in lines(path):
        parts = tokens(line)
        assert {key for key, *_ in parts} <= {"ACTION", "SUBSYSTEM", "ENV", "TAG"}, line
        if not all(
            any(fnmatch.fnmatchcase(made.get(attribute or key, ""), one) for one in value.split("|"))
            for key, attribute, operator, value in parts
            if operator == "=="
        ):
            continue
        for key, attribute, operator, value in parts:
            if operator == "+=" and key == "TAG":
                made["TAGS"] = made["CURRENT_TAGS"] = made.get("TAGS", ":") + f"{value}:"
            elif operator == "+=":
                here = value.replace("%k", Path(made["DEVNAME"]).name)
                made[attribute] = f"{made.get(attribute, '')} {here}".strip()
            else:
                assert operator == "==", line
    return made


def stick(device: str, action: str, number: int) -> dict[str, str]:
    """What udev knows of the USB partition `device` before our rules; of a loop device it is made up."""
    name = Path(device).name
    major, minor = Path(f"/sys/class/block/{name}/dev").read_text().strip().split(":")
    return {
        "ACTION": action,
        "DEVPATH": f"/devices/virtual/block/{name}",
        "SUBSYSTEM": "block",
        "DEVNAME": device,
        "DEVTYPE": "disk",
        "SEQNUM": str(number),
        "USEC_INITIALIZED": "1",
        "MAJOR": major,
        "MINOR": minor,
        "ID_BUS": "usb",
        "ID_FS_TYPE": "ext4",
        # systemd's own rules tag every block device so; the unit's name for a device comes of that.
        "TAGS": ":systemd:",
        "CURRENT_TAGS": ":systemd:",
    }


SEND = f"""
import socket, sys
line = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)
line.bind((0, 0))
line.sendto(bytes.fromhex(sys.argv[1]), (0, {UDEV_GROUP}))
"""


class Udev:
    """Puts sticks in and pulls them out, for one systemd."""

    def __init__(self, systemd: Systemd) -> None:
        """`systemd` has devices."""
        self._systemd, self._number = systemd, 0

    def add(self, device: str) -> None:
        """The stick `device` was put in."""
        self._tell(device, "add")

    def remove(self, device: str) -> None:
        """It was pulled out."""
        self._tell(device, "remove")

    def _tell(self, device: str, action: str) -> None:
        self._number += 1
        said = ruled(stick(device, action, self._number))
        body = b"".join(f"{name}={value}".encode() + b"\0" for name, value in said.items())
        every = 0xFFFFFFFF  # whichever tag the receiver filters by
        head = b"libudev\0" + struct.pack(">I", FEED) + struct.pack("=III", 40, 40, len(body))
        head += struct.pack(">IIII", 0, 0, every, every)
        done = self._systemd.run(PYTHON, "-c", SEND, (head + body).hex())
        assert done.returncode == 0, done.stderr
