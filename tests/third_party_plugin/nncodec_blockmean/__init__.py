"""An example plugin for nncodec: pictures as the mean colours of their 4 x 4 blocks."""
