"""What benchmarks share: data, records, codecs, pictures of any size, fresh processes, the state of the machine."""
