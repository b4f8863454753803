"""`appliance bundle key new | trust | revoke | list`: of whoever makes bundles, and those trusted here."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from appliance.app.bundled import root_of
from appliance.artifacts.disk import exclusive, storage
from appliance.bundles.choose import revoke as revoke_key
from appliance.bundles.keys import ROLES, Public, Trust, generate, key_id, load_public, public_path
from appliance.bundles.moments import now
from appliance.cli.options import AsJson, Config, settings
from appliance.errors import InvalidInput

app = typer.Typer(
    help="签名密钥 / Keys: make a pair on a desk, trust and revoke public ones on a machine.", no_args_is_help=True
)

PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="口令文件（首行）；不给则询问 / Its first line; without it one is asked."),
]
Days = Annotated[int | None, typer.Option("--days", min=1, help="有效天数 / For how many days; none: without end.")]
Roles = Annotated[
    list[str] | None,
    typer.Option(
        "--role", "-r", help="用途 / Roles: bundle, keys (may change keys), downgrade. Default: bundle, keys."
    ),
]


@app.command()
def new(path: Annotated[Path, typer.Argument(metavar="FILE")], passphrase_file: PassphraseFile = None) -> None:
    """生成密钥 / Make a pair: FILE is the private key, encrypted, and stays on the desk; FILE.pub goes to machines."""
    raw = generate(path, passphrase(passphrase_file, twice=True))
    typer.echo(
        f"{key_id(raw)}\n  私钥 / private: {path}（勿离开本机 / keep it here）\n  公钥 / public: {public_path(path)}"
        f"\n  → appliance bundle key trust {public_path(path).name}"
    )


@app.command()
def trust(
    path: Annotated[Path, typer.Argument(metavar="PUBLIC", help="公钥文件 / The public key's file.")],
    role: Roles = None,
    title: Annotated[str, typer.Option("--title", help="属于谁 / Whose it is.")] = "",
    days: Days = None,
    config: Config = None,
) -> None:
    """信任公钥 / Let bundles in that are signed by this key."""
    ends = now() + timedelta(days=days) if days is not None else None
    key = Public(load_public(path), checked_roles(role), title or path.stem, ends)
    root = root_of(settings(config))
    with exclusive(root):
        Trust(root).add(key)
    typer.echo(f"{key.id} ({key.title}): 已信任 / trusted: {', '.join(key.roles)}")


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(metavar="ID", help="密钥编号 / The key's id.")], config: Config = None
) -> None:
    """吊销 / Let nothing new in by this key. What it signed before goes on serving."""
    root = root_of(settings(config))
    revoke_key(root, name)
    typer.echo(f"{name}: 已吊销 / revoked")


@app.command("list")
def list_keys(config: Config = None, as_json: AsJson = False) -> None:
    """列出 / The keys that are known here."""
    trusted = Trust(root_of(settings(config)))
    keys = trusted.keys().values()
    if as_json:
        typer.echo(json.dumps([key.to_json() | {"id": key.id, "revoked": key.revoked} for key in keys]))
        return
    for key in keys:
        state = "已吊销 / revoked" if key.revoked else ", ".join(key.roles)
        typer.echo(f"{key.id}  {state}  {key.title}" + (f"  {key.to_json()['not_after']}" if key.not_after else ""))
    for path in trusted.damaged():
        typer.echo(f"! {path}: 无法读取，不予信任 / cannot be read and is not trusted", err=True)
    if not keys:
        typer.echo("无 / none\n  → appliance bundle key trust PUBLIC")


def checked_roles(roles: list[str] | None) -> tuple[str, ...]:
    """The roles given, or those of an ordinary key. Raises InvalidInput for one that there is not."""
    if unknown := sorted(set(roles or ()) - set(ROLES)):
        raise InvalidInput(f"role: expected some of {', '.join(ROLES)}, got {unknown[0]}")
    return tuple(dict.fromkeys(roles)) if roles else ROLES[:2]


def passphrase(path: Path | None, *, twice: bool = False) -> bytes:
    """The passphrase in the file at `path`, or as it is typed. Raises InvalidInput, StorageFailed."""
    if path is not None:
        with storage(path):
            return path.read_bytes().split(b"\n")[0].rstrip(b"\r")
    if not sys.stdin.isatty():
        raise InvalidInput(
            "passphrase: expected a terminal to ask at, or --passphrase-file, got neither",
            remedy=("请用 --passphrase-file 指定口令文件", "Give a file with --passphrase-file"),
        )
    typed: str = typer.prompt("口令 / passphrase", hide_input=True, confirmation_prompt=twice, err=True)
    return typed.encode("utf-8")
