"""Datasets for PyTorch: what samples are, in which order, which crops, and what is read for them."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import tarfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from sets import SIZE, write_set
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader

import nncodec
from nncodec import batch
from nncodec.batch.stores import LocalStore, open_store
from nncodec.coding import decoder, encoder
from nncodec.errors import Corrupt, InvalidOption, LimitExceeded, NncError, Truncated
from nncodec.plugin.latents import Pixels
from nncodec.torch import CenterCrop, NncDataset, RandomCrop, ShardDataset, StackDataset, decoding

WIDTH, HEIGHT = SIZE


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a set as files (`in`) and as three tar files (`shards`), which no test changes."""
    folder = tmp_path_factory.mktemp("sets")
    write_set(folder / "in", 6)
    batch.pack(folder / "in", folder / "shards", shard_bytes=9_000)
    return folder


@pytest.fixture(scope="module")
def pixels(root: Path) -> dict[str, Pixels]:
    """The pictures of the set by key, in order."""
    paths = sorted((root / "in").rglob("*.nnc"))
    return {
        path.relative_to(root / "in").with_suffix("").as_posix(): nncodec.decode(path, as_array=True) for path in paths
    }


@pytest.fixture
def ranges(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[int, int | None]]]:
    """What is read of each file from here on: where ranges begin, and their sizes."""
    seen = defaultdict(list)
    read = LocalStore.read

    def noted(store: LocalStore, name: str, start: int = 0, size: int | None = None) -> bytes:
        seen[name].append((start, size))
        return read(store, name, start, size)

    monkeypatch.setattr(LocalStore, "read", noted)
    return seen


def key_of(key: str, beside: Mapping[str, bytes]) -> str:
    return key


def keys_of(dataset: ShardDataset) -> list[str]:
    return [key for _, key in dataset]


def equal(sample: Tensor, expected: Pixels) -> bool:
    return sample.dtype == torch.uint8 and np.array_equal(sample.permute(1, 2, 0), expected)


# --- places -------------------------------------------------------------------------------------------------------


def test_a_folder_a_list_tar_files_and_urls_are_the_same_set(root: Path, pixels: dict[str, Pixels]) -> None:
    store = open_store("memory://a-set")
    for path in (root / "in").rglob("*.nnc"):
        store.publish(path.relative_to(root / "in").as_posix(), path.read_bytes())
    tars = root / "shards"
    for source in (root / "in", f"file://{root}/in", "memory://a-set", tars, [*tars.glob("*.tar")]):
        dataset = NncDataset(source)
        assert len(dataset) == 6
        assert sorted(dataset.keys) == [*pixels]
        assert all(equal(dataset[number], pixels[key]) for number, key in enumerate(dataset.keys))
    assert NncDataset(root / "in").keys == [*pixels]
    listed = NncDataset([root / "in/dogs/2.nnc", str(root / "in/cats/1.nnc"), root / "in/dogs"])
    assert listed.keys == ["2", "1", "0", "2", "4"]
    assert equal(listed[1], pixels["cats/1"])
    with pytest.raises(IndexError):
        listed[5]


def test_places_that_are_not_there_are_told_in_one_line(root: Path, tmp_path: Path) -> None:
    for make, reason in (
        (lambda: NncDataset(tmp_path), "there are no .nnc files in"),
        (lambda: NncDataset(tmp_path / "nowhere"), "cannot read .*nowhere: No such file"),
        (lambda: NncDataset([tmp_path / "a.nnc"]), r"cannot read .*a\.nnc: No such file"),
        (lambda: ShardDataset(root / "in"), "there are no tar files in .*; nncodec batch pack"),
        (lambda: StackDataset(root / "in"), "is no .nnc file"),
    ):
        with pytest.raises(NncError, match=reason):
            make()


