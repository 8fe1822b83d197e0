"""Describes a run, and checks whether it can start or resume."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nncodec._support.files import (
    is_folder,
    is_special,
    is_there,
    make_folder,
    require_writable,
    write_file,
)
from nncodec._support.text import describe
from nncodec.errors import InvalidOption
from nncodec.plugin import registry
from nncodec.plugin.model_file import ModelFile, is_model_name
from nncodec.training.checkpoint import has_checkpoint
from nncodec.training.distributed import ProcessGroup
from nncodec.training.events import Note, OnEvent
from nncodec.training.log import CsvLog
from nncodec.training.recipe import find_recipe
from nncodec.training.sampling import Batches
from nncodec.training.settings import RunSettings, settings_of
from nncodec.training.training_set import TrainingSet

# What may change when a run is resumed: its length, how it is monitored, and where it computes.
_MAY_CHANGE = {
    "epochs", "steps", "minutes", "learning_rate", "patience", "sample_epochs", "checkpoint_minutes", "device",
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What to train, on what, and where the results go.

    Args:
        architecture: name of an installed one that has a recipe.
        data: folder of pictures, IDX file or picture.
        low: folder of worse pictures with the same names, for a recipe that takes pairs; None if it makes its own.
        output: the model file to write, `.safetensors`.
        name: of the model.
        folder: for checkpoints, logs, plot and samples.
        settings: by name, later ones win, see `nncodec.training.settings.combine`.
        base: the model to continue from; None starts from scratch.
        resume: continue the run in `folder`.
        overwrite: replace `output`.
        licence: for the model card.

    Raises:
        InvalidOption: a place is no path.
    """

    architecture: str
    data: Path
    output: Path
    name: str
    folder: Path
    settings: Sequence[Mapping[str, Any]] = ()
    base: ModelFile | None = None
    resume: bool = False
    overwrite: bool = False
    licence: str = ""
    low: Path | None = None

    def __post_init__(self) -> None:
        for name in ("data", "output", "folder", "low"):
            place = getattr(self, name)
            if place is None and name == "low":
                continue
            if not isinstance(place, str | os.PathLike):
                raise InvalidOption(option=name, reason=f"expected a path, got {type(place).__name__}")
            object.__setattr__(self, name, Path(place))

    @property
    def checkpoint(self) -> Path:
        """Where the newest checkpoint is kept."""
        return self.folder / "checkpoint.pt"

    @property
    def record_path(self) -> Path:
        """Where the run's own settings are kept; the file exists from its start."""
        return self.folder / "run.json"


def check_targets(run: Run, settings: RunSettings) -> None:
    """Refuse early what would otherwise fail at the end."""
    if run.output.suffix != ".safetensors":
        raise ValueError(f"{run.output} does not end in .safetensors, as model files do")
    _check_output(run.output, run.overwrite)
    if not is_model_name(run.name):
        raise ValueError(f"{run.name!r} cannot name a model; use lower-case letters, digits, '.', '_' and '-'")
    installed = registry.catalog()
    if run.name in installed.models or run.name in installed.aliases:
        raise ValueError(f"a model named {run.name!r} is already installed; choose another name")
    if run.base is not None:
        _check_base(run, run.base, settings)


def _check_output(output: Path, overwrite: bool) -> None:
    """Refuse a model file that could not be written, and one that is there unless it may be overwritten."""
    if is_folder(output) or is_special(output):
        raise ValueError(f"{output} is {'a folder' if is_folder(output) else 'no file'}; choose another name with -o")
    if is_there(output) and not overwrite:
        raise ValueError(f"{output} already exists; choose another, or overwrite it with -f")
    if os.path.lexists(output) and not overwrite:
        raise ValueError(f"{output} is a link to a file that does not exist; use -f to replace the link")
    try:
        require_writable(output)
    except OSError as error:
        raise ValueError(f"{output} cannot be written ({describe(error)}); choose another place with -o") from error


