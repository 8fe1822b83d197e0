"""Lossless coding of pictures with 1 to 16 bits and 1 to 32 planes, as a plugin of nncodec."""