@pytest.mark.parametrize("rival", ["nnc", "json"])
def test_no_picture_and_no_target_is_dropped_for_another_with_its_name(root: Path, tmp_path: Path, rival: str) -> None:
    def add(name: str) -> None:
        shutil.copy(root / "in" / "cats" / f"1.{rival}", tmp_path / "in" / name)

    shutil.copytree(root / "in" / "cats", tmp_path / "in")
    add(f"other.{rival.upper()}")
    if rival == "json":
        add("other.json")  # beside no picture
    assert NncDataset(tmp_path / "in", key_of).keys == ["1", "3", "5", *(["other"] if rival == "nnc" else [])]
    add(f"1.{rival.upper()}")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(tmp_path / "in", "in")
    reason = rf"1\.{rival.upper()} and \S*1\.{rival} would both be \S*1\.{rival}; rename one"
    for read in (
        lambda: NncDataset(tmp_path / "in", key_of),
        lambda: NncDataset(tmp_path / "a.tar", key_of),
        lambda: [*ShardDataset(tmp_path / "a.tar", key_of)],
    ):
        with pytest.raises(NncError, match=reason):
            read()


def test_what_belongs_to_a_picture_comes_with_it(root: Path) -> None:
    def numbers(key: str, beside: Mapping[str, bytes]) -> tuple[str, int, int]:
        assert beside.keys() == {"json", "cls"}
        return key, json.loads(beside["json"])["number"], int(beside["cls"])

    expected = [(f"{name}/{n}", n, n % 2) for name, n in [("cats", 1), ("cats", 3), ("cats", 5)]]
    assert [target for _, target in NncDataset([root / "in"], numbers)][:3] == expected
    for dataset in (NncDataset(root / "shards", numbers), ShardDataset(root / "shards", numbers, decode_together=2)):
        assert sorted(target for _, target in dataset)[:3] == expected


# --- tensors ------------------------------------------------------------------------------------------------------


def saved(folder: Path, *images: Image.Image | np.ndarray, **options: Any) -> list[Path]:
    paths = [folder / f"{number}.nnc" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        path.write_bytes(nncodec.encode(image, **{"lossless": True} | options))
    return paths


def test_tensors_have_the_type_the_channels_and_the_transform_that_are_asked_for(tmp_path: Path) -> None:
    grey = Image.new("L", (3, 2), 51)
    palette = Image.new("P", (3, 2), 1)
    palette.putpalette([0, 0, 0, 255, 0, 51])
    deep = np.full((2, 3), 0x8000, np.uint16)
    planes = np.full((2, 3, 5), 3, np.uint16)
    planes[0] = 1023
    paths = saved(tmp_path, grey, palette, Image.new("1", (3, 2), 1), deep, planes)
    assert [tuple(sample.shape) for sample in NncDataset(paths, dtype=torch.float32)] == [
        *[(1, 2, 3), (3, 2, 3), (1, 2, 3), (1, 2, 3), (5, 2, 3)]
    ]
    floats = [sample[:, 0, 0].tolist() for sample in NncDataset(paths, dtype=torch.float64)]
    assert np.allclose(np.concatenate(floats), [0.2, 1, 0, 0.2, 1, 0x8000 / 0xFFFF, *[1] * 5])
    assert NncDataset(paths, dtype=torch.float16).__getitems__([3])[0].dtype == torch.float16
    assert [sample[:, 0, 0].tolist() for sample in NncDataset(paths[:3], mode="RGB")] == [
        *[[51, 51, 51], [255, 0, 51], [255, 255, 255]]
    ]
    assert NncDataset(paths[:1], transform=Tensor.sum, device="cpu")[0] == 6 * 51
    with pytest.raises(NncError, match=r"^3: .*more than 8 bits; take torch\.float32"):
        NncDataset(paths)[3]
    with pytest.raises(NncError, match=r"^3: .*more than 8 bits; leave the mode out"):
        NncDataset(paths, mode="RGB").__getitems__([0, 3])
    (few_bits,) = saved(tmp_path, (planes // 512).astype(np.uint8))
    assert NncDataset([few_bits])[0].tolist() == [[[1] * 3, [0] * 3]] * 5
    with pytest.raises(NncError, match=r"^0: .*planes without a mode"):
        NncDataset([few_bits], mode="L")[0]


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "P"},
        {"dtype": torch.int32},
        {"dtype": "float32"},
        {"dtype": np.float32},
        {"box": (0, 0, 0, 4)},
        {"box": (1, 2, 3)},
        {"device": 1.5},
        {"transform": 3},
        {"target": 3},
        {"seed": "x"},
        {"precision": "half"},
    ],
    ids=str,
)
def test_options_out_of_range_are_refused_at_once(root: Path, options: Any) -> None:
    for make, source in ((NncDataset, "in"), (ShardDataset, "shards")):
        with pytest.raises(InvalidOption):
            make(root / source, **options)


