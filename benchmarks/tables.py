"""Write the tables of README.md and docs/ from the stored results, or check that they say what the results say.

    python benchmarks/tables.py            # rewrite
    python benchmarks/tables.py --check    # exit 1 if a page differs

A table stands between `<!-- table NAME -->` and `<!-- end -->`; NAME is a function below or in
`enhancing_tables`.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from enhancing_tables import ENHANCING_TABLES

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGES = ("README.md", "docs/results.md", "docs/seeds.md", "docs/adr/0002-latent-layout.md", "docs/adr/0005-hyperprior.md")
_MARKED = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.S)


_PEERS = {"jpeg": "JPEG", "webp": "WebP", "avif": "AVIF", "avif-psnr": "AVIF for PSNR", "jxl": "JPEG XL"}


def bd_rates() -> str:
    """BD-rate of the photo models against other codecs on both sets."""
    record = _results("kodak")
    sets = {"kodak": "Kodak", "skimage": "scikit-image"}
    rows = []
    for model in record["kodak"]["bd_rate_percent"]:
        for name, title in sets.items():
            rates = record[name]["bd_rate_percent"][model]
            rows.append([f"`{model}`, {title} ({record[name]['pictures']})", *_percents(rates, "psnr_db")])
    return _table(["bytes at equal PSNR, against", *_PEERS.values()], rows)


def bd_rates_perceptual() -> str:
    """The same of the default photo model at equal MS-SSIM and SSIMULACRA2."""
    record = _results("kodak")
    rates = record["kodak"]["bd_rate_percent"]["hyperprior/photo"]
    names = {"ms_ssim": "MS-SSIM", "ssimulacra2": "SSIMULACRA2"}
    rows = [[name, *_percents(rates, metric)] for metric, name in names.items()]
    return _table(["`hyperprior/photo`, Kodak, bytes at equal", *_PEERS.values()], rows)


def published() -> str:
    """BD-rate of the default photo model against published curves on Kodak."""
    rates = _results("kodak")["kodak"]["bd_rate_percent"]["hyperprior/photo"]
    found = {name.removeprefix("published "): value for name, value in rates.items() if name.startswith("published ")}
    return _table(
        ["against", *found], [["bytes at equal PSNR", *(_percent(value["psnr_db"]) for value in found.values())]]
    )


def kodak_curve() -> str:
    """Rate and PSNR of the default photo model at each quality on Kodak."""
    points = _results("kodak")["kodak"]["curves"]["hyperprior/photo"]
    rows = [
        ["bits per pixel", *(f"{p['bpp']:.3f}" for p in points)],
        ["PSNR, dB", *(f"{p['psnr_db']:.2f}" for p in points)],
    ]
    return _table(["quality", *(str(p["quality"]) for p in points)], rows)


def generation_loss() -> str:
    """PSNR after re-encoding again and again."""
    loss = _results("kodak")["generations"]["psnr_db"]
    shown = (1, 2, 5, 10)
    rows = [[f"`{name}`", *(f"{values[n - 1]:.2f}" for n in shown)] for name, values in loss.items()]
    return _table(["PSNR in dB after so many encodings", *map(str, shown)], rows)


def photo_parts() -> str:
    """What coder, hyper-latents and phases take, by quality."""
    by_quality = _results("photo_model")["by_quality"]
    kinds = {
        "rans_bpp": ("bits per pixel", "{:.3f}", 1.0),
        "zstd_bpp": ("with Zstandard", "{:.3f}", 1.0),
        "ideal_bpp": ("ideal", "{:.3f}", 1.0),
        "hyper_share": ("hyper-latents, %", "{:.1f}", 100.0),
        **{f"phase_{n}_share": (f"phase {n + 1} of the grid, %", "{:.1f}", 100.0) for n in range(4)},
    }
    rows = [
        [name, *(form.format(values[key] * factor) for values in by_quality.values())]
        for key, (name, form, factor) in kinds.items()
    ]
    return _table(["quality", *by_quality], rows)


def efforts() -> str:
    """Time and gain of every effort level."""
    levels = _results("photo_model")["effort"]["levels"]
    rows = [
        ["BD-rate against effort 0", *(_percent(v["bd_rate_percent_against_effort_0"]) for v in levels.values())],
        ["encoding, seconds/MP", *(f"{v['encode_seconds_per_megapixel']:.2f}" for v in levels.values())],
    ]
    return _table(["effort", *levels], rows)


def _percents(rates: dict[str, dict[str, float | None]], metric: str) -> list[str]:
    return [_percent(rates[name][metric]) if name in rates else "-" for name in _PEERS]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:+.1f}%"


def small_pictures() -> str:
    """Bytes and error of the small models on their test sets."""
    rows = []
    for model, result in _results("small_pictures")["results"].items():
        webp = result["peers"]["WebP quality 0"]
        stacked = result["stacked"]["bytes_a_picture"]
        cells = [f"{result['bytes_a_file']['mean']:.0f}", f"{stacked:.1f}", f"{result['mse']:.4f}"]
        rows.append([f"`{model}`", *cells, f"{webp['bytes_a_file']:.0f} at {webp['mse']:.4f}"])
    head = [
        "10,000 test pictures",
        "bytes a file",
        "bytes in one stacked file",
        "mean squared error",
        "WebP, quality 0",
    ]
    return _table(head, rows)


def speed() -> str:
    """Speed of whole codecs side by side at the sizes where peers were timed, all cores."""
    record = _results("speed")
    codecs = list(record["codecs"])
    most = max(row["threads"] for row in record["throughput"])
    found = {
        (row["operation"], row["size"], row["codec"]): row["mp_per_s"]
        for row in record["throughput"]
        if row["threads"] == most
    }
    lines = dict.fromkeys((operation, size) for operation, size, codec in found if codec not in _models(record))
    rows = [
        [f"{operation}, {size}", *(_three_digits(found[operation, size, codec]) for codec in codecs)]
        for operation, size in sorted(lines, key=lambda line: line[0], reverse=True)
    ]
    return _table([f"MP/s, {most} core{'s' if most > 1 else ''}", *codecs], rows)


def speed_by_size() -> str:
    """How time and memory of the models grow with the picture."""
    record = _results("speed")
    rows = []
    for line in record["scaling"]:
        name = f"`{line['codec']}`, {line['operation']}"
        rows.append([f"{name}, seconds/MP", *(f"{seconds:.3f}" for seconds in line["seconds_per_megapixel"].values())])
        peaks = [r for r in record["memory"] if (r["codec"], r["operation"]) == (line["codec"], line["operation"])]
        rows.append([f"{name}, peak memory, MiB", *(f"{peak['peak_mib']:.0f}" for peak in peaks)])
        rows.append([f"{name}, without input and output", *(f"{peak['less_input_output_mib']:.0f}" for peak in peaks)])
    return _table(["", *record["scaling"][0]["seconds_per_megapixel"]], rows)


def speed_memory() -> str:
    """Peak memory of whole processes by codec and size."""
    record = _results("speed")
    sizes = list(dict.fromkeys(row["size"] for row in record["memory"]))
    peaks = {(row["codec"], row["operation"], row["size"]): row["peak_mib"] for row in record["memory"]}
    rows = [
        [f"{operation}, {codec}", *(f"{peaks[codec, operation, size]:.0f}" for size in sizes)]
        for operation in ("encode", "decode")
        for codec in record["codecs"]
    ]
    return _table(["peak memory, MiB", *sizes], rows)


def cold_start() -> str:
    """Waiting times of new processes, and of opening files in one that is warm."""
    record = _results("speed")["cold_start"]
    rows = [[name, f"{1000 * figures['median_s']:.0f}"] for name, figures in record["processes"].items()]
    rows += [[f"Image.open, {codec}, warm", f"{1000 * s:.2f}"] for codec, s in record["warm_open_s"].items()]
    return _table([f"one picture of {record['picture']} pixels", "milliseconds"], rows)


def latent_layout() -> str:
    """Size of every layout as a multiple of the ideal."""
    by_quality = _results("latent_layout")["by_quality"]
    layouts = [name for name in next(iter(by_quality.values())) if name != "ideal"]
    rows = [[name, *(f"{sizes[name] / sizes['ideal']:.3f}" for sizes in by_quality.values())] for name in layouts]
    rows.append(["ideal, bytes", *(f"{sizes['ideal']:,}" for sizes in by_quality.values())])
    return _table(["layout", *(f"quality {quality}" for quality in by_quality)], rows)


def seed_digits() -> str:
    """System A: losses after the last epoch beside the document's."""
    record = _results("seeds/a_digits")
    document, last = record["document"], record["history"][-1]
    head = [f"after {last['epoch']} epochs", "document", "plain", f"quantized, {record['code']['levels']} levels"]
    rows = [
        [part, f"{document[part]:.4f}", f"{last[f'{part}_plain']:.4f}", f"{last[f'{part}_quantized']:.4f}"]
        for part in ("train", "test")
    ]
    return _table(head, rows)


