"""What the parts of the photo model's contexts are worth: the rate when they see less, after training for that.

    python -m benchmarks.context_parts --output benchmarks/results/context_parts.json

Needs $NNCODEC_DATA/photos. The transforms stay as they are, so distortion does too, and latents of crops are computed
once. The prior is trained on for some minutes of processor time in each of `VARIANTS`, which hide something from its
context networks. The figures are the rates of held-back crops; a longer training would bring them closer together.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm  # type: ignore[import-untyped]

from benchmarks.measuring.data import split_photographs
from benchmarks.measuring.records import Record, command_line, write_record
from nncodec.plugin import registry
from nncodec.plugin.model_file import read_model
from nncodec.training.data import load_pictures
from nncodec.training.sampling import CropSampler
from nncodec_hyperprior.coding import Rounding, code_latents, hard_rounding
from nncodec_hyperprior.network import HyperpriorNetwork
from nncodec_hyperprior.prior_network import GroupContext, Prior
from nncodec_hyperprior.starting import network_from
from nncodec_hyperprior.training import MixedRounding

QUALITIES = (10, 30, 50, 70, 90)
# Maps a phase to how many earlier ones it sees, the first ones.
Seen = Callable[[int], int]
# Whether earlier groups are seen, and what is seen of earlier phases.
VARIANTS: Mapping[str, tuple[bool, Seen]] = {
    "as it is": (True, lambda phase: phase),
    "no earlier groups": (False, lambda phase: phase),
    "two phases instead of four": (True, lambda phase: 2 * (phase // 2)),
    "no phases": (True, lambda phase: 0),
}
_CROP, _BATCH = 256, 16
_RATE = 3e-4
_HELD_BACK = 0.04


class Limited(nn.Module):
    """A context network that some of its inputs are hidden from: they are 0.

    Args:
        context: the network, which is trained.
        width: channels of the features of the hyper-decoder, which come first.
        sees_groups: whether it sees earlier groups.
        seen: how many earlier phases each phase sees.
    """

    def __init__(self, context: GroupContext, width: int, sees_groups: bool, seen: Seen) -> None:
        super().__init__()
        self.context, self._width, self._sees_groups, self._seen = context, width, sees_groups, seen

    def start(self, inputs: Tensor) -> Tensor:
        """See `GroupContext.start`."""
        if not self._sees_groups:
            features, earlier = inputs[:, : self._width], inputs[:, self._width :]
            inputs = torch.cat([features, torch.zeros_like(earlier)], 1)
        return self.context.start(inputs)

    def forward(self, start: Tensor, known: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """See `GroupContext.forward`."""
        seen = self._seen(len(known))
        shown = [phase if number < seen else torch.zeros_like(phase) for number, phase in enumerate(known)]
        result: tuple[Tensor, Tensor] = self.context(start, shown)
        return result


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="hyperprior/photo")
    parser.add_argument("--minutes", type=float, default=5.0, help="of processor time, for each variant")
    parser.add_argument("--batches", type=int, default=75, help="of 16 crops to train on")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = registry.catalog().find(options.model)
    network = network_from(read_model(model.path)).eval()
    training, held = split_photographs(_HELD_BACK)
    shown = latents_of(network, training, options.batches, reduce_share=0.5)
    unseen = latents_of(network, held, 2, reduce_share=0.0)
    record: Record = {"command": command_line("context_parts"), "model": f"{model.name}, id {model.digest[:8]}"}
    record |= {"minutes": options.minutes, "crops": len(unseen), "steps": {}, "bpp": {}}
    for name, (sees_groups, seen) in tqdm(VARIANTS.items(), leave=False):
        limited = copy.deepcopy(network)
        limit(limited.prior, sees_groups, seen)
        record["steps"][name] = train(limited, shown, 60 * options.minutes)
        record["bpp"][name] = rates(limited, unseen)
    print(json.dumps(record, indent=1))
    if options.output:
        write_record(options.output, record)


def limit(prior: Prior, sees_groups: bool, seen: Seen) -> None:
    """Hide inputs from the context networks of a prior, in place."""
    for number, context in enumerate(prior.group_contexts):
        prior.contexts[number] = Limited(context, prior.config.width, sees_groups, seen)


@torch.no_grad()
def latents_of(network: HyperpriorNetwork, paths: Sequence[Path], batches: int, *, reduce_share: float) -> Tensor:
    """Return latents before the gain of crops of pictures, (N, C, 16, 16) float16."""
    sampler = CropSampler(load_pictures(list(paths)), _BATCH, _CROP, seed=3, reduce_share=reduce_share)
    found = []
    for number in tqdm(range(batches), desc="latents", leave=False):
        pixels = torch.from_numpy(sampler.batch(number)).permute(0, 3, 1, 2).float() / 255
        with torch.autocast("cpu", torch.bfloat16):
            found.append(network.transforms.analysis(pixels).half())
    return torch.cat(found)


def train(network: HyperpriorNetwork, latents: Tensor, seconds: float) -> int:
    """Train the prior of a network for the rate of latents, in place; return the steps taken."""
    parameters = list(network.prior.parameters())
    optimizer = torch.optim.Adam(parameters, lr=_RATE)
    began, steps = time.process_time(), 0
    while (progress := (time.process_time() - began) / seconds) < 1:
        generator = torch.Generator().manual_seed(steps)
        for group in optimizer.param_groups:
            group["lr"] = _RATE * min(1.0, (steps + 1) / 30, 1.4 * (1 - progress) + 0.01)
        chosen = latents[torch.randint(len(latents), (_BATCH,), generator=generator)].float()
        quality = 100 * torch.rand(_BATCH, generator=generator)
        bpp = rate(network, chosen, quality, MixedRounding(generator))
        loss = (bpp / bpp.detach().sqrt()).mean()  # high rates do not decide every step
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        steps += 1
    return steps


def rate(network: HyperpriorNetwork, latents: Tensor, quality: Tensor, rounding: Rounding) -> Tensor:
    """Return bits per pixel of latents before the gain, (N,)."""
    scaled = (latents * network.transforms.gain(quality).detach()).contiguous(memory_format=torch.channels_last)
    hyper = network.prior.hyper_analysis(scaled, network.prior.planes(quality))
    _, bits, hyper_bits = code_latents(network.prior, scaled, hyper, quality, rounding)
    return (bits + hyper_bits) / _CROP**2


@torch.no_grad()
def rates(network: HyperpriorNetwork, latents: Tensor) -> dict[int, float]:
    """Return the mean bits per pixel at each of `QUALITIES`, with the rounding of encoders."""
    found = {}
    for quality in QUALITIES:
        qualities = torch.full((len(latents),), float(quality))
        found[quality] = round(rate(network, latents.float(), qualities, hard_rounding).mean().item(), 5)
    return found


if __name__ == "__main__":
    main()
