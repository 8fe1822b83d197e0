from __future__ import annotations

import json

import pytest
import toys

from nncodec.plugin import discovery, registry
from nncodec.plugin.hooks import ArchitectureSpec, ModelSpec


def test_table_with_what_failed_and_why(run):
    result = run("plugins")
    assert result.exit_code == 0
    rows = {line.split()[0]: line.split() for line in result.stdout.splitlines()}
    provided = ["blocks", "(codec),", "inverse", "(enhancer)", "tiny/rgb,", "tiny/grey,", "tiny/slow,", "tiny/keep,"]
    assert rows["tiny"] == ["tiny", "ok", "tiny", "1.0", *provided, "tiny/triple"]
    assert rows["broken"] == ["broken", "failed", "broken", "1.0", "-", "-"]
    assert rows["conv"][1] == "ok"
    assert "plugin 'broken' (ModuleNotFoundError: No module named 'there_is_no_such_module')" in result.stderr


def test_disabled(run, monkeypatch):
    monkeypatch.setenv(discovery.DISABLED_VARIABLE, "broken, tiny")
    registry.refresh()
    result = run("plugins")
    rows = {line.split()[0]: line.split() for line in result.stdout.splitlines()}
    assert rows["tiny"][1] == rows["broken"][1] == "disabled"
    assert result.stderr == f"nncodec: {discovery.DISABLED_VARIABLE} disables plugins\n"


def test_disabled_plugins_that_are_not_there_are_told(run, monkeypatch):
    monkeypatch.setenv(discovery.DISABLED_VARIABLE, "foo, lossless,, conv ")
    registry.refresh()
    disabled, unknown = run("plugins").stderr.splitlines()[1:]
    assert disabled == f"nncodec: {discovery.DISABLED_VARIABLE} disables plugins"
    assert unknown == f"nncodec: {discovery.DISABLED_VARIABLE} names foo, but there is no such plugin"


def test_json(run):
    entries = {entry["name"]: entry for entry in json.loads(run("plugins", "--json").stdout)}
    assert entries["tiny"]["status"] == "ok"
    assert entries["tiny"]["models"] == ["tiny/rgb", "tiny/grey", "tiny/slow", "tiny/keep", "tiny/triple"]
    assert (entries["tiny"]["architectures"], entries["tiny"]["kinds"]) == (
        ["blocks", "inverse"],
        ["codec", "enhancer"],
    )
    assert "there_is_no_such_module" in entries["broken"]["reason"]


@pytest.fixture
def faulty(monkeypatch, tmp_path):
    """Install a plugin with a sound architecture and model, and three references that lead nowhere."""
    sound = toys.write_toy(tmp_path / "sound.safetensors", "some/sound", "sound")
    lost = toys.write_toy(tmp_path / "lost.safetensors", "some/lost", "lost", fill=1)
    architectures = [
        ArchitectureSpec("sound", "toys:BlockMeans"),
        ArchitectureSpec("lost", "toys:Nothing"),
        ArchitectureSpec("untaught", "toys:BlockMeans", training="no_such_module:Recipe", decoder="toys:BlockMeans"),
    ]
    models = [ModelSpec("some/sound", sound), ModelSpec("some/lost", lost)]
    toys.install(monkeypatch, toys.plugin(monkeypatch, "some", architectures, models))
    monkeypatch.delenv(discovery.DISABLED_VARIABLE)


def test_check_names_every_reference_that_does_not_load(run, faulty):
    assert run("plugins").exit_code == 0
    result = run("plugins", "--check")
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    told = [line.split(": ")[1] for line in lines]
    assert told == ["architecture lost", "recipe untaught", "decoder untaught", "model some/lost"]
    assert "toys:Nothing: AttributeError" in lines[0]
    assert "No module named 'no_such_module'" in lines[1]
    assert "toys:BlockMeans is not a EngineDecoder subclass" in lines[2]
    shown = run("--debug", "plugins", "--check").stderr
    assert shown.count("Traceback") >= len(told)
    assert shown.endswith(result.stderr)
    (entry,) = json.loads(run("plugins", "--check", "--json").stdout)
    assert entry["faults"].keys() == set(told)


def test_check_passes_where_everything_loads(run, monkeypatch):
    monkeypatch.setenv(discovery.DISABLED_VARIABLE, "broken, conv, dense, hyperprior, srgan, lossless")
    registry.refresh()
    result = run("plugins", "--check")
    assert (result.exit_code, result.stderr) == (0, f"nncodec: {discovery.DISABLED_VARIABLE} disables plugins\n")


def test_check_counts_plugins_that_are_not_there(run, monkeypatch):
    monkeypatch.setenv(discovery.DISABLED_VARIABLE, "conv, dense, hyperprior, srgan, lossless")
    registry.refresh()
    assert run("plugins", "--check").exit_code == 1
