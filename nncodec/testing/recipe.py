"""The contract tests that the author of a recipe inherits; see `nncodec.testing`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nncodec.errors import NncError
from nncodec.plugin.model_file import read_model
from nncodec.testing.support import FileUnderTest, images_of, pictures

if TYPE_CHECKING:
    from nncodec.training.engine import TrainingResult
    from nncodec.training.events import Event

_COUNT = 6
_NAME = "contract/trained"
# Width and height of pictures that a recipe may refuse.
_OTHER_SIZES = ((1, 1), (5, 90), (200, 31))


class RecipeContract(FileUnderTest):
    """What `nncodec train` relies on in a recipe.

    The recipe trains a model for a few steps, and the tests of a second contract then run on that model:

        class TestTrained(RecipeContract, CodecModelContract):
            architecture = "tiny"
            settings = {"crop": 32, "batch_size": 2}

    Attributes:
        architecture: name of an installed architecture that has a recipe.
        settings: of the run, by name, such as make it quick.
        steps: of training, at least 2; a run is stopped after half of them and resumed.
        picture_size: width and height of the pictures to train on, pixels.
        picture_mode: their colour mode, "L" or "RGB".
    """

    architecture: ClassVar[str]
    settings: ClassVar[Mapping[str, Any]] = {}
    steps: ClassVar[int] = 4
    picture_size: ClassVar[tuple[int, int]] = (64, 48)
    picture_mode: ClassVar[str] = "RGB"

    @classmethod
    def write_model(cls, folder: Path) -> None:
        """Train the model."""
        cls._train(folder, _NAME)

    def test_every_setting_has_a_default_and_a_line_of_help(self) -> None:
        from nncodec.training.recipe import find_recipe
        from nncodec.training.settings import settings_of

        for setting in settings_of(find_recipe(self.architecture)).values():
            assert setting.help, f"the setting {setting.name!r} has no help"
            assert "\n" not in setting.help, f"the help of the setting {setting.name!r} has several lines"

    def test_a_run_that_is_stopped_and_resumed_ends_like_one_that_is_not(self) -> None:
        from nncodec.training.engine import TrainingStopped
        from nncodec.training.events import Advanced

        half = self.steps // 2
        done = 0

        def watch(event: Event) -> None:
            nonlocal done
            if isinstance(event, Advanced):
                done = event.step

        with tempfile.TemporaryDirectory() as folder:
            try:
                self._train(Path(folder), "contract/resumed", on_event=watch, cancel=lambda: done >= half)
            except TrainingStopped:
                assert done == half, f"the run was stopped after step {done}, not {half}"
            else:
                raise AssertionError("the run was not stopped")
            result = self._train(Path(folder), "contract/resumed", resume=True)
        assert result.model.digest == self.model_info.digest, (
            "a run that was stopped and resumed ends with another model: all randomness must come from torch's global "
            "seed in `task`, and from the generator that `loss` is given"
        )

    def test_training_continues_from_the_model(self) -> None:
        base = read_model(self.model_info.path)
        with tempfile.TemporaryDirectory() as folder:
            result = self._train(Path(folder), "contract/continued", base=base)
        assert result.model.architecture == self.model_info.architecture
        assert result.model.digest != self.model_info.digest, "further steps change nothing"

    def test_other_pictures_are_learned_or_refused_in_one_line(self) -> None:
        for size in _OTHER_SIZES:
            for mode in ("L", "RGB"):
                refusal = ""
                with tempfile.TemporaryDirectory() as folder:
                    try:
                        self._train(Path(folder), "contract/other", size=size, mode=mode, steps=1)
                    except (ValueError, NncError) as error:
                        refusal = str(error)
                assert "\n" not in refusal, f"pictures of {size} in {mode} are refused in several lines"

    @classmethod
    def _train(
        cls,
        folder: Path,
        name: str,
        *,
        on_event: Callable[[Event], None] = lambda event: None,
        cancel: Callable[[], bool] = lambda: False,
        size: tuple[int, int] | None = None,
        mode: str | None = None,
        steps: int | None = None,
        **options: Any,
    ) -> TrainingResult:
        """Train a model, in a folder, on pictures that are written there; options are those of `Run`."""
        from nncodec.training.engine import Run, train

        width, height = size or cls.picture_size
        data = folder / "pictures"
        data.mkdir(exist_ok=True)
        planes = 3 if (mode or cls.picture_mode) == "RGB" else 1
        for number, image in enumerate(images_of(pictures(_COUNT, height, width, planes))):
            image.save(data / f"{number}.png")
        run = Run(
            cls.architecture,
            data,
            folder / f"{name.replace('/', '-')}.safetensors",
            name,
            folder / "run",
            settings=[{"batch_size": 2, **cls.settings, "steps": steps or cls.steps}],
            **options,
        )
        result = train(run, on_event, cancel)
        assert result is not None
        return result
