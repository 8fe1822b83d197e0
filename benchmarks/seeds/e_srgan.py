"""System E: the SRGAN enhancers on Set5 and Set14, on the document's example, and behind the codec on Kodak.

    python benchmarks/seeds/e_srgan.py                     # all parts, with the bundled weights
    python benchmarks/seeds/e_srgan.py --only sets,codec   # some of sets, example, time, codec
    python benchmarks/seeds/e_srgan.py --only sets --x4 runs/x4/model.safetensors
    python benchmarks/seeds/e_srgan.py --choose --only sets --x4 FILE   # to choose weights by
    python benchmarks/seeds/e_srgan.py --quick             # seconds: photographs of scikit-image, random weights

A part that is measured again replaces what the result file holds of it, as long as the weights are the same. Where a
file of weights is given in place of a name, results and plots go to the run folder. Test sets are for final figures;
`--choose` takes photographs that `nncodec train` holds back. Times mean something only while nothing else runs, and the
results say whether.

PSNR and SSIM of Set5 and Set14 are on luma (BT.601, 16..235), without four pixels along every edge; those of Kodak over
R, G and B. NIQE (`measuring.niqe`) is lower for what looks more like a sharp photograph.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import skimage.data
import torch
from common import CURVES, RESULTS, RUNS, data_folder, write_results
from enlarging import measure_enlarged, methods, read, reduced
from enlarging_marks import RESTORE_QUALITY, marks
from enlarging_plots import example_pictures, example_sheet, plot_results, zoomed_sheet
from measuring import enhancing
from measuring.machine import IdleWatch, cores
from measuring.pictures import mosaic, photographs, write
from PIL import Image
from restoring import (
    LOWEST_QUALITIES,
    MODEL,
    QUALITIES,
    REDUCED_QUALITIES,
    at_rate,
    measure_stored,
    reduced_ways,
    whole_ways,
)

from nncodec.errors import NncError
from nncodec.nn.tensors import weights_of
from nncodec.plugin import discovery, registry
from nncodec.plugin.model_file import Tensors, read_model, write_model
from nncodec.training.data import list_pictures, split_by_name
from nncodec_srgan.enhancer import CONTENT, DETAIL, model_config
from nncodec_srgan.generator import Generator, GeneratorConfig

PUBLISHED = {
    "set5": {
        "nearest": {"psnr_y_db": 26.26, "ssim_y": 0.7552},
        "bicubic": {"psnr_y_db": 28.43, "ssim_y": 0.8211},
        "SRResNet": {"psnr_y_db": 32.05, "ssim_y": 0.9019},
        "SRGAN": {"psnr_y_db": 29.40, "ssim_y": 0.8472},
    },
    "set14": {
        "nearest": {"psnr_y_db": 24.64, "ssim_y": 0.7100},
        "bicubic": {"psnr_y_db": 25.99, "ssim_y": 0.7486},
        "SRResNet": {"psnr_y_db": 28.49, "ssim_y": 0.8184},
        "SRGAN": {"psnr_y_db": 26.02, "ssim_y": 0.7397},
    },
}
"""Ledig et al., CVPR 2017, table 2; measured with another program, whose SSIM of bicubic on Set14 is not this one's."""

FACTORS = {"x4": 4, "restore": 1}
"""Of the enhancers that are measured, by role."""

_HELD_BACK = 0.1  # what `nncodec train` holds back by default
_CHOICE_EDGE = 384
_TIMED_ROUNDS = 15  # of small pictures; large ones take long enough by themselves
_LARGE_MEGAPIXELS = 12.0
_LOOKED_AT = 3

Record = dict[str, Any]
Pictures = Mapping[str, Image.Image]


@dataclass(frozen=True)
class Setting:
    """What a part measures, and on what.

    Args:
        x4, restore: names of enhancers of factors 4 and 1.
        quick: as little as shows that it works.
        choose: on pictures held back from training, instead of test sets.
        pictures: folder for pictures to be looked at.
    """

    x4: str
    restore: str
    quick: bool
    choose: bool
    pictures: Path


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write, and say which marks are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas")
    parser.add_argument("--x4", default="srgan/x4", help="an enhancer of factor 4 by name, or a file of weights")
    parser.add_argument("--restore", default="srgan/restore", help="the same of factor 1")
    parser.add_argument("--choose", action="store_true", help="photographs held back from training, not the test sets")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--run", type=Path, default=RUNS / "e", help="folder for weights and pictures to be looked at")
    parser.add_argument("--results", type=Path, help="folder for the JSON")
    parser.add_argument("--curves", type=Path, help="folder for the plots and the example")
    options = parser.parse_args(arguments)
    parts = options.only.split(",")
    if unknown := set(parts) - PARTS.keys():
        parser.error(f"there is no part {min(unknown)!r}; choose from {', '.join(PARTS)}")
    options.run.mkdir(parents=True, exist_ok=True)
    asked = {role: getattr(options, role) for role in dict.fromkeys(r for part in parts for r in PARTS[part].roles)}
    if options.quick:
        asked = {role: str(_random_weights(role, options.run)) for role in asked}
    try:
        names = usable(asked, options.run / "models")
        factors = {role: registry.open_enhancer(name).traits.factor for role, name in names.items()}
    except NncError as error:
        sys.exit(str(error))
    if wrong := [role for role, factor in factors.items() if factor != FACTORS[role]]:
        parser.error(f"--{wrong[0]} takes an enhancer of factor {FACTORS[wrong[0]]}, which {asked[wrong[0]]} is not")
    digests = {role: registry.catalog().find(name).digest for role, name in names.items()}
    setting = Setting(names.get("x4", ""), names.get("restore", ""), options.quick, options.choose, options.run)
    final = not options.quick and not options.choose and not any(map(_is_file, asked.values()))
    stem = "e_srgan" + ("_quick" if options.quick else "_choice" if options.choose else "")
    path = (options.results or (RESULTS if final else options.run)) / f"{stem}.json"
    record = _measured(parts, setting, path, digests)
    curves = options.curves or (CURVES if final else options.run)
    curves.mkdir(parents=True, exist_ok=True)
    plot_results(record, curves, stem)
    if "example" in parts:
        _example_picture(setting, curves / f"{stem}_example.png")
    for mark in record["marks"]:
        print(f"{'pass' if mark['met'] else 'FAIL'}  {mark['what']}: {mark['found']:+.3f}, wanted {mark['wanted']}")


