"""The shape of the code: which way dependencies point, and what stays unloaded until it is needed."""

from __future__ import annotations

import ast
import configparser
import functools
import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

import pytest
from preloaded import Preloaded

import nncodec

ROOT = Path(__file__).parents[1]
CORE = ROOT / "nncodec"
PLUGINS = sorted(path for path in (ROOT / "plugins").iterdir() if path.name.startswith("nncodec_"))
FORMATS = sorted(path for path in (ROOT / "formats").iterdir() if path.name.startswith("nncodec_"))
# Parts of core that need torch; everything else works without it.
TORCH_PARTS = ("nncodec.nn", "nncodec.torch", "nncodec.training")
# Parts of training that the command line needs before there is anything to train; finding a recipe imports torch.
LIGHT_PARTS = tuple(f"nncodec.training.{name}" for name in ("events", "options", "recipe", "settings"))
# The rooms of core from top to bottom: a module imports from its own room and from the rows below it, never from a
# neighbour in its row.
ROOMS = (
    ("__main__",),
    ("cli",),
    ("torch", "web"),
    ("compare", "batch", "testing"),
    ("api",),
    ("coding", "training"),
    ("picture",),
    ("format", "nn", "metrics"),
    ("engine",),
    ("plugin",),
    ("_support", "limits"),
    ("errors", "_version"),
)
# What stands in the folder of the package beside its rooms.
OUTSIDE_ROOMS = {"__init__.py", "__main__.py", "_version.py", "py.typed"}
MOST_ROOMS = 18


