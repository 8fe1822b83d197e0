"""Pictures per second of a `DataLoader` with two workers: .nnc beside JPEG and WebP, in one run of some 100 seconds.

    NNCODEC_DATA=... python -m benchmarks.loading

Sets are photographs of 768 x 512 pixels, mosaics of 3 MP, and grey pictures of 28 x 28. They are read from a folder in
random order and from tar files in a row, as whole pictures and as random crops of 224 x 224; .nnc also as crops that
are decoded alone (`box`), and small pictures from a stack. JPEG and WebP are decoded by Pillow, behind the same loader.
Samples are tensors of bytes. Each row has the median over rounds, in which the cases follow one another. The clock
starts when a few batches have come, so workers are warm, and runs for some seconds or batches, whichever takes longer.
Files lie in the system's cache, so the disk counts for nothing. It refuses to start on a busy machine without --busy,
and records `"idle": false` then.
"""

from __future__ import annotations

import argparse
import io
import itertools
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, RandomSampler, get_worker_info

import nncodec
from benchmarks.measuring import pictures
from benchmarks.measuring.data import find_data, idx_pictures
from benchmarks.measuring.records import RESULTS, Record, write_record
from benchmarks.measuring.timed import add_options, timed
from nncodec import metrics
from nncodec.torch import NncDataset, RandomCrop, ShardDataset, StackDataset
from nncodec.torch.tars import read_samples

SHARDS = 4  # an even number for each worker
CODECS: dict[str, dict[str, Any]] = {"nncodec": {}, "JPEG": {"quality": 80}, "WebP": {"quality": 75, "method": 4}}
QUALITY = 50
SMALL, SMALL_MODEL, SMALL_BATCH = "28 x 28", "dense/fashion", 64
FRAMES_PER_BLOCK: tuple[int | None, ...] = (16, 64, None)
_EXTENSIONS = {"nncodec": "nnc", "JPEG": "jpg", "WebP": "webp"}
_BATCHES_A_WORKER = 2  # to warm up, and at least to measure


@dataclass(frozen=True)
class Sizes:
    """How much is measured: pictures of each set, their sizes, the crop, and the workers of a loader."""

    photographs: int = 6
    photograph: tuple[int, int] = (768, 512)
    mosaics: int = 2
    mosaic_mp: float = 3.0
    small: int = 2048
    stacked: int = 10_000
    crop: int = 224
    workers: int = 2


QUICK = Sizes(2, (96, 64), 1, 0.02, 16, 40, 32, workers=1)


@dataclass(frozen=True)
class PictureSet:
    """Pictures, and what each codec makes of them.

    Args:
        name: in the record.
        images: the pictures.
        model, quality: of nncodec.
        batch_size: of the loader.
        in_tar_files: whether tar files are measured, too.
    """

    name: str
    images: Sequence[Image.Image]
    model: str
    quality: int | None
    batch_size: int
    in_tar_files: bool = True


@dataclass(frozen=True)
class Case:
    """What is measured against the clock.

    Args:
        row: what it is, for the record.
        dataset: an endless one, or one of random access.
        batch_size: of the loader.
    """

    row: Record
    dataset: Callable[[], Dataset[Any]]
    batch_size: int


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, help="samples of each figure")
    parser.add_argument("--seconds", type=float, default=0.7, help="least duration of each sample")
    add_options(parser)
    parser.add_argument("--output", type=Path, default=RESULTS / "loading.json")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    sizes, seconds = (QUICK, 0.0) if options.quick else (Sizes(), options.seconds)
    write_record(options.output, timed("loading", options, lambda: measure(sizes, options.rounds, seconds)))


