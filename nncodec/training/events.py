"""What a run tells whoever started it: the command line prints it, another program may draw it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Note:
    """Something a user should know, in one line."""

    text: str


@dataclass(frozen=True)
class Stage:
    """What is being done now, in a few words."""

    text: str


@dataclass(frozen=True)
class Reading:
    """How many pictures are read or prepared, of how many.

    Args:
        done, total: pictures.
        what: is being done with them, in a few words.
    """

    done: int
    total: int
    what: str = "reading"


@dataclass(frozen=True)
class Advanced:
    """A step was taken.

    Args:
        step: steps taken, those before a resumption included.
        progress: how much of the run is done, 0..1.
        elapsed_s: seconds of training, likewise.
        left_s: seconds that are likely left.
        figures: latest means, "loss" among them; empty before the first.
        fresh: whether they are new with this step.
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


Event = Note | Stage | Reading | Advanced | Validated
OnEvent = Callable[[Event], None]
