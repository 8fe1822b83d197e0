"""Pictures that this package draws of its own work, which are no data for that work."""

from __future__ import annotations

from pathlib import Path

_OF_RUNS = {"loss.png", "samples.png"}
_RECORD = "run.json"


def is_drawing(path: Path) -> bool:
    """Return whether a picture is the plot or the samples of a training run, or a plot of a report of `compare`.

    They may lie below the folder of pictures that the next run takes, and would become training pictures, or be
    measured. What lies beside them tells them from pictures of the user that have such names.
    """
    folder, above = path.parent, path.parent.parent
    if path.name in _OF_RUNS:
        return (folder / _RECORD).is_file()
    if folder.name == "samples":
        return (above / _RECORD).is_file()
    return folder.name == "plots" and (above / "report.html").is_file() and (above / "data").is_dir()
