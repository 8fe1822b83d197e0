"""Measure codecs on pictures: rates, distortions, times, and Bjøntegaard differences of their curves.

    comparison = compare(paths, ["photo", "jpeg", "webp"])
    bd_rate(comparison.mean_curve("jpeg"), comparison.mean_curve("photo"))    percent; negative is smaller

`study` runs a comparison, `results` stores it, `tables` and `differences` make its tables, and `report` the page.
`codecs` and `peers` say what is compared, `matching` codes at equal bytes or quality, `curves` holds Bjøntegaard's
deltas, `anchors` reads published curves. Needs the extra `compare`.
"""

from nncodec.compare.anchors import read_anchors
from nncodec.compare.codecs import Codec, default_codecs, open_codec
from nncodec.compare.curves import METRICS, BdDelta, CurvePoint, bd_delta, bd_psnr, bd_rate
from nncodec.compare.matching import Coded, code_at_bytes, code_at_psnr, code_at_ssim
from nncodec.compare.measure import Matching
from nncodec.compare.peers import PEERS, Peer
from nncodec.compare.results import MATCHED, CodecInfo, Comparison, Match, MeanPoint, Measurement, PictureInfo, Skipped
from nncodec.compare.study import compare

__all__ = [
    "MATCHED",
    "METRICS",
    "PEERS",
    "BdDelta",
    "Codec",
    "CodecInfo",
    "Coded",
    "Comparison",
    "CurvePoint",
    "Match",
    "Matching",
    "MeanPoint",
    "Measurement",
    "Peer",
    "PictureInfo",
    "Skipped",
    "bd_delta",
    "bd_psnr",
    "bd_rate",
    "code_at_bytes",
    "code_at_psnr",
    "code_at_ssim",
    "compare",
    "default_codecs",
    "open_codec",
    "read_anchors",
]
