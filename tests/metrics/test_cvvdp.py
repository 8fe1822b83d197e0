"""ColorVideoVDP, where its package is installed: order, range, agreement with Gaussian blurs of another library."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import scipy.ndimage
import skimage.data
import torch

from nncodec import errors
from nncodec.metrics.cvvdp import _gaussian_blur_class, is_available, score

installed = pytest.mark.skipif(not is_available(), reason="cvvdp is not installed")


def noisy(image: np.ndarray, level: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, level, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


@installed
@pytest.mark.filterwarnings("ignore")  # of the package's own code
def test_more_noise_is_worse_and_no_difference_is_ten() -> None:
    original = np.ascontiguousarray(skimage.data.astronaut()[:256, :256])
    assert score(original, original) == pytest.approx(10, abs=1e-3)
    scores = [score(original, noisy(original, level)) for level in (3, 10, 30)]
    assert 10 > scores[0] > scores[1] > scores[2] > 3
    assert not {"torchvision", "huggingface_hub", "pyexr"} & sys.modules.keys()


def test_the_blur_is_a_gaussian_with_mirrored_edges() -> None:
    planes = torch.rand(2, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    blurred = _gaussian_blur_class()(13, 3.0)(planes)
    expected = planes.numpy()
    for axis in (2, 3):
        expected = scipy.ndimage.gaussian_filter1d(expected, 3.0, axis=axis, mode="mirror", radius=6)
    assert np.allclose(blurred.numpy(), expected, atol=1e-5)


def test_without_the_package_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncodec.metrics.cvvdp.PACKAGE", "there_is_no_such_package")
    with pytest.raises(errors.NncError, match=r"pip install --no-deps cvvdp"):
        score(np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16, 3), np.uint8))
