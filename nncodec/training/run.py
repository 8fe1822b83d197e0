"""What to train, on what, and where the results go: and whether it can begin, or be gone on with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nncodec._support.files import write_file
from nncodec.plugin import registry
from nncodec.plugin.model_file import ModelFile, is_model_name
from nncodec.training import recipes
from nncodec.training.checkpoint import has_checkpoint
from nncodec.training.distributed import Peers
from nncodec.training.events import Note, OnEvent
from nncodec.training.log import CsvLog
from nncodec.training.pictures import Pictures
from nncodec.training.settings import Settings, settings_of

# What may differ between the parts of a run: how long it is, how it is watched, and where it computes.
_MAY_CHANGE = {
    "epochs", "steps", "minutes", "learning_rate", "patience", "sample_epochs", "checkpoint_minutes", "device",
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What to train, on what, and where the results go.

    Args:
        architecture: an installed one that has a recipe.
        data: folder of pictures, IDX file or picture.
        low: folder of worse pictures by the same names, for a recipe that takes pairs; None where it makes its own.
        output: the model file to write, `.safetensors`.
        name: what the model is called.
        folder: for checkpoints, logs, plot and samples.
        settings: by name, in order of precedence, see `nncodec.training.settings.combine`.
        base: the model to go on from; None starts anew.
        resume: go on with the run in `folder`.
        overwrite: replace `output`.
        licence: for the model card.
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

    @property
    def checkpoint(self) -> Path:
        """Where the newest checkpoint lies."""
        return self.folder / "checkpoint.pt"

    @property
    def facts(self) -> Path:
        """Where the run's own settings lie; there from its first moment."""
        return self.folder / "run.json"


def check_targets(run: Run, settings: Settings) -> None:
    """Refuse what would only come out at the end."""
    if run.output.suffix != ".safetensors":
        raise ValueError(f"{run.output} does not end in .safetensors, as model files do")
    if run.output.is_dir() or (run.output.exists() and not run.overwrite):
        raise ValueError(f"{run.output} is already there; choose another, or overwrite it with -f")
    if not is_model_name(run.name):
        raise ValueError(f"{run.name!r} cannot name a model; use lower-case letters, digits, '.', '_' and '-'")
    installed = registry.catalog()
    if run.name in installed.models or run.name in installed.aliases:
        raise ValueError(f"a model named {run.name!r} is already installed; choose another name")
    if run.base is not None:
        _check_base(run, run.base, settings)


def _check_base(run: Run, base: ModelFile, settings: Settings) -> None:
    """Refuse a base of another architecture, and settings that would give it another shape."""
    if base.architecture != run.architecture:
        raise ValueError(f"{base.name} is a model of {base.architecture}, not of {run.architecture}")
    for name in sorted(settings.given & base.config.keys()):
        kept = base.config[name]
        if getattr(settings.model, name, kept) != kept:
            raise ValueError(f"{base.name} has {name} = {kept!r} and keeps it; leave {name} out, or train anew")


def check_folder(run: Run, settings: Settings, peers: Peers) -> bool:
    """Return whether a run in the folder is gone on with; refuse one that is there, not there, or another."""
    there = run.facts.exists() or has_checkpoint(run.checkpoint)
    if not there and run.resume and not peers.restarts:
        raise ValueError(f"there is no run to resume in {run.folder}")
    if not there:
        return False
    if not run.resume and not peers.restarts:
        raise ValueError(f"a run is in {run.folder} already; go on with --resume, or choose another folder with --run")
    try:
        before = json.loads(run.facts.read_text(encoding="utf-8"))
        settings_before = dict(before["settings"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{run.facts} cannot be read; begin anew in another folder (--run)") from error
    now, known = _facts(run, settings), settings_of(recipes.recipe_of(run.architecture))
    for key in ("architecture", "base"):
        if before.get(key) != now[key]:
            raise ValueError(f"the run in {run.folder} has {key} {before.get(key)!r}, not {now[key]!r}")
    if bool(before.get("pairs")) != (run.low is not None):
        began = "with" if run.low is None else "without"
        raise ValueError(f"the run in {run.folder} was begun {began} a folder of worse pictures (--low); resume it so")
    # What a run of an older version does not know was as it is by default.
    settings_before = {name: one.default for name, one in known.items() if one.default is not None} | settings_before
    for name in sorted(known.keys() - _MAY_CHANGE):
        if settings_before.get(name) != now["settings"].get(name):
            raise ValueError(
                f"the run in {run.folder} has {name} = {settings_before.get(name)!r}, not "
                f"{now['settings'].get(name)!r}; resume it with that, or begin anew in another folder (--run)"
            )
    return True


def begin(run: Run, settings: Settings, pictures: Pictures, resuming: bool, on_event: OnEvent) -> None:
    """Make the run's folder, write down its settings, and say what a run that is gone on with should know."""
    facts = _facts(run, settings) | {"pictures": [len(pictures.training), len(pictures.validation)]}
    if resuming:
        before = json.loads(run.facts.read_text(encoding="utf-8"))
        if before.get("pictures") != facts["pictures"]:
            on_event(Note("the pictures are not those that the run began with; it goes on with what there is"))
        if not has_checkpoint(run.checkpoint):
            on_event(Note("the run has no checkpoint yet; it starts from the beginning"))
    if not has_checkpoint(run.checkpoint):
        CsvLog(run.folder / "validation.csv").cut(0)
    run.folder.mkdir(parents=True, exist_ok=True)
    write_file(run.facts, (json.dumps(facts, indent=2) + "\n").encode())


def _facts(run: Run, settings: Settings) -> dict[str, Any]:
    base = run.base.digest if run.base else None
    facts = {"architecture": run.architecture, "base": base, "settings": settings.as_dict()}
    return facts | {"pairs": True} if run.low is not None else facts
