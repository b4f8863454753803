"""The drop-in opens what the settings name, and the status says where it does not."""

from __future__ import annotations

import configparser

import pytest

from appliance.device.openings import VARIABLE, Opening, drop_in, filter_of, openings
from appliance.errors import SettingInvalid
from appliance.settings import Settings, load_settings

TOKEN = "a-token-of-sixteen"


def settings(**given: object) -> Settings:
    return load_settings(None, {}, {"http_token": TOKEN} | given)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"lan_peers": ("192.168.1.0/24",)},  # nobody listens for them
        {"http_host": "127.0.0.5"},
        {"http_host": "[::1]"},
        {"wyoming_host": "0.0.0.0"},  # its port is 0: off
    ],
)
def test_loopback_opens_nothing(given: dict[str, object]) -> None:
    assert openings(settings(**given)) == ()


def test_a_listener_opens_for_its_peers_and_for_its_own_address() -> None:
    given = settings(
        http_host="192.168.1.5",
        wyoming_host="0.0.0.0",
        wyoming_port=10300,
        lan_peers=("192.168.1.0/24", "10.0.0.7", "fd00::/8"),
    )
    assert openings(given) == (
        Opening("192.168.1.5/32", ("http_host",)),
        Opening("192.168.1.0/24", ("lan_peers",)),
        Opening("10.0.0.7/32", ("lan_peers",)),
        Opening("fd00::/8", ("lan_peers",)),
    )


def test_a_network_named_twice_is_opened_once() -> None:
    assert openings(settings(http_host="10.0.0.7", lan_peers=("10.0.0.7", "10.0.0.7/32"))) == (
        Opening("10.0.0.7/32", ("http_host", "lan_peers")),
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"http_host": "0.0.0.0"}, "lan_peers: expected who may reach http_host 0.0.0.0, got nobody"),
        (
            {"wyoming_host": "192.168.1.5", "wyoming_port": 10300},
            "lan_peers: expected who may reach wyoming_host 192.168.1.5, got nobody",
        ),
        (
            {"http_host": "kiosk.local", "lan_peers": ("10.0.0.7",)},
            "http_host: expected an address, as systemd filters by, got the name 'kiosk.local'",
        ),
    ],
)
def test_a_listener_that_nobody_could_reach_is_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(SettingInvalid) as refused:
        openings(settings(**given))
    assert refused.value.detail.startswith(said)


def test_a_links_own_address_is_opened_without_its_zone() -> None:
    assert openings(settings(http_host="[fe80::5%eth0]", lan_peers=("fe80::/10",))) == (
        Opening("fe80::5/128", ("http_host",)),
        Opening("fe80::/10", ("lan_peers",)),
    )


def test_no_setting_gets_a_line_of_its_own_into_the_drop_in() -> None:
    text = drop_in(openings(settings(http_host="fe80::5%x\nIPAddressAllow=any\n#", lan_peers=("fe80::/10",))))
    assert "any" not in text
    with pytest.raises(SettingInvalid, match="lan_peers: expected an address or a network"):
        settings(lan_peers=("fe80::%x\nIPAddressAllow=any\n#/64",))


@pytest.mark.parametrize("network", ["192.168.1.5/24", "192.168.1", "any", "localhost", "fe80::1%eth0"])
def test_what_is_no_network_ends_the_start(network: str) -> None:
    with pytest.raises(SettingInvalid, match="lan_peers: expected an address or a network"):
        settings(lan_peers=(network,))


def test_the_drop_in_is_what_systemd_reads_and_tells_the_process() -> None:
    opened = openings(settings(http_host="0.0.0.0", lan_peers=("192.168.1.0/24", "10.0.0.7")))
    text = drop_in(opened)
    assert text.splitlines()[1:] == [
        "[Service]",
        "# lan_peers",
        "IPAddressAllow=192.168.1.0/24",
        "# lan_peers",
        "IPAddressAllow=10.0.0.7/32",
        'Environment="SERVICE_OPENS=192.168.1.0/24 10.0.0.7/32"',
    ]
    assert filter_of(settings(http_host="0.0.0.0", lan_peers=("192.168.1.0/24", "10.0.0.7")), told(text)).ok


def test_a_drop_in_that_opens_nothing_replaces_one_that_did() -> None:
    text = drop_in(())
    assert "IPAddressAllow" not in text
    assert told(text) == {VARIABLE: ""}
    assert filter_of(settings(), told(text)).ok


def told(text: str) -> dict[str, str]:
    """The environment that the drop-in gives the process."""
    parsed = configparser.ConfigParser(strict=False, comment_prefixes=("#",))
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read_string(text)
    name, _, value = parsed["Service"]["Environment"].strip('"').partition("=")
    return {name: value}


def test_what_is_named_but_shut_and_what_is_open_but_not_named_is_told() -> None:
    given = settings(http_host="0.0.0.0", lan_peers=("192.168.1.0/24",))
    before = filter_of(given, {VARIABLE: "10.0.0.0/8"})
    assert not before.ok
    assert (before.closed, before.stale) == (("192.168.1.0/24",), ("10.0.0.0/8",))
    unit_alone = filter_of(given, {VARIABLE: ""})
    assert (unit_alone.closed, unit_alone.stale) == (("192.168.1.0/24",), ())


def test_outside_of_the_unit_nothing_is_shut() -> None:
    free = filter_of(settings(http_host="0.0.0.0", lan_peers=("192.168.1.0/24",)), {})
    assert (free.opened, free.closed, free.stale, free.ok) == (None, (), (), True)
    assert filter_of(settings(http_host="0.0.0.0"), {}).ok


def test_in_the_unit_a_listener_without_peers_is_a_problem() -> None:
    shut = filter_of(settings(http_host="0.0.0.0"), {VARIABLE: ""})
    assert not shut.ok
    assert "expected who may reach http_host 0.0.0.0" in shut.problem


@pytest.mark.parametrize(
    ("printer", "devices", "group"),
    [
        ("/dev/usb/lp0", "char-usb", "lp"),
        ("/dev/ttyUSB1", "char-ttyUSB", "dialout"),
        ("/dev/ttyACM0", "char-ttyACM", "dialout"),
        ("/dev/ttyTHS1", "/dev/ttyTHS1", "dialout"),
        ("/dev/receipts", "/dev/receipts", "lp"),
    ],
)
def test_the_printer_is_let_through_with_its_group(printer: str, devices: str, group: str) -> None:
    lines = drop_in((), printer).splitlines()
    assert f"DeviceAllow={devices} rw" in lines
    assert f"SupplementaryGroups={group}" in lines
    assert not [line for line in drop_in(()).splitlines() if line.startswith(("DeviceAllow", "Supplementary"))]
