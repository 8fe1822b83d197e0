"""Discovery: what good plugins provide is there whatever bad ones do, and every failure is told."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from nncodec.errors import BadModelFile, ModelError, PluginError, UnknownModel, WeightsMismatch
from nncodec.plugin import discovery, registry
from nncodec.plugin.catalog import Catalog
from nncodec.plugin.codec import CodecModel, CodecTraits, FixedSize
from nncodec.plugin.discovery import build_catalog
from nncodec.plugin.enhancer import EnhancerModel, EnhancerTraits
from nncodec.plugin.latents import IntArray, Latents, LatentSpec, Pixels
from nncodec.plugin.model_file import ModelFile, read_model, write_model
from nncodec.plugin.registry import install_model, open_enhancer, open_model, remove_model

Plugin = Callable[..., EntryPoint]

_HOOKS = """
from pathlib import Path
from nncodec.plugin.hooks import ArchitectureSpec, ModelSpec, hookimpl

@hookimpl
def nncodec_architectures():
    return {architectures}

@hookimpl
def nncodec_models():
    return {models}
"""


class OneGrey(CodecModel):
    """A codec of 2 x 2 pictures that become one grey level; its config may ask it to fail."""

    traits = CodecTraits(("L",), FixedSize(2, 2), (LatentSpec("grey", 1, 2, 0, 255),))

    @classmethod
    def from_file(cls, model_file: ModelFile) -> OneGrey:
        failure = model_file.config.get("fail")
        if failure is not None:
            raise getattr(builtins, failure)("it does not fit\nand more")
        return cls()

    def analysis(self, pixels: Pixels, quality: int, effort: int) -> Latents:
        return {"grey": pixels.mean(axis=(1, 2)).astype(np.int32)[:, :, None, None]}

    def synthesis(self, latents: Mapping[str, IntArray], quality: int) -> Pixels:
        return latents["grey"].repeat(2, axis=2).repeat(2, axis=3).transpose(0, 2, 3, 1).astype(np.uint8)


class Unchanged(EnhancerModel):
    """An enhancer that changes nothing; its config may ask it to be something else."""

    traits = EnhancerTraits(1, 1, 0)

    @classmethod
    def from_file(cls, model_file: ModelFile) -> Unchanged:
        return OneGrey() if model_file.config.get("odd") else cls()  # type: ignore[return-value]

    def enhance(self, pixels: Pixels, strength: float) -> Pixels:
        return pixels


def model_file(folder: Path, name: str, *, seed: int = 0, architecture: str = "grey", **config: object) -> Path:
    path = folder / f"{name.replace('/', '_')}{seed}.safetensors"
    tensors = {"weight": np.full(3, seed, np.float32)}
    write_model(path, architecture=architecture, config=config, name=name, card={}, tensors=tensors)
    return path


def forge_digest(path: Path, digest: str) -> None:
    """Make a model file claim another digest."""
    data = path.read_bytes()
    path.write_bytes(data.replace(read_model(path).digest.encode(), digest.encode()))


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plugin:
    """Return a maker of entry points, each of a module of its own."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def make(name: str, source: str = "", *, architectures: str = "[]", models: str = "[]") -> EntryPoint:
        module = f"fake_plugin_{tmp_path.name}_{name}"
        (folder / f"{module}.py").write_text(source or _HOOKS.format(architectures=architectures, models=models))
        return EntryPoint(name, module, discovery.ENTRY_POINT_GROUP)

    return make


@pytest.fixture(autouse=True)
def user_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of the user's own models, not yet there."""
    folder = tmp_path / "user" / "models"
    monkeypatch.setenv(discovery.MODELS_VARIABLE, str(folder))
    monkeypatch.delenv(discovery.DISABLED_VARIABLE, raising=False)
    registry.refresh()
    yield folder
    registry.refresh()


@pytest.fixture
def good(plugin: Plugin, tmp_path: Path) -> EntryPoint:
    """A plugin with an architecture and a model with an alias."""
    path = model_file(tmp_path, "good/one")
    return plugin(
        "good",
        architectures=f"[ArchitectureSpec('grey', '{__name__}:OneGrey')]",
        models=f"[ModelSpec('good/one', Path({str(path)!r}), aliases=('one',))]",
    )


