"""What a plugin declares so that `nncodec train` can train its architecture.

A recipe knows three things of its architecture: which settings it has, how to build the network with its loss, and how
to turn the trained network into a model file. Reading pictures, the loop, checkpoints, validation, plots and the
command line are the engine's.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import ModelFile, Tensors
from nncodec.training.data import DataFacts
from nncodec.training.loop import TrainingTask
from nncodec.training.optimizers import ADAM, KINDS

if TYPE_CHECKING:
    from nncodec.training.pictures import Pictures

OnPrepared = Callable[[str, int, int], None]
"""Told what is being done in a few words, how many pictures are done, and of how many."""


def _option(default: Any, help_text: str) -> Any:
    return field(default=default, metadata={"help": help_text})


@dataclass(frozen=True)
class RunOptions:
    """How a training run goes, whatever is trained; a recipe says which of these suit it.

    Args:
        epochs, steps, minutes: the length; one of them is set. An epoch draws as many crops as there are pictures.
        batch_size: pictures or crops a step.
        crop: edge of the crops for architectures that take any size, pixels.
        learning_rate: at its highest.
        optimizer: one of `nncodec.training.optimizers.KINDS`.
        held_back: share of the pictures that only validate, 0 (no validation) to below 1.
        patience: validations in a row without a better loss that end the run; 0 never does.
        validate_epochs: epochs from one validation to the next; short epochs are taken together.
        sample_epochs: epochs from one grid of pictures to the next, short ones taken together; 0 makes only the last.
        checkpoint_minutes: minutes from one checkpoint to the next.
        seed: of all randomness.
        bfloat16: run the network under autocast.
        device: where to train, as torch names it.
        augment: mirror crops and take some from reduced pictures.
        memory_mib: what decoded pictures may take, MiB.

    Raises:
        ValueError: a value is out of range; the message names it.
    """

    epochs: int | None = _option(None, "how long: passes over the pictures; an epoch draws a crop for every picture")
    steps: int | None = _option(None, "how long: batches, in place of epochs")
    minutes: float | None = _option(None, "how long: minutes of training, in place of epochs")
    batch_size: int = _option(16, "pictures or crops a step, over all processes")
    crop: int = _option(128, "edge of crops in pixels, where the architecture takes any size")
    learning_rate: float = _option(1e-3, "at its highest; it warms up and falls along a cosine")
    optimizer: str = _option(ADAM, "adam, or muon: fewer steps for plain convolutions, each a little slower")
    held_back: float = _option(0.1, "share of the pictures that only validate; 0 for none")
    patience: int = _option(0, "end after so many validations without a better loss; 0 never")
    validate_epochs: int = _option(1, "epochs from one validation to the next; short ones are taken together")
    sample_epochs: int = _option(0, "epochs from one grid of samples to the next, likewise; 0 makes only the last")
    checkpoint_minutes: float = _option(2.0, "minutes from one checkpoint to the next")
    seed: int = _option(0, "of all randomness")
    bfloat16: bool = _option(False, "compute in bfloat16 where that is safe: faster on most processors")
    device: str = _option("cpu", "cpu, cuda, cuda:1, ...")
    augment: bool = _option(False, "mirror crops, and take some from reduced pictures")
    memory_mib: int = _option(1024, "what decoded pictures may take, MiB; beyond it parts of the pictures are used")

    def __post_init__(self) -> None:
        for name, low in _LOWEST.items():
            value = getattr(self, name)
            if value is not None and not low <= value < math.inf:
                raise ValueError(f"{name} is {value}; give at least {low}")
        for name in ("minutes", "learning_rate", "checkpoint_minutes"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}; give a number above 0")
        if self.optimizer not in KINDS:
            raise ValueError(f"optimizer is {self.optimizer!r}; give {' or '.join(KINDS)}")
        if not 0 <= self.held_back < 1:
            raise ValueError(f"held_back is {self.held_back}; give a share from 0 to below 1")
        if self.patience and not self.held_back:
            raise ValueError("patience needs pictures to validate on; give held_back above 0")

    @property
    def length(self) -> str:
        """Which of epochs, steps and minutes is set; raises ValueError unless it is one."""
        given = [name for name in LENGTHS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(LENGTHS)}" + (f", not {' and '.join(given)}" if given else ""))
        return given[0]


LENGTHS = ("epochs", "steps", "minutes")
"""The settings that say how long a run is; only one of them holds."""

_LOWEST = {
    "epochs": 1,
    "steps": 1,
    "batch_size": 1,
    "crop": 1,
    "patience": 0,
    "validate_epochs": 1,
    "sample_epochs": 0,
    "seed": 0,
    "memory_mib": 1,
}


@dataclass(frozen=True)
class TrainedModel:
    """What a model file holds besides its name and card."""

    architecture: str
    config: Mapping[str, Any]
    tensors: Tensors


class ModelTask(TrainingTask):
    """A network with its loss that can also show what it does."""

    @property
    def comparable(self) -> bool:
        """Whether losses of different steps tell which weights are better; if not, the latest count as the best."""
        return True

    @abstractmethod
    def reconstruct(self, pixels: Tensor) -> Tensor:
        """Return what a decoder would show of a batch (N, C, H, W) in 0..1, for the grid of samples."""

    def require_size(self, height: int, width: int) -> None:
        """Raise ValueError, with one line, where the task cannot learn from crops of this size, pixels."""

    def sample_rows(self, pixels: Tensor) -> list[Tensor]:
        """Return the rows of a grid of samples, each (N, C, H, W): originals over what a decoder would show."""
        return [pixels, self.reconstruct(pixels)]


class Recipe(ABC):
    """How models of one architecture are trained.

    `settings` is a frozen dataclass of the architecture's own settings: every field has a default, the type int, float,
    str or bool, and `metadata={"help": "one line"}`. It may raise ValueError for settings that make no sense.
    `run` holds the engine's options that suit the architecture. `takes_pairs` says whether it learns from pairs of
    pictures: then `--low` may name a folder of worse pictures, and a batch has six planes, those of the good picture
    and those of the worse one, of which each pixel is repeated until both have one size.

    Args:
        settings: an instance of `self.settings`.
        facts: of the pictures.
        base: the model to go on from, of the same architecture; None starts anew. Settings that its config fixes
            are taken from there.

    Raises:
        ValueError: the pictures or the base do not suit the settings; the message is one line that says what to do.
    """

    settings: ClassVar[type[Any]]
    run: ClassVar[RunOptions] = RunOptions()
    takes_pairs: ClassVar[bool] = False

    @classmethod
    def translated(cls, chosen: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what a user has set, with settings that only spell others replaced by those.

        Args:
            chosen: checked values by name, without defaults.

        Raises:
            ValueError: they contradict each other; one line.
        """
        return chosen

    @classmethod
    def planes(cls, settings: Any, base: ModelFile | None = None) -> int:
        """Return the bytes that a pixel of a picture takes in memory, at most: 3, and what `prepare` adds."""
        return 3

    @abstractmethod
    def __init__(self, settings: Any, facts: DataFacts, base: ModelFile | None = None) -> None: ...

    @property
    @abstractmethod
    def mode(self) -> str:
        """The colour mode pictures are trained in: "L" or "RGB"."""

    @property
    @abstractmethod
    def size(self) -> tuple[int, int] | int:
        """The only size the architecture takes, (width, height), or the number that edges of crops are multiples of."""

    def prepare(self, pictures: Pictures, seed: int, on_progress: OnPrepared) -> Pictures:
        """Return the pictures to train and to validate on; called once, before `task`.

        Args:
            pictures: in the recipe's mode.
            seed: of whatever is random; the same pictures must come of it every time.
            on_progress: to be called now and then; it may raise to end the run.
        """
        return pictures

    @abstractmethod
    def task(self) -> ModelTask:
        """Return the network with its loss, ready to be trained; torch's global seed decides what is random."""

    @abstractmethod
    def export(self, task: ModelTask, pictures: Sequence[Pixels], on_progress: Callable[[str], None]) -> TrainedModel:
        """Return the trained network as a model file holds it.

        Args:
            task: trained, as `task` made it; left unchanged.
            pictures: training pictures, uint8 (H, W, C) of any size, for whatever is fitted after the training.
            on_progress: called with a line of text now and then.
        """
