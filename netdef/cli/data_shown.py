"""Options that several data commands share, and the line that says how far a command is."""
from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from netdef.cli.inputs import Size

if TYPE_CHECKING:
    from netdef.datasets.copying import Copied
    from netdef.datasets.records import RecordSet
    from netdef.datasets.target import Target

F = Callable[..., Any]
KINDS = ("lmdb", "hdf5", "npz", "idx", "folder")

gray_option = click.option("--gray", is_flag=True, help="Read pictures as one channel of grey. [default: colour]")
kind_option = click.option("--as", "kind", type=click.Choice(KINDS), default=None,
                           help="What to write. [default: what the name says (.npz, .h5, ...-ubyte, ...folder), else LMDB]")
json_option = click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")


def job_options(function: F) -> F:
    """``--resume``, ``--force`` and ``--skip-bad``."""
    for option in (
        click.option("--skip-bad", is_flag=True, help="Leave out records that cannot be read, with a warning."),
        click.option("--force", is_flag=True, help="Replace what is there, once the new one is whole."),
        click.option("--resume", is_flag=True, help="Go on where an earlier run of this command ended."),
    ):
        function = option(function)
    return function


def size_option(function: F) -> F:
    """``--resize``."""
    return click.option("--resize", "size", type=Size(), default=None, metavar="HxW",
                        help="Bring every picture to this size (height x width), or N for N x N.")(function)


class Counting:
    """Says on stderr how far a command is: one line that changes in a terminal, a line every ten seconds elsewhere."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._terminal = sys.stderr.isatty()
        self._next = time.monotonic() + (0.2 if self._terminal else 10)
        self._shown = False

    def __call__(self, done: int, total: int | None, unit: str = "records") -> None:
        """Tell that ``done`` of ``total`` are done."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (0.2 if self._terminal else 10)
        text = f"{self.what}: {done:,}" + (f" of {total:,} {unit} ({100 * done // total} %)" if total else f" {unit}")
        click.echo(f"\r{text}   " if self._terminal else text, err=True, nl=not self._terminal)
        self._shown = self._terminal

    def __enter__(self) -> Counting:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._shown:
            click.echo("\r" + " " * 78 + "\r", err=True, nl=False)


def written(copied: Copied, targets: list[Target]) -> None:
    """Say what was made, and what to type next."""
    for target, count, paths in zip(targets, copied.counts, copied.written, strict=True):
        click.echo(f"wrote {paths[0]}: {count:,} record{'s' * (count != 1)} ({target.kind})")
        for path in paths[1:]:
            click.echo(f"wrote {path}")
    if copied.skipped:
        click.echo(f"left out: {copied.skipped:,} that could not be read")


def run_copy(records: RecordSet, targets: list[Target], prepare: Any, skip_bad: bool, which: Any = None) -> Copied:
    """Copy with a line of progress; close the records at the end."""
    from netdef.datasets.copying import copy

    try:
        with Counting("written") as told:
            return copy(records, targets, prepare, which=which, skip_bad=skip_bad, told=told)
    finally:
        records.close()
