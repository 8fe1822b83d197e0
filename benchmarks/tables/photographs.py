"""Tables of the photo models: rates beside other codecs, generation loss, parts, latent layouts."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.tables.table import Record, Table, Tables, percent

PEERS = {
    "jpeg": "JPEG",
    "jpegli": "jpegli",
    "webp": "WebP",
    "avif": "AVIF",
    "avif-ssimulacra2": "AVIF for SSIMULACRA2",
    "avif-psnr": "AVIF for PSNR",
    "jxl": "JPEG XL",
    "jxl9": "JPEG XL effort 9",
}
SETS = {"kodak": "Kodak", "skimage": "scikit-image"}
METRICS = {"ssimulacra2": "SSIMULACRA2", "ms_ssim": "MS-SSIM", "colorvideovdp": "ColorVideoVDP", "psnr_db": "PSNR"}


def bd_rates(record: Record) -> Table:
    """BD-rate of the default photo model against other codecs on both sets, by every metric."""
    rows = []
    for name, title in SETS.items():
        rates = record[name]["bd_rate_percent"]["hyperprior/photo"]
        pictures = f"{title} ({record[name]['pictures']})"
        rows += [[f"{pictures}, {metric}", *_percents(rates, key)] for key, metric in METRICS.items()]
    return Table(["bytes of `photo` at equal", *PEERS.values()], rows)


def bd_rates_psnr(record: Record) -> Table:
    """BD-rate of both photo models against other codecs on both sets, by PSNR."""
    rows = []
    for model in record["kodak"]["bd_rate_percent"]:
        for name, title in SETS.items():
            rates = record[name]["bd_rate_percent"][model]
            rows.append([f"`{model}`, {title}", *_percents(rates, "psnr_db")])
    return Table(["bytes at equal PSNR, against", *PEERS.values()], rows)


def published(record: Record) -> Table:
    """BD-rate of the default photo model against published curves on Kodak."""
    rates = record["kodak"]["bd_rate_percent"]["hyperprior/photo"]
    published_rates = {
        name.removeprefix("published "): value for name, value in rates.items() if name.startswith("published ")
    }
    row = ["bytes at equal PSNR", *(percent(value["psnr_db"]) for value in published_rates.values())]
    return Table(["against", *published_rates], [row])


def kodak_curve(record: Record) -> Table:
    """Rate, PSNR and SSIMULACRA2 of the default photo model at each quality on Kodak."""
    points = record["kodak"]["curves"]["hyperprior/photo"]
    rows = [
        ["bits per pixel", *(f"{p['bpp']:.3f}" for p in points)],
        ["PSNR, dB", *(f"{p['psnr_db']:.2f}" for p in points)],
        ["SSIMULACRA2", *(f"{p['ssimulacra2']:.1f}" for p in points)],
    ]
    return Table(["quality", *(str(p["quality"]) for p in points)], rows)


def generation_loss(record: Record) -> Table:
    """PSNR after repeated encoding."""
    loss = record["generations"]["psnr_db"]
    shown = (1, 2, 5, 10)
    rows = [[f"`{name}`", *(f"{values[n - 1]:.2f}" for n in shown)] for name, values in loss.items()]
    return Table(["PSNR in dB after so many encodings", *map(str, shown)], rows)


def photo_parts(record: Record) -> Table:
    """Rates by coder, and shares of hyper-latents and phases, by quality."""
    by_quality = record["by_quality"]
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
    return Table(["quality", *by_quality], rows)


def context_parts(record: Record) -> Table:
    """How much larger files are when contexts see less."""
    base, *others = record["bpp"].items()
    rows = [[base[0], *(f"{value:.3f}" for value in base[1].values())]]
    for name, values in others:
        rows.append([name, *(percent(100 * (value / base[1][quality] - 1)) for quality, value in values.items())])
    return Table(["bits per pixel at quality", *base[1]], rows)


def efforts(record: Record) -> Table:
    """What higher efforts save, and what they take."""
    levels = record["levels"]
    rows = [
        [name, *(form(figures[key]) for figures in levels.values())]
        for key, name, form in (
            ("bd_rate_percent_ssimulacra2", "bytes at equal SSIMULACRA2", percent),
            ("bd_rate_percent_psnr_db", "bytes at equal PSNR", percent),
            ("encode_seconds_per_megapixel", "seconds for a million pixels", "{:.1f}".format),
        )
    ]
    return Table(["against effort 0", *levels], rows)


def block_edges(record: Record) -> Table:
    """Steps across the edges of blocks by codec and rate."""
    rates = record["rates"]
    codecs = next(iter(rates.values()))
    names = {"hyperprior/photo": "`photo`", **PEERS}
    rows = [[names[codec], *(f"{of_rate[codec]['grid']:.2f}" for of_rate in rates.values())] for codec in codecs]
    return Table(["steps across the edges of blocks", *(f"{rate} bits per pixel" for rate in rates)], rows)


def latent_layout(record: Record) -> Table:
    """Size of every layout as a multiple of the ideal."""
    by_quality = record["by_quality"]
    layouts = [name for name in next(iter(by_quality.values())) if name != "ideal"]
    rows = [[name, *(f"{sizes[name] / sizes['ideal']:.3f}" for sizes in by_quality.values())] for name in layouts]
    rows.append(["ideal, bytes", *(f"{sizes['ideal']:,}" for sizes in by_quality.values())])
    return Table(["layout", *(f"quality {quality}" for quality in by_quality)], rows)


def _percents(rates: Mapping[str, Mapping[str, float | None]], metric: str) -> list[str]:
    return [percent(rates[name].get(metric)) if name in rates else "-" for name in PEERS]


TABLES: Tables = {
    "bd_rates": ("kodak", bd_rates),
    "bd_rates_psnr": ("kodak", bd_rates_psnr),
    "published": ("kodak", published),
    "kodak_curve": ("kodak", kodak_curve),
    "generation_loss": ("kodak", generation_loss),
    "photo_parts": ("photo_model", photo_parts),
    "context_parts": ("context_parts", context_parts),
    "efforts": ("efforts", efforts),
    "block_edges": ("block_edges", block_edges),
    "latent_layout": ("latent_layout", latent_layout),
}
