"""Tables of source systems A to D beside their documents' figures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from benchmarks.tables.table import Record, Table, Tables


def seed_digits(record: Record) -> Table:
    """System A: losses after the last epoch beside the document's."""
    document, last = record["document"], record["history"][-1]
    header = [f"after {last['epoch']} epochs", "document", "plain", f"quantized, {record['code']['levels']} levels"]
    rows = [
        [part, f"{document[part]:.4f}", f"{last[f'{part}_plain']:.4f}", f"{last[f'{part}_quantized']:.4f}"]
        for part in ("train", "test")
    ]
    return Table(header, rows)


def seed_digits_bytes(record: Record) -> Table:
    """System A: bytes of a digit as a code and in files."""
    values, levels, files = record["code"]["values"], record["code"]["levels"], record["files"]
    rows = [
        [f"the code, {values} values as float32", f"{4 * values}"],
        [f"the code, {values} values of {levels} levels, packed", f"{values * (levels - 1).bit_length() / 8:.0f}"],
        ["`.nnc`, a file each", f"{files['bytes_a_file']:.1f}"],
        [f"`.nnc`, {files['pictures']:,} digits in one file", f"{files['bytes_a_picture_stacked']:.1f}"],
    ]
    return Table(["", "bytes a digit"], rows)


def seed_recogniser(record: Record) -> Table:
    """System D: accuracy on the test set beside the document's."""
    document, test, plain = record["document"], record["test"], record["plain"]
    rows = [
        ["VGG16 starts from", "ImageNet weights", "random weights"],
        ["epochs", f"{document['epochs']}", f"{record['training']['epochs']}"],
        ["VGG16, test accuracy", _share(document["accuracy"]), _share(test["accuracy"])],
        ["VGG16, test loss", "-", f"{test['loss']:.4f}"],
        ["plain network, test accuracy", _share(document["plain_accuracy"]), _share(plain["accuracy"])],
        ["plain network, test loss", f"{document['plain_loss']:.3f}", f"{plain['loss']:.4f}"],
    ]
    return Table(["", "document", "here"], rows)


def seed_recogniser_classes(record: Record) -> Table:
    """System D: the classification report."""
    rows = [
        [str(row["class"]), *(f"{row[kind]:.4f}" for kind in ("precision", "recall", "f1")), f"{row['support']:,}"]
        for row in record["test"]["classes"]
    ]
    return Table(["digit", "precision", "recall", "F1", "test digits"], rows)


def seed_decoded(record: Record) -> Table:
    """System D: accuracy on decoded digits."""
    rows = []
    for point in record["decoded"]:
        name = point["codec"] if point["quality"] is None else f"{point['codec']}, quality {point['quality']}"
        coded = "mse" in point
        size = f"{point['bytes_a_file']:.0f}" if coded else "784 raw"
        psnr = f"{-10 * math.log10(point['mse']):.1f}" if coded else "-"
        rows.append([name, size, psnr, _share(point["accuracy"])])
    return Table(["digits as", "bytes a file", "PSNR, dB", "accuracy"], rows)


def seed_dense(record: Record) -> Table:
    """System B: errors and factors of the twelve members beside the document's."""
    rows = []
    for row in record["members"]:
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
    header = ["member", "document: train", "test", "here: train", "test", "test, quantized"]
    header += ["document: factor", "so counted here", "`.nnc`, a file each", "all in one file", "epochs"]
    return Table(header, rows)


def seed_layers(record: Record) -> Table:
    """System C: the autoencoders beside the document's, and other codecs at their SSIM."""
    rows = []
    for row in record["models"]:
        document = row["document"]
        title = f"{row['layers']} layers"
        printed = [f"{document['psnr_db']:.2f}", f"{document['ssim']:.4f}", f"{document['ratio']:.2f}"]
        rows.append([title, "document, autoencoder", *printed, _two_digits(document["seconds"])])
        rows.append(["", "autoencoder", *_layers_cells(row["autoencoder"])])
        for codec, name in {"jpeg": "JPEG", "photo": "`photo`"}.items():
            measured = row[codec]
            if measured:
                rows.append(["", f"{name}, quality {measured['quality']}", *_layers_cells(measured)])
            else:
                rows.append(["", f"{name} does not reach it", "-", "-", "-", "-"])
    return Table(["", "", "PSNR, dB", "SSIM", "ratio", "seconds a picture"], rows)


def seed_layers_jpeg(record: Record) -> Table:
    """System C: JPEG at the document's qualities, and `photo` at the same SSIM."""
    rows = []
    for point in record["jpeg_points"]:
        jpeg, photo = point["jpeg"], point["photo"]
        cells = [f"{jpeg['quality']}", f"{jpeg['ssim']:.4f}", f"{jpeg['bytes_a_file']:,.0f}"]
        if photo:
            share = photo["bytes_a_file"] / jpeg["bytes_a_file"] - 1
            cells += [f"{photo['quality']}", f"{photo['ssim']:.4f}", f"{photo['bytes_a_file']:,.0f}", f"{share:+.0%}"]
        else:
            cells += ["-", "not reached", "-", "-"]
        rows.append(cells)
    return Table(["JPEG quality", "SSIM", "bytes a file", "`photo` quality", "SSIM", "bytes a file", ""], rows)


def _layers_cells(measured: Mapping[str, Any]) -> list[str]:
    values = [f"{measured['psnr_db']:.2f}", f"{measured['ssim']:.4f}", f"{measured['ratio_of_all_bytes']:.2f}"]
    return [*values, _two_digits(measured["seconds_a_picture"])]


def _two_digits(value: float) -> str:
    return f"{value:.2g}"


def _share(value: float) -> str:
    return f"{value:.2%}"


TABLES: Tables = {
    "seed_digits": ("seeds/a_digits", seed_digits),
    "seed_digits_bytes": ("seeds/a_digits", seed_digits_bytes),
    "seed_recogniser": ("seeds/d_recogniser", seed_recogniser),
    "seed_recogniser_classes": ("seeds/d_recogniser", seed_recogniser_classes),
    "seed_decoded": ("seeds/d_recogniser", seed_decoded),
    "seed_dense": ("seeds/b_dense_family", seed_dense),
    "seed_layers": ("seeds/c_layers", seed_layers),
    "seed_layers_jpeg": ("seeds/c_layers", seed_layers_jpeg),
}