def seed_digits_bytes() -> str:
    """System A: what a digit takes as a code and in files."""
    record = _results("seeds/a_digits")
    values, levels, files = record["code"]["values"], record["code"]["levels"], record["files"]
    rows = [
        [f"the code, {values} values as float32", f"{4 * values}"],
        [f"the code, {values} values of {levels} levels, packed", f"{values * (levels - 1).bit_length() / 8:.0f}"],
        ["`.nnc`, a file each", f"{files['bytes_a_file']:.1f}"],
        [f"`.nnc`, {files['pictures']:,} digits in one file", f"{files['bytes_a_picture_stacked']:.1f}"],
    ]
    return _table(["", "bytes a digit"], rows)


def seed_recogniser() -> str:
    """System D: accuracy on the test set beside the document's."""
    record = _results("seeds/d_recogniser")
    document, test, plain = record["document"], record["test"], record["plain"]
    rows = [
        ["VGG16 starts from", "ImageNet weights", "random weights"],
        ["epochs", f"{document['epochs']}", f"{record['training']['epochs']}"],
        ["VGG16, test accuracy", _share(document["accuracy"]), _share(test["accuracy"])],
        ["VGG16, test loss", "-", f"{test['loss']:.4f}"],
        ["plain network, test accuracy", _share(document["plain_accuracy"]), _share(plain["accuracy"])],
        ["plain network, test loss", f"{document['plain_loss']:.3f}", f"{plain['loss']:.4f}"],
    ]
    return _table(["", "document", "here"], rows)


