"""Contract tests that plugin authors inherit."""

from nncodec.testing.codec import CodecModelContract
from nncodec.testing.enhancer import EnhancerContract
from nncodec.testing.lossless import LosslessContract
from nncodec.testing.model_file import ModelFileContract
from nncodec.testing.recipe import RecipeContract

__all__ = ["CodecModelContract", "EnhancerContract", "LosslessContract", "ModelFileContract", "RecipeContract"]