def _check_base(run: Run, base: ModelFile, settings: RunSettings) -> None:
    """Refuse a base of another architecture, and settings that would give it another shape."""
    if base.architecture != run.architecture:
        raise ValueError(f"{base.name} is a model of {base.architecture}, not of {run.architecture}")
    for name in sorted(settings.given & base.config.keys()):
        kept = base.config[name]
        if getattr(settings.model, name, kept) != kept:
            raise ValueError(f"{base.name} has {name} = {kept!r} and keeps it; leave {name} out, or train from scratch")


def check_folder(run: Run, settings: RunSettings, processes: ProcessGroup) -> bool:
    """Return whether the run resumes the one in its folder.

    Raises:
        ValueError: the folder holds a run that should not be resumed, none that could be, one with other settings, or
            files of something else.
    """
    exists = run.record_path.exists() or has_checkpoint(run.checkpoint)
    if not exists and run.resume and not processes.restarts:
        raise ValueError(f"there is no run to resume in {run.folder}")
    if not exists:
        _check_empty(run.folder)
        return False
    if not run.resume and not processes.restarts:
        raise ValueError(
            f"{run.folder} already holds a run; continue it with --resume, or choose another folder with --run"
        )
    try:
        before = json.loads(run.record_path.read_text(encoding="utf-8"))
        settings_before = dict(before["settings"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{run.record_path} cannot be read; start again in another folder (--run)") from error
    now, known = _record(run, settings), settings_of(find_recipe(run.architecture))
    for key in ("architecture", "base"):
        if before.get(key) != now[key]:
            raise ValueError(f"the run in {run.folder} has {key} {before.get(key)!r}, not {now[key]!r}")
    if bool(before.get("pairs")) != (run.low is not None):
        started = "with" if run.low is None else "without"
        raise ValueError(f"the run in {run.folder} started {started} a folder of worse pictures (--low); resume it so")
    # A run of an older version lacks newer settings: it ran with their defaults.
    defaults = {name: setting.default for name, setting in known.items() if setting.default is not None}
    settings_before = defaults | settings_before
    for name in sorted(known.keys() - _MAY_CHANGE):
        if settings_before.get(name) != now["settings"].get(name):
            raise ValueError(
                f"the run in {run.folder} has {name} = {settings_before.get(name)!r}, not "
                f"{now['settings'].get(name)!r}; resume it with that, or start again in another folder (--run)"
            )
    return True


def _check_empty(folder: Path) -> None:
    """Refuse a folder with files of the user, which the run's own might replace: pictures have such names, too."""
    if folder.exists() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise ValueError(f"{folder} has files that belong to no run; give an empty or a new folder with --run")


def begin(
    run: Run, settings: RunSettings, pictures: TrainingSet, batches: Batches, resuming: bool, on_event: OnEvent
) -> None:
    """Create the run's folder, record its settings, and note what has changed since a run that resumes."""
    now = {
        "pictures": [len(pictures.training), len(pictures.validation)],
        "validation_digest": batches.validation_digest,
    }
    if resuming:
        before = json.loads(run.record_path.read_text(encoding="utf-8"))
        # A run of an older version does not say what it validated on.
        if any(before.get(key, now[key]) != value for key, value in now.items()):
            on_event(
                Note(
                    "the pictures have changed since the run started; it continues with the current ones, and what was "
                    "measured on others no longer counts"
                )
            )
        if not has_checkpoint(run.checkpoint):
            on_event(Note("the run has no checkpoint yet; it starts from the beginning"))
    if not has_checkpoint(run.checkpoint):
        CsvLog(run.folder / "validation.csv").cut(0)
    make_folder(run.folder)
    record = _record(run, settings) | now
    write_file(run.record_path, (json.dumps(record, indent=2) + "\n").encode())


def _record(run: Run, settings: RunSettings) -> dict[str, Any]:
    base = run.base.digest if run.base else None
    record = {"architecture": run.architecture, "base": base, "settings": settings.as_dict()}
    return record | {"pairs": True} if run.low is not None else record
