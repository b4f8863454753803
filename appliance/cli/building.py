"""Shows on stderr how far engines have come: a bar with the time that is left on a terminal, lines elsewhere."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

_LINE_EVERY = 0.25
"""Share of a build after which there is another line where there is no terminal."""


class Building:
    """A Listener for the `engines.*` events; a context manager that ends the bar."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`; a bar only where it is a terminal."""
        self._console = console
        self._task: TaskID | None = None
        self._told = 0.0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Building:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def turn(self, number: int, count: int, network: str, precision: str) -> None:
        """The engine `number` of `count`, from 0, is next."""
        self._told = 0.0
        label = f"[{number + 1}/{count}] {network} {precision}"
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(escape(label), total=1.0, left="")
        if not self._console.is_terminal:
            self._say(label)

    def __call__(self, event: str, /, **fields: object) -> None:
        """Show one event of the engine store, the builder or the gate."""
        if event == "engines.progress":
            self._progress(fields.get("share"), fields.get("remaining_s"))
        elif event == "models.derive":
            self._say(f"  {fields.get('model')}: 生成 / making {fields.get('file')}")
        elif event == "engines.gate":
            self._say("  评测 / measuring on the model's cases")
        elif event == "engines.wait":
            self._say("  等待另一个进程完成编译 / waiting for another process that builds this engine")

    def _progress(self, share: object, remaining: object) -> None:
        if not isinstance(share, float) or self._task is None:
            return
        left = f"剩余 / left {remaining:.0f} s" if isinstance(remaining, float) else ""
        self._bar.update(self._task, completed=share, left=left)
        if not self._console.is_terminal and share - self._told >= _LINE_EVERY:
            self._told = share
            self._say(f"  {share:.0%} {left}".rstrip())

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
