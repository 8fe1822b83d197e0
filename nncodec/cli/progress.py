"""A progress bar on the terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

import click


@contextlib.contextmanager
def progress(unit: str, *, shown: bool = True) -> Iterator[tuple[Callable[[int, int], None], Callable[[str], None]]]:
    """Yield a function that reports steps done of the total, and one that writes a line beside the bar.

    Until the first report, the bar says that the model is being loaded.

    Args:
        unit: what is counted.
        shown: whether to show a bar at all.
    """
    if not shown or not sys.stderr.isatty():
        yield lambda done, total: None, lambda line: click.echo(line, err=True)
        return
    from tqdm import tqdm  # type: ignore[import-untyped]

    with tqdm(unit=unit, dynamic_ncols=True, leave=False, desc="loading the model", bar_format="{desc} ...") as bar:

        def show(done: int, total: int) -> None:
            if bar.bar_format:  # the first call: now the model is there
                bar.bar_format = None
                bar.set_description_str(None, refresh=False)
                bar.unpause()
            bar.total = total
            bar.update(done - bar.n)
            bar.refresh()

        yield show, lambda line: bar.write(line, file=sys.stderr)
