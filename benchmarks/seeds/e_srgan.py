"""System E: the SRGAN enhancers on Set5 and Set14, on the document's example, and behind the codec on Kodak.

    python -m benchmarks.seeds.e_srgan                     # all parts, with the bundled weights
    python -m benchmarks.seeds.e_srgan --only sets,time    # some of sets, example, time, restored, reduced
    python -m benchmarks.seeds.e_srgan --only sets --x4 runs/x4/model.safetensors
    python -m benchmarks.seeds.e_srgan --choose --only sets --x4 FILE   # for choosing weights
    python -m benchmarks.seeds.e_srgan --quick             # seconds: photographs of scikit-image, random weights

A part measured again replaces the stored one. The record keeps its other parts as long as the weights behind them
are the same.
With a file of weights in place of a name, results and plots go to the run folder. Test sets are for final figures;
`--choose` uses photographs that `nncodec train` holds back. Times are valid only on an idle machine; the record says
whether it was.

PSNR and SSIM of Set5 and Set14 are on luma (BT.601, 16..235), without four pixels along every edge; those of Kodak are
over R, G and B. NIQE (`measuring.niqe`) is lower for pictures that look more like sharp photographs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.measuring.records import Record, read_record
from benchmarks.seeds.enhancer_weights import FACTORS, is_file, random_weights, usable
from benchmarks.seeds.enhancing_parts import PARTS, Request
from benchmarks.seeds.enlarging_marks import marks
from benchmarks.seeds.enlarging_plots import example_pictures, example_sheet, plot_results
from benchmarks.seeds.shared import CURVES, RESULTS, argument_parser, write_results
from nncodec.errors import NncError
from nncodec.plugin import registry

PUBLISHED = {
    "set5": {
        "nearest": {"psnr_y_db": 26.26, "ssim_y": 0.7552},
        "bicubic": {"psnr_y_db": 28.43, "ssim_y": 0.8211},
        "SRResNet": {"psnr_y_db": 32.05, "ssim_y": 0.9019},
        "SRGAN": {"psnr_y_db": 29.40, "ssim_y": 0.8472},
    },
    "set14": {
        "nearest": {"psnr_y_db": 24.64, "ssim_y": 0.7100},
        "bicubic": {"psnr_y_db": 25.99, "ssim_y": 0.7486},
        "SRResNet": {"psnr_y_db": 28.49, "ssim_y": 0.8184},
        "SRGAN": {"psnr_y_db": 26.02, "ssim_y": 0.7397},
    },
}
"""Ledig et al., CVPR 2017, table 2; their SSIM is another program's, as that of bicubic on Set14 shows."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write, and print which marks are met."""
    parser = argument_parser(__doc__, "e")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas")
    parser.add_argument("--x4", default="srgan/x4", help="an enhancer of factor 4 by name, or a file of weights")
    parser.add_argument("--restore", default="srgan/restore", help="the same of factor 1")
    parser.add_argument("--choose", action="store_true", help="photographs held back from training, not the test sets")
    parser.set_defaults(results=None, curves=None)
    options = parser.parse_args(arguments)
    parts = options.only.split(",")
    if unknown := set(parts) - PARTS.keys():
        parser.error(f"there is no part {min(unknown)!r}; choose from {', '.join(PARTS)}")
    options.run.mkdir(parents=True, exist_ok=True)
    roles = dict.fromkeys(role for part in parts for role in PARTS[part].roles)
    asked = {role: getattr(options, role) for role in roles}
    if options.quick:
        asked = {role: str(random_weights(role, options.run)) for role in asked}
    try:
        names = usable(asked, options.run / "models")
        factors = {role: registry.open_enhancer(name).traits.factor for role, name in names.items()}
    except NncError as error:
        sys.exit(str(error))
    if wrong := [role for role, factor in factors.items() if factor != FACTORS[role]]:
        parser.error(f"--{wrong[0]} takes an enhancer of factor {FACTORS[wrong[0]]}, which {asked[wrong[0]]} is not")
    digests = {role: registry.catalog().find(name).digest for role, name in names.items()}
    request = Request(names.get("x4", ""), names.get("restore", ""), options.quick, options.choose, options.run)
    final = not options.quick and not options.choose and not any(map(is_file, asked.values()))
    stem = "e_srgan" + ("_quick" if options.quick else "_choice" if options.choose else "")
    path = (options.results or (RESULTS if final else options.run)) / f"{stem}.json"
    record = _measured(parts, request, path, digests)
    curves = options.curves or (CURVES if final else options.run)
    curves.mkdir(parents=True, exist_ok=True)
    plot_results(record, curves, stem)
    if "example" in parts:
        example_sheet(example_pictures(), request.x4).save(curves / f"{stem}_example.png", optimize=True)
    for mark in record["marks"]:
        print(f"{'pass' if mark['met'] else 'FAIL'}  {mark['what']}: {mark['found']:+.3f}, wanted {mark['wanted']}")


def kept_record(path: Path, digests: Mapping[str, str]) -> Record:
    """Return a stored record without the parts whose figures other weights made, or a new one."""
    kept: Record = read_record(path) if path.is_file() else {"models": {}}
    changed = {role for role, digest in digests.items() if kept["models"].get(role) != digest}
    record: Record = {"models": kept["models"] | digests, "published": PUBLISHED, "marks": []}
    stale = {name for name, part in PARTS.items() if part.by_weights and changed & set(part.roles)}
    return record | {name: kept[name] for name in PARTS if name in kept and name not in stale}


def _measured(parts: Sequence[str], request: Request, path: Path, digests: Mapping[str, str]) -> Record:
    """Measure parts, write the record after each, and return it."""
    record = kept_record(path, digests)
    shown = ["--quick"] if request.quick else ["--choose"] if request.choose else []
    for part in parts:
        began = time.monotonic()
        record[part] = PARTS[part].measure(request)
        record[part]["minutes"] = round((time.monotonic() - began) / 60, 2)
        record["marks"] = marks(record)
        minutes = sum(record[name]["minutes"] for name in PARTS if name in record)
        write_results(path, "e_srgan", shown, minutes, record)
    return record


if __name__ == "__main__":
    main()
