"""A training run from a folder of pictures to a model file, for any architecture that has a recipe.

It prints nothing: one callback receives the events of a run, so that a command line or a page can show them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nncodec._support.files import replacing, write_file, written_to
from nncodec._support.text import count_of
from nncodec.errors import BadModelFile, NncError
from nncodec.plugin import registry
from nncodec.plugin.codec import CodecModel
from nncodec.plugin.guard import PluginGuard
from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import ModelInfo, is_architecture_name, read_model, write_model
from nncodec.plugin.self_test import SELF_TEST, self_test_of
from nncodec.training.distributed import SINGLE_PROCESS, ProcessGroup, connected, local_device
from nncodec.training.drawing import can_plot, loss_plot, sample_grid
from nncodec.training.events import (
    Event,
    Note,
    OnEvent,
    Phase,
    Reading,
    SamplesDue,
    TrainingRefused,
    TrainingStopped,
    ignore,
)
from nncodec.training.exact_data import read_exact
from nncodec.training.guarding import guarded
from nncodec.training.log import CsvLog
from nncodec.training.loop import TrainingReport, fit
from nncodec.training.options import LoopOptions, RunOptions, Schedule
from nncodec.training.pairs import read_pairs
from nncodec.training.recipe import Recipe, TrainedModel, find_recipe
from nncodec.training.run import Run, begin, check_folder, check_targets
from nncodec.training.sampling import Batches, make_batches
from nncodec.training.settings import RunSettings, combine
from nncodec.training.tasks import ModelTask
from nncodec.training.training_set import TrainingSet, read_data
from nncodec.training.validation import Validation

__all__ = ["Run", "TrainingRefused", "TrainingResult", "TrainingStopped", "train"]

_LOG_STEPS = 50  # most steps between rows of the log


@dataclass(frozen=True)
class TrainingResult:
    """The result of a run.

    Args:
        model: the model file that was written.
        report: steps and time.
        figures: of the held-back pictures with the weights that were kept, or the last of the training.
        measured_on: what the figures are of: "held-back pictures" or "training pictures".
    """

    model: ModelInfo
    report: TrainingReport
    figures: Mapping[str, float]
    measured_on: str


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Turn ValueErrors, by which trainings and recipes say what is wrong, into an error of this package."""
    try:
        yield
    except NncError:
        raise
    except ValueError as error:
        raise TrainingRefused(detail=str(error)) from error


