"""Long work shown as it goes: what is being done, how much of it, how fast, and how long it still takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from api.cli.output import errors

COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    TextColumn("{task.fields[count]}"),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)


@contextmanager
def watched(what: str) -> Iterator[Callable[[str, int, int], None]]:
    """What long work calls with its step, how much of it is done, and how much there is."""
    with Progress(*COLUMNS, console=errors, transient=True) as bar:
        task = bar.add_task(what, total=None, count="")
        step, began, first = "", 0.0, 0

        def progress(now: str, done: int, of: int) -> None:
            nonlocal step, began, first
            if now != step:
                step, began, first = now, time.monotonic(), done
                bar.reset(task)
            rate = (done - first) / max(time.monotonic() - began, 0.001)
            count = f"{done:,} of {of:,}, {rate:,.0f}/s"
            bar.update(task, description=now, completed=done, total=of or None, count=count)

        yield progress