@functools.cache
def modules(folder: Path) -> dict[str, Path]:
    """Return the modules of a package folder by their import names."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path, *, on_import_only: bool = False) -> Iterator[str]:
    """Yield the full names a module imports.

    Args:
        path: its source.
        on_import_only: leave out what is imported within functions or for type checkers only.
    """
    waiting: list[ast.AST] = [tree_of(path)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and on_import_only:
            continue
        elif isinstance(node, ast.If) and on_import_only and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


# --- direction ----------------------------------------------------------------------------------------------------


def test_there_is_something_to_look_at() -> None:
    assert {"nncodec_dense", "nncodec_conv"} <= {path.name for path in PLUGINS}
    assert {"nncodec_pillow"} <= {path.name for path in FORMATS}
    assert {"nncodec", "nncodec.api", "nncodec.format.entropy.zstd", "nncodec.nn.blocks"} <= modules(CORE).keys()
    assert "astronaut" in set(_texts(CORE / "cli" / "demo.py"))
    assert "nncodec.plugin.registry.open_model" not in set(imports(CORE / "errors.py"))
    assert "nncodec.api.encode" in set(imports(CORE / "__init__.py"))


def _level(module: str) -> int:
    """Return the row of the room that a module of core lies in; `nncodec` itself offers the API."""
    room = [*module.split("."), "api"][1]
    return next(number for number, row in enumerate(ROOMS) if room in row)


def _module_of(imported: str) -> str:
    """Return the module of core that an imported name is, or comes from."""
    known = modules(CORE)
    return imported if imported in known else imported.rpartition(".")[0]


def test_every_room_has_a_place_in_the_order() -> None:
    entries = {path.name for path in CORE.iterdir() if path.name != "__pycache__"} - OUTSIDE_ROOMS
    placed = {room for row in ROOMS for room in row}
    assert {name.removesuffix(".py") for name in entries} <= placed
    assert len(entries) <= MOST_ROOMS


def test_a_room_imports_only_from_the_rooms_below_it() -> None:
    for name, path in modules(CORE).items():
        if name == "nncodec":
            continue  # it offers what the rooms hold
        room = name.split(".")[1]
        for imported in imports(path):
            if not within(imported, "nncodec"):
                continue
            module = _module_of(imported)
            assert module in modules(CORE), f"{name} imports {imported}"
            if [*module.split("."), "api"][1] != room:
                assert _level(module) > _level(name), f"{name} imports {imported}"


def test_no_files_import_each_other_in_a_circle() -> None:
    files = {name: path for folder in (CORE, *PLUGINS, *FORMATS) for name, path in modules(folder).items()}
    graph = {
        name: {target for target in (_file_of(one, files) for one in imports(path)) if target and target != name}
        for name, path in files.items()
    }
    # The package offers what its rooms hold, and they import one another by their own names.
    assert [f"{a} <-> {b}" for a in graph for b in sorted(graph[a]) if _reaches(graph, b, a)] == []


def _file_of(imported: str, files: dict[str, Path]) -> str | None:
    return next((name for name in (imported, imported.rpartition(".")[0]) if name in files), None)


def _reaches(graph: dict[str, set[str]], start: str, end: str) -> bool:
    waiting, seen = [start], {start}
    while waiting:
        node = waiting.pop()
        if node == end:
            return True
        waiting += graph[node] - seen
        seen |= graph[node]
    return False


def test_core_imports_and_names_no_plugin_and_no_format() -> None:
    others = {folder.name for folder in (*PLUGINS, *FORMATS)}
    for name, path in modules(CORE).items():
        assert [imported for imported in imports(path) if imported.startswith("nncodec_")] == [], name
        texts = [*_texts(path)]
        assert {other for other in others if any(other in text for text in texts)} == set(), name


def _texts(path: Path) -> Iterator[str]:
    """Yield the string constants of a module, docstrings left out."""
    tree = tree_of(path)
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


@pytest.mark.parametrize("folder", [*PLUGINS, *FORMATS], ids=lambda folder: folder.name)
def test_plugins_and_formats_import_core_but_not_each_other(folder: Path) -> None:
    for path in modules(folder).values():
        foreign = {name.split(".")[0] for name in imports(path) if name.startswith("nncodec")}
        assert foreign <= {"nncodec", folder.name}, path


# --- torch only where it is needed --------------------------------------------------------------------------------


def _light_modules() -> dict[str, Path]:
    """Core apart from the parts for torch, formats, and what plugins are asked by the registry."""
    light = {name: path for name, path in modules(CORE).items() if not any(within(name, p) for p in TORCH_PARTS)}
    light.update({name: modules(CORE)[name] for name in LIGHT_PARTS})
    for folder in FORMATS:
        light.update(modules(folder))
    for folder in PLUGINS:
        light.update({name: path for name, path in modules(folder).items() if name in _asked(folder)})
    return light


def _asked(folder: Path) -> tuple[str, str]:
    return folder.name, f"{folder.name}.plugin"


def test_a_light_module_loads_neither_torch_nor_what_needs_it() -> None:
    for module, path in _light_modules().items():
        heavy = [
            name
            for name in imports(path, on_import_only=True)
            if any(within(name, package) for package in ("torch", *TORCH_PARTS))
            and not any(within(name, part) for part in LIGHT_PARTS)
        ]
        assert heavy == [], module


def test_only_the_command_line_talks_to_a_terminal() -> None:
    terminal = {"click", "tqdm"}
    talking = {
        name for name, path in modules(CORE).items() if any(one.partition(".")[0] in terminal for one in imports(path))
    }
    assert {name for name in talking if not within(name, "nncodec.cli")} == set()


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_what_the_registry_asks_of_a_plugin_imports_nothing_else_of_it(folder: Path) -> None:
    own = modules(folder)
    for name in _asked(folder):
        taken = {n for n in imports(own[name], on_import_only=True) if within(n, folder.name)}
        assert taken == set()


@pytest.mark.parametrize(
    "code",
    [
        "import nncodec",
        "from nncodec.training import recipe, settings; assert recipe.trainable_architectures()",
        "import nncodec.plugin.registry; assert nncodec.plugin.registry.catalog().models",
        "import nncodec.testing, sys; assert 'pytest' not in sys.modules",
        "import nncodec.cli; nncodec.cli.main(['--help'], standalone_mode=False)",
        "import nncodec.cli; nncodec.cli.main(['plugins'], standalone_mode=False)",
        "import nncodec.cli; nncodec.cli.main(['compare', '--help'], standalone_mode=False)",
        "import nncodec.cli; nncodec.cli.main(['enhance', '--help'], standalone_mode=False)",
        "import nncodec; assert nncodec.enhance",
        "import nncodec; nncodec.decode(GOLDEN, device='cpu')",
        "import nncodec; nncodec.decode_batch([GOLDEN, GOLDEN])",
        "import nncodec; nncodec.decode(GOLDEN.replace('hyper-q35', 'exact-palette'))",
        "import nncodec_pillow; from PIL import Image; Image.open(GOLDEN).load()",
        "import nncodec.cli; nncodec.cli.main(['decode', GOLDEN, '-o', 'out.png'], standalone_mode=False)",
        "import nncodec.metrics, sys; assert not {'skimage', 'scipy'} & sys.modules.keys()",
        "import nncodec.compare, nncodec.compare.report, sys; assert not {'scipy', 'matplotlib'} & sys.modules.keys()",
    ],
)
def test_torch_stays_unloaded(code: str, tmp_path: Path, light_programs: Preloaded) -> None:
    golden = ROOT / "tests" / "golden" / "v1" / "hyper-q35.nnc"
    script = f"GOLDEN = {str(golden)!r}\n{code}\nimport sys\nassert 'nncodec' in sys.modules"
    script += "\nassert not {'torch', 'skimage', 'scipy'} & sys.modules.keys()"
    (tmp_path / "script.py").write_text(script)
    done = light_programs.run(["script.py"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr


# --- versions and input checks ------------------------------------------------------------------------------------


def test_there_is_one_version() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert config["metadata"]["version"] == "attr: nncodec._version.__version__"
    assert importlib.metadata.version(config["metadata"]["name"]) == nncodec.__version__


@pytest.mark.parametrize("folder", [CORE, *PLUGINS, *FORMATS], ids=lambda folder: folder.name)
def test_asserts_only_state_types(folder: Path) -> None:
    """Input is checked with exceptions: an assert says what a type checker cannot see, and nothing more."""
    for name, path in modules(folder).items():
        if name.startswith("nncodec.testing"):
            continue  # tests, for plugins to inherit
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Assert):
                stated = ast.unparse(node.test)
                assert stated.endswith(" is not None") or stated.startswith("isinstance("), f"{path}:{node.lineno}"


@pytest.mark.parametrize("folder", [CORE, *PLUGINS, *FORMATS], ids=lambda folder: folder.name)
def test_every_package_is_marked_as_typed(folder: Path) -> None:
    assert (folder / "py.typed").is_file()