def measure(sizes: Sizes, rounds: int, seconds: float) -> Record:
    """Return all measurements."""
    torch.set_num_threads(1)  # of this process, while it encodes; workers have one each in any case
    source = "kodak" if find_data("kodak") and sizes is not QUICK else "skimage"
    photographs = pictures.photographs(source)
    wide = [photograph for photograph in photographs if photograph.shape[1] >= photograph.shape[0]]
    sets = [
        PictureSet(
            f"{sizes.photograph[0]} x {sizes.photograph[1]}",
            [pictures.fitted(photograph, *sizes.photograph) for photograph in wide[: sizes.photographs]],
            "photo",
            QUALITY,
            batch_size=2,
        ),
        PictureSet(
            f"{sizes.mosaic_mp:g} MP",
            [pictures.mosaic(photographs, sizes.mosaic_mp, seed) for seed in range(sizes.mosaics)],
            "photo",
            QUALITY,
            batch_size=1,
            in_tar_files=False,
        ),
        PictureSet(SMALL, _small_pictures(sizes.small), SMALL_MODEL, None, SMALL_BATCH),
    ]
    with tempfile.TemporaryDirectory() as name:
        files = [(one, codec, _written(one, codec, Path(name))) for one in sets for codec in CODECS]
        cases = [case for one, codec, folder in files for case in _cases(one, codec, folder, sizes.crop)]
        cases += _stack_cases(_small_pictures(sizes.stacked), Path(name))
        samples: list[list[float]] = [[] for _ in cases]
        for _ in range(rounds):
            for case, own in zip(cases, samples, strict=True):
                own.append(pictures_per_second(case, seconds, sizes.workers))
                print(f"{own[-1]:9.1f} pictures/s  {case.row}", flush=True)
        rows = [
            case.row | {"pictures_per_second": float(f"{statistics.median(own):.4g}")}
            for case, own in zip(cases, samples, strict=True)
        ]
        return {
            "workers": sizes.workers,
            "rounds": rounds,
            "pictures": pictures.SOURCES[source],
            "crop": sizes.crop,
            "codecs": {"nncodec": {"quality": QUALITY}, **{name: CODECS[name] for name in ("JPEG", "WebP")}},
            "files": [_facts_of(one, codec, folder) for one, codec, folder in files],
            "loading": rows,
        }


def pictures_per_second(case: Case, seconds: float, workers: int) -> float:
    """Return how many pictures a second come from warm workers, over at least so many seconds and a few batches."""
    dataset = case.dataset()
    endless = None if isinstance(dataset, IterableDataset) else RandomSampler(dataset, True, 10**6)  # type: ignore[arg-type]
    loader = DataLoader(dataset, case.batch_size, sampler=endless, num_workers=workers)
    batches = iter(loader)
    least = _BATCHES_A_WORKER * workers
    for _ in range(least):
        next(batches)
    start, count = time.perf_counter(), 0
    while count < least or time.perf_counter() - start < seconds:
        next(batches)
        count += 1
    return count * case.batch_size / (time.perf_counter() - start)


# --- cases --------------------------------------------------------------------------------------------------------


def _cases(one: PictureSet, codec: str, folder: Path, crop: int) -> Iterator[Case]:
    """Yield what is measured of a set's files of one codec."""
    row = {"set": one.name, "codec": codec}
    shards = sorted((folder / "shards").glob("*.tar"))
    loose, packed = _datasets(codec, folder / "files", shards, one.batch_size)
    yield Case(row | {"form": "folder", "sample": "whole"}, lambda: loose(None), one.batch_size)
    if one.in_tar_files:
        yield Case(row | {"form": "tar files", "sample": "whole"}, packed, one.batch_size)
    if min(one.images[0].size) >= crop:
        cropped = row | {"form": "folder", "sample": f"crop {crop} of the whole"}
        yield Case(cropped, lambda: loose(_Cropping(crop)), one.batch_size)
        if codec == "nncodec":
            alone = row | {"form": "folder", "sample": f"crop {crop} alone"}
            yield Case(alone, lambda: NncDataset(folder / "files", box=RandomCrop(crop)), one.batch_size)


def _datasets(
    codec: str, folder: Path, shards: Sequence[Path], batch_size: int
) -> tuple[Callable[[_Cropping | None], Dataset[Any]], Callable[[], Dataset[Any]]]:
    """Return what makes the dataset of a folder, given a transform, and what makes that of endless tar files."""
    if codec == "nncodec":
        repeated = [path for _ in range(1000) for path in shards]
        return (
            lambda transform: NncDataset(folder, transform=transform),
            lambda: ShardDataset(repeated, decode_together=batch_size),
        )
    paths = sorted(folder.iterdir())
    return lambda transform: _PillowFiles(paths, transform), lambda: _PillowShards(shards, _EXTENSIONS[codec])


def _stack_cases(images: list[Image.Image], folder: Path) -> Iterator[Case]:
    """Yield random access to stacks of small pictures with several numbers of frames a block."""
    for count in FRAMES_PER_BLOCK:
        path = folder / f"stack {count}.nnc"
        options: Any = {} if count is None else {"frames_per_block": count}
        path.write_bytes(nncodec.encode(images, SMALL_MODEL, **options))
        row = {
            "set": SMALL,
            "codec": "nncodec",
            "form": "stack",
            "sample": "whole",
            "frames_per_block": count,
            "bytes_per_picture": round(path.stat().st_size / len(images), 1),
        }
        yield Case(row, lambda path=path: StackDataset(path), SMALL_BATCH)  # type: ignore[misc]


