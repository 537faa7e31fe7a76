"""Progress bars on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from adapters.cli import screen
from adapters.legacy_cobol.transfer.journal import File


@contextmanager
def reading(file: Path) -> Iterator[Callable[[int], None]]:
    """A bar for reading a file, updated with the offset."""
    console = screen.err()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task(file.name, total=file.stat().st_size)
        yield lambda offset: progress.update(task, completed=offset)


class Bar:
    """A bar for a file in a feed."""

    def __init__(self, file: Path, *, quiet: bool) -> None:
        console = screen.err()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %"),
        )
        self._progress = Progress(
            *columns, TimeElapsedColumn(), console=console, transient=True,
            disable=quiet or not console.is_terminal,
        )  # fmt: skip
        self._size = max(1, file.stat().st_size)
        self._task = self._progress.add_task("waiting", total=self._size)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, file: File, read: int) -> None:
        """Update the bar."""
        text = f"{file.state} {file.note}".strip()
        self._progress.update(self._task, description=text, completed=read)
