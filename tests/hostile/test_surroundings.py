"""Decoding does not depend on what the program around it does: torch's defaults, threads."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

import nncodec
import nncodec_pillow
from nncodec.plugin import registry
from nncodec_pillow.frames import FrameReader

PICTURE = Image.fromarray(skimage.data.astronaut()).crop((180, 60, 228, 92))
DIGIT = PICTURE.convert("L").resize((28, 28))


@pytest.fixture(params=["dtype", "device"])
def _foreign_defaults(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.param == "dtype":
        torch.set_default_dtype(torch.float64)
    else:
        torch.set_default_device("meta")
    registry.refresh()
    yield
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    registry.refresh()


@pytest.fixture(scope="module")
def expected() -> dict[str, tuple[bytes, np.ndarray]]:  # type: ignore[type-arg]
    """Files of the bundled models, and their pixels."""
    pictures = {"hyperprior/photo": PICTURE, "conv/photo": PICTURE, "dense/fashion": DIGIT, "conv/digits": DIGIT}
    files = {model: nncodec.encode(picture, model) for model, picture in pictures.items()}
    return {model: (data, nncodec.decode(data, as_array=True)) for model, data in files.items()}


@pytest.mark.usefixtures("_foreign_defaults")
def test_models_compute_in_their_own_type_and_place(expected) -> None:  # type: ignore[no-untyped-def]
    for model, (data, pixels) in expected.items():
        np.testing.assert_array_equal(nncodec.decode(data, as_array=True), pixels)
        assert nncodec.encode(PICTURE if "photo" in model else DIGIT, model) == data
    effort = nncodec.encode(PICTURE, "hyperprior/photo", effort=3)
    assert nncodec.decode(effort).size == PICTURE.size
    for enhancer in ("restore", "x4"):
        assert nncodec.enhance(PICTURE, enhancer, strength=0.5).width >= PICTURE.width


def test_one_lazy_image_loads_in_several_threads(expected, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    nncodec_pillow.register_nnc_opener()
    read, readings = FrameReader.read, []

    def read_slowly(reader: FrameReader, number: int) -> Image.Image:
        readings.append(number)
        time.sleep(0.02)  # long enough for the other threads to come
        return read(reader, number)

    monkeypatch.setattr(FrameReader, "read", read_slowly)
    data, pixels = expected["conv/photo"]
    several = nncodec.encode([PICTURE, PICTURE.rotate(180)], "conv/photo")
    for file in (data, several):
        image = Image.open(io.BytesIO(file))
        start = threading.Barrier(8)
        found: list[object] = []

        def load(image: Image.Image = image, start: threading.Barrier = start, found: list[object] = found) -> None:
            start.wait()
            try:
                found.append(np.asarray(image).tobytes())
            except Exception as error:
                found.append(error)

        threads = [threading.Thread(target=load) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [found[0]] * 8
        assert readings == [0]
        readings.clear()
        assert len(np.asarray(found[0]).tobytes() if isinstance(found[0], bytes) else b"") == pixels.size
