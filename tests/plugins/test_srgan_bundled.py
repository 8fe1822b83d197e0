"""The bundled enhancers improve photographs."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from PIL import Image

import nncodec
from nncodec import metrics
from nncodec.nn.tensors import load_weights
from nncodec.plugin import registry
from nncodec.plugin.model_file import read_model
from nncodec_srgan.enhancer import DETAIL, shape_of
from nncodec_srgan.generator import Generator

EDGE = 256
PLACES = {"astronaut": (100, 0), "chelsea": (100, 20), "coffee": (150, 60)}  # left and top, of what is looked at


@pytest.fixture(scope="module", params=PLACES)
def photograph(request: pytest.FixtureRequest) -> Image.Image:
    left, top = PLACES[request.param]
    picture = Image.fromarray(getattr(skimage.data, request.param)())
    return picture.crop((left, top, left + EDGE, top + EDGE))


def detail(image: Image.Image) -> float:
    """Return the mean difference of neighbouring pixels."""
    grey = np.asarray(image.convert("L"), float)
    return float(np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean())


def test_x4_is_nearer_to_the_original_than_interpolation_and_sharper_at_full_strength(photograph: Image.Image) -> None:
    small = photograph.resize((EDGE // 4, EDGE // 4), Image.Resampling.BICUBIC)
    bicubic = small.resize(photograph.size, Image.Resampling.BICUBIC)
    faithful, detailed = (nncodec.enhance(small, "srgan/x4", strength=strength) for strength in (0, 1))
    assert metrics.psnr(photograph, faithful) > metrics.psnr(photograph, bicubic) + 0.7
    assert metrics.psnr(photograph, faithful) - 2.5 < metrics.psnr(photograph, detailed)
    assert detail(bicubic) < detail(faithful) < detail(detailed) < 1.5 * detail(photograph)


def test_what_x4_adds_at_full_strength_does_not_alternate_from_pixel_to_pixel() -> None:
    model_info = registry.catalog().find("srgan/x4")
    generator = Generator(shape_of(model_info))
    load_weights(generator, read_model(model_info.path).tensors, DETAIL)
    kernel = generator.tail.weight.clone()
    generator.remove_alternation()
    assert kernel.abs().max() > 0.01
    # A hundredth passes: what was removed while these were trained was rounded to bfloat16.
    assert (generator.tail.weight - kernel).norm() < 0.01 * kernel.norm()


def test_restore_makes_low_qualities_better_for_a_few_bytes(photograph: Image.Image) -> None:
    plain = nncodec.encode(photograph, "hyperprior/photo", 5)
    recommending = nncodec.encode(photograph, "hyperprior/photo", 5, enhancer="srgan/restore")
    assert 0 < len(recommending) - len(plain) <= 32
    coded, restored = nncodec.decode(recommending), nncodec.decode(recommending, enhancer="recommended")
    assert coded.tobytes() == nncodec.decode(plain).tobytes()
    assert metrics.psnr(photograph, restored) > metrics.psnr(photograph, coded) + 0.05
    assert metrics.ms_ssim(photograph, restored) >= metrics.ms_ssim(photograph, coded)
    assert metrics.ssimulacra2(photograph, restored) > metrics.ssimulacra2(photograph, coded)
    strong = nncodec.decode(plain, enhancer="srgan/restore", strength=1)
    assert strong.tobytes() != restored.tobytes()
    assert metrics.psnr(photograph, strong) > metrics.psnr(photograph, restored) - 2.5


def test_restored_boxes_are_what_cropping_the_restored_whole_gives(photograph: Image.Image) -> None:
    data = nncodec.encode(photograph, "hyperprior/photo", 10)
    whole = np.asarray(nncodec.decode(data, enhancer="restore"), int)
    for box in ((37, 50, 120, 91), (200, 0, 256, 33)):
        part = np.asarray(nncodec.decode(data, enhancer="restore", box=box), int)
        left, top, right, bottom = box
        assert np.abs(part - whole[top:bottom, left:right]).max() <= 1


def test_restore_takes_any_size_and_keeps_grey_grey() -> None:
    photo = Image.fromarray(skimage.data.camera())
    for size in ((1, 1), (17, 3), (50, 33)):
        picture = photo.resize(size)
        restored = nncodec.enhance(picture, "restore")
        assert (restored.mode, restored.size) == ("L", size)
