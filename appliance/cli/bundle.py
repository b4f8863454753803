"""`appliance bundle make | sign | inspect | verify | install | inbox | list | rollback | key ...`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console

from appliance import __version__
from appliance.app.bundled import here, proving, root_of, shelf
from appliance.artifacts.disk import storage
from appliance.bundles.choose import roll_back
from appliance.bundles.contents import Change, Contents, bundle_id, read
from appliance.bundles.inbox import emptied, folder_of
from appliance.bundles.install import check, install
from appliance.bundles.keys import ROLES, Public, Trust, load_private, load_public
from appliance.bundles.make import described, gather, heads, pack_up
from appliance.bundles.make import sign as sign_file
from appliance.bundles.moments import at_least, now, stamp
from appliance.bundles.report import report
from appliance.bundles.signing import check_roles, signatures
from appliance.bundles.state import CURRENT, linked, read_state
from appliance.cli import bundle_keys
from appliance.cli.bundle_keys import Days, PassphraseFile, passphrase
from appliance.cli.exits import Exit
from appliance.cli.options import AsJson, Config, settings
from appliance.cli.progress import Display
from appliance.errors import ApplianceError, InvalidInput
from appliance.packs.compile import find_pack
from appliance.packs.schema import SCHEMA
from appliance.settings import data_dir

app = typer.Typer(
    help="更新包：制作、签名、查看、安装、回退 / Bundles: make, sign, look into, install, go back.\n\n"
    "Exit codes: 0 done, 1 failed or not for this machine, 2 wrong usage, 4 damaged, hostile or not trusted.",
    no_args_is_help=True,
)
app.add_typer(bundle_keys.app, name="key")

File = Annotated[Path, typer.Argument(metavar="FILE", help="更新包文件 / The bundle's file.")]
Key = Annotated[
    Path | None, typer.Option("--key", "-k", help="私钥文件；不给则不签名 / Private key; without it nothing is signed.")
]


@app.command()
def make(
    target: File,
    version: Annotated[int, typer.Option("--version", min=1, help="版本号，逐次增大 / Rises from bundle to bundle.")],
    title: Annotated[str, typer.Option("--title", help="说明 / What it is, for people.")],
    model: Annotated[
        list[str] | None, typer.Option("--model", "-m", help="已安装的模型名 / Name of a model installed here.")
    ] = None,
    pack: Annotated[str, typer.Option("--pack", "-p", help="知识包目录或名称 / A pack's folder or name.")] = "",
    carried: Annotated[
        Path | None, typer.Option("--settings", "-s", help="随包设置（YAML） / YAML file of settings that go along.")
    ] = None,
    cases: Annotated[
        Path | None,
        typer.Option("--cases", help="自检用例目录（turns.json） / Folder with the self-test's turns.json."),
    ] = None,
    board: Annotated[
        list[str] | None, typer.Option("--board", help="适用的板型，如 orin-nano / Family of boards; none: all.")
    ] = None,
    min_app: Annotated[str, typer.Option("--min-app", help="最低程序版本 / Oldest appliance.")] = __version__,
    days: Days = None,
    downgrade_from: Annotated[
        int | None,
        typer.Option(
            "--downgrade-from", min=1, help="允许替换的最高版本 / Highest version that this older one replaces."
        ),
    ] = None,
    add_key: Annotated[
        list[Path] | None, typer.Option("--add-key", help="一并信任的公钥 / Public key that is trusted from then on.")
    ] = None,
    add_role: Annotated[
        list[str] | None, typer.Option("--add-role", help="其用途 / Its roles: bundle, keys, downgrade.")
    ] = None,
    revoke_key: Annotated[
        list[str] | None, typer.Option("--revoke-key", help="一并吊销的密钥 / Id of a key that is revoked.")
    ] = None,
    key: Key = None,
    passphrase_file: PassphraseFile = None,
    config: Config = None,
) -> None:
    """制作更新包 / Make a bundle out of models installed here, a pack, settings and cases."""
    chosen = settings(config)
    private = load_private(key, passphrase(passphrase_file)) if key is not None else None
    roles = bundle_keys.checked_roles(add_role)
    added = tuple(Public(load_public(path), roles, path.stem) for path in add_key or ())
    with Display(Console(stderr=True)) as display:
        store = shelf(data_dir(chosen), None, display)[1]
        files = gather(store, tuple(model or ()), find_pack(pack) if pack else None, carried, cases)
        made = now()
        contents = Contents(
            version=version,
            title=title,
            created=made,
            files=(),
            not_after=made + timedelta(days=days) if days is not None else None,
            boards=tuple(board or ()),
            min_app=min_app,
            pack_schema=SCHEMA,
            downgrade_from=downgrade_from,
            keys=Change(added, tuple(revoke_key or ())),
        )
        contents = described(contents, files, display)
        manifest = pack_up(target, contents, files, private, display)
    size = target.stat().st_size / 1e6
    typer.echo(f"{target}: {bundle_id(version, manifest)}, {len(contents.files)} 个文件 / files, {size:.1f} MB")
    if private is None:
        typer.echo("  ! 未签名 / not signed\n  → appliance bundle sign", err=True)


@app.command()
def sign(path: File, key: Annotated[Path, typer.Option("--key", "-k")], passphrase_file: PassphraseFile = None) -> None:
    """签名 / Add a signature to a bundle; several keys may sign the same one."""
    private = load_private(key, passphrase(passphrase_file))
    with Display(Console(stderr=True)) as display:
        sign_file(path, private, display)
    with path.open("rb") as file:
        names = [one.key for one in signatures(heads(file)[1])]
    typer.echo(f"{path}: 签名 / signed by {', '.join(names)}")


@app.command()
def inspect(path: File, as_json: AsJson = False) -> None:
    """查看内容 / Show what a bundle says of itself; nothing is verified."""
    with _opened(path) as file:
        manifest, content = heads(file)
    found = read(manifest)
    if as_json:
        shown = json.loads(manifest) | {"id": bundle_id(found.version, manifest)}
        shown |= {"signatures": [one.key for one in signatures(content)]}
        typer.echo(json.dumps(shown, ensure_ascii=False))
        return
    for line in _lines(found, bundle_id(found.version, manifest), [one.key for one in signatures(content)]):
        typer.echo(line)
    typer.echo("以上未经验证 / None of this was verified: appliance bundle verify")


@app.command()
def verify(path: File, config: Config = None) -> None:
    """验证 / Verify signature and every byte of a bundle against the keys trusted here; nothing is installed."""
    with Display(Console(stderr=True)) as display, _opened(path) as file:
        given = settings(config)
        signed = check(root_of(given), file, now(), display)
    for line in _lines(signed.contents, signed.id, [f"{key.id} ({key.title})" for key in signed.by]):
        typer.echo(line)
    roles = ", ".join(role for role in ROLES if any(role in key.roles for key in signed.by)) or "-"
    typer.echo(f"完整且受信任，可用于 / whole and trusted, for: {roles}")
    known, clock = Trust(root_of(given)).keys(), at_least(now(), read_state(root_of(given)).seen)
    check_roles(signed.contents, signed.by, given.bundle_key_signatures, older=False, known=known, now=clock)


@app.command("install")
def install_file(
    path: File,
    again: Annotated[
        bool, typer.Option("--again", help="再试一次曾失败或被回退的 / Once more one that did not serve or was left.")
    ] = False,
    config: Config = None,
) -> None:
    """安装 / Verify, stage, prove and put on trial; the service takes it over when nobody is in a conversation."""
    _install(path, config, again=again)


@app.command()
def inbox(config: Config = None) -> None:
    """处理收件目录 / Install what lies in the inbox, oldest first; for the unit appliance-update.

    What was taken in is removed; what was refused stays as NAME.refused, the latest one alone, with the reason.
    """
    folder = folder_of(data_dir(settings(config)))

    def told(path: Path, error: ApplianceError) -> None:
        typer.echo(f"{path.name}: {error.message}\n  → {error.remedy}", err=True)

    if not emptied(folder, lambda path: _install(path, config), told):
        raise typer.Exit(Exit.FAILED)


@app.command("list")
def list_bundles(config: Config = None, as_json: AsJson = False) -> None:
    """列出 / What serves, what served before, what is on trial, what did not serve, and which keys are trusted."""
    found = report(root_of(settings(config)))
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    said = {"current": "使用中 / serves", "previous": "上一个 / before it", "trial": "试用中 / on trial"}
    for link, words in said.items():
        one = found[link]
        typer.echo(f"{words}: {one['id']} ({one['title']})" if one else f"{words}: 无 / none")
    typer.echo(f"最低版本 / versions above: {found['floor']}")
    for name, reason in found["bad"].items():
        typer.echo(f"未通过 / did not serve: {name}: {reason}")


@app.command()
def rollback(
    reason: Annotated[str, typer.Option("--reason", help="原因 / Why.")] = "rolled back by hand",
    config: Config = None,
) -> None:
    """回退 / Go back to what served before; or drop the one on trial. A running service changes over by itself."""
    root = root_of(settings(config))
    name = read_state(root).trial or linked(root, CURRENT)
    if name is None:
        raise InvalidInput(
            "bundle: expected one that serves or is on trial, got none",
            remedy=("没有可回退的更新包", "There is nothing to go back from"),
        )
    before = roll_back(root, name, reason)
    typer.echo(f"{name} → {before or '随程序提供的内容 / what came with the appliance'}")


def _install(path: Path, config: Path | None, *, again: bool = False) -> None:
    chosen = settings(config)
    with Display(Console(stderr=True)) as display, _opened(path) as file:
        signed = install(
            root_of(chosen),
            file,
            here(chosen),
            now(),
            proving(config, chosen, display),
            display,
            most=chosen.bundle_max_mb * 1_000_000,
            again=again,
        )
    typer.echo(
        f"{signed.id}: 已安装，待试用 / installed, on trial: {signed.contents.title}\n"
        f"  → 服务空闲时自动切换 / The service takes it over when nobody is in a conversation"
    )


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A bundle's file. Raises StorageFailed."""
    with storage(path), path.open("rb") as file:
        yield file


def _lines(found: Contents, name: str, by: list[str]) -> list[str]:
    lines = [
        f"{name}: {found.title}",
        f"  版本 / version {found.version}, 制作于 / made {stamp(found.created)}",
        f"  签名 / signed by: {', '.join(by) or '无 / nobody'}",
        f"  适用 / for: {', '.join(found.boards) or '所有板型 / all boards'}, appliance {found.min_app}+",
        f"  内容 / carries: {len(found.files)} 个文件 / files, {found.size / 1e6:.1f} MB; "
        f"模型 / models: {', '.join(found.models) or '无 / none'}; "
        f"知识包 / pack: {'有 / yes' if found.has_pack else '无 / no'}",
    ]
    if found.not_after is not None:
        lines.append(f"  有效期至 / may be installed until {stamp(found.not_after)}")
    if found.downgrade_from is not None:
        lines.append(f"  允许降级，自版本 / an older version in place of up to {found.downgrade_from}")
    lines += [f"  + 密钥 / key {one.id} ({one.title}): {', '.join(one.roles)}" for one in found.keys.add]
    lines += [f"  - 密钥 / key {one}" for one in found.keys.revoke]
    return lines
