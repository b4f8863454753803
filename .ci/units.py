"""Fails when a systemd unit is wrong, too open, or not what the documents and settings say (`make device-check`).

`systemd-analyze verify` only prints most of what it finds, so anything that it says is a failure. It does not look
whether a path in DeviceAllow= has wildcards, which systemd does not know there, nor whether the units that share a
sandbox still do: both are looked for here. Shell scripts go through shellcheck, with what they take in.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from appliance.device.openings import drop_in, openings
from appliance.errors import ApplianceError
from appliance.settings import load_settings

ROOT = Path(__file__).parent.parent
UNITS = ROOT / "systemd"
SCORES = {
    "appliance.service": 15,
    "appliance-engines.service": 15,
    "appliance-update.service": 15,
    "appliance-power.service": 20,
    "appliance-first-boot.service": 20,
    "appliance-usb@.service": 20,
}
"""Exposure that a unit may have at most, in tenths (`systemd-analyze security`); the browser's sandbox is its own."""
PROGRAM = "/opt/appliance/venv/bin/appliance"
"""What the units start. It need not be here: verifying takes a stand-in."""
OPENED = {"http_host": "0.0.0.0", "http_token": "0123456789abcdef", "lan_peers": ["192.168.1.0/24", "10.0.0.7"]}
"""Settings whose drop-in is verified with the unit."""
ALIKE = ("appliance.service", "appliance-engines.service", "appliance-update.service")
"""Units that run the same code as the same user: the others are shut at least as far as the first."""
OPENS = ("DeviceAllow", "SupplementaryGroups", "RestrictAddressFamilies", "IPAddressAllow")
"""Directives of which the others may name less."""
SANDBOX = re.compile(
    r"(Protect|Restrict|Private|SystemCall|Capability|Ambient|DevicePolicy|NoNew|Lock|Keyring|RemoveIPC|UMask|LimitCORE)"
)

RULE_PART = re.compile(r'\s*[A-Z_]+(?:\{[^}"]+\})?(?:==|!=|\+=|-=|:=|=)"(?:[^"\\]|\\.)*"\s*(?:,(?=\s*[A-Z])|$)')
"""One part of a rule of udev's, with the comma behind it."""
RULE_KEYS = (
    *("ACTION", "DEVPATH", "KERNEL", "KERNELS", "NAME", "SYMLINK", "SUBSYSTEM", "SUBSYSTEMS", "DRIVER", "DRIVERS"),
    *("ATTR", "ATTRS", "SYSCTL", "ENV", "CONST", "TAG", "TAGS", "TEST", "PROGRAM", "RESULT", "IMPORT", "OWNER"),
    *("GROUP", "MODE", "SECLABEL", "RUN", "LABEL", "GOTO", "OPTIONS"),
)
"""What a rule may match or assign: udev(7)."""


def directives(path: Path) -> dict[str, list[str]]:
    """What a unit assigns to each name, in order."""
    found: dict[str, list[str]] = {}
    for line in path.read_text("utf-8").splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";")):
            found.setdefault(name, []).append(value)
    return found


def verified(unit: Path, *, user: bool = False, beside: Path | None = None) -> Iterator[str]:
    """What `systemd-analyze verify` has against `unit` and its drop-ins; `beside` is a unit that it starts."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        stand_in = place / "appliance"
        stand_in.write_text("#!/bin/sh\n")
        stand_in.chmod(0o755)
        copy = place / "units" / unit.name
        copy.parent.mkdir()
        drop_ins = unit.with_name(f"{unit.name}.d")
        if drop_ins.is_dir():
            shutil.copytree(drop_ins, copy.parent / drop_ins.name)
        for one in (unit, beside) if beside is not None else (unit,):
            (copy.parent / one.name).write_text(one.read_text("utf-8").replace(PROGRAM, str(stand_in)), "utf-8")
        command = ["systemd-analyze", "verify", "--man=no", *(["--user"] if user else []), str(copy)]
        done = subprocess.run(
            command, capture_output=True, text=True, env=os.environ | {"XDG_RUNTIME_DIR": folder}, check=False
        )
        said = (done.stdout + done.stderr).replace(str(copy.parent), str(unit.parent)).strip()
        if said or done.returncode:
            yield f"{unit.name}: expected systemd-analyze verify to say nothing, got {done.returncode}: {said}"


def scores() -> bool:
    """True when this systemd scores units that are not installed: since 250, and Ubuntu 22.04 has 249."""
    told = subprocess.run(["systemd-analyze", "--help"], capture_output=True, text=True, check=False)
    return "--offline" in told.stdout


def scored(unit: Path, most: int) -> Iterator[str]:
    """Whether `unit`, with its drop-ins, is more exposed than `most` tenths."""
    command = ["systemd-analyze", "security", "--offline=yes", f"--threshold={most}", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]
        yield f"{unit.name}: expected an exposure of at most {most / 10}, got: {last}"


def closed(unit: Path) -> Iterator[str]:
    """Mistakes that systemd passes over in silence."""
    for value in directives(unit).get("DeviceAllow", []):
        device = value.split()[0]
        if device.startswith("/") and re.search(r"[*?\[]", device):
            yield f"{unit.name}: expected DeviceAllow= with a node or a group, got {device}: a path takes no wildcard"


def alike(first: Path, second: Path) -> Iterator[str]:
    """Where `second` leaves open what `first` shuts, or names a device or group that `first` does not."""
    ours, theirs = directives(first), directives(second)
    for name, values in ours.items():
        if name in OPENS:
            for value in sorted(set(" ".join(theirs.get(name, [])).split()) - set(" ".join(values).split())):
                yield f"{second.name}: expected no {name}={value}, which {first.name} does without"
        elif SANDBOX.match(name) and theirs.get(name) != values:
            yield f"{second.name}: expected {name}={' '.join(values)} as in {first.name}, got {theirs.get(name)}"


def rules(path: Path) -> Iterator[str]:
    """What is wrong with a file of udev's rules: its language, or a unit that a rule wants and that is not shipped.

    `udevadm verify` knows more than what is looked for here; systemd has it since 254.
    """
    for line in path.read_text("utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        rest = RULE_PART.sub("", line).strip()
        if rest:
            yield f'{path.name}: expected KEY{{attribute}}op"value" separated by commas, got {rest}'
        for key in re.findall(r"(?:^|,)\s*([A-Z_]+)", re.sub(r'"[^"]*"', '""', line)):
            if key not in RULE_KEYS:
                yield f"{path.name}: expected one of udev's keys, got {key}"
        for wanted in re.findall(r'SYSTEMD_WANTS\}\+?="([^"]*)"', line):
            template = re.sub(r"@[^.]*", "@", wanted)
            if not (UNITS / template).exists():
                yield f"{path.name}: expected a unit that is shipped, got {wanted}"
    told = subprocess.run(["udevadm", "--help"], capture_output=True, text=True, check=False) if can_verify() else None
    if told is not None and re.search(r"^\s+verify\b", told.stdout, re.MULTILINE):
        done = subprocess.run(["udevadm", "verify", str(path)], capture_output=True, text=True, check=False)
        if done.returncode:
            yield f"{path.name}: expected udevadm verify to agree, got {(done.stdout + done.stderr).strip()}"


def can_verify() -> bool:
    """True when there is an udevadm to ask."""
    return shutil.which("udevadm") is not None


def examples() -> Iterator[str]:
    """Whether the settings that are installed with the units can be read, also those that are commented out."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("appliance.yaml", "kiosk.env"):
            text = (UNITS / name).read_text("utf-8")
            try:
                if name.endswith(".yaml"):
                    bare = Path(folder) / name
                    bare.write_text(re.sub(r"(?m)^# (?=\w+: )", "", text), "utf-8")
                    load_settings(UNITS / name, {})
                    load_settings(bare, {})
                else:
                    pairs = re.findall(r"(?m)^# (APPLIANCE_\w+)=(.*)$", text)
                    load_settings(None, dict(pairs))
            except ApplianceError as error:
                yield f"systemd/{name}: {error.detail}"


