"""Train `conv/photo` on the photographs in $NNCODEC_DATA; resumes from its checkpoint.

python benchmarks/train/conv_photo.py --minutes 80 --run runs/conv_photo
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from common import data_folder, show

from nncodec.training.data import CropSampler, list_pictures, load_pictures, split_by_name
from nncodec.training.loop import LoopOptions, Schedule, fit
from nncodec_conv.photo_network import PhotoConfig, PhotoNetwork
from nncodec_conv.training import PhotoTask

HELD_BACK = 0.04


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/conv_photo"), help="folder for checkpoint and log")
    parser.add_argument("--minutes", type=float, default=80)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--crop", type=int, default=192)
    parser.add_argument("--learning-rate", type=float, default=8e-4)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.manual_seed(0)
    pictures, _ = split_by_name(list_pictures(data_folder("photos")), HELD_BACK)
    sampler = CropSampler(load_pictures(pictures), options.batch_size, options.crop, seed=1)
    task = PhotoTask(PhotoNetwork(PhotoConfig()))
    loop = LoopOptions(
        bfloat16=True,
        checkpoint=options.run / "checkpoint.pt",
        checkpoint_minutes=5,
        log=options.run / "log.csv",
        device=options.device,
    )
    schedule = Schedule(options.learning_rate, minutes=options.minutes, warmup_steps=300)
    report = fit(task, sampler, schedule, loop, on_progress=show)
    print(f"{report.steps} steps in {report.elapsed_s / 60:.1f} minutes")


if __name__ == "__main__":
    main()