# --- files --------------------------------------------------------------------------------------------------------


def _written(one: PictureSet, codec: str, folder: Path) -> Path:
    """Write the files of a set by one codec, and tar files of them; return the folder with both."""
    own = folder / f"{one.name} {codec}"
    (own / "files").mkdir(parents=True)
    (own / "shards").mkdir()
    extension = _EXTENSIONS[codec]
    if codec == "nncodec":
        data = nncodec.encode_batch(one.images, one.model, one.quality)
    else:
        data = [_saved(image, codec) for image in one.images]
    for number, content in enumerate(data):
        (own / "files" / f"{number:05}.{extension}").write_bytes(content)
    _pack(own / "files", own / "shards")
    return own


def _saved(image: Image.Image, codec: str) -> bytes:
    out = io.BytesIO()
    image.save(out, codec, **CODECS[codec])
    return out.getvalue()


def _pack(source: Path, dest: Path) -> None:
    """Put files into tar files of equal counts, each file several times if there are few."""
    paths = sorted(source.iterdir())
    each = max(64, len(paths) // SHARDS)
    endless = itertools.cycle(paths)
    for number in range(SHARDS):
        with tarfile.open(dest / f"shard-{number:06}.tar", "w") as tar:
            for place, path in enumerate(itertools.islice(endless, each)):
                tar.add(path, f"{place:05}{path.suffix}")


def _facts_of(one: PictureSet, codec: str, folder: Path) -> Record:
    """Return bytes and PSNR of a set's files of one codec."""
    paths = sorted((folder / "files").iterdir())
    errors = []
    for path, image in zip(paths, one.images, strict=True):
        decoded = nncodec.decode(path) if codec == "nncodec" else Image.open(path).convert(image.mode)
        errors.append(metrics.psnr(image, decoded))
    size = sum(path.stat().st_size for path in paths)
    known = [value for value in errors if value is not None and value != float("inf")]
    return {
        "set": one.name,
        "codec": codec,
        "pictures": len(paths),
        "bytes_per_picture": round(size / len(paths), 1),
        "psnr_db": round(statistics.mean(known), 2) if known else None,
    }


def _small_pictures(count: int) -> list[Image.Image]:
    """Return grey pictures of 28 x 28: test images of Fashion-MNIST, or coarse noise without them."""
    if find_data("fashion-mnist"):
        return [Image.fromarray(picture[..., 0]) for picture in idx_pictures("fashion-mnist", "t10k")[:count]]
    noise = np.random.default_rng(0).integers(0, 256, (count, 7, 7), np.uint8)
    return [Image.fromarray(coarse).resize((28, 28), Image.Resampling.BICUBIC) for coarse in noise]


# --- Pillow behind the same loader --------------------------------------------------------------------------------


class _Cropping:
    """Cuts a random part out of a tensor (C, H, W)."""

    def __init__(self, edge: int) -> None:
        self._edge = edge

    def __call__(self, tensor: Tensor) -> Tensor:
        top, left = (int(torch.randint(size - self._edge + 1, ())) for size in tensor.shape[1:])
        return tensor[:, top : top + self._edge, left : left + self._edge]


def _tensor_of(data: bytes) -> Tensor:
    with Image.open(io.BytesIO(data)) as image:
        array = np.array(image)
    planes = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)  # (C, H, W)
    return torch.from_numpy(np.ascontiguousarray(planes))


class _PillowFiles(Dataset[Tensor]):
    """Picture files that Pillow opens, in any order."""

    def __init__(self, paths: Sequence[Path], transform: _Cropping | None) -> None:
        self._paths, self._transform = paths, transform

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> Tensor:
        tensor = _tensor_of(self._paths[index].read_bytes())
        return tensor if self._transform is None else self._transform(tensor)


class _PillowShards(IterableDataset[Tensor]):
    """Tar files in a row, again and again; the reading is that of `ShardDataset`."""

    def __init__(self, paths: Sequence[Path], extension: str) -> None:
        self._paths, self._extension = paths, extension

    def __iter__(self) -> Iterator[Tensor]:
        info = get_worker_info()
        first, step = (info.id, info.num_workers) if info else (0, 1)
        for path in itertools.cycle(self._paths[first::step]):
            with path.open("rb") as stream:
                for _, parts in read_samples(stream, path.name):
                    yield _tensor_of(parts[self._extension])


if __name__ == "__main__":
    main()
