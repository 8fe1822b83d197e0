"""A training run from a folder of pictures to a model file, for any architecture that has a recipe.

Nothing is printed: what happens is told through a callback, so that a command line or a page can show it.
"""

from __future__ import annotations

import dataclasses
import io
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nncodec._support.files import write_file
from nncodec._support.text import count_of
from nncodec.plugin import registry
from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import ModelHead, read_model, write_model
from nncodec.training import recipes
from nncodec.training.course import TrainingReport
from nncodec.training.distributed import ALONE, Peers, joined, local_device
from nncodec.training.events import Advanced, Event, Note, OnEvent, Reading, Stage
from nncodec.training.log import CsvLog
from nncodec.training.loop import LoopOptions, Schedule, fit
from nncodec.training.pairs import read_pairs
from nncodec.training.pictures import Pictures, read_data
from nncodec.training.plots import can_plot, loss_plot
from nncodec.training.recipe import ModelTask, Recipe, RunOptions
from nncodec.training.run import Run, begin, check_folder, check_targets
from nncodec.training.samples import sample_grid
from nncodec.training.sampling import Batches, batches_for
from nncodec.training.settings import Settings, combine
from nncodec.training.validation import Validation

__all__ = ["Result", "Run", "TrainingStopped", "train"]

_LOG_STEPS = 50  # rows of the log at most so far apart
_WARMUP_SHARE = 0.05
_WARMUP_STEPS = 200


class TrainingStopped(Exception):
    """The run was cancelled; a checkpoint was written, and `resume` goes on from it."""


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
        cancel: asked after every step, and while pictures are prepared; True ends the run after a checkpoint.
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
    recipe_class = recipes.recipe_of(run.architecture)
    settings = combine(recipe_class, *run.settings)
    if run.low is not None and not recipe_class.takes_pairs:
        raise ValueError(f"{run.architecture} does not learn from pairs of pictures; leave the worse ones (--low) out")
    device = local_device(settings.run.device)
    check_targets(run, settings)
    resuming = check_folder(run, settings, peers)
    pictures = _read(run, settings, recipe_class, on_event)
    recipe = recipe_class(settings.model, pictures.facts, run.base)

    def on_prepared(what: str, done: int, total: int) -> None:
        if cancel():
            raise TrainingStopped("stopped before the first step")
        on_event(Reading(done, total, what))

    kind = "pair" if run.low is not None else "picture"
    colour = "grey" if recipe.mode == "L" else "colour"
    sides = f"{len(pictures.training):,} to train on, {len(pictures.validation):,} held back"
    on_event(Note(f"{count_of(pictures.count, kind)} in {colour}: {sides}"))
    pictures = recipe.prepare(pictures.converted(recipe.mode), settings.run.seed, on_prepared)
    batches = batches_for(recipe.size, pictures, settings.run, lambda text: on_event(Note(text)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.run.seed)
        task = recipe.task()
    task.require_size(*batches.sampler.batch(0).shape[1:3])
    with joined(peers, device):
        if peers.is_first:
            begin(run, settings, pictures, resuming, on_event)
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


def _read(run: Run, settings: Settings, recipe: type[Recipe], on_event: OnEvent) -> Pictures:
    manner: dict[str, Any] = {
        "held_back": settings.run.held_back,
        "crop": settings.run.crop,
        "memory_bytes": settings.run.memory_mib << 20,
        "on_note": lambda text: on_event(Note(text)),
        "on_read": lambda done, total: on_event(Reading(done, total)),
    }
    if run.low is not None:
        return read_pairs(run.low, run.data, **manner)
    return read_data(run.data, planes=recipe.planes(settings.model, run.base), **manner)


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
        optimizer=options.optimizer,
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
