"""Models open, are installed and removed; the plugin or the file is blamed for what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from fake_plugins import Plugin, forge_digest, install, model_file
from toys import BlockMeans, Negative

from nncodec.errors import BadModelFile, ModelError, PluginError, UnknownModel, WeightsMismatch
from nncodec.plugin import discovery, registry
from nncodec.plugin.catalog import Catalog
from nncodec.plugin.registry import install_model, open_enhancer, open_model, remove_model

_NO_PLUGIN = (
    r"^mine cannot be used: no installed plugin provides its architecture 'unheard-of'; install the plugin that does$"
)


# --- opening models ---------------------------------------------------------------------------------------------------


def test_each_kind_opens_its_own_way(both: Catalog) -> None:
    assert isinstance(open_enhancer("x1"), Negative)
    assert open_enhancer(both.find("same/one")) is open_enhancer("same/one")
    assert isinstance(open_model("one"), BlockMeans)
    assert [(info.name, info.kinds) for info in both.plugins] == [("good", ("codec",)), ("same", ("enhancer",))]
    assert {name: both.kind_of(model_info) for name, model_info in both.models.items()} == {
        "good/one": "codec",
        "same/one": "enhancer",
        "same/odd": "enhancer",
    }


def test_an_architecture_that_makes_something_else_is_the_plugins_fault(both: Catalog) -> None:
    with pytest.raises(
        PluginError,
        match=r"'same' .* failed with the model 'same/odd': BlockMeans, which it returned, is not a EnhancerModel",
    ):
        open_enhancer("same/odd")


@pytest.mark.parametrize("reference", ["BlockMeans", "Negative"])
def test_an_architecture_of_the_wrong_kind_is_the_plugins_fault(
    plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    kind, opener = ("enhancer", open_enhancer) if reference == "BlockMeans" else ("codec", open_model)
    path = model_file(tmp_path, "wrong/one", architecture="wrong")
    wrong = plugin(
        "wrong",
        architectures=f"[ArchitectureSpec('wrong', 'toys:{reference}', kind={kind!r})]",
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
    with pytest.raises(ModelError, match=_NO_PLUGIN):
        opener("mine")
    assert registry.catalog().kind_of(registry.catalog().find("mine")) == "codec"


def test_a_model_opens_by_name_alias_and_info_and_stays_open(installed: Catalog) -> None:
    opened = open_model("good/one")
    assert isinstance(opened, BlockMeans)
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
    "failure", ["ValueError", "AttributeError", "IndexError", "ZeroDivisionError", "AssertionError", "SystemExit"]
)
def test_whatever_an_architecture_raises_the_model_file_is_refused(
    installed: Catalog, tmp_path: Path, failure: str
) -> None:
    with pytest.raises(BadModelFile) as caught:
        install_model(model_file(tmp_path, "mine", seed=1, fail=failure))
    assert "\n" not in str(caught.value)


def test_a_model_of_an_unknown_architecture_is_refused(installed: Catalog, tmp_path: Path) -> None:
    install_model(model_file(tmp_path, "mine", seed=1, architecture="unheard-of"))
    with pytest.raises(ModelError, match=_NO_PLUGIN):
        open_model("mine")


def test_a_model_whose_plugin_fails_or_is_disabled_names_it(
    plugin: Plugin, good: EntryPoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = plugin("bad", "raise RuntimeError('it breaks')")
    install(monkeypatch, bad, good)
    install_model(model_file(tmp_path, "mine", seed=1))
    monkeypatch.setenv(discovery.DISABLED_VARIABLE, "good")
    registry.refresh()
    listed = r"plugin 'bad' \(RuntimeError: it breaks\)"
    with pytest.raises(
        ModelError, match=rf"install the plugin that does, or .*: {listed}; plugin 'good' \(disabled\)$"
    ):
        open_model("mine")
    # The model of a plugin that is not available: its file alone would be of no use.
    with pytest.raises(UnknownModel, match=r"'bad' \(RuntimeError.*; mend or enable the plugin 'bad', which"):
        registry.catalog().find_by_id(bytes(8), "bad/one")
    with pytest.raises(UnknownModel, match=r"mend or enable what it comes with, or else get its model file"):
        registry.catalog().find_by_id(bytes(8))


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


# --- the user's own models --------------------------------------------------------------------------------------------


def test_an_installed_model_is_a_copy_under_its_own_name(installed: Catalog, user_models: Path, tmp_path: Path) -> None:
    source = model_file(tmp_path, "mine/two", seed=1)
    model_info = install_model(source)
    source.unlink()
    assert model_info.path.parent == user_models
    assert registry.catalog().find("mine/two") == model_info
    assert isinstance(open_model("mine/two"), BlockMeans)
    assert [path.suffix for path in user_models.iterdir()] == [".safetensors"]


def test_a_removed_model_is_gone(installed: Catalog, user_models: Path, tmp_path: Path) -> None:
    install_model(model_file(tmp_path, "mine", seed=1))
    open_model("mine")
    remove_model("mine")
    assert not list(user_models.iterdir())
    with pytest.raises(UnknownModel):
        open_model("mine")


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nothing"))


def _other_weights(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")


UNUSABLE: dict[str, Callable[[Path], object]] = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-2]),
    "empty": lambda path: path.write_bytes(b""),
    "other weights": _other_weights,
    "another digest": lambda path: forge_digest(path, 64 * "b"),
    "a link to nothing": _dangling,
}


@pytest.mark.parametrize("spoil", UNUSABLE.values(), ids=UNUSABLE)
@pytest.mark.parametrize("renamed", [False, True])
def test_a_copy_that_cannot_be_used_is_replaced_or_removed(
    installed: Catalog, user_models: Path, tmp_path: Path, spoil: Callable[[Path], object], renamed: bool
) -> None:
    source = model_file(tmp_path, "mine/two", seed=1)
    sound = source.read_bytes()
    path = install_model(source).path
    if renamed and spoil in (UNUSABLE["other weights"], UNUSABLE["another digest"]):  # its header still says its name
        path = path.rename(user_models / "copied.safetensors")
    spoil(path)
    registry.refresh()
    repaired = install_model(source)
    assert repaired.path.read_bytes() == sound
    assert isinstance(open_model("mine/two"), BlockMeans)
    assert list(user_models.iterdir()) == [repaired.path]

    spoil(repaired.path)
    registry.refresh()
    assert remove_model("mine/two") == repaired.path
    assert not list(user_models.iterdir())


def test_a_damaged_copy_under_another_name_is_blamed_and_not_the_file(
    installed: Catalog, user_models: Path, tmp_path: Path
) -> None:
    _other_weights(install_model(model_file(tmp_path, "first", seed=1)).path)
    second = model_file(tmp_path, "second", seed=1)
    registry.refresh()
    with pytest.raises(ModelError, match=r"installed as first, which cannot be used .* 'nncodec models remove first'"):
        install_model(second)
    remove_model("first")
    assert install_model(second).name == "second"


def test_a_damaged_model_of_a_plugin_is_blamed_and_not_the_file(installed: Catalog, tmp_path: Path) -> None:
    (tmp_path / "copies").mkdir()
    copy = model_file(tmp_path / "copies", "good/one")
    _other_weights(installed.find("good/one").path)
    with pytest.raises(ModelError, match=r"installed as good/one, which cannot be used .*; reinstall the package"):
        install_model(copy)


def test_what_is_no_file_is_not_replaced_by_a_model(installed: Catalog, user_models: Path, tmp_path: Path) -> None:
    (user_models / "mine.safetensors").mkdir(parents=True)
    with pytest.raises(ModelError, match=r"mine.safetensors is in the way, and no file; remove it"):
        install_model(model_file(tmp_path, "mine", seed=1))


def test_a_sound_file_of_another_model_is_neither_replaced_nor_removed(
    installed: Catalog, user_models: Path, tmp_path: Path
) -> None:
    other = install_model(model_file(tmp_path, "other", seed=2)).path.rename(user_models / "mine.safetensors")
    registry.refresh()
    with pytest.raises(ModelError, match="holds another model than its name says"):
        install_model(model_file(tmp_path, "mine", seed=1))
    with pytest.raises(UnknownModel):
        remove_model("mine")
    assert other.is_file()


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
        ("good/one", 1, "already installed"),
        ("one", 1, "already installed"),
    ],
)
def test_a_model_whose_name_is_taken_is_not_installed(
    installed: Catalog, user_models: Path, tmp_path: Path, name: str, seed: int, reason: str
) -> None:
    with pytest.raises(BadModelFile, match=reason):
        install_model(model_file(tmp_path, name, seed=seed))
    assert not user_models.exists()


def test_a_model_folder_that_is_a_file_is_told(installed: Catalog, user_models: Path, tmp_path: Path) -> None:
    user_models.parent.mkdir(parents=True)
    user_models.write_text("a file")
    with pytest.raises(ModelError, match="is a file, not a folder for models; set NNCODEC_MODELS"):
        install_model(model_file(tmp_path, "mine", seed=1))
    assert user_models.read_text() == "a file"


def test_a_model_that_is_installed_under_any_name_is_returned(
    installed: Catalog, user_models: Path, tmp_path: Path
) -> None:
    assert install_model(model_file(tmp_path, "mine", seed=0)) == installed.find("good/one")
    assert not user_models.exists()
    added = install_model(model_file(tmp_path, "other", seed=1))
    assert install_model(model_file(tmp_path, "other", seed=1)) == added


def test_a_model_file_with_a_false_digest_is_not_installed(
    installed: Catalog, user_models: Path, tmp_path: Path
) -> None:
    path = model_file(tmp_path, "mine", seed=1)
    forge_digest(path, 64 * "b")
    with pytest.raises(WeightsMismatch):
        install_model(path)
    assert not user_models.exists()
