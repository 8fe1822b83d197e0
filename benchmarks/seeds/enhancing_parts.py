"""The parts of system E's record: test sets, the document's example, time and memory, and two behind a codec."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from benchmarks.measuring import enhancing
from benchmarks.measuring.data import data_folder, kodak, middle, open_rgb, scikit_image, split_photographs
from benchmarks.measuring.machine import cores, idle_watch
from benchmarks.measuring.pictures import mosaic, photographs, write
from benchmarks.measuring.records import Record
from benchmarks.seeds.enlarging import measure_enlarged, methods, read, reduced
from benchmarks.seeds.enlarging_marks import RESTORE_QUALITY
from benchmarks.seeds.enlarging_plots import example_pictures, zoomed_sheet
from benchmarks.seeds.restoring import (
    LOWEST_QUALITIES,
    PLAIN,
    QUALITIES,
    REDUCED_MODEL,
    REDUCED_QUALITIES,
    RESTORED_MODEL,
    Way,
    at_rate,
    measure_stored,
    reduced_ways,
    restored_ways,
)

_CHOICE_EDGE = 384
_TIMED_ROUNDS = 15  # of small pictures; large ones take long enough with one
_LARGE_MEGAPIXELS = 12.0
_LOOKED_AT = 3

Pictures = Mapping[str, Image.Image]


@dataclass(frozen=True)
class Request:
    """What to measure, and on which pictures.

    Args:
        x4, restore: names of enhancers of factors 4 and 1.
        quick: as little as shows that everything works.
        choose: on pictures held back from training instead of test sets.
        pictures: folder for pictures to look at.
    """

    x4: str
    restore: str
    quick: bool
    choose: bool
    pictures: Path


def _sets(request: Request) -> Record:
    record: Record = {}
    for name, pictures in _enlarged_sets(request).items():
        record[name] = measure_enlarged(pictures, methods(request.x4))
        print(name, json.dumps(record[name]["mean"], indent=1), flush=True)
    return record


def _enlarged_sets(request: Request) -> dict[str, Pictures]:
    if request.quick:
        crops = {name: _photograph(name, 216) for name in ("astronaut", "chelsea")}
        return {"set5": crops, "set14": {"grey": crops["astronaut"].convert("L")}}
    if request.choose:
        return {"held_back": _held_back(_CHOICE_EDGE)}
    folders = {name: data_folder(name) for name in ("set5", "set14")}
    return {name: {path.stem: read(path) for path in sorted(folder.glob("*.png"))} for name, folder in folders.items()}


def _example(request: Request) -> Record:
    """Return the figures of the example pictures, and write zoomed ones to look at."""
    pictures = example_pictures()
    if request.quick:
        pictures = {"astronaut": pictures["astronaut"]}
    ways = methods(request.x4)
    for name, image in pictures.items():
        shown = [ways[way](reduced(image)) for way in ("bicubic", "content", "gan")]
        zoomed_sheet([*shown, image]).save(request.pictures / f"zoomed_{name}.png")
    return measure_enlarged(pictures, ways)


def _time(request: Request) -> Record:
    watch = idle_watch(request.quick)
    megapixels = 0.05 if request.quick else _LARGE_MEGAPIXELS
    sources = photographs("skimage")
    large = mosaic(sources, megapixels)
    small = example_pictures()["astronaut"]
    inputs = {
        ("x4", "example"): reduced(small),
        ("x4", "large"): large.resize((large.width // 4, large.height // 4), Image.Resampling.BICUBIC),
        ("restore", "example"): small,
        ("restore", "large"): large,
    }
    if request.quick:  # a process each
        inputs = {key: inputs[key] for key in (("x4", "example"), ("restore", "large"))}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        paths = write(Path(folder), "picture", inputs.values())
        for (role, size), path in zip(inputs, paths, strict=True):
            rounds = _TIMED_ROUNDS if size == "example" and not request.quick else 1
            figures = enhancing.measure(getattr(request, role), path, cores(), rounds)
            pixels = figures["output"][0] * figures["output"][1]
            per_megapixel = round(figures["seconds"] / pixels * 1e6, 4)
            rows.append({"role": role, **figures, "seconds_per_megapixel": per_megapixel})
            print(json.dumps(rows[-1]), flush=True)
    return {"threads": cores(), "rows": rows, "machine": watch.finish()}


def _restored(request: Request) -> Record:
    """Return the figures of the codec on whole pictures, with and without the enhancer of factor 1."""
    pictures, ways = _coded_pictures(request), restored_ways(request.restore)
    _look("whole", request, pictures, ways, RESTORE_QUALITY)
    whole = measure_stored(pictures, ways, _some(QUALITIES, request), _say)
    return {"pictures": len(pictures), "model": RESTORED_MODEL, "whole": whole}


def _reduced(request: Request) -> Record:
    """Return those of pictures stored reduced, with and without the enhancer of factor 4, beside whole ones."""
    pictures, ways = _coded_pictures(request), reduced_ways(request.x4)
    _look("reduced", request, pictures, ways, REDUCED_QUALITIES[1])
    wanted = LOWEST_QUALITIES[1::6] if request.quick else LOWEST_QUALITIES
    whole = measure_stored(pictures, [PLAIN], wanted, _say)
    small = measure_stored(pictures, ways, _some(REDUCED_QUALITIES, request), _say)
    rates = {row["quality"]: row["rate_bpp"] for row in small}
    return {
        "pictures": len(pictures),
        "model": REDUCED_MODEL,
        "whole": whole,
        "reduced": small,
        "whole_at_reduced_rates": {str(quality): at_rate(whole, PLAIN.name, rate) for quality, rate in rates.items()},
    }


def _coded_pictures(request: Request) -> Pictures:
    if request.quick:
        return {"astronaut": _photograph("astronaut", 176)}
    if request.choose:
        return _held_back(2 * _CHOICE_EDGE)
    return {Path(name).stem: open_rgb(path) for name, path in kodak().items()}


def _look(kind: str, request: Request, pictures: Pictures, ways: Sequence[Way], quality: int) -> None:
    """Write some pictures, decoded in each way and as they are, to look at."""
    for name, image in list(pictures.items())[:_LOOKED_AT]:
        sheet = zoomed_sheet([*(way.decode(way.encode(image, quality)) for way in ways), image])
        sheet.save(request.pictures / f"zoomed_{kind}_{name}.png")


def _some(qualities: Sequence[int], request: Request) -> Sequence[int]:
    return qualities[1:3] if request.quick else qualities


def _say(row: Record) -> None:
    print(json.dumps(row), flush=True)


def _photograph(name: str, edge: int) -> Image.Image:
    """Return the middle of a photograph of scikit-image."""
    return middle(open_rgb(scikit_image()[name]), edge, edge)


def _held_back(edge: int) -> Pictures:
    """Return the middles, with edges of at most so many pixels, of photographs held back from training."""
    _, paths = split_photographs()
    pictures = {}
    for path in paths[::3]:
        image = open_rgb(path)
        width, height = (min(edge, size) // 4 * 4 for size in image.size)
        pictures[path.name] = middle(image, width, height)
    return pictures


@dataclass(frozen=True)
class Part:
    """A part of the record.

    Args:
        measure: returns its figures.
        roles: the enhancers it needs.
        by_weights: whether other weights give other figures; times depend only on the networks' shapes.
    """

    measure: Callable[[Request], Record]
    roles: tuple[str, ...]
    by_weights: bool = True


PARTS = {
    "sets": Part(_sets, ("x4",)),
    "example": Part(_example, ("x4",)),
    "time": Part(_time, ("x4", "restore"), by_weights=False),
    "restored": Part(_restored, ("restore",)),
    "reduced": Part(_reduced, ("x4",)),
}
