"""What the Enhance tab does: restore or enlarge a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import nncodec
from nncodec.coding.enhancing import DEFAULT_SCALE, default_enhancer
from nncodec.errors import InvalidOption
from nncodec.format.header import MAGIC
from nncodec.limits import DEFAULT_LIMITS
from nncodec.picture.reading import read_picture_file, upright
from nncodec.picture.writing import save
from nncodec.web.compressing import text_of
from nncodec.web.files import Files
from nncodec.web.jobs import Report


def enhance_picture(files: Files, asked: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Enhance the first frame of a picture or an .nnc file.

    Returns:
        Ids of input and result as PNG, and the sizes of both in pixels.
    """
    file = files.get(asked.get("file"))
    strength = asked.get("strength", 0)
    enhancer = text_of(asked, "enhancer", default_enhancer(DEFAULT_SCALE))
    with file.path.open("rb") as stream:
        is_coded = stream.read(len(MAGIC)) == MAGIC
        stream.seek(0)
        if is_coded:
            image = nncodec.decode(stream)
        else:
            image = read_picture_file(stream, frame=0, max_pixels=DEFAULT_LIMITS.pixels, strip=False).frames[0]
    if isinstance(strength, bool) or not isinstance(strength, int | float):
        raise InvalidOption(option="strength", reason="give a number from 0 to 1")
    image = upright(image)
    # The report is given the tiles that are done, after each.
    result = nncodec.enhance(image, enhancer, strength=strength, on_progress=report)
    stem = PurePath(file.name).stem
    before, _ = save([image], "PNG", strip=True)
    after, _ = save([result], "PNG", strip=False)
    return {
        "name": file.name,
        "input": files.add(f"{stem}.png", before, file.id).id,
        "result": files.add(f"{stem}-enhanced.png", after, file.id).id,
        "input_size": list(image.size),
        "size": list(result.size),
    }
