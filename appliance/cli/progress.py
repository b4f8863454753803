"""Shows what happens to models on stderr: moving bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

STAGES = {
    "download": "下载 / download",
    "copy": "写入 / write",
    "unpack": "解压 / unpack",
    "hash": "校验 / verify",
}


class Display:
    """A Listener for the `models.*` events; a context manager that ends the bars."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`; bars only where it is a terminal."""
        self._console = console
        self._tasks: dict[tuple[object, ...], TaskID] = {}
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Display:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def __call__(self, event: str, /, **fields: object) -> None:
        """Show one event of appliance.artifacts."""
        if event == "models.bytes":
            self._advance(**fields)
        elif event == "models.try":
            self._say(f"  {fields['model']}: {fields['file']} ← {fields['source']}")
        elif event == "models.refused":
            self._say(f"      ✗ {fields['reason']}")
        elif event == "models.derive":
            self._say(f"  {fields['model']}: 生成 / making {fields['file']}")
        elif event == "models.wait":
            self._say("等待另一个进程完成安装 / waiting for another process to finish installing")

    def _advance(self, model: object, file: object, stage: object, done: object, total: object) -> None:
        if not self._console.is_terminal or not isinstance(done, int):
            return
        key = (model, file, stage)
        size = total if isinstance(total, int) else None
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(f"{STAGES.get(str(stage), stage)} {escape(str(file))}", total=size)
        self._bars.update(self._tasks[key], completed=done, visible=done != size)

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