def install(monkeypatch: pytest.MonkeyPatch, *entry_points: EntryPoint) -> Catalog:
    """Make these the installed plugins."""
    monkeypatch.setattr("nncodec.plugin.registry.importlib.metadata.entry_points", lambda group: entry_points)
    registry.refresh()
    return registry.catalog()


@pytest.fixture
def installed(good: EntryPoint, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """The catalog of a process in which only the good plugin is installed."""
    return install(monkeypatch, good)


# --- good plugins -------------------------------------------------------------------------------------------------


def test_a_plugin_provides_what_its_hooks_return(good: EntryPoint) -> None:
    catalog = build_catalog([good])
    assert list(catalog.architectures) == ["grey"]
    assert catalog.find("good/one") is catalog.find("one")
    (info,) = catalog.plugins
    assert (info.name, info.status, info.architectures, info.models) == ("good", "ok", ("grey",), ("good/one",))
    assert catalog.failures == ()


def test_a_model_is_found_by_the_beginning_of_its_digest(good: EntryPoint) -> None:
    catalog = build_catalog([good])
    model_info = catalog.find("one")
    assert catalog.find_by_id(model_info.id_bytes[:4]) is catalog.find_by_id(model_info.id_bytes) is model_info
    with pytest.raises(UnknownModel, match="good/one"):
        catalog.find_by_id(bytes(4))


def test_a_plugin_may_implement_one_hook_only(plugin: Plugin) -> None:
    source = "from nncodec.plugin.hooks import hookimpl\n@hookimpl\ndef nncodec_models():\n    return []\n"
    assert build_catalog([plugin("half", source)]).plugins[0].status == "ok"


def test_an_unknown_model_is_refused_with_what_there_is(good: EntryPoint, plugin: Plugin) -> None:
    catalog = build_catalog([good, plugin("bad", "raise RuntimeError('no disk')")])
    with pytest.raises(UnknownModel) as caught:
        catalog.find("good/two")
    assert caught.value.wanted == "good/two"
    assert "installed: good/one" in str(caught.value)
    assert "plugin 'bad' (RuntimeError: no disk)" in str(caught.value)


# --- codecs and enhancers -----------------------------------------------------------------------------------------


@pytest.fixture
def both(plugin: Plugin, good: EntryPoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """The catalog of a process in which the good plugin and one with enhancers are installed."""
    paths = [
        model_file(tmp_path, f"same/{name}", seed=seed, architecture="same", **config)
        for seed, (name, config) in enumerate({"one": {}, "odd": {"odd": 1}}.items(), 5)
    ]
    one, odd = (f"Path({str(path)!r})" for path in paths)
    same = plugin(
        "same",
        architectures=f"[ArchitectureSpec('same', '{__name__}:Unchanged', kind='enhancer')]",
        models=f"[ModelSpec('same/one', {one}, ('x1',)), ModelSpec('same/odd', {odd})]",
    )
    return install(monkeypatch, good, same)


def test_each_kind_opens_its_own_way(both: Catalog) -> None:
    assert isinstance(open_enhancer("x1"), Unchanged)
    assert open_enhancer(both.find("same/one")) is open_enhancer("same/one")
    assert isinstance(open_model("one"), OneGrey)
    assert [(info.name, info.kinds) for info in both.plugins] == [("good", ("codec",)), ("same", ("enhancer",))]
    assert {name: both.kind_of(model_info) for name, model_info in both.models.items()} == {
        "good/one": "codec",
        "same/one": "enhancer",
        "same/odd": "enhancer",
    }


@pytest.mark.parametrize("by_name", [True, False])
def test_the_other_kind_is_refused_with_one_to_choose(both: Catalog, by_name: bool) -> None:
    enhancer, codec = both.find("x1"), both.find("one")
    with pytest.raises(ModelError) as caught:
        open_model("x1" if by_name else enhancer)
    assert str(caught.value) == "same/one is an enhancer, not a codec; choose a codec such as one"
    with pytest.raises(ModelError) as caught:
        open_enhancer("one" if by_name else codec)
    assert str(caught.value) == "good/one is a codec, not an enhancer; choose an enhancer such as x1"
    assert both.find("x1", "enhancer") is enhancer
    with pytest.raises(ModelError, match="choose a codec such as one"):
        both.find("x1", "codec")


def test_where_there_is_none_to_choose_none_is_named(installed: Catalog) -> None:
    with pytest.raises(ModelError, match=r"not an enhancer; choose an enhancer$"):
        open_enhancer("one")


def test_an_id_leads_to_its_own_kind_only(both: Catalog) -> None:
    enhancer, codec = both.find("x1"), both.find("one")
    assert both.find_by_id(enhancer.id_bytes[:8], kind="enhancer") is enhancer
    assert both.find_by_id(codec.id_bytes[:8]) is codec
    with pytest.raises(UnknownModel, match=r"no installed model is 'same/one .*; installed: good/one$"):
        both.find_by_id(enhancer.id_bytes[:8], "same/one")
    with pytest.raises(UnknownModel, match=r"no installed enhancer is '.*; installed: same/odd, same/one$"):
        both.find_by_id(codec.id_bytes[:8], kind="enhancer")


def test_the_message_for_an_unknown_one_lists_its_kind(both: Catalog) -> None:
    with pytest.raises(UnknownModel, match=r"no installed enhancer is 'x9'; installed: same/odd, same/one$"):
        open_enhancer("x9")
    with pytest.raises(UnknownModel, match=r"no installed model is 'x9'; installed: good/one$"):
        open_model("x9")
    with pytest.raises(UnknownModel, match=r"no installed model is 'x9'; installed: good/one, same/odd, same/one$"):
        both.find("x9")


def test_an_architecture_that_makes_something_else_is_the_plugins_fault(both: Catalog) -> None:
    with pytest.raises(
        PluginError,
        match=r"'same' .* failed with the model 'same/odd': OneGrey, which it returned, is not a EnhancerModel",
    ):
        open_enhancer("same/odd")


@pytest.mark.parametrize("reference", ["OneGrey", "Unchanged"])
def test_an_architecture_of_the_wrong_kind_is_the_plugins_fault(
    plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    kind, opener = ("enhancer", open_enhancer) if reference == "OneGrey" else ("codec", open_model)
    path = model_file(tmp_path, "wrong/one", architecture="wrong")
    wrong = plugin(
        "wrong",
        architectures=f"[ArchitectureSpec('wrong', '{__name__}:{reference}', kind={kind!r})]",
        models=f"[ModelSpec('wrong/one', Path({str(path)!r}))]",
    )
    install(monkeypatch, wrong)
    with pytest.raises(PluginError, match=f"{reference} is not a .*Model subclass"):
        opener("wrong/one")  # type: ignore[operator]


@pytest.mark.parametrize("opener", [open_model, open_enhancer])
def test_a_model_without_its_architecture_says_so_whatever_it_was_wanted_for(
    both: Catalog, tmp_path: Path, opener: Callable[[str], object]
) -> None:
    install_model(model_file(tmp_path, "mine", seed=9, architecture="unheard-of"))
    with pytest.raises(BadModelFile, match="no installed plugin provides architecture 'unheard-of'"):
        opener("mine")
    assert registry.catalog().kind_of(registry.catalog().find("mine")) == "codec"


# --- bad plugins --------------------------------------------------------------------------------------------------

_MARKED = "from nncodec.plugin.hooks import ArchitectureSpec, ModelSpec, hookimpl\n@hookimpl\n"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('first line\\nsecond')", "RuntimeError: first line"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import no_such_module_anywhere", "No module named"),
        ("def broken(:", "SyntaxError"),
        (f"{_MARKED}def nncodec_models():\n    raise KeyError", "KeyError: no message"),
        (f"{_MARKED}def nncodec_models():\n    yield 1 / 0", "ZeroDivisionError"),
        (f"{_MARKED}def nncodec_models():\n    return 5", "TypeError"),
        (f"{_MARKED}def nncodec_models():\n    return 'good/one'", "is not a ModelSpec"),
        (f"{_MARKED}def nncodec_models():\n    return [ModelSpec('x/y', 'nowhere')]", "not a usable model file"),
        (f"{_MARKED}def nncodec_models():\n    return [ModelSpec('x/y', None)]", "TypeError"),
        (f"{_MARKED}def nncodec_models():\n    return [ModelSpec('x/y', 'z', aliases='photo')]", "tuple of aliases"),
        (f"{_MARKED}def nncodec_architectures():\n    return ['a:B']", "is not an ArchitectureSpec"),
        (f"{_MARKED}def nncodec_architectures():\n    return [ArchitectureSpec('a', None)]", "not an ArchitectureSpec"),
        (
            f"{_MARKED}def nncodec_architectures():\n    return [ArchitectureSpec('a', 'b:C', kind='filter')]",
            "architecture 'a' has the kind 'filter'; a kind is 'codec' or 'enhancer'",
        ),
        (f"{_MARKED}def nncodec_architectures():\n    return [ArchitectureSpec('a', 'b:C', kind=None)]", "kind None"),
        (f"{_MARKED}def nncodec_architectures(extra):\n    return []", "PluginValidationError"),
        (f"{_MARKED}def nncodec_modles():\n    return []", "nncodec_modles"),
        ("def nncodec_models():\n    return []", "is @hookimpl missing"),
    ],
)
def test_a_broken_plugin_is_left_out_and_reported(plugin: Plugin, good: EntryPoint, source: str, reason: str) -> None:
    catalog = build_catalog([plugin("bad", source), good])
    bad, fine = catalog.plugins
    assert (bad.name, bad.status, bad.architectures, bad.models) == ("bad", "failed", (), ())
    assert reason in bad.reason
    assert "\n" not in bad.reason
    assert fine.status == "ok"
    assert list(catalog.models) == ["good/one"]
    assert catalog.failures == (f"plugin 'bad' ({bad.reason})",)


