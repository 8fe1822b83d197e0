"""A progress bar on the terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

import click


@contextlib.contextmanager
def progress(unit: str) -> Iterator[tuple[Callable[[int, int], None], Callable[[str], None]]]:
    """Yield a function that reports steps done of the total, and one that writes a line beside the bar."""
    if not sys.stderr.isatty():
        yield lambda done, total: None, lambda line: click.echo(line, err=True)
        return
    from tqdm import tqdm  # type: ignore[import-untyped]

    with tqdm(unit=unit, dynamic_ncols=True, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show, lambda line: bar.write(line, file=sys.stderr)
