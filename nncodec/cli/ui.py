"""`nncodec ui`: a page in the browser, on this machine alone."""

from __future__ import annotations

from pathlib import Path

import click

from nncodec.web.server import serve


@click.command("ui", short_help="Open a page to compress, compare, enhance and train.")
@click.argument(
    "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".", metavar="[FOLDER]"
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Port.  [default: a free one]")
@click.option("--no-browser", is_flag=True, help="Print the address without opening it.")
def ui_command(folder: Path, port: int, no_browser: bool) -> None:
    """Open a page in the browser to compress, compare, enhance and train, on this machine alone.

    The page can read pictures from FOLDER and the folders in it (by default the current one) and write results there.
    Other pictures can be dropped on the page. Ctrl-C ends the server; a training that runs saves a checkpoint first.
    """
    serve(
        folder,
        port,
        opens=not no_browser,
        on_start=lambda address: click.echo(f"nncodec ui: {address} (Ctrl-C ends it)"),
    )
