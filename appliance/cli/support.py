"""`appliance support-bundle | backup | restore | first-boot | factory-reset`: for the technician."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from appliance.cli.options import Config, settings
from appliance.errors import SettingInvalid


def support_bundle(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="写入此目录 / Write it into this folder.")
    ] = None,
    usb: Annotated[bool, typer.Option("--usb", help="写入 U 盘 / Write it to the USB stick.")] = False,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="服务无应答时自检 / Check all if the service does not answer.")
    ] = True,
    config: Config = None,
) -> None:
    """支持包 / Collect versions, settings, state and logs for the maintainers, without secrets or anybody's words."""
    from appliance.support.bundle import kept, made
    from appliance.support.case import Case
    from appliance.support.masked import Mask
    from appliance.support.salvage import salvaged
    from appliance.support.stick import chosen, volumes

    if usb and output is not None:
        raise SettingInvalid("expected --usb or --output, got both", remedy=("请只用其中一个", "Give one of them"))
    # Before the long part: who waits two minutes wants no stick that is missing then.
    folder = chosen(volumes(), write=True).place if usb else output or Path()
    found = salvaged(config)
    if found.problem:
        said = "设置无效，按默认设置收集 / settings are not valid, going on with the defaults"
        typer.echo(f"{said}: {found.problem}", err=True)
    case = Case(found.settings, found.problem, Mask(found.secrets), config, check=check)
    typer.echo("正在收集，最多几分钟 / collecting, a few minutes at most ...", err=True)
    place = kept(made(case), folder)
    typer.echo(f"{place} ({place.stat().st_size / 1e6:.1f} MB)")


PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file", metavar="FILE", help="口令文件；不填则询问 / File with the passphrase; asked for if none."
    ),
]


def backup(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="备份文件 / Where the backup goes.")],
    passphrase_file: PassphraseFile = None,
    models: Annotated[
        bool, typer.Option("--models/--no-models", help="含导入的模型 / With the models that were imported.")
    ] = True,
    config: Config = None,
) -> None:
    """备份 / Settings, packs, records, keys and imported models in one sealed file; the service may go on serving."""
    from appliance.artifacts.inuse import used
    from appliance.settings import data_dir
    from appliance.support.backup import back_up

    chosen = settings(config)
    if used(data_dir(chosen)):
        typer.echo("服务正在运行，备份此刻的状态 / the appliance serves: it is saved as it is now", err=True)
    kept = back_up(chosen, config, output, _passphrase(passphrase_file, confirm=True), models=models)
    typer.echo(f"{output} ({output.stat().st_size / 1e6:.1f} MB, {len(kept.files)} files, {kept.head[0]} events)")
    if config is None:
        typer.echo("未备份设置，请用 -c 指定 / settings are not in it: name their file with -c", err=True)
    for path in kept.apart:
        typer.echo(f"不在备份中，请另行复制 / not in it, copy it yourself: {path}", err=True)
    if kept.bundle:
        typer.echo(
            f"更新包不在备份中，请保留其文件 / keep the file of the bundle, it is not in it: {kept.bundle}", err=True
        )


def restore(
    file: Annotated[Path | None, typer.Argument(help="备份文件 / The backup.")] = None,
    passphrase_file: PassphraseFile = None,
    finish: Annotated[
        bool, typer.Option("--finish", help="继续中断的恢复或重置 / Go on with what was broken off.")
    ] = False,
    config: Config = None,
) -> None:
    """恢复 / Put a backup back, all or nothing, and say what is left to fetch or build. Stop the service first."""
    from appliance.errors import InvalidInput
    from appliance.settings import data_dir
    from appliance.support.restore import finished, folder_of
    from appliance.support.restore import restore as put_back

    if finish:
        kind = finished(folder_of(config) or data_dir(settings(None)), config)
        typer.echo(f"已完成 / finished: {kind}" if kind else "没有中断的操作 / nothing was broken off")
        return
    if file is None:
        raise InvalidInput("expected a backup, got none", remedy=("请给出备份文件", "Name the file of the backup"))
    done = put_back(file, None, config, _passphrase(passphrase_file, confirm=False))
    kept = done.kept
    typer.echo(
        f"已恢复 / restored: {kept.made}, appliance {kept.appliance}, {len(kept.files)} files, {kept.head[0]} events"
    )
    if config is None:
        typer.echo("未恢复设置，请用 -c 指定 / settings were left: name their file with -c", err=True)
    if kept.pack:
        typer.echo(f"知识包已放到 / the pack is at packs/{kept.pack} → pack: ...", err=True)
    for path in kept.apart:
        typer.echo(f"不在备份中，请另行复制 / was not in it, copy it yourself: {path}", err=True)
    if done.pull:
        typer.echo(f"  → appliance models pull {' '.join(done.pull)}")
    if done.bundle:
        typer.echo(f"  → appliance bundle install FILE (当时使用的更新包 / the bundle that served: {done.bundle})")
    if done.elsewhere:
        typer.echo(f"本版本使用其他版本的模型 / other versions of models here: {', '.join(done.elsewhere)}")
    if kept.engines:
        typer.echo(f"  → appliance engines build ({len(kept.engines)})")


