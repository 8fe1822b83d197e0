"""The `.nnc` format: header, chunks and blocks of coded latents to bytes, and back; see `docs/format.md`."""
