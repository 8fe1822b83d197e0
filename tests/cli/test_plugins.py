from __future__ import annotations

import json

from nncodec.plugin import discovery, registry


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


def test_json(run):
    entries = {entry["name"]: entry for entry in json.loads(run("plugins", "--json").stdout)}
    assert entries["tiny"]["status"] == "ok"
    assert entries["tiny"]["models"] == ["tiny/rgb", "tiny/grey", "tiny/slow", "tiny/keep", "tiny/triple"]
    assert (entries["tiny"]["architectures"], entries["tiny"]["kinds"]) == (
        ["blocks", "inverse"],
        ["codec", "enhancer"],
    )
    assert "there_is_no_such_module" in entries["broken"]["reason"]
