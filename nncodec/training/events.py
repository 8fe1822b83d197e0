"""Events of a training run. Whoever starts it receives them through one callback, to print or to draw them.

A run that is cancelled ends with `TrainingStopped`, which passes through whatever code of a plugin runs then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nncodec.errors import NncError


class TrainingRefused(NncError, ValueError):
    """Settings, pictures, a model or a folder cannot be used for a run; one line that says what to do."""


class TrainingStopped(Exception):
    """The run was cancelled; a checkpoint was written, and `resume` continues from it."""


@dataclass(frozen=True)
class Note:
    """Something a user should know, in one line."""

    text: str


@dataclass(frozen=True)
class Phase:
    """The run has entered another phase, described in a few words."""

    text: str


@dataclass(frozen=True)
class Reading:
    """Pictures are being read or prepared.

    Args:
        done, total: pictures.
        what: the activity, in a few words.
    """

    done: int
    total: int
    what: str = "reading"


@dataclass(frozen=True)
class Advanced:
    """A training step was taken.

    Args:
        step: steps taken, including those before the run was resumed.
        progress: how much of the run is done, 0..1.
        elapsed_s: seconds of training, including those before the run was resumed.
        left_s: estimated seconds left.
        figures: latest means, "loss" among them; empty before the first.
        fresh: whether this step completed new means.
    """

    step: int
    progress: float
    elapsed_s: float
    left_s: float
    figures: Mapping[str, float] = field(default_factory=dict)
    fresh: bool = False


@dataclass(frozen=True)
class Validated:
    """The held-back pictures were measured.

    Args:
        step: steps taken.
        epoch: epochs done.
        figures: means, "loss" among them.
        is_best: whether the loss is the lowest so far.
    """

    step: int
    epoch: float
    figures: Mapping[str, float]
    is_best: bool


@dataclass(frozen=True)
class SamplesDue:
    """A grid of samples is due after this epoch; the engine draws it."""

    epoch: int


Event = Note | Phase | Reading | Advanced | Validated | SamplesDue
OnEvent = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Receive an event and do nothing."""
