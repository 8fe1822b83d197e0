"""The shipped model keeps the contract of nncodec."""

from nncodec.testing import CodecModelContract


class TestFour(CodecModelContract):
    model_name = "blockmean/four"
