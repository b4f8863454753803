"""The kiosk's browser: which one, by what command, and what it takes to start a snap of it.

Ubuntu has Chromium and Firefox as snaps alone, behind small programs of the old names. On JetPack 6 those do not start:
since 2.70 snapd's snap-confine has file capabilities in place of the setuid bit (canonical/snapd #15094, #15505), which
NVIDIA's kernel does not see inside of a squashfs, being built without CONFIG_SQUASHFS_XATTR; it ends with "required
permitted capability cap_dac_override not found". The snapd of the Debian package is no squashfs and works, and
SNAP_REEXEC=0 has snap use it. A snap also needs the bus of the session: "is not a snap cgroup" without it. Both are
known from reports (jetsonhacks/jetson-orin-setup #5 among others) and not yet measured on hardware.
"""

from __future__ import annotations

import gzip
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from appliance.errors import Both, SettingInvalid, Unavailable
from appliance.settings import Settings

CHROMIUM = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FIREFOX = ("firefox-esr", "firefox")
"""Programs, the best first."""
URL = "{url}"
"""What stands for the page's address in a command of one's own."""

_SNAP_PROGRAMS = (Path("/snap"), Path("/usr/bin/snap"), Path("/var/lib/snapd"))
_WRAPPER_BYTES = 4096
_KIOSK = (
    "--kiosk",
    "--incognito",
    "--no-first-run",
    "--noerrdialogs",
    "--disable-session-crashed-bubble",
    "--disable-pinch",
    "--overscroll-history-navigation=0",
    "--autoplay-policy=no-user-gesture-required",
    # A customer is not to be asked whether the kiosk's own page may use the kiosk's own camera.
    "--auto-accept-camera-and-microphone-capture",
    "--password-store=basic",
    # It calls nobody by itself: the kiosk is offline.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

INSTALL: Both = (
    "请安装非 snap 的浏览器（例如 Debian 软件包 chromium），或在 kiosk_browser 中写明命令",
    "Install a browser that is no snap (a Debian package of Chromium, for example), or name a command in kiosk_browser",
)


@dataclass(frozen=True, slots=True)
class Launch:
    """How the browser is started."""

    command: tuple[str, ...]
    """Program and arguments."""
    environ: dict[str, str]
    """Variables to add to the environment."""
    notes: tuple[Both, ...]
    """What a maintainer should know of it."""


def page_url(settings: Settings) -> str:
    """Address of the page for a browser on this machine. Raises SettingInvalid for one that is none."""
    if settings.kiosk_url:
        return _checked(settings.kiosk_url)
    if settings.http_port == 0:
        raise SettingInvalid("kiosk_url: expected an address, as http_port is 0 and means any, got none")
    return own_url(settings)


def own_url(settings: Settings) -> str:
    """Address of the server itself, as this machine reaches it."""
    host = settings.http_host.strip("[]")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - compared with, never bound to
    scheme = "https" if settings.http_tls_certificate else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.http_port}/"


