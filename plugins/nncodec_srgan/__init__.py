"""The SRGAN enhancer, as a plugin of nncodec: pictures restored after decoding, or enlarged."""
