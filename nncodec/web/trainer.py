"""The process that trains for the page: it keeps torch out of the server, and goes on when the page is closed."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event as Signal
from pathlib import Path

from nncodec._support.text import describe, plain
from nncodec.plugin.model_file import read_model
from nncodec.training.events import Advanced, Event
from nncodec.training.settings import Text

_EVENT_S = 0.2  # between steps that are told, unless they carry new figures

DONE, STOPPED, FAILED = "done", "stopped", "failed"
"""How a training ends."""


@dataclass(frozen=True)
class Training:
    """A training that the page asks for.

    Args:
        architecture: to train.
        data: folder of pictures.
        low: folder of worse pictures, or None.
        output: model file to write.
        name: of the model.
        settings: texts by name, as on the command line.
        base: model file to continue from, or None.
        resume: continue the run beside the output.
    """

    architecture: str
    data: Path
    low: Path | None
    output: Path
    name: str
    settings: Mapping[str, str]
    base: Path | None
    resume: bool

    @property
    def folder(self) -> Path:
        """The folder of the run, with its checkpoints, logs and samples."""
        return self.output.with_suffix(".run")


def train_in_process(training: Training, events: Connection, stop: Signal) -> None:
    """Train; the end is told as a pair of one of `DONE`, `STOPPED`, `FAILED` and a line.

    Args:
        events: receives the events of the run, and the end.
        stop: ends the run after a checkpoint when it is set. The end of the parent does, too.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server handles Ctrl-C, and sets `stop`
    events.send(_result(training, events, stop))
    events.close()


def _result(training: Training, events: Connection, stop: Signal) -> tuple[str, str]:
    # Torch takes seconds to import; the server never does it for a training.
    from nncodec.training.engine import Run, TrainingStopped, train

    parent = multiprocessing.parent_process()
    told_at = 0.0

    def tell(event: Event) -> None:
        nonlocal told_at
        now = time.monotonic()
        if isinstance(event, Advanced) and not event.fresh and now - told_at < _EVENT_S:
            return
        told_at = now
        events.send(event)

    try:
        result = train(
            Run(
                architecture=training.architecture,
                data=training.data,
                output=training.output,
                name=training.name,
                folder=training.folder,
                settings=[{name: Text(value) for name, value in training.settings.items()}],
                base=read_model(training.base) if training.base else None,
                resume=training.resume,
                low=training.low,
            ),
            on_event=tell,
            cancel=lambda: stop.is_set() or (parent is not None and not parent.is_alive()),
        )
    except TrainingStopped as error:
        return STOPPED, str(error)
    except ValueError as error:  # settings or pictures that cannot be used: the message is for the user
        return FAILED, plain(str(error))
    except (Exception, SystemExit) as error:  # plugins are anyone's code
        return FAILED, plain(describe(error))
    if result is None or not result.figures:
        return DONE, ""
    figures = ", ".join(f"{name} {value:.4g}" for name, value in result.figures.items())
    return DONE, f"{result.measured_on}: {figures}"
