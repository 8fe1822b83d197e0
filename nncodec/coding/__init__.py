"""From images to files and back: blocks and tiles, encoder, decoder, targets, enhancers."""
