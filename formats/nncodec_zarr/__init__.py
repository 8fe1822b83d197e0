"""Chunks of Zarr arrays as `.nnc` files: the codec `nncodec` of Zarr format 3."""

from nncodec_zarr.codec import NncCodec

__all__ = ["NncCodec"]