def test_a_plugin_that_fails_half_way_leaves_nothing_behind(plugin: Plugin, tmp_path: Path) -> None:
    path = model_file(tmp_path, "half/one")
    half = plugin(
        "half",
        architectures="[ArchitectureSpec('half', 'a:B')]",
        models=f"[ModelSpec('half/one', Path({str(path)!r})), ModelSpec('half/two', Path('nowhere'))]",
    )
    catalog = build_catalog([half])
    assert catalog.plugins[0].status == "failed"
    assert not catalog.architectures
    assert not catalog.models


def test_an_entry_point_that_points_nowhere_is_reported() -> None:
    nowhere = EntryPoint("nowhere", "json:no_such_attribute", discovery.ENTRY_POINT_GROUP)
    (info,) = build_catalog([nowhere]).plugins
    assert info.status == "failed"
    assert "no_such_attribute" in info.reason


# --- duplicates ---------------------------------------------------------------------------------------------------


def test_a_second_architecture_of_a_name_is_refused(plugin: Plugin, good: EntryPoint) -> None:
    catalog = build_catalog([good, plugin("late", architectures="[ArchitectureSpec('grey', 'late:Codec')]")])
    assert catalog.architectures["grey"].reference.endswith("OneGrey")
    assert catalog.plugins[1].reason == "architecture 'grey' is already provided"


