"""The recipe of enhancers: settings, bases, and pairs that a codec makes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from trainings import (
    ASTRONAUT,
    SHAPE,
    SUMMARY,
    srgan_model,
    turn,
)

import nncodec
from nncodec.errors import UnknownModel
from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import ModelFile
from nncodec.training.settings import combine
from nncodec.training.training_set import TrainingSet
from nncodec_srgan.enhancer import CONTENT, DETAIL
from nncodec_srgan.generator import Generator
from nncodec_srgan.recipe import EnhancerRecipe, EnhancerSettings


def same(generator: Generator, base: ModelFile, prefix: str) -> bool:
    """Return whether a generator has the weights of a set."""
    return np.array_equal(
        generator.head.weight.detach().numpy(), base.tensors[f"{prefix}head.weight"].astype(np.float32)
    )


@pytest.mark.parametrize(
    ("detail", "content_share", "start"),
    [(True, 0.0, DETAIL), (False, 0.0, CONTENT), (True, 0.5, CONTENT), (True, 1.0, CONTENT)],
)
def test_a_base_gives_the_weights_to_begin_with(detail: bool, content_share: float, start: str) -> None:
    base = srgan_model(detail)
    recipe = EnhancerRecipe(EnhancerSettings(content_share=content_share, discriminator_width=2), SUMMARY, base)
    task = recipe.task()
    assert recipe.size == 2  # of the base, not of the settings
    assert same(task.generator, base, start)
    assert same(task.content, base, CONTENT)
    assert all(parameter.requires_grad for parameter in task.generator.parameters())
    assert not any(parameter.requires_grad for parameter in task.content.parameters())
    task.train()
    turn(task, 0, 0.6)  # in the second part, but for the last
    assert task.is_adversarial == (content_share < 1)
    exported = recipe.export(task.eval(), [], lambda text: None)
    assert exported.config["gan"] == (content_share < 1)
    if content_share == 0:  # the weights for fidelity went through untouched
        fidelity = {name: value for name, value in base.tensors.items() if name.startswith(CONTENT)}
        assert all(np.array_equal(exported.tensors[name], value) for name, value in fidelity.items())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"factor": 3}, "factor is 3; give one of 1, 2, 4"),
        ({"unshuffle": 2}, "leave it out"),
        ({"filters": 2}, "leave it out"),
        ({"content_share": 1.5}, "content_share is 1.5"),
        ({"gan_weight": -1.0}, "gan_weight is -1.0"),
        ({"matching_weight": -1.0}, "matching_weight is -1.0"),
        ({"discriminator_width": 0}, "discriminator_width is 0"),
        ({"quality_low": 30}, "quality_low is 30 and quality_high 20"),
        ({"quality_high": 101}, "quality_high 101"),
        ({"variants": 0}, "variants is 0"),
        ({"size_in": 16}, "give size_out too"),
        ({"size_in": 16, "size_out": 48}, "size_out is 48 and size_in 16; give 1, 2 or 4 times as much"),
        ({"size_in": 0, "size_out": 0}, "give 1, 2 or 4 times"),
        ({"size_in": 16, "size_out": 32, "factor": 4}, "from size_in = 16 to size_out = 32 is not factor 4"),
        ({"size_out": 64, "crop": 32}, "crop is 32 and size_out 64, which are the same thing"),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_one_line(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        combine(EnhancerRecipe, settings)
    assert "\n" not in str(caught.value)


def test_sizes_of_crops_are_another_spelling_of_factor_and_crop() -> None:
    combined = combine(EnhancerRecipe, {"size_in": 64}, {"size_out": 128})
    assert (combined.model.factor, combined.run.crop) == (2, 128)
    assert combined.given == {"factor", "crop"}
    assert combined.as_dict() == combine(EnhancerRecipe, {"factor": 2, "crop": 128}).as_dict()
    alone = combine(EnhancerRecipe, {"size_out": 64})
    assert (alone.model.factor, alone.run.crop) == (4, 64)


def test_pairs_of_another_factor_are_refused() -> None:
    twice = replace(SUMMARY, factor=2)
    with pytest.raises(ValueError, match="2 times as large as the worse ones, and factor is 4; set factor=2"):
        EnhancerRecipe(EnhancerSettings(), twice)
    four = srgan_model(False, replace(SHAPE, factor=4))
    with pytest.raises(ValueError, match="base is for 4; give it others, or train anew"):
        EnhancerRecipe(EnhancerSettings(), twice, four)
    assert EnhancerRecipe(EnhancerSettings(factor=2), twice).size == 2


def test_a_perceptual_loss_without_features_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NNCODEC_VGG16", raising=False)
    monkeypatch.chdir(tmp_path)
    for settings in ({}, {"features": "nowhere.pth"}):
        recipe = EnhancerRecipe(EnhancerSettings(perceptual_weight=0.1, width=4, **settings), SUMMARY)
        with pytest.raises(ValueError, match=r"VGG16|nowhere") as caught:
            recipe.task()
        assert "\n" not in str(caught.value)


def by_codec(pictures: list[Pixels], seed: int = 0, **settings: Any) -> tuple[list[Pixels], list[tuple[str, int, int]]]:
    """Return the pairs that the recipe prepares from pictures, and its progress messages."""
    told: list[tuple[str, int, int]] = []
    recipe = EnhancerRecipe(EnhancerSettings(factor=1, **settings), SUMMARY)
    given = TrainingSet(pictures, [], len(pictures), 0, "mine")
    prepared = recipe.prepare(given, seed, lambda *progress: told.append(progress))
    assert prepared.factor == 1
    assert prepared.validation == []
    return prepared.training, told


def test_a_codec_makes_the_worse_pictures_at_qualities_that_the_seed_draws() -> None:
    pictures = [ASTRONAUT[top : top + 40, 200:256] for top in (0, 100, 200)] + [ASTRONAUT[300:330, 100:150]]
    pairs, told = by_codec(pictures, codec="conv/photo", quality_low=5, quality_high=9, variants=2)
    assert [pair.shape for pair in pairs] == [(40, 56, 6)] * 6 + [(30, 50, 6)] * 2
    qualities = set()
    for number, pair in enumerate(pairs):
        good = pictures[number // 2]
        assert np.array_equal(pair[:, :, :3], good)
        image = Image.fromarray(good)
        made = {q: np.asarray(nncodec.decode(nncodec.encode(image, "conv/photo", q))) for q in range(5, 10)}
        near = [q for q, pixels in made.items() if np.abs(pixels.astype(int) - pair[:, :, 3:]).max() <= 1]
        assert near
        qualities |= set(near)
    assert len(qualities) > 1
    assert told[0] == ("encoding and decoding with conv/photo", 0, 8)
    assert told[-1][1:] == (8, 8)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    again, _ = by_codec(pictures[1:], codec="conv/photo", quality_low=5, quality_high=9, variants=2)
    assert all(np.array_equal(a, b) for a, b in zip(again, pairs[2:], strict=True))  # whichever the other pictures are
    other, _ = by_codec(pictures, 1, codec="conv/photo", quality_low=5, quality_high=9, variants=2)
    assert not all(np.array_equal(a, b) for a, b in zip(other, pairs, strict=True))


def test_grey_pictures_are_coded_as_grey_ones() -> None:
    digit = np.asarray(Image.fromarray(ASTRONAUT[:28, 200:228]).convert("L"))
    grey = np.broadcast_to(digit[:, :, None], (28, 28, 3))  # as they come where the mode is RGB
    ((pair,), _) = by_codec([grey], codec="conv/digits")
    assert np.array_equal(pair[:, :, :3], grey)
    expected = np.asarray(nncodec.decode(nncodec.encode(Image.fromarray(digit), "conv/digits")))
    assert np.abs(pair[:, :, 3:].astype(int) - expected[:, :, None]).max() <= 1


def test_only_factor_1_without_worse_pictures_needs_the_codec() -> None:
    with pytest.raises(UnknownModel, match="nothing"):
        EnhancerRecipe(EnhancerSettings(factor=1, codec="nothing"), SUMMARY)
    there = TrainingSet([ASTRONAUT], [], 1, 0, "mine")
    for settings, summary in (
        (EnhancerSettings(factor=2, codec="nothing"), SUMMARY),
        (EnhancerSettings(factor=1, codec="nothing"), replace(SUMMARY, factor=1)),
    ):
        assert EnhancerRecipe(settings, summary).prepare(there, 0, lambda *progress: None) is there


def test_memory_is_asked_for_what_the_codec_makes() -> None:
    assert EnhancerRecipe.planes(EnhancerSettings(factor=4, variants=3)) == 3
    assert EnhancerRecipe.planes(EnhancerSettings(factor=1, variants=3)) == 3 + 3 * 6
    assert EnhancerRecipe.planes(EnhancerSettings(), srgan_model(False, replace(SHAPE, factor=1))) == 9
