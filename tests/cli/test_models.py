from __future__ import annotations

import json
from pathlib import Path

import nncodec
from nncodec.plugin import discovery, registry


def test_table(run):
    lines = run("models").stdout.splitlines()
    assert lines[0].split() == ["NAME", "ALIAS", "KIND", "ARCHITECTURE", "ID", "FROM", "ABOUT"]
    (line,) = [line for line in lines if line.startswith("tiny/rgb")]
    digest = registry.catalog().find("tiny/rgb").digest
    expected = ["tiny/rgb", "small", "codec", "blocks", digest[:16], "plugin", "tiny"]
    assert line.split() == [*expected, "means", "of", "2", "x", "2", "pixels;", "CC0-1.0"]
    (line,) = [line for line in lines if line.startswith("tiny/triple")]
    assert line.split()[:4] == ["tiny/triple", "x3", "enhancer", "inverse"]
    (line,) = [line for line in lines if line.startswith("hyperprior/photo ")]
    assert line.split()[1] == "photo"


def test_json(run):
    entries = {entry["name"]: entry for entry in json.loads(run("models", "--json").stdout)}
    assert entries["tiny/rgb"]["aliases"] == ["small"]
    assert (entries["tiny/rgb"]["kind"], entries["tiny/keep"]["kind"]) == ("codec", "enhancer")
    assert entries["tiny/rgb"]["source"] == "plugin tiny"
    assert entries["tiny/grey"]["config"] == {"mode": "L", "sleep_s": 0}
    assert entries["tiny/grey"]["card"]["licence"] == "CC0-1.0"


def test_failed_plugins_are_reported(run):
    assert "nncodec: not available: plugin 'broken' (ModuleNotFoundError" in run("models").stderr


def test_add_use_and_remove(run, photo_png, model_maker, installed):
    path = model_maker(Path("mine.safetensors"), "mine", note=1)
    result = run("models", "add", path)
    assert result.exit_code == 0
    assert result.stdout.startswith("added mine (")
    assert [p.name for p in installed.iterdir()] == ["mine.safetensors"]
    assert next(e for e in json.loads(run("models", "--json").stdout) if e["name"] == "mine")["source"] == "yours"
    assert run("encode", photo_png, "-m", "mine").exit_code == 0
    assert nncodec.inspect(Path("photo.nnc").read_bytes()).model == "mine"

    result = run("models", "add", path)
    assert result.exit_code == 0
    assert result.stdout == "mine is already installed\n"

    assert run("models", "remove", "mine").exit_code == 0
    assert list(installed.iterdir()) == []
    result = run("decode", "photo.nnc", "-o", "out.png")
    assert result.exit_code == 1
    assert "no installed model" in result.stderr


def test_a_damaged_copy_is_repaired_as_the_message_says(run, photo_png, model_maker, installed):
    path = model_maker(Path("mine.safetensors"), "mine", note=4)
    assert run("models", "add", path).exit_code == 0
    copy = installed / "mine.safetensors"
    copy.write_bytes(copy.read_bytes()[:-1] + b"x")
    registry.refresh()
    assert "reinstall the model" in run("encode", photo_png, "-m", "mine").stderr
    assert run("models", "add", path).stdout.startswith("added mine (")
    assert run("encode", photo_png, "-m", "mine").exit_code == 0


def test_a_model_without_its_architecture_is_added_with_a_warning(run, model_maker, monkeypatch):
    path = model_maker(Path("mine.safetensors"), "mine", note=2)
    monkeypatch.setenv(discovery.DISABLED_VARIABLE, "tiny")
    registry.refresh()
    result = run("models", "add", path)
    assert result.exit_code == 0
    assert "'blocks'" in result.stderr


def test_a_folder_that_cannot_be_written_is_one_line(run, model_maker, monkeypatch):
    Path("file").touch()
    monkeypatch.setenv(discovery.MODELS_VARIABLE, str(Path("file", "models")))
    registry.refresh()
    result = run("models", "add", model_maker(Path("mine.safetensors"), "mine", note=3))
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "Traceback" not in result.stderr


def test_what_cannot_be_added_or_removed(run):
    Path("bad.safetensors").write_bytes(b"not a model")
    result = run("models", "add", "bad.safetensors")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "bad.safetensors is not a usable model file" in result.stderr
    assert run("models", "add", "missing.safetensors").exit_code == 2
    result = run("models", "remove", "tiny/rgb")
    assert result.exit_code == 1
    assert "ships with a plugin" in result.stderr
    assert run("models", "remove", "nothing").exit_code == 2
