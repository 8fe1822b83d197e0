"""Each recipe of the documentation runs as it stands, with the library that it is about."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

import pytest
import skimage.data
from PIL import Image
from preloaded import Preloaded

import nncodec

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"
# Large packages that the extra `test` leaves out.
LARGE = {
    "datasets": "Hugging Face datasets brings pyarrow and pandas, some 100 MB",
    "torchvision": "torchvision must match the build of torch",
}


def _recipes() -> dict[str, str]:
    """Return the blocks of the page by their headings."""
    sections = re.split(r"^## (.*)\n", PAGE.read_text(encoding="utf-8"), flags=re.M)[1:]
    blocks = [re.findall(r"^```python\n(.*?)^```", text, re.M | re.S) for text in sections[1::2]]
    return {title: block for title, (block,) in zip(sections[::2], blocks, strict=True)}


RECIPES = _recipes()
# A worker imports torch, which takes longer than the recipe.
SHORTENED = {"PyTorch": ("num_workers=2", "num_workers=1")}


# Other packages' warnings are theirs; ours would fail the recipe.
OWN_WARNINGS_FAIL = 'import warnings\nwarnings.filterwarnings("error", category=UserWarning, module="__main__")\n'


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the page names, encoded once."""
    folder = tmp_path_factory.mktemp("files")
    photo = Image.fromarray(skimage.data.chelsea()).resize((226, 150))
    photo.save(folder / "cat.jpg")
    (folder / "cat.nnc").write_bytes(nncodec.encode(photo))
    for number, name in enumerate(["cats", "cats", "dogs"]):
        path = folder / "pictures" / name / f"{number}.nnc"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(nncodec.encode(photo.crop((20 * number, 0, 20 * number + 64, 64))))
    return folder


@pytest.fixture
def folder(files: Path, tmp_path: Path) -> Path:
    """A copy of these files, which a recipe may change."""
    return Path(shutil.copytree(files, tmp_path, dirs_exist_ok=True))


def test_the_page_has_its_recipes() -> None:
    expected = {"ImageIO", "scikit-image", "OpenCV", "PyTorch", "torchvision", "Hugging Face datasets", "Dask"}
    assert expected | {"Flask", "FastAPI", "Uploads"} == RECIPES.keys()


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_runs(title: str, folder: Path, preloaded: Preloaded) -> None:
    for module in sorted(set(re.findall(r"^(?:import|from) (\w+)", RECIPES[title], re.M))):
        if importlib.util.find_spec(module) is None:
            pytest.skip(LARGE.get(module, f"{module} is not installed; it is in the extra 'test'"))
    long, short = SHORTENED.get(title, ("", ""))
    assert long in RECIPES[title]
    (folder / "recipe.py").write_text(OWN_WARNINGS_FAIL + RECIPES[title].replace(long, short), encoding="utf-8")
    done = preloaded.run(["recipe.py"], cwd=folder)
    assert done.returncode == 0, done.stderr
