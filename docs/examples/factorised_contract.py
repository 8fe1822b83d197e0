"""A trained model of `factorised_plugin`, and the recipe that trains it, keep the contracts of nncodec."""

from nncodec.testing import CodecModelContract, RecipeContract


class TestTrained(RecipeContract, CodecModelContract):
    architecture = "factorised"
    picture_size = (40, 24)