# --- weights --------------------------------------------------------------------------------------------------------


def usable(asked: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return names by which enhancers can be used in this process and its children.

    Args:
        asked: name or file of weights, by role.
        folder: where copies of files go, under names of their own; it becomes the user's model folder.

    Raises:
        NncError: there is no such model, or the file is none.
    """
    own = discovery.models_folder()
    bundled = {head.digest: head.name for head in registry.catalog().models.values() if head.path.parent != own}
    names = {role: value for role, value in asked.items() if not _is_file(value)}
    files = {role: read_model(Path(value)) for role, value in asked.items() if _is_file(value)}
    if files:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.safetensors"):
            old.unlink()
        for role, one in files.items():
            names[role] = bundled.get(one.digest, f"candidate/{role}")
            if one.digest not in bundled:
                write_model(
                    folder / f"{role}.safetensors",
                    architecture=one.architecture,
                    config=one.config,
                    name=names[role],
                    card=one.card,
                    tensors=one.tensors,
                )
        os.environ[discovery.MODELS_VARIABLE] = str(folder)
        registry.refresh()
    for name in names.values():
        registry.catalog().find(name)
    return names


def _is_file(value: str) -> bool:
    return value.endswith(".safetensors")


def _random_weights(role: str, folder: Path) -> Path:
    """Write tiny generators whose corrections are random, and return the file."""
    config = GeneratorConfig(factor=FACTORS[role], width=4, blocks=1, normalise=False)
    tensors: Tensors = {}
    for seed, prefix in enumerate((CONTENT, DETAIL)):
        torch.manual_seed(seed)
        generator = Generator(config)
        torch.nn.init.normal_(generator.tail.weight, std=0.002 * (1 + seed))
        tensors |= weights_of(generator, prefix)
    path = folder / f"random_{role}.safetensors"
    write_model(
        path,
        architecture="srgan",
        config=model_config(config, detail=True),
        name=f"random/{role}",
        card={},
        tensors=tensors,
    )
    return path


# --- results --------------------------------------------------------------------------------------------------------


def _kept(path: Path, digests: Mapping[str, str]) -> Record:
    """Return what a result file holds but for parts that other weights have made, or a new record."""
    kept: Record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"models": {}}
    changed = {role for role, digest in digests.items() if kept["models"].get(role) != digest}
    record: Record = {"models": kept["models"] | digests, "published": PUBLISHED, "marks": []}
    return record | {name: kept[name] for name, part in PARTS.items() if name in kept and not changed & set(part.roles)}


def _measured(parts: Sequence[str], setting: Setting, path: Path, digests: Mapping[str, str]) -> Record:
    """Measure parts, writing the result file after each, and return the whole record."""
    record = _kept(path, digests)
    for part in parts:
        began = time.monotonic()
        record[part] = PARTS[part].measure(setting)
        record[part]["minutes"] = round((time.monotonic() - began) / 60, 2)
        record["marks"] = marks(record)
        minutes = sum(record[name]["minutes"] for name in PARTS if name in record)
        command = "python benchmarks/seeds/e_srgan.py"
        command += " --quick" if setting.quick else " --choose" if setting.choose else ""
        write_results(path, command, minutes, record)
    return record


# --- parts ----------------------------------------------------------------------------------------------------------


def _sets(setting: Setting) -> Record:
    found = {}
    for name, pictures in _enlarged_sets(setting).items():
        found[name] = measure_enlarged(pictures, methods(setting.x4))
        print(name, json.dumps(found[name]["mean"], indent=1), flush=True)
    return found


def _enlarged_sets(setting: Setting) -> dict[str, Pictures]:
    if setting.quick:
        crops = {name: _photograph(name, 216) for name in ("astronaut", "chelsea")}
        return {"set5": crops, "set14": {"grey": crops["astronaut"].convert("L")}}
    if setting.choose:
        return {"held_back": _held_back(_CHOICE_EDGE)}
    folders = {name: data_folder(name) for name in ("set5", "set14")}
    return {name: {path.stem: read(path) for path in sorted(folder.glob("*.png"))} for name, folder in folders.items()}


def _example(setting: Setting) -> Record:
    """Return the figures of the pictures that are shown, and leave zoomed ones to look at."""
    pictures = example_pictures()
    ways = methods(setting.x4)
    for name, image in pictures.items():
        shown = [ways[way](reduced(image)) for way in ("bicubic", "content", "gan")]
        zoomed_sheet([*shown, image]).save(setting.pictures / f"zoomed_{name}.png")
    return measure_enlarged(pictures, ways)


def _example_picture(setting: Setting, path: Path) -> None:
    example_sheet(example_pictures(), setting.x4).save(path, optimize=True)


def _time(setting: Setting) -> Record:
    watch = IdleWatch()
    megapixels = 0.05 if setting.quick else _LARGE_MEGAPIXELS
    sources = photographs("skimage")
    large = mosaic(sources, megapixels)
    small = example_pictures()["astronaut"]
    inputs = {
        ("x4", "example"): reduced(small),
        ("x4", "large"): large.resize((large.width // 4, large.height // 4), Image.Resampling.BICUBIC),
        ("restore", "example"): small,
        ("restore", "large"): large,
    }
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        paths = write(Path(folder), "picture", inputs.values())
        for (role, size), path in zip(inputs, paths, strict=True):
            rounds = _TIMED_ROUNDS if size == "example" and not setting.quick else 1
            found = enhancing.measure(getattr(setting, role), path, cores(), rounds)
            pixels = found["output"][0] * found["output"][1]
            rows.append({"role": role, **found, "seconds_per_megapixel": round(found["seconds"] / pixels * 1e6, 4)})
            print(json.dumps(rows[-1]), flush=True)
    return {"threads": cores(), "rows": rows, "machine": watch.finish()}


def _codec(setting: Setting) -> Record:
    if setting.quick:
        pictures: Pictures = {"astronaut": _photograph("astronaut", 176)}
    elif setting.choose:
        pictures = _held_back(2 * _CHOICE_EDGE)
    else:
        pictures = {path.stem: Image.open(path).convert("RGB") for path in sorted(data_folder("kodak").glob("*.png"))}
    whole, reduced_ones = whole_ways(setting.restore), reduced_ways(setting.x4)

    def some(qualities: Sequence[int]) -> Sequence[int]:
        return qualities[1:3] if setting.quick else qualities

    def say(row: Record) -> None:
        print(json.dumps(row), flush=True)

    for name, image in list(pictures.items())[:_LOOKED_AT]:
        for kind, ways, quality in (("whole", whole, RESTORE_QUALITY), ("reduced", reduced_ones, REDUCED_QUALITIES[1])):
            sheet = zoomed_sheet([*(way.decode(way.encode(image, quality)) for way in ways), image])
            sheet.save(setting.pictures / f"zoomed_{kind}_{name}.png")
    measured = {
        "whole": measure_stored(pictures, whole, some(QUALITIES), say),
        "lowest": measure_stored(pictures, whole[:1], some(LOWEST_QUALITIES), say),
        "reduced": measure_stored(pictures, reduced_ones, some(REDUCED_QUALITIES), say),
    }
    plain = [row for part in ("whole", "lowest") for row in measured[part]]
    rates = {row["quality"]: row["rate_bpp"] for row in measured["reduced"]}
    return {
        "pictures": len(pictures),
        "model": MODEL,
        **measured,
        "whole_at_reduced_rates": {str(quality): at_rate(plain, "photo", rate) for quality, rate in rates.items()},
    }


def _photograph(name: str, edge: int) -> Image.Image:
    """Return the middle of a photograph of scikit-image."""
    image = Image.fromarray(getattr(skimage.data, name)())
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    return image.crop((left, top, left + edge, top + edge))


def _held_back(edge: int) -> Pictures:
    """Return the middle, edges of at most so many pixels, of photographs that `nncodec train` only validates on."""
    _, paths = split_by_name(list_pictures(data_folder("photos")), _HELD_BACK)
    found = {}
    for path in paths[::3]:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        width, height = (min(edge, size) // 4 * 4 for size in image.size)
        left, top = (image.width - width) // 2, (image.height - height) // 2
        found[path.name] = image.crop((left, top, left + width, top + height))
    return found


@dataclass(frozen=True)
class Part:
    """A part of the script.

    Args:
        measure: returns its figures.
        roles: the enhancers that it needs.
    """

    measure: Callable[[Setting], Record]
    roles: tuple[str, ...]


PARTS = {
    "sets": Part(_sets, ("x4",)),
    "example": Part(_example, ("x4",)),
    "time": Part(_time, ("x4", "restore")),
    "codec": Part(_codec, ("x4", "restore")),
}


if __name__ == "__main__":
    main()
