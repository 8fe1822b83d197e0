"""`nncodec viewer`: writes a static page that shows .nnc files in any browser."""

from __future__ import annotations

from pathlib import Path

import click

from nncodec._support.files import make_folder, write_file
from nncodec._support.text import count_of
from nncodec.cli.options import complete_models, force_option, no_stream
from nncodec.cli.work import taken
from nncodec.errors import NncError
from nncodec.web.viewer.folder import viewer_files


@click.command("viewer", short_help="Write a page that shows .nnc files in a browser.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), callback=no_stream, metavar="OUT_FOLDER")
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_models,
    help="A model that the page knows; may be repeated.  [default: all that come with plugins]",
)
@force_option
def viewer_command(folder: Path, models: tuple[str, ...], force: bool) -> None:
    """Write a static page that decodes .nnc files in the browser, with everything that it needs.

    Any web server can hand out the folder, for instance 'python -m http.server -d OUT_FOLDER'. The page asks no other
    server for anything, and files that are dropped on it stay in the browser. Its element <nnc-image> shows .nnc files
    in other pages.
    """
    files = viewer_files(models)
    if not force:
        for target in (folder / name for name in files):
            if target.exists():
                raise NncError(detail=taken(target))
    for name in sorted(files, key=lambda name: name == "index.html"):  # last: where it is, the others are complete
        make_folder((folder / name).parent)
        write_file(folder / name, files[name])
    size = sum(map(len, files.values()))
    click.echo(f"{folder}: {count_of(len(files), 'file')}, {size / 1e6:.1f} MB; serve it, and open index.html")
