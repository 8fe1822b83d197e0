"""A training run from a folder of pictures to a model file, for any architecture that has a recipe.

Nothing is printed: what happens is told through a callback, so that a command line or a page can show it.
"""

from __future__ import annotations

import dataclasses
import io
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nncodec import registry
from nncodec.cli.files import write_file
from nncodec.cli.text import count_of
from nncodec.model_file import ModelFile, ModelHead, is_model_name, read_model, write_model
from nncodec.training.checkpoint import has_checkpoint
from nncodec.training.data import Pixels
from nncodec.training.distributed import ALONE, Peers, joined, local_device
from nncodec.training.events import Advanced, Event, Note, OnEvent, Reading, Stage
from nncodec.training.log import CsvLog
from nncodec.training.loop import LoopOptions, Schedule, TrainingReport, fit
from nncodec.training.pictures import Pictures, read_data
from nncodec.training.plots import can_plot, loss_plot
from nncodec.training.recipe import ModelTask, Recipe, RunOptions
from nncodec.training.samples import sample_grid
from nncodec.training.sampling import Batches, batches_for
from nncodec.training.settings import Settings, combine
from nncodec.training.validation import Validation

_LOG_STEPS = 50  # rows of the log at most so far apart
_WARMUP_SHARE = 0.05
_WARMUP_STEPS = 200
# What may differ between the parts of a run: how long it is, how it is watched, and where it computes.
_MAY_CHANGE = {
    "epochs", "steps", "minutes", "learning_rate", "patience", "sample_epochs", "checkpoint_minutes", "device",
}  # fmt: skip


class TrainingStopped(Exception):
    """The run was cancelled; a checkpoint was written, and `resume` goes on from it."""


@dataclass(frozen=True)
class Run:
    """What to train, on what, and where the results go.

    Args:
        architecture: an installed one that has a recipe.
        data: folder of pictures, IDX file or picture.
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

    @property
    def checkpoint(self) -> Path:
        """Where the newest checkpoint lies."""
        return self.folder / "checkpoint.pt"

    @property
    def facts(self) -> Path:
        """Where the run's own settings lie; there from its first moment."""
        return self.folder / "run.json"


@dataclass(frozen=True)
class Result:
    """What a run came to.

    Args:
        model: what was written.
        report: steps and time.
        figures: of the held-back pictures with the weights that were kept, or the last of the training.
    """

    model: ModelHead
    report: TrainingReport
    figures: Mapping[str, float]


