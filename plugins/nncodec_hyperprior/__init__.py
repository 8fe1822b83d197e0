"""The hyperprior photo codec, as a plugin of nncodec."""
