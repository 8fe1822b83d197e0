"""Dense autoencoders for pictures of one fixed size, as a plugin of nncodec."""
