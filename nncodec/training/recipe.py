"""What a plugin declares so that `nncodec train` can train its architecture.

A recipe knows three things of its architecture: which settings it has, how to build the network with its loss, and how
to turn the trained network into a model file. Reading pictures, the loop, checkpoints, validation, plots and the
command line are the engine's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from nncodec.model_file import ModelFile, Tensors
from nncodec.training.data import Pixels
from nncodec.training.loop import TrainingTask


@dataclass(frozen=True)
class RunOptions:
    """How a training run goes, whatever is trained; a recipe says which of these suit it.

    Args:
        epochs, steps, minutes: the length; one of them is set. An epoch draws as many crops as there are pictures.
        batch_size: pictures or crops a step.
        crop: edge of the crops for architectures that take any size, pixels.
        learning_rate: of Adam, at its highest.
        held_back: share of the pictures that only validate, 0..1.
        patience: validations in a row without a better loss that end the run; 0 never does.
        validate_epochs: epochs from one validation to the next.
        sample_epochs: epochs from one grid of pictures to the next; 0 makes only the last.
        checkpoint_minutes: minutes from one checkpoint to the next.
        seed: of all randomness.
        bfloat16: run the network under autocast.
        device: where to train, as torch names it.
    """

    epochs: int | None = None
    steps: int | None = None
    minutes: float | None = None
    batch_size: int = 16
    crop: int = 128
    learning_rate: float = 1e-3
    held_back: float = 0.1
    patience: int = 0
    validate_epochs: int = 1
    sample_epochs: int = 0
    checkpoint_minutes: float = 2.0
    seed: int = 0
    bfloat16: bool = False
    device: str = "cpu"


@dataclass(frozen=True)
class DataFacts:
    """What is known of the pictures before a network is built.

    Args:
        count: how many there are to train on.
        width, height: of every picture, pixels; None where sizes differ.
        grey: no picture has colour.
    """

    count: int
    width: int | None
    height: int | None
    grey: bool


@dataclass(frozen=True)
class TrainedModel:
    """What a model file holds besides its name and card."""

    architecture: str
    config: Mapping[str, Any]
    tensors: Tensors


class ModelTask(TrainingTask):
    """A network with its loss that can also show what it does."""

    @abstractmethod
    def reconstruct(self, pixels: Tensor) -> Tensor:
        """Return what a decoder would show of a batch (N, C, H, W) in 0..1, for the grid of samples."""


class Recipe(ABC):
    """How models of one architecture are trained.

    `settings` is a frozen dataclass of the architecture's own settings: every field has a default, the type int, float,
    str or bool, and `metadata={"help": "one line"}`. It may raise ValueError for settings that make no sense.
    `run` holds the engine's options that suit the architecture.

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