@pytest.mark.parametrize("crop", [RandomCrop, CenterCrop])
@pytest.mark.parametrize("edges", [((10, 20),), (0,), (None,), (4.5,), (4, 0), (4, "4"), (True,)], ids=str)
def test_a_crop_of_no_size_is_refused_when_it_is_made(crop: Any, edges: Any) -> None:
    with pytest.raises(InvalidOption, match="is not a whole number from 1 on"):
        crop(*edges)


def test_samples_are_asked_for_by_whole_numbers(root: Path, tmp_path: Path) -> None:
    (tmp_path / "stack.nnc").write_bytes(nncodec.encode([Image.new("L", (4, 4))] * 2))
    for dataset in (NncDataset(root / "in"), StackDataset(tmp_path / "stack.nnc")):
        assert torch.equal(dataset[np.int64(1)], dataset[1])
        assert torch.equal(dataset[torch.tensor(-1)], dataset[-1])
        for index in (slice(0, 2), "0", 0.5, [0, 1]):
            with pytest.raises(InvalidOption, match=r"is not a whole number; torch\.utils\.data\.Subset takes several"):
                dataset[index]


def test_workers_do_not_use_other_devices(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = NncDataset(root / "in", device="meta")
    assert dataset[0].device.type == dataset.__getitems__([0, 1])[1].device.type == "meta"
    monkeypatch.setattr(decoding, "get_worker_info", lambda: SimpleNamespace(id=0))
    for read in (lambda: dataset[0], lambda: dataset.__getitems__([0, 1])):
        with pytest.raises(InvalidOption, match="meta needs num_workers=0"):
            read()
    with pytest.raises(InvalidOption, match="torch knows no device 'abacus'"):
        NncDataset(root / "in", device="abacus")


def test_pictures_of_a_batch_share_passes_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = [Image.new("L", (28, 28), level) for level in (40, 90, 140, 190)]
    saved(tmp_path, *images, model="dense/fashion", lossless=False)
    dataset, counts = NncDataset(tmp_path), []

    put_files = decoder.put_files

    def counted(canvas: Any, containers: Any) -> None:
        counts.append(len(containers))
        put_files(canvas, containers)

    alone = torch.stack([dataset[number] for number in (3, 0, 1)])
    monkeypatch.setattr(decoder, "put_files", counted)
    (together,) = DataLoader(dataset, sampler=[3, 0, 1], batch_size=3)
    assert torch.equal(together, alone)
    assert counts == [3]
    monkeypatch.setattr(decoding, "PIXELS_AT_ONCE", 2000)
    assert torch.equal(torch.stack(dataset.__getitems__([3, 0, 1])), alone)
    assert counts == [3, 2, 1]
    (tmp_path / "2.nnc").write_bytes((tmp_path / "2.nnc").read_bytes()[:-1])
    with pytest.raises(NncError, match=r"^2: the file ends"):
        dataset.__getitems__([0, 2])


# --- crops --------------------------------------------------------------------------------------------------------


def test_a_crop_depends_on_seed_epoch_and_key_alone(root: Path, pixels: dict[str, Pixels]) -> None:
    def crops(dataset: Any) -> dict[str, Tensor]:
        return {key: crop for crop, key in dataset}

    first = NncDataset(root / "in", key_of, box=RandomCrop(8, 5), seed=3)
    one = crops(first)
    assert {tuple(crop.shape) for crop in one.values()} == {(3, 8, 5)}
    for dataset in (NncDataset(root / "shards", key_of, box=RandomCrop(8, 5), seed=3),):
        again = crops(dataset)
        assert all(torch.equal(one[key], again[key]) for key in pixels)
    in_a_row = crops(ShardDataset(root / "shards", key_of, box=RandomCrop(8, 5), seed=3, shuffle=2))
    assert all(torch.equal(one[key], in_a_row[key]) for key in pixels)
    places = set()
    for key, crop in one.items():
        found = [
            (top, left)
            for top in range(HEIGHT - 7)
            for left in range(WIDTH - 4)
            if equal(crop, pixels[key][top : top + 8, left : left + 5])
        ]
        places.update(found)
        assert len(found) == 1
    assert len(places) > 2
    first.set_epoch(1)
    assert not any(torch.equal(one[key], crop) for key, crop in crops(first).items())
    middle = NncDataset(root / "in", box=CenterCrop(10))[0]
    assert equal(middle, pixels["cats/1"][5:15, 7:17])
    assert equal(NncDataset(root / "in", box=(1, 2, 9, 5))[0], pixels["cats/1"][2:5, 1:9])


def test_every_position_of_a_crop_may_be_drawn_and_a_larger_one_is_refused(root: Path) -> None:
    random = np.random.default_rng(0)
    drawn = {RandomCrop(2)(4, 3, random) for _ in range(100)}
    assert drawn == {(left, top, left + 2, top + 2) for left in range(3) for top in range(2)}
    with pytest.raises(NncError, match=r"^cats/1: .*no crop of 25 x 4 pixels fits into a picture of 24 x 20"):
        NncDataset(root / "in", box=RandomCrop(4, 25)).__getitems__([0])
    with pytest.raises(NncError, match=r"^cats/1: .*reaches outside the picture"):
        NncDataset(root / "in", box=(0, 0, 25, 4))[0]


def test_a_name_that_is_not_utf_8_draws_a_crop_like_any_other(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "in" / "cats", tmp_path / "in")
    (tmp_path / "in" / "1.nnc").rename(tmp_path / "in" / os.fsdecode(b"bad\xff.nnc"))
    batch.pack(tmp_path / "in", tmp_path / "shards")
    dataset = NncDataset(tmp_path / "in", key_of, box=RandomCrop(8))
    in_a_row = {key: crop for crop, key in ShardDataset(tmp_path / "shards", key_of, box=RandomCrop(8))}
    assert dataset.keys == ["3", "5", "bad\udcff"]
    assert in_a_row.keys() == {*dataset.keys}
    assert all(torch.equal(crop, in_a_row[key]) for crop, key in dataset)


# --- tar files in a row -------------------------------------------------------------------------------------------


def test_tar_files_are_read_from_front_to_end(root: Path, pixels: dict[str, Pixels], ranges: Any) -> None:
    dataset = ShardDataset(root / "shards", key_of)
    assert keys_of(dataset) == NncDataset(root / "shards").keys
    ranges.clear()
    assert all(equal(sample, pixels[key]) for sample, key in dataset)
    assert [*ranges] == [f"shard-{number:06}.tar" for number in range(3)]
    for read in ranges.values():
        ends = [start + size for start, size in read]
        assert [start for start, _ in read] == [0, *ends[:-1]]


def test_the_order_of_shards_and_samples_depends_on_seed_and_epoch(root: Path) -> None:
    def order(seed: int, epoch: int = 0) -> list[str]:
        dataset = ShardDataset(root / "shards", key_of, shuffle=3, seed=seed)
        dataset.set_epoch(epoch)
        return keys_of(dataset)

    plain = keys_of(ShardDataset(root / "shards", key_of))
    orders = [order(seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(one) == sorted(plain) for one in orders)
    assert len({tuple(one) for one in [plain, *orders]}) >= 4
    assert order(1, 1) == orders[3]


def test_processes_share_tar_files_without_loss(root: Path) -> None:
    parts = [keys_of(ShardDataset(root / "shards", key_of, shuffle=2, rank=rank, world_size=2)) for rank in (0, 1)]
    assert [len(part) for part in parts] == [4, 2]
    assert len({*parts[0], *parts[1]}) == 6
    for options in (
        *({"rank": 2, "world_size": 2}, {"rank": "0"}, {"world_size": 0}),
        *({"shuffle": -1}, {"shuffle": "x"}, {"decode_together": 0}, {"decode_together": 1.5}),
    ):
        with pytest.raises(InvalidOption):
            ShardDataset(root / "shards", **options)


def test_tar_files_of_other_programs_are_read(root: Path, tmp_path: Path) -> None:
    """Members without a picture, of a Mac, with several dots, and folders and links are left out of pictures."""
    picture = root / "in" / "cats" / "1.nnc"
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        tar.add(root / "in" / "cats", "./cats", recursive=False)
        for name in ("./cats/._1.nnc", "./cats/1.nnc", "./cats/1.seg.PNG", "./cats/2.json", "README"):
            tar.add(picture, name)
        link = tarfile.TarInfo("./cats/3.nnc")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    data = picture.read_bytes()
    samples = [*ShardDataset(tmp_path / "a.tar", lambda key, beside: (key, beside))]
    assert [target for _, target in samples] == [("./cats/1", {"seg.png": data})]
    assert NncDataset(tmp_path / "a.tar").keys == ["./cats/1"]


def test_damage_is_told_with_the_name_of_the_file(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    whole = (root / "shards" / "shard-000000.tar").read_bytes()
    key = NncDataset(root / "shards").keys[0]
    path.write_bytes(whole[:700])
    for read in (lambda: NncDataset(path)[0], lambda: [*ShardDataset(path)]):
        with pytest.raises(NncError, match=r"a\.tar is no tar file, or is damaged"):
            read()
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        end = max(member.offset_data + -(-member.size // 512) * 512 for member in tar)
    for kept in (end, end + 300):  # no end marker, and a part of it
        path.write_bytes(whole[:kept])
        for read in (lambda: NncDataset(path)[0], lambda: [*ShardDataset(path)]):
            with pytest.raises(NncError, match=r"a\.tar .* is damaged .*no end marker"):
                read()
    damaged = bytearray(whole)
    damaged[512 + 1400] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(Corrupt, match=f"^{key}: the file is damaged"):
        [*ShardDataset(path)]
    path.write_bytes(b"no tar file" * 100)
    with pytest.raises(NncError, match=r"a\.tar is no tar file"):
        NncDataset(path)


@pytest.mark.parametrize("decode", ["batch", "dataset"])
def test_errors_keep_their_class_when_the_file_is_named(tmp_path: Path, decode: str) -> None:
    paths = saved(tmp_path, Image.new("L", (9, 8)), np.zeros((8, 9), np.uint16), Image.new("L", (9, 8)))
    paths[2].write_bytes(paths[2].read_bytes()[:-1])

    def decoded(number: int, **options: Any) -> None:
        if decode == "batch":
            nncodec.torch.decode_batch([paths[number].read_bytes()], **options)
        else:
            _ = NncDataset(paths[number], **options)[0]

    for number, options, kind, reason in (
        (0, {"box": (0, 0, 500, 5)}, InvalidOption, "'box': .*outside the picture"),
        (0, {"box": RandomCrop(9)}, InvalidOption, "'box': no crop"),
        (1, {}, InvalidOption, "'dtype': .*take torch.float32"),
        (1, {"mode": "RGB"}, InvalidOption, "'mode': .*leave the mode out"),
        (2, {}, Truncated, "the file ends"),
        (0, {"limits": nncodec.Limits(pixels=71)}, LimitExceeded, "over the limit of 71"),
    ):
        with pytest.raises(kind, match=f"^{'file 0' if decode == 'batch' else number}: .*{reason}") as caught:
            decoded(number, **options)
        assert caught.value.fields


# --- stacks -------------------------------------------------------------------------------------------------------


def test_a_stack_gives_frames_in_any_order_and_reads_their_blocks_only(tmp_path: Path, ranges: Any) -> None:
    frames = [np.random.default_rng(n).integers(0, 256, (200, 200), np.uint8) for n in range(9)]
    (tmp_path / "stack.nnc").write_bytes(nncodec.encode(frames, lossless=True, frames_per_block=3))
    dataset = StackDataset(tmp_path / "stack.nnc")
    assert len(dataset) == 9
    header_bytes = sum(size for _, size in ranges.pop("stack.nnc"))
    assert equal(dataset[4], frames[4][..., None])
    block_bytes = sum(size for _, size in ranges.pop("stack.nnc"))
    assert header_bytes <= 1 << 13 < 120_000 < block_bytes < 140_000
    some = dataset.__getitems__([8, 0, -1, 7])
    assert all(equal(sample, frames[number][..., None]) for sample, number in zip(some, [8, 0, 8, 7], strict=True))
    assert sum(size for _, size in ranges["stack.nnc"]) < 2 * 140_000
    with pytest.raises(IndexError):
        dataset[9]
    crops = StackDataset(tmp_path / "stack.nnc", box=RandomCrop(20))
    drawn = torch.stack(crops.__getitems__([2, 5]))
    assert drawn.shape == (2, 1, 20, 20)
    assert torch.equal(drawn[1], crops[5])
    crops.set_epoch(1)
    assert not torch.equal(drawn[1], crops[5])


def test_frames_of_several_blocks_share_passes_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "BLOCK_EDGE_LOG2", 6)
    photo = Image.fromarray(skimage.data.astronaut()).crop((60, 20, 150, 90))
    data = nncodec.encode([photo.rotate(90 * turn) for turn in range(4)], "conv/photo", 90, frames_per_block=1)
    assert nncodec.inspect(data).blocks == (4, 2, 2)
    (tmp_path / "stack.nnc").write_bytes(data)
    passes, synthesize = [], decoder._synthesize

    def counted(codec: Any, tile: Any) -> Any:
        passes.append(len(next(iter(tile.latents.values()))))
        return synthesize(codec, tile)

    monkeypatch.setattr(decoder, "_synthesize", counted)
    whole = [np.asarray(frame, int) for frame in nncodec.decode_frames(data)]
    assert passes == [1] * len(passes)
    alone = len(passes)
    passes.clear()
    frames = StackDataset(tmp_path / "stack.nnc").__getitems__([3, 0, 2])
    assert passes == [3] * (alone // 4)
    for number, frame in zip([3, 0, 2], frames, strict=True):
        assert np.abs(frame.permute(1, 2, 0).numpy() - whole[number]).max() <= 1


def test_stacks_and_single_files_go_through_a_loader_together(tmp_path: Path) -> None:
    images = [Image.new("L", (28, 28), level) for level in (40, 90, 140, 190)]
    (tmp_path / "stack.nnc").write_bytes(nncodec.encode(images[:3], "dense/fashion"))
    (tmp_path / "z.nnc").write_bytes(nncodec.encode(images[3], "dense/fashion"))
    dataset = ConcatDataset([StackDataset(tmp_path / "stack.nnc"), NncDataset([tmp_path / "z.nnc"])])
    assert len(dataset) == 4
    (pictures,) = DataLoader(dataset, batch_size=4)
    assert pictures.shape == (4, 1, 28, 28)
    for number, image in enumerate(images):
        assert np.array_equal(pictures[number, 0], nncodec.decode(nncodec.encode(image, "dense/fashion")))


def test_a_damaged_stack_is_named(tmp_path: Path) -> None:
    (tmp_path / "stack.nnc").write_bytes(nncodec.encode([np.zeros((4, 4), np.uint8)] * 2, lossless=True)[:-1])
    with pytest.raises(Truncated, match=r"^stack\.nnc: the file ends"):
        StackDataset(tmp_path / "stack.nnc")


# --- workers ------------------------------------------------------------------------------------------------------


def threads_of(key: str, beside: Mapping[str, bytes]) -> int:
    return torch.get_num_threads()


def two_epochs(root: Path, start: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield what two workers that persist give in two epochs, and what this process gives."""
    dataset = NncDataset(root / "in", threads_of, box=RandomCrop(8))
    loader = DataLoader(
        dataset, batch_size=2, num_workers=2, persistent_workers=True, multiprocessing_context=start, timeout=60
    )
    for epoch in (0, 1):
        dataset.set_epoch(epoch)
        given = [*loader]
        assert all((threads == 1).all() for _, threads in given)
        yield torch.cat([crops for crops, _ in given]), torch.stack([dataset[number][0] for number in range(6)])


@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker:UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("start", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_workers_that_persist_give_what_one_process_gives(root: Path, start: str) -> None:
    (one, own), (other, own_other) = two_epochs(root, start)
    assert torch.equal(one, own)
    assert torch.equal(other, own_other)
    assert not torch.equal(one, other)


def test_datasets_are_copied_without_what_they_have_opened(root: Path, tmp_path: Path) -> None:
    (tmp_path / "stack.nnc").write_bytes(nncodec.encode([np.full((4, 4), n, np.uint8) for n in (1, 2)], lossless=True))
    for make in (
        lambda: NncDataset(root / "shards", box=RandomCrop(6), seed=2),
        lambda: StackDataset(tmp_path / "stack.nnc"),
    ):
        dataset: Any = make()
        dataset.set_epoch(4)
        expected = dataset[1]
        assert torch.equal(pickle.loads(pickle.dumps(dataset))[1], expected)
    shards = ShardDataset(root / "shards", key_of, shuffle=2)
    assert keys_of(pickle.loads(pickle.dumps(shards))) == keys_of(shards)
