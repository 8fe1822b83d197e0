"""The one training of the page: what it is asked, how far it is, and its end."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event as Signal
from pathlib import Path
from typing import Any

from nncodec._support.text import plain
from nncodec._support.worker_process import interrupts_held
from nncodec.errors import InvalidOption, NncError
from nncodec.plugin import registry
from nncodec.plugin.model_file import is_model_name
from nncodec.training.events import Advanced, Note, Phase, Reading, Validated
from nncodec.training.recipe import trainable_architectures
from nncodec.web.compressing import text_of
from nncodec.web.folders import UserFolder
from nncodec.web.trainer import DONE, FAILED, Training, train_in_process

_MOST_POINTS = 400
_MOST_NOTES = 20
_STOP_S = 60.0
"""How long the server waits at its end for a checkpoint."""


@dataclass
class Progress:
    """What the page shows of a training.

    Args:
        state: idle, running, stopping, done, stopped or failed.
        phase: what happens now, in a few words.
        curves: rows of figures by step, of the training and of the held-back pictures.
        message: how it ended.
        asked: the fields of the page that started it.
        output: the model file, relative to the user's folder.
        installed: name of the model once it is installed.
    """

    state: str = "idle"
    phase: str = ""
    step: int = 0
    progress: float = 0.0
    elapsed_s: float = 0.0
    left_s: float | None = None
    curves: dict[str, list[dict[str, float]]] = field(default_factory=lambda: {"training": [], "validation": []})
    notes: list[str] = field(default_factory=list)
    message: str = ""
    asked: Mapping[str, Any] = field(default_factory=dict)
    output: str = ""
    installed: str = ""

    def note(self, event: object) -> None:
        """Take in an event of the run."""
        match event:
            case Note(text):
                self.notes = [*self.notes, plain(text)][-_MOST_NOTES:]
            case Phase(text):
                self.phase = plain(text)
            case Reading(done, total, what):
                self.phase = f"{what}: {done:,} of {total:,} pictures"
            case Advanced():
                self.phase = "training"
                self.step, self.progress, self.elapsed_s = event.step, event.progress, event.elapsed_s
                self.left_s = event.left_s if event.left_s < 1e9 else None
                if event.fresh:
                    self._add("training", event.step, event.figures)
            case Validated():
                self._add("validation", event.step, event.figures)

    def _add(self, curve: str, step: int, figures: Mapping[str, float]) -> None:
        rows = self.curves[curve]
        rows.append({"step": step, **{name: value for name, value in figures.items() if abs(value) < 1e18}})
        if len(rows) > _MOST_POINTS:  # every other point tells as much
            self.curves[curve] = rows[::2]


class Trainer:
    """Starts, follows and stops the training of a server. Only one runs at a time.

    Args:
        folder: where its pictures come from, and its results go.
    """

    def __init__(self, folder: UserFolder) -> None:
        self._folder = folder
        self._context = multiprocessing.get_context("spawn")  # a forked torch can hang
        self._stop: Signal | None = None
        self._process: SpawnProcess | None = None
        self._training: Training | None = None
        self._lock = threading.Lock()
        self._shown = Progress()

    @property
    def is_running(self) -> bool:
        """Whether a training runs."""
        return self._shown.state in ("running", "stopping")

    def shown(self) -> dict[str, Any]:
        """Return what the page is told."""
        samples = self.newest_samples()
        seen = {"samples": f"{samples.name}-{samples.stat().st_mtime_ns}" if samples else ""}
        return {**vars(self._shown), **seen}

    def start(self, asked: Mapping[str, Any]) -> None:
        """Start or resume a training.

        Raises:
            NncError: one is running already, or the request cannot be met.
        """
        with self._lock:
            if self.is_running:
                raise NncError(detail="a training is running; stop it first, or wait for its end")
            training = self._asked(asked)
            output = training.output.relative_to(self._folder.root).as_posix()
            self._shown = Progress(state="running", phase="starting", asked=dict(asked), output=output)
            self._training = training
            self._stop = self._context.Event()
            ours, theirs = self._context.Pipe(duplex=False)
            arguments = (training, theirs, self._stop)
            with interrupts_held():  # Ctrl-C reaches the whole process group
                self._process = self._context.Process(target=train_in_process, args=arguments)
                self._process.start()
            theirs.close()
            following = (ours, self._process, self._shown)
            threading.Thread(target=_follow, args=following, name="nncodec-training", daemon=True).start()

    def stop(self) -> None:
        """End the training after a checkpoint."""
        if self._shown.state == "running" and self._stop is not None:
            self._shown.state = "stopping"
            self._stop.set()

    def install(self) -> str:
        """Install the trained model and return its name; raises NncError if there is none."""
        if self._training is None or self._shown.state != DONE:
            raise NncError(detail="there is no trained model to install yet")
        self._shown.installed = registry.install_model(self._training.output).name
        return self._shown.installed

    def newest_samples(self) -> Path | None:
        """Return the picture of samples that was drawn last."""
        if self._training is None:
            return None
        folder = self._training.folder
        drawn = sorted(folder.glob("samples/epoch-*.png"))
        if self._shown.state == DONE and (folder / "samples.png").is_file():
            drawn.append(folder / "samples.png")
        return drawn[-1] if drawn else None

    def close(self) -> None:
        """Stop the training, and wait for its checkpoint."""
        self.stop()
        if self._process is not None:
            self._process.join(_STOP_S)
            if self._process.is_alive():
                self._process.terminate()
                self._process.join()

    def _asked(self, asked: Mapping[str, Any]) -> Training:
        name = text_of(asked, "name", "")
        if not is_model_name(name) or "/" in name:
            reason = "name the model with lower-case letters, digits, '.', '_' and '-'"
            raise InvalidOption(option="name", reason=reason)
        base = text_of(asked, "base", "")
        base_info = registry.catalog().find(base) if base else None
        architecture = base_info.architecture if base_info else text_of(asked, "architecture", "")
        if architecture not in trainable_architectures():
            raise InvalidOption(option="architecture", reason=f"{architecture!r} cannot be trained here")
        low = text_of(asked, "low", "")
        data = self._folder.existing(asked.get("data", ""))
        output = self._folder.find(text_of(asked, "output", "")) / f"{name}.safetensors"
        return Training(
            architecture=architecture,
            data=data,
            low=self._folder.existing(low) if low else None,
            output=output,
            name=name,
            settings=self._settings(asked.get("settings")),
            base=base_info.path if base_info else None,
            resume=asked.get("resume") is True,
        )

    def _settings(self, given: object) -> dict[str, str]:
        """Return settings as texts; one that names a file is refused, since it could be any."""
        if not isinstance(given, Mapping):
            return {}
        settings = {str(name): str(value) for name, value in given.items() if value not in (None, "")}
        for name, value in settings.items():
            if "\0" in value or ".." in value or Path(value).is_absolute() or Path(value).exists():
                raise InvalidOption(option=name, reason="the page takes no files as settings; use 'nncodec train'")
        return settings


def _follow(events: Connection, process: SpawnProcess, shown: Progress) -> None:
    """Take in the events of a training until its end."""
    end = (FAILED, "the training has ended without a result, most likely for lack of memory")
    try:
        while True:
            event = events.recv()
            if isinstance(event, tuple):
                end = event
                break
            shown.note(event)
    except (EOFError, OSError):  # the process died
        pass
    process.join()
    shown.state, shown.message = end
