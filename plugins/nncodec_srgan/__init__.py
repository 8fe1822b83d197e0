"""The SRGAN enhancer, as a plugin of nncodec: it restores pictures after decoding, or enlarges them."""
