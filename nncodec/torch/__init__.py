"""Training sets of .nnc files for PyTorch: pictures of a folder or of tar files in any order, or tar files in a row.

    dataset = NncDataset("pictures", box=RandomCrop(224), seed=1)
    loader = DataLoader(dataset, batch_size=64, num_workers=2, shuffle=True)

`decode_batch` makes tensors of files that are in memory, also on a GPU.

`decoding` and `canvas` make tensors of files; `places` finds files and reads parts of them, also in object stores;
`tars` reads tar files; `pictures`, `shards` and `stack` are the datasets.
"""

from nncodec.torch.decoding import BoxMaker, CenterCrop, RandomCrop, SampleOptions, decode_batch
from nncodec.torch.pictures import NncDataset, Target
from nncodec.torch.shards import ShardDataset
from nncodec.torch.stack import StackDataset

__all__ = [
    "BoxMaker",
    "CenterCrop",
    "NncDataset",
    "RandomCrop",
    "SampleOptions",
    "ShardDataset",
    "StackDataset",
    "Target",
    "decode_batch",
]