def first_boot(
    folder: Annotated[
        Path | None, typer.Option("--from", metavar="DIR", help="从此目录读取 / Read it from this folder, not a stick.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="覆盖已有设置 / Replace settings that are there, at any time.")
    ] = False,
    wait: Annotated[
        float,
        typer.Option("--wait", metavar="S", min=0, max=120, help="等待 U 盘多少秒 / Seconds to wait for it."),
    ] = 0,
    config: Config = None,
) -> None:
    """首次启动 / Take appliance.yaml from a USB stick, once, on a machine that has no settings yet."""
    from appliance.errors import SettingInvalid
    from appliance.support.firstboot import close, configured, done_mark, install, search

    mark = done_mark(config)
    if config is None or mark is None:
        raise SettingInvalid("expected where the settings go, got nothing", remedy=("请用 -c 指定", "Name it with -c"))
    if not force and (mark.exists() or configured(config)):
        typer.echo("已经设置过，不读取 U 盘；要重来请用 --force / it has its settings, no stick is read; --force does")
        close(config)
        return
    found = search(folder, wait)
    if found is None:
        typer.echo("没有找到 appliance.yaml，沿用默认设置 / no appliance.yaml was found: the defaults stay")
    else:
        install(found, config)
        typer.echo(f"设置已写入 / settings are in place: {found.where} → {config}")
    close(config)


def factory_reset(
    keep_models: Annotated[
        bool, typer.Option("--keep-models", help="保留模型和引擎 / Keep models and engines.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="不询问 / Do not ask.")] = False,
    config: Config = None,
) -> None:
    """恢复出厂 / Delete records, settings, keys, packs and models. The service must be stopped."""
    from appliance.errors import InvalidInput
    from appliance.settings import data_dir
    from appliance.support.reset import planned, reset
    from appliance.support.salvage import salvaged

    # Settings that are not valid are a good reason to begin anew.
    root = data_dir(salvaged(config).settings)
    plan = planned(root, config, keep_models=keep_models)
    for step in plan.steps:
        typer.echo(f"{'删除 / delete' if step.new is None else '恢复默认 / back to the defaults'}: {step.home}")
    for path in plan.stays:
        typer.echo(f"保留 / keep: {path}")
    typer.echo(
        "只删除文件，不是安全擦除：闪存上的旧数据可能被专业手段恢复。如须确保，请事先加密磁盘或销毁存储 / "
        "files are deleted, not erased: with the right tools old data may be read from flash memory. Who must be sure "
        "encrypts the disk beforehand or destroys it"
    )
    if not yes and typer.prompt("输入 reset 确认 / type reset to go on", err=True) != "reset":
        raise InvalidInput("expected `reset`, got something else: nothing was deleted")
    reset(root, config, keep_models=keep_models)
    typer.echo("完成，下次启动时可用 U 盘设置 / done; at its next start it takes settings from a stick")


def _passphrase(file: Path | None, *, confirm: bool) -> str:
    """The passphrase, from a file or typed; never an argument, which every user of the machine can read."""
    from appliance.artifacts.disk import storage
    from appliance.support.sealed import check_passphrase

    if file is not None:
        with storage(
            file, ("请核对口令文件的路径和权限", "Check the path of the file with the passphrase, and who may read it")
        ):
            said = file.read_text("utf-8").rstrip("\r\n")
    else:
        said = str(typer.prompt("口令 / passphrase", hide_input=True, confirmation_prompt=confirm, err=True))
    check_passphrase(said)
    return said
