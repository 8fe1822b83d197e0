"""What a plugin declares so that `nncodec train` can train its architecture, and how a recipe is found.

A recipe knows three things about its architecture: its settings, how to build the network with its loss, and how to
turn the trained network into a model file. Reading pictures, the loop, checkpoints, validation, plots and the command
line are the engine's. Importing this module needs no torch; finding a recipe does.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from nncodec.errors import ModelError
from nncodec.plugin import registry
from nncodec.plugin.guard import PluginGuard
from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import ModelFile, Tensors
from nncodec.training.options import RunOptions

if TYPE_CHECKING:
    from nncodec.training.tasks import ModelTask
    from nncodec.training.training_set import DataSummary, TrainingSet

OnPrepared = Callable[[str, int, int], None]
"""Called with the activity in a few words, the number of pictures done, and the total."""


@dataclass(frozen=True)
class TrainedModel:
    """Contents of a model file besides its name and card."""

    architecture: str
    config: Mapping[str, Any]
    tensors: Tensors


class Recipe(ABC):
    """How models of one architecture are trained.

    `settings` is a frozen dataclass of the architecture's own settings: every field has a default, the type int, float,
    str or bool, and `metadata={"help": "one line"}`. It may raise ValueError for settings that make no sense.
    `run` holds the engine's options that suit the architecture. `takes_pairs` says whether it learns from pairs of
    pictures: then `--low` may name a folder of worse pictures, and a batch has six planes, those of the good picture
    and those of the worse one, whose pixels are repeated until both have the same size. `takes_samples` says whether it
    learns from deep pictures and arrays as they are, uint8 or uint16 with any number of planes, see `read_exact`; then
    0..1 in a batch stands for 0..`DataSummary.top`.

    Args:
        settings: an instance of `self.settings`.
        summary: of the pictures.
        base: the model to continue from, of the same architecture; None starts from scratch. Settings that its config
            fixes are taken from there.

    Raises:
        ValueError: the pictures or the base do not suit the settings; the message is one line that says what to do.
    """

    settings: ClassVar[type[Any]]
    run: ClassVar[RunOptions] = RunOptions()
    takes_pairs: ClassVar[bool] = False
    takes_samples: ClassVar[bool] = False

    @classmethod
    def translated(cls, chosen: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the user's settings, with those that are another spelling replaced by the ones they stand for.

        Args:
            chosen: checked values by name, without defaults.

        Raises:
            ValueError: they contradict each other; one line.
        """
        return chosen

    @classmethod
    def planes(cls, settings: Any, base: ModelFile | None = None) -> int:
        """Return the most bytes of memory that a pixel takes: 3, and what `prepare` adds."""
        return 3

    @abstractmethod
    def __init__(self, settings: Any, summary: DataSummary, base: ModelFile | None = None) -> None: ...

    @property
    @abstractmethod
    def mode(self) -> str:
        """The colour mode of the training pictures: "L" or "RGB"."""

    @property
    @abstractmethod
    def size(self) -> tuple[int, int] | int:
        """The only size the architecture takes, (width, height), or the number that edges of crops are multiples of."""

    def prepare(self, pictures: TrainingSet, seed: int, on_progress: OnPrepared) -> TrainingSet:
        """Return the pictures to train and to validate on; the engine calls this once, before `task`.

        Args:
            pictures: in the recipe's mode.
            seed: of whatever is random; the result must be the same every time.
            on_progress: to be called now and then; it may raise to end the run.
        """
        return pictures

    @abstractmethod
    def task(self) -> ModelTask:
        """Return the network with its loss, ready for training; torch's global seed decides what is random."""

    @abstractmethod
    def export(self, task: ModelTask, pictures: Sequence[Pixels], on_progress: Callable[[str], None]) -> TrainedModel:
        """Return the trained network as a model file holds it.

        Args:
            task: trained, as returned by `task`; left unchanged.
            pictures: training pictures, uint8 (H, W, C) of any size, for whatever is fitted after the training.
            on_progress: called with a line of text now and then.
        """


def trainable_architectures() -> list[str]:
    """Return the architectures that `nncodec train` can train, in order."""
    return sorted(spec.name for spec in registry.catalog().architectures.values() if spec.training)


def find_recipe(architecture: str) -> type[Recipe]:
    """Return the recipe of an architecture; imports torch.

    Raises:
        ModelError: there is no such architecture, or it cannot be trained.
        PluginError: the plugin's recipe cannot be imported, or is not a `Recipe`.
    """
    spec = registry.catalog().architectures.get(architecture)
    if spec is None or not spec.training:
        names = ", ".join(trainable_architectures()) or "none"
        raise ModelError(detail=f"no architecture named {architecture!r} can be trained here; these can: {names}")
    return registry.resolve(spec, spec.training, Recipe)  # type: ignore[type-abstract]


def guard_of(recipe: type[Recipe]) -> PluginGuard:
    """Return the guard for calls into a recipe that was found: that of the plugin whose architecture names it."""
    installed = registry.catalog()
    for spec in installed.architectures.values():
        module, _, attribute = spec.training.partition(":")
        if module in sys.modules and getattr(sys.modules[module], attribute, None) is recipe:
            return installed.guard_of_architecture(spec.name)
    return PluginGuard(recipe.__module__)
