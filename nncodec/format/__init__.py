"""The `.nnc` format: bytes to header, chunks and blocks of coded latents, and back; see `docs/format.md`."""
