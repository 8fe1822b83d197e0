"""Tables of models for pictures of one kind: small pictures, and the photo model after fine-tuning."""

from __future__ import annotations

from benchmarks.tables.table import Record, Table, Tables

_METRICS = {"psnr_db": "PSNR", "ssimulacra2": "SSIMULACRA2"}
_COMPARED = {"photo": "`photo`", "webp": "WebP", "avif": "AVIF", "jpeg": "JPEG"}


def small_pictures(record: Record) -> Table:
    """Bytes and error of the small models on their test sets."""
    rows = []
    for model, result in record["results"].items():
        webp = result["peers"]["WebP quality 0"]
        stacked = result["stacked"]["bytes_a_picture"]
        cells = [f"{result['bytes_a_file']['mean']:.0f}", f"{stacked:.1f}", f"{result['mse']:.4f}"]
        rows.append([f"`{model}`", *cells, f"{webp['bytes_a_file']:.0f} at {webp['mse']:.4f}"])
    header = [
        "10,000 test pictures",
        "bytes a file",
        "bytes in one stacked file",
        "mean squared error",
        "WebP, quality 0",
    ]
    return Table(header, rows)


def fine_tuning(record: Record) -> Table:
    """Bytes of fine-tuned models at equal quality, against the general one and other codecs."""
    rows = []
    for name, row in record["sets"].items():
        training = row["training"]
        effort = [f"{training['steps']:,}", f"{training['minutes_in_all']:.1f}"]
        for metric, title in _METRICS.items():
            rates = row["bd_rate_percent"][metric]
            cells = ["no shared range" if rates[key] is None else f"{rates[key]:+.1f}%" for key in _COMPARED]
            rows.append([name, title, *cells, *effort])
    return Table(["bytes of", "at equal", *_COMPARED.values(), "steps", "minutes in all"], rows)


def fine_tuning_bytes(record: Record) -> Table:
    """Bytes a picture at the same PSNRs."""
    rows = []
    for name, row in record["sets"].items():
        for point in row["bytes_at_psnr"]:
            sizes = [point["bytes"][codec] for codec in (f"tuned/{name}", *_COMPARED)]
            cells = ["-" if size is None else f"{size:,.0f}" for size in sizes]
            rows.append([name, f"{point['psnr_db']:.1f}", *cells])
    return Table(["set", "PSNR, dB", "fine-tuned", *_COMPARED.values()], rows)


TABLES: Tables = {
    "small_pictures": ("small_pictures", small_pictures),
    "fine_tuning": ("fine_tuning", fine_tuning),
    "fine_tuning_bytes": ("fine_tuning", fine_tuning_bytes),
}