def scripts(root: Path = ROOT) -> list[Path]:
    """The project's shell scripts, by their first line; in an unpacked archive those beside what tools made."""
    if shutil.which("git") and (root / ".git").exists():
        command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
        listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
        paths = [root / name for name in listed.stdout.split("\0") if name]
    else:
        made = (".git", "var", "build", "dist")
        tops = [top for top in root.iterdir() if top.name not in made and not top.name.startswith(".venv")]
        paths = [path for top in tops for path in (top.rglob("*") if top.is_dir() else [top])]
    return [path for path in sorted(paths) if path.is_file() and _is_shell(path)]


def _is_shell(path: Path) -> bool:
    with path.open("rb") as file:
        return re.match(rb"#!.*\b(ba|da)?sh\b", file.readline(100)) is not None


def checked(paths: list[Path]) -> Iterator[str]:
    """What shellcheck has against the scripts at `paths`."""
    # What a script takes in by `. file` is checked with it: alone, it lacks what the script sets.
    command = ["shellcheck", "--external-sources", "--check-sourced", "--source-path=SCRIPTDIR", "--", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"shellcheck: {(done.stdout + done.stderr).strip()}"


def check() -> list[str]:
    """Everything that is wrong."""
    wrong: list[str] = []
    can_score = scores()
    with tempfile.TemporaryDirectory() as folder:
        opened = Path(folder)
        shutil.copy(UNITS / "appliance.service", opened)
        place = opened / "appliance.service.d"
        place.mkdir()
        (place / "openings.conf").write_text(drop_in(openings(load_settings(None, {}, OPENED))), "utf-8")
        for unit in (*sorted(UNITS.glob("*.service")), opened / "appliance.service"):
            wrong += [*verified(unit), *closed(unit)]
            wrong += scored(unit, SCORES[unit.name]) if can_score else ()
    for unit in sorted((UNITS / "user").glob("*.service")):
        wrong += verified(unit, user=True)
    for unit in sorted(UNITS.glob("*.path")):
        wrong += verified(unit, beside=unit.with_suffix(".service"))
    for name in ALIKE[1:]:
        wrong += alike(UNITS / ALIKE[0], UNITS / name)
    for path in sorted((UNITS / "udev").glob("*.rules")):
        wrong += rules(path)
    wrong += examples()
    wrong += checked(scripts())
    return wrong


def main() -> int:
    """Say what is wrong, or what was looked at; 2 where a tool lacks."""
    missing = [name for name in ("systemd-analyze", "shellcheck") if shutil.which(name) is None]
    if missing:
        print(f"missing: {', '.join(missing)}: apt-get install systemd shellcheck", file=sys.stderr)
        return 2
    if not scores():
        print("units are not scored: expected systemd-analyze of systemd 250 or later", file=sys.stderr)
        if os.environ.get("CI"):
            return 2
    wrong = check()
    for line in wrong:
        print(line, file=sys.stderr)
    if not wrong:
        done = "verified and scored" if scores() else "verified"
        names = ", ".join(path.name for path in sorted(UNITS.rglob("*.service")))
        print(f"units {done}: {names}; shell scripts checked: {len(scripts())}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
