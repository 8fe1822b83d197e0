"""Discovery: good plugins are found whatever bad ones do, and every failure is reported."""

from __future__ import annotations

import json
import os
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path

import pytest
from fake_plugins import Plugin, forge_digest, model_file

from nncodec.errors import UnknownModel
from nncodec.plugin import discovery, registry
from nncodec.plugin.catalog import Catalog
from nncodec.plugin.discovery import build_catalog
from nncodec.plugin.registry import install_model

# --- good plugins -----------------------------------------------------------------------------------------------------


def test_a_plugin_provides_what_its_hooks_return(good: EntryPoint) -> None:
    catalog = build_catalog([good])
    assert list(catalog.architectures) == ["grey"]
    assert catalog.find("good/one") is catalog.find("one")
    (info,) = catalog.plugins
    assert (info.name, info.status, info.architectures, info.models) == ("good", "ok", ("grey",), ("good/one",))
    assert catalog.failures == ()


def test_a_plugin_may_implement_one_hook_only(plugin: Plugin) -> None:
    source = "from nncodec.plugin.hooks import hookimpl\n@hookimpl\ndef nncodec_models():\n    return []\n"
    assert build_catalog([plugin("half", source)]).plugins[0].status == "ok"


# --- bad plugins ------------------------------------------------------------------------------------------------------


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
        (f"{_MARKED}def nncodec_models():\n    return 5", "its hook nncodec_models returned int, not a list"),
        (f"{_MARKED}def nncodec_models():\n    pass", "its hook nncodec_models returned None, not a list"),
        (f"{_MARKED}def nncodec_architectures():\n    return", "nncodec_architectures returned None, not a list"),
        (f"{_MARKED}def nncodec_models():\n    return ModelSpec('x/y', 'z')", "returned ModelSpec, not a list"),
        (f"{_MARKED}def nncodec_models():\n    return 'good/one'", "returned str, not a list"),
        (f"{_MARKED}def nncodec_models():\n    return ['good/one']", "is not a ModelSpec"),
        (f"{_MARKED}def nncodec_models():\n    return [ModelSpec('x/y', 'nowhere')]", "with_name('nowhere')"),
        (
            f"{_MARKED}def nncodec_models():\n    return [ModelSpec('x/y', '/no/where')]",
            "among the data of the package",
        ),
        (f"{_MARKED}def nncodec_models():\n    return [ModelSpec('x/y', __file__)]", "not a usable model file"),
        (f"{_MARKED}def nncodec_models():\n    return [ModelSpec('x/y', None)]", "TypeError"),
        (f"{_MARKED}def nncodec_models():\n    return [ModelSpec('x/y', 'z', aliases='photo')]", "tuple of aliases"),
        (f"{_MARKED}def nncodec_architectures():\n    return ['a:B']", "is not an ArchitectureSpec"),
        (f"{_MARKED}def nncodec_architectures():\n    return [ArchitectureSpec('a', None)]", "not an ArchitectureSpec"),
        (
            f"{_MARKED}def nncodec_architectures():\n    return [ArchitectureSpec('a', 'b:C', kind='filter')]",
            "architecture 'a' has the kind 'filter'; a kind is 'codec', 'enhancer' or 'lossless'",
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


def test_what_a_plugin_prints_while_it_is_loaded_goes_to_stderr(
    plugin: Plugin, capsys: pytest.CaptureFixture[str]
) -> None:
    source = "from nncodec.plugin.hooks import hookimpl\nprint('hello')\n@hookimpl\ndef nncodec_models():\n"
    assert build_catalog([plugin("loud", f"{source}    print('models')\n    return []\n")]).plugins[0].status == "ok"
    assert capsys.readouterr() == ("", "hello\nmodels\n")


@pytest.mark.parametrize("name", ["Evil Caps", "", "two words\nnl", "a" * 101, "/a", "../a"])
@pytest.mark.parametrize("of", ["architecture", "alias"])
def test_what_cannot_be_a_name_is_the_plugins_fault(plugin: Plugin, tmp_path: Path, name: str, of: str) -> None:
    path = model_file(tmp_path, "odd/one")
    architectures = f"[ArchitectureSpec({name!r}, 'a:B')]"
    models = f"[ModelSpec('odd/one', Path({str(path)!r}), ('fine', {name!r}))]"
    odd = plugin("odd", architectures=architectures) if of == "architecture" else plugin("odd", models=models)
    catalog = build_catalog([odd])
    assert catalog.plugins[0].status == "failed"
    assert f"{name!r:.80}" in catalog.plugins[0].reason
    assert catalog.plugins[0].reason.endswith("use lower-case letters, digits, '.', '_' and '-'")
    assert not catalog.architectures
    assert not catalog.aliases


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


# --- duplicates -------------------------------------------------------------------------------------------------------


def test_a_second_architecture_of_a_name_is_refused(plugin: Plugin, good: EntryPoint) -> None:
    catalog = build_catalog([good, plugin("late", architectures="[ArchitectureSpec('grey', 'late:Codec')]")])
    assert catalog.architectures["grey"].reference.endswith("BlockMeans")
    assert catalog.plugins[1].reason == "architecture 'grey' is already provided by plugin 'good'"


@pytest.mark.parametrize(
    ("name", "aliases", "reason"),
    [
        ("good/one", (), "a model named 'good/one' is already installed by plugin 'good'"),
        ("one", (), "a model named 'one' is already installed by plugin 'good'"),
        ("late/two", ("one",), "the name 'one' is already taken by plugin 'good'"),
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


@pytest.mark.parametrize("part", ["architectures", "models"])
def test_a_bundled_plugin_keeps_its_names(plugin: Plugin, good: EntryPoint, tmp_path: Path, part: str) -> None:
    facts = tmp_path / "bundled.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: nncodec-image\nVersion: 1.0\n")
    facts.joinpath("entry_points.txt").write_text(f"[nncodec]\ngood = {good.value}\n")
    (bundled,) = Distribution.at(facts).entry_points
    path = model_file(tmp_path, "early/copy")
    taken = {
        "architectures": "[ArchitectureSpec('grey', 'early:Codec')]",
        "models": f"[ModelSpec('early/copy', Path({str(path)!r}))]",
    }
    catalog = build_catalog([plugin("early", **{part: taken[part]}), bundled])
    assert [(info.name, info.status) for info in catalog.plugins] == [("good", "ok"), ("early", "failed")]
    assert catalog.plugins[1].reason.endswith("by plugin 'good'")


def test_the_same_weights_under_another_name_are_refused(plugin: Plugin, good: EntryPoint, tmp_path: Path) -> None:
    path = model_file(tmp_path, "late/copy")
    catalog = build_catalog([good, plugin("late", models=f"[ModelSpec('late/copy', Path({str(path)!r}))]")])
    assert "it is already installed as 'good/one' by plugin 'good'" in catalog.plugins[1].reason


def test_a_digest_that_begins_like_another_is_refused(plugin: Plugin, good: EntryPoint, tmp_path: Path) -> None:
    path = model_file(tmp_path, "late/two", seed=1)
    forge_digest(path, build_catalog([good]).find("one").digest[:8] + 56 * "0")
    catalog = build_catalog([good, plugin("late", models=f"[ModelSpec('late/two', Path({str(path)!r}))]")])
    assert "its digest begins like that of 'good/one'" in catalog.plugins[1].reason


def test_a_model_that_is_called_otherwise_in_its_file_is_refused(plugin: Plugin, tmp_path: Path) -> None:
    path = model_file(tmp_path, "right/name")
    catalog = build_catalog([plugin("odd", models=f"[ModelSpec('wrong/name', Path({str(path)!r}))]")])
    assert "holds 'right/name', not 'wrong/name'" in catalog.plugins[0].reason


# --- disabled plugins -------------------------------------------------------------------------------------------------


def test_a_disabled_plugin_is_not_even_imported(
    plugin: Plugin, good: EntryPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(discovery.DISABLED_VARIABLE, "other, bad")
    catalog = build_catalog([plugin("bad", "raise RuntimeError"), good])
    assert [info.status for info in catalog.plugins] == ["disabled", "ok"]
    assert catalog.failures == ()


def test_the_message_for_an_unknown_model_names_disabled_plugins(
    good: EntryPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(discovery.DISABLED_VARIABLE, "good")
    with pytest.raises(
        UnknownModel, match=r"installed: none; not available until mended or enabled: plugin 'good' \(disabled\)"
    ):
        build_catalog([good]).find("good/one")


# --- the user's own models --------------------------------------------------------------------------------------------


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


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_among_the_users_models_is_left_alone(good: EntryPoint, user_models: Path) -> None:
    user_models.mkdir(parents=True)
    os.mkfifo(user_models / "pipe.safetensors")
    assert build_catalog([good]).failures == ()


def test_a_file_in_place_of_the_users_models_is_told(good: EntryPoint, user_models: Path) -> None:
    user_models.parent.mkdir(parents=True, exist_ok=True)
    user_models.write_text("no folder")
    (failure,) = build_catalog([good]).failures
    assert f"{user_models} is a file, not a folder; set {discovery.MODELS_VARIABLE}" in failure


def test_a_users_model_that_clashes_with_a_plugins_is_reported_and_skipped(
    good: EntryPoint, user_models: Path, tmp_path: Path
) -> None:
    user_models.mkdir(parents=True)
    model_file(user_models, "good/one", seed=1)
    catalog = build_catalog([good])
    assert catalog.find("good/one").path.parent == tmp_path
    assert "a model named 'good/one' is already installed by plugin 'good'" in catalog.failures[0]


def test_without_the_variable_models_live_in_the_platforms_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(discovery.MODELS_VARIABLE)
    monkeypatch.setattr("nncodec.plugin.discovery.platformdirs.user_data_dir", lambda name, appauthor: f"/data/{name}")
    assert discovery.models_folder() == Path("/data/nncodec/models")
