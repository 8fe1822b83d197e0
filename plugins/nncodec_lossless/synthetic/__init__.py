"""The block coder for pictures with few colours or exact repetition: pages, screenshots, sprites, masks, dithers."""

from nncodec_lossless.synthetic.block import decode, encode

__all__ = ["decode", "encode"]
