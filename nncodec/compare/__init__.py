"""Measure codecs on pictures: rates, distortions, times, and what lies between two curves.

    comparison = compare(paths, ["photo", "jpeg", "webp"])
    bd_rate(comparison.mean_curve("jpeg"), comparison.mean_curve("photo"))    percent; negative is smaller

`results` holds what was found, `codecs` and `peers` what is compared, `curves` and `anchors` Bjøntegaard's deltas and
published curves, `matching` pictures at equal bytes or quality, and `report` the page. Needs the extra `compare`.
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