@_refusing()
def train(
    run: Run,
    on_event: OnEvent = ignore,
    cancel: Callable[[], bool] = lambda: False,
    processes: ProcessGroup = SINGLE_PROCESS,
) -> TrainingResult | None:
    """Train a model and write its file.

    Args:
        run: what to train, on what, and where to write.
        on_event: receives the events of the run, see `nncodec.training.events`; only in the first of several processes.
        cancel: asked after every step and while pictures are prepared; True ends the run after a checkpoint.
        processes: those that train together, as torchrun started them.

    Returns:
        The result; None in processes other than the first, which writes.

    Raises:
        TrainingRefused: settings, data, model or run folder cannot be used; one line that says what to do. It is a
            ValueError, too.
        NncError: a model, recipe or plugin cannot be used; likewise. A PluginError names the plugin of the recipe.
        TrainingDiverged: the loss became NaN or infinite.
        TrainingStopped: `cancel` returned True.
        KeyboardInterrupt: Ctrl-C; a checkpoint was written if the training had begun.
        OSError: a file cannot be read or written; checkpoints are always complete.
    """
    if not processes.is_first:
        on_event = ignore
    recipe_class = find_recipe(run.architecture)
    guard = registry.catalog().guard_of_architecture(run.architecture)
    settings = combine(recipe_class, *run.settings)
    if run.low is not None and not recipe_class.takes_pairs:
        raise ValueError(f"{run.architecture} does not learn from pairs of pictures; leave the worse ones (--low) out")
    device = local_device(settings.run.device)
    check_targets(run, settings)
    resuming = check_folder(run, settings, processes)
    pictures = _read(run, settings, recipe_class, guard, on_event)
    recipe = guarded(guard, recipe_class, settings.model, pictures.summary, run.base)
    mode, size = guarded(guard, lambda: (recipe.mode, recipe.size))

    def on_prepared(what: str, done: int, total: int) -> None:
        if cancel():
            raise TrainingStopped("stopped before the first step")
        on_event(Reading(done, total, what))

    kind = "pair" if run.low is not None else "picture"
    colour = "in grey" if mode == "L" else "in colour"
    if pictures.exact:
        largest = max(picture.max() for picture in (*pictures.training, *pictures.validation))
        colour = f"with {count_of(pictures.training[0].shape[2], 'plane')} of {max(8, int(largest).bit_length())} bits"
    sides = f"{len(pictures.training):,} to train on, {pictures.held_back:,} held back"
    on_event(Note(f"{count_of(pictures.count, kind)} {colour}: {sides}"))
    pictures = guarded(guard, recipe.prepare, pictures.converted(mode), settings.run.seed, on_prepared)
    batches = make_batches(size, pictures, settings.run, on_event)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.run.seed)
        task = guarded(guard, recipe.task)
    _require_size(task, batches, size, settings.run.crop, guard)
    with connected(processes, device):
        if processes.is_first:
            begin(run, settings, pictures, batches, resuming, on_event)
        processes.wait()
        report, validation = _fit(run, settings.run, task, batches, device, guard, on_event, cancel, processes)
    if not processes.is_first:
        return None
    task.to("cpu")
    task.eval()
    _draw(run, task, batches, guard, on_event)
    figures = validation.best_figures or report.figures
    card = _card(run, settings, pictures, report, validation)
    measured_on = "held-back pictures" if validation.best_figures and pictures.held_back else "training pictures"
    model = _export(run, recipe, task, pictures.training, card, guard, on_event)
    return TrainingResult(model, report, figures, measured_on)


def _read(run: Run, settings: RunSettings, recipe: type[Recipe], guard: PluginGuard, on_event: OnEvent) -> TrainingSet:
    options: dict[str, Any] = {
        "held_back": settings.run.held_back,
        "crop": settings.run.crop,
        "memory_bytes": settings.run.memory_mib << 20,
        "on_event": on_event,
    }
    if run.low is not None:
        return read_pairs(run.low, run.data, **options)
    if recipe.takes_samples:
        given = {name: value for name, value in options.items() if name != "crop"}
        if (exact := read_exact(run.data, **given)) is not None:
            return exact
    return read_data(run.data, planes=guarded(guard, recipe.planes, settings.model, run.base), **options)


def _require_size(
    task: ModelTask, batches: Batches, size: tuple[int, int] | int, crop: int, guard: PluginGuard
) -> None:
    """Refuse crops that a task cannot train on, and say so if the pictures are too small, not the option `crop`."""
    height, width = batches.sampler.batch(0).shape[1:3]
    try:
        guarded(guard, task.require_size, height, width)
    except NncError:
        raise
    except ValueError as error:
        if isinstance(size, int) and min(height, width) < crop // size * size:
            advice = "half of the pictures, or all, are no larger: leave the small ones out, or give larger ones"
            raise ValueError(f"{error}; {advice}") from error
        raise


