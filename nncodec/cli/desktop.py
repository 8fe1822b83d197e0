"""`nncodec desktop`: file managers of freedesktop.org know .nnc files: type, icon and thumbnails, for one user.

References:
    Shared MIME-info Database, Icon Theme and Thumbnail Managing Standard, specifications.freedesktop.org.
"""

from __future__ import annotations

import io
import os
import shlex
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

import click
from PIL import Image

import nncodec
from nncodec._support.files import write_file
from nncodec.cli.text import complain
from nncodec.coding.inspection import image_info, pillow_mode
from nncodec.errors import NncError
from nncodec.format.container import Container
from nncodec.format.header import MAGIC, MIME, ChunkType
from nncodec.format.preview import read_preview
from nncodec.limits import DEFAULT_LIMITS, Limits
from nncodec.picture.conversion import convert
from nncodec.picture.reading import upright

MOST_PIXELS = 1 << 24
"""Pictures with more get a thumbnail only from their preview: decoding would take too long for a file manager."""

_TYPE, _ICON, _THUMBNAILER = (
    Path("mime/packages/nncodec.xml"),
    Path("icons/hicolor/scalable/mimetypes") / f"{MIME.replace('/', '-')}.svg",
    Path("thumbnailers/nncodec.thumbnailer"),
)
_TYPE_XML = """<?xml version="1.0" encoding="UTF-8"?>
<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">
  <mime-type type="{mime}">
    <comment>NNC image</comment>
    <icon name="{icon}"/>
    <generic-icon name="image-x-generic"/>
    <magic priority="60"><match type="string" offset="0" value="{magic}"/></magic>
    <glob pattern="*.nnc"/>
  </mime-type>
</mime-info>
"""


@click.group("desktop", short_help="Let file managers know .nnc files.")
def desktop_command() -> None:
    """Let the file managers of this user know .nnc files (Linux, freedesktop.org): type, icon, thumbnails."""


@desktop_command.command("install")
def install_command() -> None:
    """Install type, icon and thumbnailer into the user's data folder, XDG_DATA_HOME or ~/.local/share."""
    home = data_home()
    for place, data in files().items():
        write_file(home / place, data)
        click.echo(home / place)
    _update(home)


@desktop_command.command("uninstall")
def uninstall_command() -> None:
    """Remove what 'install' wrote."""
    home = data_home()
    found = [home / place for place in files() if (home / place).is_file()]
    if not found:
        raise NncError(detail=f"nothing of nncodec is installed in {home}")
    for path in found:
        path.unlink()
        click.echo(f"removed {path}")
    _update(home)


@desktop_command.command("thumbnail")
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@click.option("-s", "--size", type=click.IntRange(1, 1024), default=256, metavar="N", help="Longest edge.  [256]")
def thumbnail_command(source: Path, target: Path, size: int) -> None:
    """Write a small PNG of an .nnc file: from its preview where it is large enough, else decoded."""
    if target.exists() and target.samefile(source):
        raise click.UsageError(f"{target} is the input; give another file for the PNG")
    write_file(target, thumbnail(source, size))


def data_home() -> Path:
    """Return the user's data folder."""
    given = os.environ.get("XDG_DATA_HOME", "")
    return Path(given) if Path(given).is_absolute() else Path.home() / ".local" / "share"


def files() -> dict[Path, bytes]:
    """Return the files to install by their places in the user's data folder."""
    magic = "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in MAGIC)
    program = shlex.join([sys.executable, "-m", "nncodec", "desktop", "thumbnail"]).replace("%", "%%")
    thumbnailer = f"[Thumbnailer Entry]\nTryExec={sys.executable}\nExec={program} -s %s %i %o\nMimeType={MIME};\n"
    return {
        _TYPE: _TYPE_XML.format(mime=MIME, icon=_ICON.stem, magic=magic).encode(),
        _ICON: (resources.files("nncodec.web") / "static" / "icon.svg").read_bytes(),
        _THUMBNAILER: thumbnailer.encode(),
    }


def thumbnail(source: Path, size: int) -> bytes:
    """Return a PNG of the first frame, upright, with edges of at most `size` pixels; transparent where the frame is.

    A preview needs neither model nor torch. It is used if its longest edge has at least half of `size` pixels.

    Raises:
        FormatError: the file is damaged, or has more than `MOST_PIXELS` and no preview that can be used.
        NncError: it cannot be decoded.
    """
    container = Container(source)
    image = _preview_of(container, size) or nncodec.decode(source, limits=Limits(pixels=MOST_PIXELS))
    # Pillow reduces palettes and black and white by leaving pixels out, and PNG does not hold every mode.
    image = convert(upright(image)).image
    image.thumbnail((size, size))
    profile = image.info.get("icc_profile")
    image.info.clear()
    buffer = io.BytesIO()
    image.save(buffer, "PNG", icc_profile=profile)
    return buffer.getvalue()


def _preview_of(container: Container, size: int) -> Image.Image | None:
    """Return the preview of a file with the `info` of its picture; None if the picture must be decoded."""
    chunk = container.chunk(ChunkType.PREVIEW)
    info = image_info(container)
    # A preview is opaque, and would show what a transparent picture hides.
    if chunk is None or pillow_mode(container) in ("LA", "RGBA") or "transparency" in info:
        return None
    image = read_preview(chunk, DEFAULT_LIMITS)
    header = container.header
    is_small = max(image.size) < min(size, max(header.display_size))
    if is_small and header.width * header.height <= MOST_PIXELS:
        return None
    image.info.update(info)
    if pillow_mode(container) == "CMYK":  # the preview is RGB
        image.info.pop("icc_profile", None)
    return image


def _update(home: Path) -> None:
    """Let the database of types take in the change."""
    program = shutil.which("update-mime-database")
    if program is None:
        complain("update-mime-database is not installed (Debian: shared-mime-info), so the type is not known yet")
        return
    (home / "mime" / "packages").mkdir(parents=True, exist_ok=True)
    run = subprocess.run(  # noqa: S603 -- the program of the system, on the user's own folder
        [program, str(home / "mime")], capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise NncError(detail=f"update-mime-database failed: {run.stderr.strip()}")
