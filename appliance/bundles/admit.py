"""Whether a whole and signed bundle may come in here and now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from appliance.bundles.contents import APP_VERSION, Contents
from appliance.bundles.folder import Signed
from appliance.bundles.keys import Public
from appliance.bundles.moments import stamp
from appliance.bundles.signing import check_roles
from appliance.bundles.state import State
from appliance.errors import BundleUnsuitable


@dataclass(frozen=True, slots=True)
class Here:
    """The appliance that a bundle comes to."""

    board: str
    """Family of its board, as `device.board` knows it."""
    app: str
    """Version of its code."""
    pack_schema: int
    """Revision of packs that it reads."""
    threshold: int = 1
    """Signatures of role `keys` that a change of keys needs."""


def admit(
    signed: Signed,
    state: State,
    current: str | None,
    here: Here,
    now: datetime,
    known: Mapping[str, Public],
    *,
    again: bool = False,
) -> None:
    """Raise BundleUnsuitable or BundleUntrusted unless the bundle may come in; the reasons are told one at a time.

    `known` are the keys that are trusted here, by id. `again` lets in, once more, one that did not serve or was rolled
    back.
    """
    contents = signed.contents
    _fits(contents, here)
    if contents.not_after is not None and now > contents.not_after:
        raise BundleUnsuitable(
            f"not_after: expected a bundle that may still be installed, got one that ended "
            f"{stamp(contents.not_after)}, and it is {stamp(now)} here",
            remedy=(
                "请检查本机时间（timedatectl），或向制作者索取新的更新包",
                "Check this machine's clock (timedatectl), or get a newer bundle",
            ),
        )
    if signed.id == current:
        raise BundleUnsuitable(f"bundle: expected another than the one that serves, got {signed.id}")
    if signed.id in state.bad and not again:
        raise BundleUnsuitable(
            f"bundle: expected one that serves, got {signed.id}, which did not: {state.bad[signed.id]}",
            remedy=(
                "修正后用更高版本号重新制作；确实要再试请用 appliance bundle install --again",
                "Correct it and make it with a higher version, or try it again: appliance bundle install --again",
            ),
        )
    if state.trial is not None:
        raise BundleUnsuitable(
            f"bundle: expected none on trial, got {state.trial}, which has yet to prove itself",
            remedy=(
                "请等它生效（几分钟），或用 appliance bundle rollback 放弃它",
                "Wait until it serves (minutes), or drop it: appliance bundle rollback",
            ),
        )
    older = contents.version <= state.floor and not (again and signed.id in state.bad)
    allowed = contents.downgrade_from is not None and state.floor <= contents.downgrade_from
    if older and not allowed:
        raise BundleUnsuitable(
            f"version: expected one above {state.floor}, which has served here, got {contents.version}",
            remedy=(
                "请提高版本号；确要退回旧版，需带 `--downgrade-from` 并由角色为 `downgrade` 的密钥签名",
                "Raise the version; to go back on purpose make it with `--downgrade-from` and sign it with a key of "
                "role `downgrade`",
            ),
        )
    check_roles(contents, signed.by, here.threshold, older=older, known=known, now=now)


def _fits(contents: Contents, here: Here) -> None:
    if contents.boards and here.board not in contents.boards:
        raise BundleUnsuitable(f"boards: expected one for {here.board}, got one for {', '.join(contents.boards)}")
    if _order(contents.min_app) > _order(here.app):
        raise BundleUnsuitable(f"min_app: expected one for version {here.app} of the appliance, got {contents.min_app}")
    if contents.has_pack and contents.pack_schema != here.pack_schema:
        raise BundleUnsuitable(
            f"pack_schema: expected a pack of revision {here.pack_schema}, got {contents.pack_schema}"
        )


def _order(version: str) -> tuple[int, ...]:
    found = APP_VERSION.match(version)
    return tuple(int(part) for part in found.groups()) if found else (0, 0, 0)
