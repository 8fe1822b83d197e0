"""Convolutional autoencoders, from digits to photographs, as a plugin of nncodec."""