def seed_recogniser_classes() -> str:
    """System D: the classification report."""
    rows = [
        [str(row["class"]), *(f"{row[kind]:.4f}" for kind in ("precision", "recall", "f1")), f"{row['support']:,}"]
        for row in _results("seeds/d_recogniser")["test"]["classes"]
    ]
    return _table(["digit", "precision", "recall", "F1", "test digits"], rows)


def seed_decoded() -> str:
    """System D: accuracy on decoded digits."""
    rows = []
    for point in _results("seeds/d_recogniser")["decoded"]:
        name = point["codec"] if point["quality"] is None else f"{point['codec']}, quality {point['quality']}"
        coded = "mse" in point
        size = f"{point['bytes_a_file']:.0f}" if coded else "784 raw"
        psnr = f"{-10 * math.log10(point['mse']):.1f}" if coded else "-"
        rows.append([name, size, psnr, _share(point["accuracy"])])
    return _table(["digits as", "bytes a file", "PSNR, dB", "accuracy"], rows)


def seed_dense() -> str:
    """System B: errors and factors of the twelve members beside the document's."""
    rows = []
    for row in _results("seeds/b_dense_family")["members"]:
        document, errors, files = row["document"], row["mse"], row["files"]
        rows.append(
            [
                f"`{row['member']}`",
                *(f"{document[part]:.4f}" for part in ("train", "test")),
                *(f"{errors[part]['plain']:.4f}" for part in ("train", "test")),
                f"{errors['test']['quantized']:.4f}",
                *(f"{value:.2f}" for value in (document["factor"], row["factor"], files["factor"])),
                f"{files['factor_stacked']:.2f}",
                f"{row['training']['epochs']}",
            ]
        )
    head = ["member", "document: train", "test", "here: train", "test", "test, quantized"]
    head += ["document: factor", "so counted here", "`.nnc`, a file each", "all in one file", "epochs"]
    return _table(head, rows)


def seed_layers() -> str:
    """System C: the autoencoders beside the document's, and other codecs at their SSIM."""
    rows = []
    for row in _results("seeds/c_layers")["models"]:
        document = row["document"]
        head = f"{row['layers']} layers"
        printed = [f"{document['psnr_db']:.2f}", f"{document['ssim']:.4f}", f"{document['ratio']:.2f}"]
        rows.append([head, "document, autoencoder", *printed, _seconds(document["seconds"])])
        rows.append(["", "autoencoder", *_layers_cells(row["autoencoder"])])
        for codec, title in {"jpeg": "JPEG", "photo": "`photo`"}.items():
            found = row[codec]
            if found:
                rows.append(["", f"{title}, quality {found['quality']}", *_layers_cells(found)])
            else:
                rows.append(["", f"{title} does not reach it", "-", "-", "-", "-"])
    return _table(["", "", "PSNR, dB", "SSIM", "ratio", "seconds a picture"], rows)