@pytest.mark.parametrize(
    ("name", "aliases", "reason"),
    [
        ("good/one", (), "a model named 'good/one' is already installed"),
        ("one", (), "a model named 'one' is already installed"),
        ("late/two", ("one",), "the name 'one' is already taken"),
        ("late/two", ("good/one",), "the name 'good/one' is already taken"),
        ("late/two", ("late/two",), "the name 'late/two' is already taken"),
        ("late/two", ("two", "two"), "the name 'two' is already taken"),
    ],
)
def test_a_second_model_of_a_name_or_alias_is_refused(
    plugin: Plugin, good: EntryPoint, tmp_path: Path, name: str, aliases: tuple[str, ...], reason: str
) -> None:
    path = model_file(tmp_path, name, seed=1)
    catalog = build_catalog([good, plugin("late", models=f"[ModelSpec({name!r}, Path({str(path)!r}), {aliases!r})]")])
    assert reason in catalog.plugins[1].reason
    assert list(catalog.models) == ["good/one"]
    assert list(catalog.aliases) == ["one"]


def test_the_same_weights_under_another_name_are_refused(plugin: Plugin, good: EntryPoint, tmp_path: Path) -> None:
    path = model_file(tmp_path, "late/copy")
    catalog = build_catalog([good, plugin("late", models=f"[ModelSpec('late/copy', Path({str(path)!r}))]")])
    assert "it is already installed as 'good/one'" in catalog.plugins[1].reason


def test_a_digest_that_begins_like_another_is_refused(plugin: Plugin, good: EntryPoint, tmp_path: Path) -> None:
    path = model_file(tmp_path, "late/two", seed=1)
    forge_digest(path, build_catalog([good]).find("one").digest[:8] + 56 * "0")
    catalog = build_catalog([good, plugin("late", models=f"[ModelSpec('late/two', Path({str(path)!r}))]")])
    assert "its digest begins like that of 'good/one'" in catalog.plugins[1].reason


