"""`python -m nncodec.training` is `nncodec train`; `torchrun --nproc-per-node N -m nncodec.training ...` starts it."""

from __future__ import annotations

import os

from nncodec.cli import run_command

if __name__ == "__main__":
    # DistributedDataParallel warns on stderr that no parameter is unused, and about the memory layout of 1 x 1
    # convolutions; neither is anything a user could act on. It is read when torch is imported.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    run_command("train")
