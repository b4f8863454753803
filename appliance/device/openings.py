"""What the systemd unit lets through: the addresses that the settings name, and the drop-in that opens exactly these.

The unit drops every packet but those of loopback (IPAddressDeny=any, systemd.resource-control(5)), which counts by the
address at the other end: those who come to a listener have to be named as much as those whom the appliance calls. The
drop-in also tells the process what it opened, so that the status shows what holds and not what was meant to.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from appliance.errors import SettingInvalid
from appliance.settings import Settings, is_loopback

VARIABLE = "SERVICE_OPENS"
"""Environment variable of the unit: the networks open beside loopback, with blanks between; empty when none is."""
PLACE = "/etc/systemd/system/appliance.service.d/openings.conf"
"""Where systemd looks for the drop-in."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A network that may exchange packets with the appliance."""

    network: str
    """Address with its prefix length, as `192.168.1.0/24`."""
    names: tuple[str, ...]
    """Settings that name it."""


@dataclass(frozen=True, slots=True)
class Filter:
    """The unit's filter against what the settings name."""

    named: tuple[Opening, ...]
    """What the settings name."""
    opened: tuple[str, ...] | None
    """What the unit opened; None outside of the unit, where nothing is shut."""
    problem: str
    """Why the settings cannot be followed, in English; empty when they can."""

    @property
    def closed(self) -> tuple[str, ...]:
        """What the settings name and the unit keeps shut."""
        opened = self.opened
        return () if opened is None else tuple(o.network for o in self.named if o.network not in opened)

    @property
    def stale(self) -> tuple[str, ...]:
        """What the unit has open though no setting names it any more."""
        named = {opening.network for opening in self.named}
        return tuple(network for network in self.opened or () if network not in named)

    @property
    def ok(self) -> bool:
        """True when what is open is what is named."""
        return not (self.problem or self.closed or self.stale)


def openings(settings: Settings) -> tuple[Opening, ...]:
    """What the settings name, each network once, in the order in which they name it.

    Raises SettingInvalid for a listener that nobody could reach: without lan_peers, or on a name.
    """
    found: dict[str, list[str]] = {}
    for name, host in _listeners(settings):
        if is_loopback(host):
            continue
        address = _address(name, host)
        if not settings.lan_peers:
            raise SettingInvalid(
                f"lan_peers: expected who may reach {name} {host}, got nobody: the unit lets only loopback through",
                remedy=(
                    "请在 lan_peers 中写明允许访问的地址或网段，例如 192.168.1.0/24",
                    "Name the addresses or networks that may come in lan_peers, for example 192.168.1.0/24",
                ),
            )
        # This machine reaches such an address through loopback, but under its own name.
        own = () if address.is_unspecified else ((str(address), name),)
        for network, why in (*own, *((peer, "lan_peers") for peer in settings.lan_peers)):
            names = found.setdefault(str(ipaddress.ip_network(network)), [])
            if why not in names:
                names.append(why)
    return tuple(Opening(network, tuple(names)) for network, names in found.items())


def drop_in(opened: Iterable[Opening], printer: str = "") -> str:
    """Text of the drop-in that opens `opened` and the device `printer` alone; also a valid one without any."""
    opened = tuple(opened)
    lines = ["# Written by `appliance service drop-in`: write it anew when the settings change.", "[Service]"]
    lines += [f"# {', '.join(one.names)}\nIPAddressAllow={one.network}" for one in opened]
    if not opened:
        lines.append("# The settings name no address beyond loopback.")
    if printer:
        devices, group = _device(printer)
        lines.append(f"# printer\nDeviceAllow={devices} rw\nSupplementaryGroups={group}")
    lines.append(f'Environment="{VARIABLE}={" ".join(one.network for one in opened)}"')
    return "\n".join(lines) + "\n"


def _device(printer: str) -> tuple[str, str]:
    """Devices that the unit has to let through for a printer, and the group whose they are.

    By the kernel's name of the kind where it has one: a path alone would count only while the printer is switched on.
    """
    kinds = (
        ("/dev/usb/lp", "char-usb", "lp"),
        ("/dev/ttyUSB", "char-ttyUSB", "dialout"),
        ("/dev/ttyACM", "char-ttyACM", "dialout"),
        ("/dev/tty", printer, "dialout"),
    )
    return next(((devices, group) for start, devices, group in kinds if printer.startswith(start)), (printer, "lp"))


def filter_of(settings: Settings, environ: Mapping[str, str] | None = None) -> Filter:
    """The filter of the unit that this process runs in, by its environment, against the settings. Never raises."""
    said = (os.environ if environ is None else environ).get(VARIABLE)
    opened = None if said is None else tuple(said.split())
    try:
        return Filter(openings(settings), opened, "")
    except SettingInvalid as error:
        return Filter((), opened, error.detail if opened is not None else "")


def _listeners(settings: Settings) -> tuple[tuple[str, str], ...]:
    wyoming = (("wyoming_host", settings.wyoming_host),) if settings.wyoming_port else ()
    return (("http_host", settings.http_host), *wyoming)


def _address(name: str, host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        # Without the zone of a link's own address (fe80::1%eth0), which systemd does not filter by.
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        raise SettingInvalid(
            f"{name}: expected an address, as systemd filters by, got the name {host!r}",
            remedy=("请填写 IP 地址，或 0.0.0.0", "Set an IP address, or 0.0.0.0"),
        ) from None
