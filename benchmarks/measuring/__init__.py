"""What benchmarks share: codecs behind one face, pictures of any size, clean processes, a look at the machine."""