def _checked(url: str) -> str:
    """`url`, unless it would be waited for in vain, or be an option for the browser."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or not url.isprintable() or " " in url:
        raise SettingInvalid(
            f"kiosk_url: expected an address as http://127.0.0.1:8080/, got {url!r}",
            remedy=(
                "请写完整地址，以 http:// 或 https:// 开头",
                "Write it in full, with http:// or https:// before it",
            ),
        )
    return url


def is_snap(program: Path) -> bool:
    """True when `program` is a snap: a link to snap, a file below /snap, or a script that runs one from there."""
    real = program.resolve()
    if any(path == real or path in (*program.parents, *real.parents) for path in _SNAP_PROGRAMS):
        return True
    try:
        with real.open("rb") as file:
            begin = file.read(_WRAPPER_BYTES)
    except OSError:
        return False
    return begin.startswith(b"#!") and b"/snap/bin/" in begin


def loses_capabilities(root: Path = Path("/")) -> bool:
    """True when this kernel sees no file capabilities in a squashfs; where it cannot be asked, true on a Jetson."""
    try:
        config = gzip.decompress((root / "proc/config.gz").read_bytes())
    except (OSError, EOFError, gzip.BadGzipFile):
        return (root / "etc/nv_tegra_release").exists()
    return b"\nCONFIG_SQUASHFS_XATTR=y" not in config


def launch(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    root: Path = Path("/"),
    which: Callable[[str], str | None] = shutil.which,
) -> Launch:
    """How to start the browser in the session that `environ` is of.

    Raises Unavailable without a browser, a screen, or what a snap needs, and SettingInvalid for a wrong kiosk_browser.
    """
    url = page_url(settings)
    if settings.kiosk_browser:
        command, program = _own(settings.kiosk_browser, url, which)
        snap = is_snap(program)
    else:
        program, snap = _installed(which)
        command = _command(program, url, snap, environ)
        if not environ.get("DISPLAY") and not environ.get("WAYLAND_DISPLAY"):
            raise Unavailable(
                "kiosk: expected a graphical session, got neither DISPLAY nor WAYLAND_DISPLAY",
                remedy=(
                    "请在已登录图形界面的用户下启动：systemctl --user start appliance-kiosk",
                    "Start it as the user who is logged in on the screen: systemctl --user start appliance-kiosk",
                ),
            )
    if not snap:
        return Launch(command, {}, ())
    return _as_snap(command, program, environ, root)


def _own(text: str, url: str, which: Callable[[str], str | None]) -> tuple[tuple[str, ...], Path]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise SettingInvalid(f"kiosk_browser: expected a command as in a shell, got {text!r}: {error}") from None
    if not any(URL in word for word in words):
        raise SettingInvalid(f"kiosk_browser: expected {URL} where the page's address belongs, got {text!r}")
    program = which(words[0])
    if program is None:
        raise Unavailable(f"kiosk_browser: expected a program, got {words[0]!r}, which is not there", remedy=INSTALL)
    return (program, *(word.replace(URL, url) for word in words[1:])), Path(program)


def _installed(which: Callable[[str], str | None]) -> tuple[Path, bool]:
    """The best browser, and whether it is a snap; one that is none comes first."""
    there = [Path(path) for name in (*CHROMIUM, *FIREFOX) if (path := which(name)) is not None]
    snaps = [is_snap(path) for path in there]
    if False in snaps:
        return there[snaps.index(False)], False
    if not there:
        raise Unavailable(f"kiosk: expected a browser ({', '.join((*CHROMIUM, *FIREFOX))}), got none", remedy=INSTALL)
    return there[0], True


def _command(program: Path, url: str, snap: bool, environ: Mapping[str, str]) -> tuple[str, ...]:
    if program.name in FIREFOX:
        return str(program), "--kiosk", "--private-window", url
    # In memory, so that nothing of a customer reaches the disk. A snap sees no such folder.
    folder = environ.get("XDG_RUNTIME_DIR")
    profile = (f"--user-data-dir={folder}/appliance-kiosk",) if folder and not snap else ()
    return (str(program), *_KIOSK, *profile, url)


def _as_snap(command: tuple[str, ...], program: Path, environ: Mapping[str, str], root: Path) -> Launch:
    if not environ.get("DBUS_SESSION_BUS_ADDRESS"):
        raise Unavailable(
            f"kiosk: expected the session's bus for the snap {program}, got no DBUS_SESSION_BUS_ADDRESS: a snap ends "
            "with 'is not a snap cgroup' without it",
            remedy=INSTALL,
        )
    if not loses_capabilities(root):
        return Launch(command, {}, ())
    if not (root / "usr/lib/snapd/snap-confine").exists():
        raise Unavailable(
            f"kiosk: expected a snapd that this kernel can run for the snap {program}, got only one that is itself a "
            "snap: this kernel has no CONFIG_SQUASHFS_XATTR",
            remedy=(
                "请安装 snapd 软件包（sudo apt-get install snapd），或换用非 snap 的浏览器",
                "Install the package snapd (sudo apt-get install snapd), or a browser that is no snap",
            ),
        )
    note: Both = (
        f"{program} 是 snap，而本内核没有 CONFIG_SQUASHFS_XATTR（JetPack 6）：以 SNAP_REEXEC=0 启动；若仍无法启动，"
        + INSTALL[0],
        f"{program} is a snap, and this kernel has no CONFIG_SQUASHFS_XATTR (JetPack 6): started with SNAP_REEXEC=0; "
        "if it still does not start: " + INSTALL[1],
    )
    return Launch(command, {"SNAP_REEXEC": "0"}, (note,))