def _fit(
    run: Run,
    options: RunOptions,
    task: ModelTask,
    batches: Batches,
    device: torch.device,
    guard: PluginGuard,
    on_event: OnEvent,
    cancel: Callable[[], bool],
    processes: ProcessGroup,
) -> tuple[TrainingReport, Validation]:
    schedule = Schedule.from_options(options, batches.steps_per_epoch)
    loop_options = LoopOptions(
        seed=options.seed,
        bfloat16=options.bfloat16,
        checkpoint=run.checkpoint,
        checkpoint_minutes=options.checkpoint_minutes,
        log=run.folder / "log.csv",
        log_steps=min(_LOG_STEPS, batches.validation_steps, max(1, (schedule.steps or _LOG_STEPS) // 10)),
        device=str(device),
        optimizer=options.optimizer,
        ema_decay=options.ema_decay,
    )

    def draw_and_pass_on(event: Event) -> None:
        if isinstance(event, SamplesDue) and processes.is_first:
            _write_samples(run.folder / "samples" / f"epoch-{event.epoch:04d}.png", task, batches, device, guard)
        on_event(event)

    log = CsvLog(run.folder / "validation.csv") if processes.is_first else None
    validation = Validation(
        task, batches, options, device, log=log, processes=processes, on_event=draw_and_pass_on, guard=guard
    )
    report = fit(
        task,
        batches.sampler,
        schedule,
        loop_options,
        on_event=on_event,
        cancel=cancel,
        validator=validation,
        processes=processes,
        guard=guard,
    )
    if report.cancelled:
        raise TrainingStopped(f"stopped at step {report.steps:,}")
    validation.finish(report.steps)
    return report, validation


# --- after --------------------------------------------------------------------------------------------------------


def _draw(run: Run, task: ModelTask, batches: Batches, guard: PluginGuard, on_event: OnEvent) -> None:
    _write_samples(run.folder / "samples.png", task, batches, torch.device("cpu"), guard)
    if can_plot():
        rows = [CsvLog(run.folder / name).rows() for name in ("log.csv", "validation.csv")]
        write_file(run.folder / "loss.png", loss_plot(*rows))
    else:
        on_event(Note('matplotlib is not installed, so there is no plot: pip install "nncodec-image[train]"'))


def _write_samples(path: Path, task: ModelTask, batches: Batches, device: torch.device, guard: PluginGuard) -> None:
    shown = batches.validation or [batches.sampler.batch(0)]
    buffer = io.BytesIO()
    guarded(guard, sample_grid, task, shown, device).save(buffer, "PNG")
    write_file(path, buffer.getvalue())


def _card(
    run: Run, settings: RunSettings, pictures: TrainingSet, report: TrainingReport, validation: Validation
) -> dict[str, Any]:
    training = count_of(len(pictures.training), "picture")
    held_back = f"{count_of(pictures.held_back, 'picture')} held back" if pictures.held_back else ""
    card: dict[str, Any] = {
        "summary": f"{run.architecture} trained on {count_of(pictures.count, 'picture')} of {pictures.name}",
        "training_data": f"{pictures.name}: {training}{held_back and f', and {held_back}'}",
        "training": {
            "steps": report.steps,
            "minutes": round(report.elapsed_s / 60, 1),
            "settings": {name: value for name, value in settings.as_dict().items() if name != "device"},
        },
    }
    if validation.best_figures:
        card["measured"] = {"on": held_back or f"{training} trained on", "step": validation.best_step}
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
    guard: PluginGuard,
    on_event: OnEvent,
) -> ModelInfo:
    trained = guarded(guard, recipe.export, task, pictures, lambda text: on_event(Phase(text)))
    if not isinstance(trained, TrainedModel):
        raise guard.error(f"its recipe exported {type(trained).__name__}, not a TrainedModel")
    if is_architecture_name(trained.architecture) and trained.architecture not in registry.catalog().architectures:
        raise guard.error(
            f"its recipe exported a model of {trained.architecture!r}, which no installed plugin provides"
        )
    on_event(Phase("writing the model"))
    with replacing(written_to(run.output)) as temporary, _blaming(guard):
        write = functools.partial(
            write_model,
            temporary,
            architecture=trained.architecture,
            config=trained.config,
            name=run.name,
            tensors=trained.tensors,
        )
        written = write(card=card)
        model = registry.build_model(read_model(temporary))  # a file that cannot be opened must not take the name
        if isinstance(model, CodecModel) and (contexts := guard.run(self_test_of, model)):
            written = write(card={**card, SELF_TEST: contexts})
    info = {field.name: getattr(written, field.name) for field in dataclasses.fields(ModelInfo)}
    return ModelInfo(**info | {"path": run.output})


@contextlib.contextmanager
def _blaming(guard: PluginGuard) -> Iterator[None]:
    """Say of a model file that cannot be used that a recipe exported it so: nobody knows the file by its name yet."""
    try:
        yield
    except BadModelFile as error:
        raise guard.error(f"its recipe exported a model that cannot be used: {error.reason}") from error
