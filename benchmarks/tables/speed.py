"""Tables of speed, memory and waiting times."""

from __future__ import annotations

from benchmarks.tables.table import Record, Table, Tables


def speed(record: Record) -> Table:
    """Speed of whole codecs side by side at the sizes where peers were timed, all cores."""
    codecs = list(record["codecs"])
    most = max(row["threads"] for row in record["throughput"])
    speeds = {
        (row["operation"], row["size"], row["codec"]): row["mp_per_s"]
        for row in record["throughput"]
        if row["threads"] == most
    }
    lines = dict.fromkeys((operation, size) for operation, size, codec in speeds if codec not in _models(record))
    rows = [
        [f"{operation}, {size}", *(_three_digits(speeds[operation, size, codec]) for codec in codecs)]
        for operation, size in sorted(lines, key=lambda line: line[0], reverse=True)
    ]
    return Table([f"MP/s, {most} core{'s' if most > 1 else ''}", *codecs], rows)


def speed_by_size(record: Record) -> Table:
    """Time and memory of the models by size of the picture."""
    rows = []
    for line in record["scaling"]:
        name = f"`{line['codec']}`, {line['operation']}"
        rows.append([f"{name}, seconds/MP", *(f"{seconds:.3f}" for seconds in line["seconds_per_megapixel"].values())])
        peaks = [r for r in record["memory"] if (r["codec"], r["operation"]) == (line["codec"], line["operation"])]
        rows.append([f"{name}, peak memory, MiB", *(f"{peak['peak_mib']:.0f}" for peak in peaks)])
        rows.append([f"{name}, without input and output", *(f"{peak['less_input_output_mib']:.0f}" for peak in peaks)])
    return Table(["", *record["scaling"][0]["seconds_per_megapixel"]], rows)


def speed_memory(record: Record) -> Table:
    """Peak memory of whole processes by codec and size."""
    sizes = list(dict.fromkeys(row["size"] for row in record["memory"]))
    peaks = {(row["codec"], row["operation"], row["size"]): row["peak_mib"] for row in record["memory"]}
    rows = [
        [f"{operation}, {codec}", *(f"{peaks[codec, operation, size]:.0f}" for size in sizes)]
        for operation in ("encode", "decode")
        for codec in record["codecs"]
    ]
    return Table(["peak memory, MiB", *sizes], rows)


def cold_start(record: Record) -> Table:
    """Waiting times of new processes, and of opening files in a warm one."""
    starts = record["cold_start"]
    rows = [[name, f"{1000 * figures['median_s']:.0f}"] for name, figures in starts["processes"].items()]
    rows += [[f"Image.open, {codec}, warm", f"{1000 * s:.2f}"] for codec, s in starts["warm_open_s"].items()]
    return Table([f"one picture of {starts['picture']} pixels", "milliseconds"], rows)


def lossless_speed(record: Record) -> Table:
    """Speed of lossless codecs side by side, by size and cores."""
    rows: dict[str, dict[str, str]] = {}
    for row in record["throughput"]:
        threads = row["threads"]
        line = f"{row['operation']}, {row['size']}, {threads} core{'s' if threads > 1 else ''}"
        rows.setdefault(line, {})[row["codec"]] = _three_digits(row["mp_per_s"])
    codecs = list(record["codecs"])
    heading = "MP/s" if record["idle"] else "MP/s, on a machine that other programs used"
    return Table([heading, *codecs], [[line, *(speeds[codec] for codec in codecs)] for line, speeds in rows.items()])


def busy_machine(record: Record) -> Table:
    """Milliseconds of each codec beside so many other programs that compute."""
    rows: dict[str, list[str]] = {}
    counts = sorted({row["other_programs"] for row in record["seconds"]})
    for row in record["seconds"]:
        rows.setdefault(f"{row['operation']}, {row['codec']}", []).append(f"{1000 * row['median_s']:.0f}")
    heading = "milliseconds beside so many other programs"
    return Table([heading, *map(str, counts)], [[line, *rows[line]] for line in sorted(rows, reverse=True)])


def _models(record: Record) -> set[str]:
    return {name for name, codec in record["codecs"].items() if codec["is_model"]}


def _three_digits(value: float) -> str:
    return f"{value:#.3g}".rstrip(".") if value < 1000 else f"{value:.0f}"


TABLES: Tables = {
    "speed": ("speed", speed),
    "speed_by_size": ("speed", speed_by_size),
    "speed_memory": ("speed", speed_memory),
    "cold_start": ("speed", cold_start),
    "lossless_speed": ("lossless_speed", lossless_speed),
    "busy_machine": ("busy_machine", busy_machine),
}