def train(
    run: Run,
    on_event: OnEvent = lambda event: None,
    cancel: Callable[[], bool] = lambda: False,
    peers: Peers = ALONE,
) -> Result | None:
    """Train a model and write its file.

    Args:
        run: what to do.
        on_event: told what happens; only in the first of several processes.
        cancel: asked after every step; True ends the run after a checkpoint.
        peers: the processes that train together, as torchrun started them.

    Returns:
        The result; None in processes other than the first, which writes.

    Raises:
        ValueError: settings, data, model or run folder do not do; one line that says what to do.
        NncError: a model, recipe or plugin cannot be used; likewise.
        TrainingDiverged: the loss is no number any more.
        TrainingStopped: `cancel` said so.
        KeyboardInterrupt: Ctrl-C; a checkpoint was written if the training had begun.
        OSError: something cannot be read or written; a checkpoint is never half there.
    """
    if not peers.is_first:
        on_event = _silent
    recipe_class = registry.recipe_of(run.architecture)
    settings = combine(recipe_class, *run.settings)
    device = local_device(settings.run.device)
    _check_targets(run, settings)
    resuming = _check_folder(run, settings, peers)
    pictures = read_data(
        run.data,
        held_back=settings.run.held_back,
        crop=settings.run.crop,
        memory_bytes=settings.run.memory_mib << 20,
        on_note=lambda text: on_event(Note(text)),
        on_read=lambda done, total: on_event(Reading(done, total)),
    )
    recipe = recipe_class(settings.model, pictures.facts, run.base)
    pictures = pictures.converted(recipe.mode)
    colour = "grey" if recipe.mode == "L" else "colour"
    sides = f"{len(pictures.training):,} to train on, {len(pictures.validation):,} held back"
    on_event(Note(f"{count_of(pictures.count, 'picture')} in {colour}: {sides}"))
    batches = batches_for(recipe.size, pictures, settings.run, lambda text: on_event(Note(text)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.run.seed)
        task = recipe.task()
    with joined(peers, device):
        if peers.is_first:
            _begin(run, settings, pictures, resuming, on_event)
        peers.wait()
        report, validation = _fit(run, settings.run, task, batches, device, on_event, cancel, peers)
    if not peers.is_first:
        return None
    task.to("cpu")
    task.eval()
    _draw(run, task, batches, on_event)
    figures = validation.best_figures or report.figures
    card = _card(run, settings, pictures, report, validation)
    return Result(_export(run, recipe, task, pictures.training, card, on_event), report, figures)


def _fit(
    run: Run,
    options: RunOptions,
    task: ModelTask,
    batches: Batches,
    device: torch.device,
    on_event: OnEvent,
    cancel: Callable[[], bool],
    peers: Peers,
) -> tuple[TrainingReport, Validation]:
    steps = options.steps or (options.epochs * batches.steps_per_epoch if options.epochs else None)
    warmup_steps = min(_WARMUP_STEPS, int(_WARMUP_SHARE * steps)) if steps else _WARMUP_STEPS
    schedule = Schedule(options.learning_rate, steps=steps, minutes=options.minutes, warmup_steps=warmup_steps)
    loop = LoopOptions(
        seed=options.seed,
        bfloat16=options.bfloat16,
        checkpoint=run.checkpoint,
        checkpoint_minutes=options.checkpoint_minutes,
        log=run.folder / "log.csv",
        log_steps=min(_LOG_STEPS, batches.validation_steps, max(1, (steps or _LOG_STEPS) // 10)),
        device=str(device),
    )
    validation_log = CsvLog(run.folder / "validation.csv") if peers.is_first else None

    def draw_samples(epoch: int) -> None:
        if peers.is_first:
            _write_samples(run.folder / "samples" / f"epoch-{epoch:04d}.png", task, batches, device)

    validation = Validation(
        task,
        batches,
        options,
        device,
        log=validation_log,
        peers=peers,
        on_event=on_event,
        on_samples=draw_samples,
    )
    told = _Told(on_event)
    cancelled = False

    def after_step(step: int, progress: float, elapsed_s: float) -> bool:
        nonlocal cancelled
        told.step(step, progress, elapsed_s)
        cancelled = cancelled or cancel()
        return not cancelled

    report = fit(
        task,
        batches.sampler,
        schedule,
        loop,
        on_progress=told.figures,
        on_step=after_step,
        on_note=lambda text: on_event(Note(text)),
        watcher=validation,
        peers=peers,
    )
    if peers.any(cancelled, device):
        raise TrainingStopped(f"stopped at step {report.steps:,}")
    validation.finish(report.steps)
    return report, validation


class _Told:
    """Turns what the loop says into events."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._latest: Mapping[str, float] = {}
        self._fresh = False

    def figures(self, step: int, progress: float, figures: Mapping[str, float]) -> None:
        self._latest, self._fresh = figures, True

    def step(self, step: int, progress: float, elapsed_s: float) -> None:
        left_s = elapsed_s * (1 - progress) / progress if progress > 0 else float("inf")
        self._on_event(Advanced(step, progress, elapsed_s, left_s, self._latest, self._fresh))
        self._fresh = False


# --- before -------------------------------------------------------------------------------------------------------


def _check_targets(run: Run, settings: Settings) -> None:
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
    given = {name for source in run.settings for name in source}
    for name in sorted(given & base.config.keys()):
        kept = base.config[name]
        if getattr(settings.model, name, kept) != kept:
            raise ValueError(f"{base.name} has {name} = {kept!r} and keeps it; leave {name} out, or train anew")


def _check_folder(run: Run, settings: Settings, peers: Peers) -> bool:
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
    now = _facts(run, settings)
    for key in ("architecture", "base"):
        if before.get(key) != now[key]:
            raise ValueError(f"the run in {run.folder} has {key} {before.get(key)!r}, not {now[key]!r}")
    for name in sorted({*settings_before, *now["settings"]} - _MAY_CHANGE):
        if settings_before.get(name) != now["settings"].get(name):
            raise ValueError(
                f"the run in {run.folder} has {name} = {settings_before.get(name)!r}, not "
                f"{now['settings'].get(name)!r}; resume it with that, or begin anew in another folder (--run)"
            )
    return True


def _begin(run: Run, settings: Settings, pictures: Pictures, resuming: bool, on_event: OnEvent) -> None:
    facts = _facts(run, settings) | {"pictures": [len(pictures.training), len(pictures.validation)]}
    if resuming:
        before = json.loads(run.facts.read_text(encoding="utf-8"))
        if before.get("pictures") != facts["pictures"]:
            on_event(Note("the pictures are not those that the run began with; it goes on with what there is"))
        if not has_checkpoint(run.checkpoint):
            on_event(Note("the run has no checkpoint yet; it starts from the beginning"))
    step = 0
    if not has_checkpoint(run.checkpoint):
        CsvLog(run.folder / "validation.csv").cut(step)
    run.folder.mkdir(parents=True, exist_ok=True)
    write_file(run.facts, (json.dumps(facts, indent=2) + "\n").encode())


def _facts(run: Run, settings: Settings) -> dict[str, Any]:
    base = run.base.digest if run.base else None
    return {"architecture": run.architecture, "base": base, "settings": settings.as_dict()}


# --- after --------------------------------------------------------------------------------------------------------


def _draw(run: Run, task: ModelTask, batches: Batches, on_event: OnEvent) -> None:
    _write_samples(run.folder / "samples.png", task, batches, torch.device("cpu"))
    if can_plot():
        rows = [CsvLog(run.folder / name).rows() for name in ("log.csv", "validation.csv")]
        write_file(run.folder / "loss.png", loss_plot(*rows))
    else:
        on_event(Note('no plot is drawn, since matplotlib is not installed: pip install "nncodec-image[train]"'))


def _write_samples(path: Path, task: ModelTask, batches: Batches, device: torch.device) -> None:
    shown = batches.validation or [batches.sampler.batch(0)]
    buffer = io.BytesIO()
    sample_grid(task, shown, device).save(buffer, "PNG")
    write_file(path, buffer.getvalue())


def _card(
    run: Run, settings: Settings, pictures: Pictures, report: TrainingReport, validation: Validation
) -> dict[str, Any]:
    held_back = f"{len(pictures.validation):,} pictures held back"
    card: dict[str, Any] = {
        "summary": f"{run.architecture} trained on {count_of(pictures.count, 'picture')} of {pictures.name}",
        "training_data": f"{pictures.name}: {len(pictures.training):,} pictures, and {held_back}",
        "training": {
            "steps": report.steps,
            "minutes": round(report.elapsed_s / 60, 1),
            "settings": {name: value for name, value in settings.as_dict().items() if name != "device"},
        },
    }
    if validation.best_figures:
        card["measured"] = {"on": held_back, "step": validation.best_step}
        card["measured"] |= {name: float(f"{value:.6g}") for name, value in validation.best_figures.items()}
    if run.licence:
        card["licence"] = run.licence
    if run.base is not None:
        card["base"] = {"name": run.base.name, "digest": run.base.digest}
    return card


def _export(
    run: Run,
    recipe: Recipe,
    task: ModelTask,
    pictures: Sequence[Pixels],
    card: Mapping[str, Any],
    on_event: OnEvent,
) -> ModelHead:
    trained = recipe.export(task, pictures, lambda text: on_event(Stage(text)))
    on_event(Stage("writing the model"))
    run.output.parent.mkdir(parents=True, exist_ok=True)
    temporary = run.output.with_name(f".{run.output.stem}-{secrets.token_hex(4)}.part")
    try:
        written = write_model(
            temporary,
            architecture=trained.architecture,
            config=trained.config,
            name=run.name,
            card=card,
            tensors=trained.tensors,
        )
        registry.build_model(read_model(temporary))  # a file that cannot be opened must not take the name
        temporary.replace(run.output)
    finally:
        temporary.unlink(missing_ok=True)
    head = {one.name: getattr(written, one.name) for one in dataclasses.fields(ModelHead)}
    return ModelHead(**head | {"path": run.output})


def _silent(event: Event) -> None:
    pass
