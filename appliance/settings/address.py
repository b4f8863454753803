"""Addresses in settings: which reach this machine only, and which a listener may be opened to."""

from __future__ import annotations

import ipaddress

from appliance.errors import SettingInvalid


def is_loopback(host: str) -> bool:
    """True when `host` can be reached from this machine only: localhost, or an address of the loopback network."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False  # a name: who knows where it leads
    # A listener on `::` sees 127.0.0.1 as ::ffff:127.0.0.1, which Python takes for a stranger until 3.13.
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def check_network(network: str) -> None:
    """Raises SettingInvalid unless `network`, one of `lan_peers`, is an address or a network."""
    try:
        ipaddress.ip_network(network)
        if "%" in network:  # a zone (fe80::1%eth0) may hold anything, line ends too, and systemd filters by none
            raise ValueError("a zone (%) cannot be filtered by")
    except ValueError as error:  # it says what is wrong, host bits for example
        raise SettingInvalid(
            f"lan_peers: expected an address or a network such as 192.168.1.0/24, got {network!r}: {error}"
        ) from None