def test_a_model_that_is_called_otherwise_in_its_file_is_refused(plugin: Plugin, tmp_path: Path) -> None:
    path = model_file(tmp_path, "right/name")
    catalog = build_catalog([plugin("odd", models=f"[ModelSpec('wrong/name', Path({str(path)!r}))]")])
    assert "holds 'right/name', not 'wrong/name'" in catalog.plugins[0].reason


# --- switched off -------------------------------------------------------------------------------------------------


def test_a_switched_off_plugin_is_not_even_imported(
    plugin: Plugin, good: EntryPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(discovery.DISABLED_VARIABLE, "other, bad")
    catalog = build_catalog([plugin("bad", "raise RuntimeError"), good])
    assert [info.status for info in catalog.plugins] == ["disabled", "ok"]
    assert catalog.failures == ()


def test_the_message_for_an_unknown_model_names_switched_off_plugins(
    good: EntryPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(discovery.DISABLED_VARIABLE, "good")
    with pytest.raises(UnknownModel, match=r"installed: none; not available: plugin 'good' \(disabled\)"):
        build_catalog([good]).find("good/one")


# --- opening models -----------------------------------------------------------------------------------------------


def test_a_model_opens_by_name_alias_and_head_and_stays_open(installed: Catalog) -> None:
    opened = open_model("good/one")
    assert isinstance(opened, OneGrey)
    assert open_model("one") is open_model(installed.find("one")) is opened


@pytest.mark.parametrize(
    "reference",
    ["no_such_module_anywhere:Codec", "json:no_such_attribute", "json:JSONDecoder", "json:dumps", "json", ""],
)
def test_an_architecture_that_cannot_be_had_is_the_plugins_fault(
    plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    path = model_file(tmp_path, "broken/one")
    broken = plugin(
        "broken",
        architectures=f"[ArchitectureSpec('grey', {reference!r})]",
        models=f"[ModelSpec('broken/one', Path({str(path)!r}))]",
    )
    install(monkeypatch, broken)
    with pytest.raises(PluginError, match=r"plugin 'broken' .* failed with the model 'broken/one'"):
        open_model("broken/one")


def test_an_architecture_whose_module_exits_is_the_plugins_fault(
    plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exits = plugin("exits", "raise SystemExit('no GPU')")
    path = model_file(tmp_path, "broken/one")
    broken = plugin(
        "broken",
        architectures=f"[ArchitectureSpec('grey', '{exits.value}:Codec')]",
        models=f"[ModelSpec('broken/one', Path({str(path)!r}))]",
    )
    install(monkeypatch, broken)
    with pytest.raises(PluginError, match="SystemExit: no GPU"):
        open_model("broken/one")


@pytest.mark.parametrize(
    "failure", ["ValueError", "AttributeError", "IndexError", "ZeroDivisionError", "AssertionError"]
)
def test_whatever_an_architecture_raises_the_model_file_is_refused(
    installed: Catalog, tmp_path: Path, failure: str
) -> None:
    install_model(model_file(tmp_path, "mine", seed=1, fail=failure))
    with pytest.raises(BadModelFile) as caught:
        open_model("mine")
    assert "\n" not in str(caught.value)


def test_a_model_of_an_unknown_architecture_is_refused(installed: Catalog, tmp_path: Path) -> None:
    install_model(model_file(tmp_path, "mine", seed=1, architecture="unheard-of"))
    with pytest.raises(BadModelFile, match="no installed plugin provides architecture 'unheard-of'"):
        open_model("mine")


def test_weights_that_are_not_those_of_the_digest_are_refused(
    plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = model_file(tmp_path, "forged/one")
    forge_digest(path, 64 * "a")
    install(monkeypatch, plugin("forged", models=f"[ModelSpec('forged/one', Path({str(path)!r}))]"))
    with pytest.raises(WeightsMismatch, match="aaaa"):
        open_model("forged/one")


def test_a_model_file_that_was_replaced_after_it_was_found_is_refused(
    plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = model_file(tmp_path, "swapped/one")
    architectures = "[ArchitectureSpec('grey', 'builtins:object')]"
    install(
        monkeypatch,
        plugin("swapped", architectures=architectures, models=f"[ModelSpec('swapped/one', Path({str(path)!r}))]"),
    )
    model_info = registry.catalog().find("swapped/one")
    model_file(tmp_path, "swapped/one", seed=1).replace(path)
    with pytest.raises(WeightsMismatch, match=f"expected {model_info.digest[:16]}"):
        open_model("swapped/one")


# --- the user's own models ----------------------------------------------------------------------------------------


def test_an_installed_model_is_a_copy_under_its_own_name(installed: Catalog, user_models: Path, tmp_path: Path) -> None:
    source = model_file(tmp_path, "mine/two", seed=1)
    model_info = install_model(source)
    source.unlink()
    assert model_info.path.parent == user_models
    assert registry.catalog().find("mine/two") == model_info
    assert isinstance(open_model("mine/two"), OneGrey)
    assert [path.suffix for path in user_models.iterdir()] == [".safetensors"]


def test_a_removed_model_is_gone(installed: Catalog, user_models: Path, tmp_path: Path) -> None:
    install_model(model_file(tmp_path, "mine", seed=1))
    open_model("mine")
    remove_model("mine")
    assert not list(user_models.iterdir())
    with pytest.raises(UnknownModel):
        open_model("mine")


def test_a_model_that_ships_with_a_plugin_is_not_removed(installed: Catalog) -> None:
    with pytest.raises(ModelError, match="ships with a plugin"):
        remove_model("one")
    assert installed.find("one").path.is_file()


def test_names_that_differ_in_the_slash_only_do_not_share_a_file(installed: Catalog, tmp_path: Path) -> None:
    paths = {install_model(model_file(tmp_path, name, seed=seed)).path for seed, name in enumerate(("a/b", "a--b"), 1)}
    assert len(paths) == 2
    assert registry.catalog().models.keys() == {"good/one", "a/b", "a--b"}


@pytest.mark.parametrize(
    ("name", "seed", "reason"),
    [
        ("mine", 0, "already installed as 'good/one'"),
        ("good/one", 1, "already installed"),
        ("one", 1, "already installed"),
    ],
)
def test_a_model_whose_weights_or_name_are_taken_is_not_installed(
    installed: Catalog, user_models: Path, tmp_path: Path, name: str, seed: int, reason: str
) -> None:
    with pytest.raises(BadModelFile, match=reason):
        install_model(model_file(tmp_path, name, seed=seed))
    assert not user_models.exists()


def test_a_model_file_with_a_false_digest_is_not_installed(
    installed: Catalog, user_models: Path, tmp_path: Path
) -> None:
    path = model_file(tmp_path, "mine", seed=1)
    forge_digest(path, 64 * "b")
    with pytest.raises(WeightsMismatch):
        install_model(path)
    assert not user_models.exists()


def test_a_damaged_file_among_the_users_models_is_reported_and_skipped(
    installed: Catalog, user_models: Path, tmp_path: Path
) -> None:
    install_model(model_file(tmp_path, "mine", seed=1))
    (user_models / "cut.safetensors").write_bytes(b"\x40\0\0")
    (user_models / "notes.txt").write_text("not a model")
    header = json.dumps({"__metadata__": {"nncodec.name": "half"}}).encode()
    (user_models / "half.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    registry.refresh()
    catalog = registry.catalog()
    assert catalog.models.keys() == {"good/one", "mine"}
    assert [failure.split(" (")[0] for failure in catalog.failures] == [
        "model file cut.safetensors",
        "model file half.safetensors",
    ]
    with pytest.raises(UnknownModel, match=r"cut\.safetensors"):
        catalog.find("cut")


def test_a_users_model_that_clashes_with_a_plugins_is_reported_and_skipped(
    good: EntryPoint, user_models: Path, tmp_path: Path
) -> None:
    user_models.mkdir(parents=True)
    model_file(user_models, "good/one", seed=1)
    catalog = build_catalog([good])
    assert catalog.find("good/one").path.parent == tmp_path
    assert "a model named 'good/one' is already installed" in catalog.failures[0]


def test_without_the_variable_models_live_in_the_platforms_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(discovery.MODELS_VARIABLE)
    monkeypatch.setattr("nncodec.plugin.discovery.platformdirs.user_data_dir", lambda name, appauthor: f"/data/{name}")
    assert discovery.models_folder() == Path("/data/nncodec/models")