def seed_layers_jpeg() -> str:
    """System C: JPEG at the document's qualities, and the project's codec at the SSIM it has there."""
    rows = []
    for point in _results("seeds/c_layers")["jpeg_points"]:
        jpeg, photo = point["jpeg"], point["photo"]
        cells = [f"{jpeg['quality']}", f"{jpeg['ssim']:.4f}", f"{jpeg['bytes_a_file']:,.0f}"]
        if photo:
            share = photo["bytes_a_file"] / jpeg["bytes_a_file"] - 1
            cells += [f"{photo['quality']}", f"{photo['ssim']:.4f}", f"{photo['bytes_a_file']:,.0f}", f"{share:+.0%}"]
        else:
            cells += ["-", "not reached", "-", "-"]
        rows.append(cells)
    return _table(["JPEG quality", "SSIM", "bytes a file", "`photo` quality", "SSIM", "bytes a file", ""], rows)


def _layers_cells(found: dict[str, Any]) -> list[str]:
    values = [f"{found['psnr_db']:.2f}", f"{found['ssim']:.4f}", f"{found['ratio_of_all_bytes']:.2f}"]
    return [*values, _seconds(found["seconds_a_picture"])]


def _seconds(value: float) -> str:
    return f"{value:.2g}"


def fine_tuning() -> str:
    """Bytes of fine-tuned models at equal PSNR, against the general one and other codecs."""
    names = {"photo": "`photo`", "webp": "WebP", "avif": "AVIF", "jpeg": "JPEG"}
    rows = []
    for name, row in _results("fine_tuning")["sets"].items():
        rates = row["bd_rate_percent"]
        training = row["training"]
        cells = ["no shared range" if rates[key] is None else f"{rates[key]:+.1f}%" for key in names]
        rows.append([name, *cells, f"{training['steps']:,}", f"{training['minutes_in_all']:.1f}"])
    return _table(["bytes at equal PSNR, against", *names.values(), "steps", "minutes in all"], rows)


def fine_tuning_bytes() -> str:
    """Bytes a picture at the same PSNRs."""
    names = {"photo": "`photo`", "webp": "WebP", "avif": "AVIF", "jpeg": "JPEG"}
    rows = []
    for name, row in _results("fine_tuning")["sets"].items():
        for point in row["bytes_at_psnr"]:
            sizes = [point["bytes"][codec] for codec in (f"tuned/{name}", *names)]
            cells = ["-" if size is None else f"{size:,.0f}" for size in sizes]
            rows.append([name, f"{point['psnr_db']:.1f}", *cells])
    return _table(["set", "PSNR, dB", "fine-tuned", *names.values()], rows)


def _share(value: float) -> str:
    return f"{value:.2%}"


TABLES: dict[str, Callable[[], str]] = {
    table.__name__: table
    for table in (
        *(bd_rates, bd_rates_perceptual, published, kodak_curve, generation_loss, photo_parts, efforts),
        *(small_pictures, speed, speed_by_size, speed_memory, cold_start, latent_layout),
        *(seed_digits, seed_digits_bytes, seed_recogniser, seed_recogniser_classes, seed_decoded),
        *(seed_dense, seed_layers, seed_layers_jpeg, fine_tuning, fine_tuning_bytes),
    )
} | {
    name: functools.partial(lambda make: _table(*make(_results("seeds/e_srgan"))), make)
    for name, make in ENHANCING_TABLES.items()
}


def filled(text: str) -> str:
    """Return a page with every marked table made anew."""
    return _MARKED.sub(lambda match: match[1] + TABLES[match[2]]() + match[3], text)


def main() -> None:
    """Rewrite or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    stale = []
    for page in PAGES:
        path = ROOT / page
        text = path.read_text(encoding="utf-8")
        if filled(text) != text:
            stale.append(page)
            if not options.check:
                path.write_text(filled(text), encoding="utf-8")
    if options.check and stale:
        sys.exit(f"{', '.join(stale)} differ from benchmarks/results; run python benchmarks/tables.py")


def _results(stem: str) -> dict[str, Any]:
    results: dict[str, Any] = json.loads((RESULTS / f"{stem}.json").read_text(encoding="utf-8"))
    return results


def _models(record: dict[str, Any]) -> set[str]:
    return {name for name, codec in record["codecs"].items() if codec["is_model"]}


def _three_digits(value: float) -> str:
    return f"{value:#.3g}".rstrip(".") if value < 1000 else f"{value:.0f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *(["---:"] * (len(head) - 1))], *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


if __name__ == "__main__":
    main()
