"""The training of the page: what is refused, what is shown, and that only one runs."""

from __future__ import annotations

import math
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from nncodec.training.events import Advanced, Note, Phase, Reading, Validated
from nncodec.web.app import Server
from nncodec.web.training import Progress

ASKED = {"architecture": "dense", "name": "mine", "data": "photos", "settings": {"steps": "20"}}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"name": "Not A Name"}, "lower-case"),
        ({"name": "a/b"}, "lower-case"),
        ({"name": 3}, "text"),
        ({"architecture": "none"}, "cannot be trained"),
        ({"base": "none"}, "none"),
        ({"data": "missing"}, "no folder"),
        ({"data": 7}, "text"),
        ({"settings": {"features": "../vgg.pth"}}, "no files"),
        ({"settings": {"features": "/etc/passwd"}}, "no files"),
    ],
)
def test_what_cannot_be_trained_has_a_line(client: TestClient, asked: dict[str, Any], told: str) -> None:
    answer = client.post("/api/training/start", json=ASKED | asked)
    assert answer.status_code == 400
    assert told in answer.json()["error"]
    assert client.get("/api/training").json()["state"] == "idle"


def test_without_a_training_there_is_nothing_to_install_or_to_show(client: TestClient) -> None:
    assert "no trained model" in client.post("/api/training/install", json={}).json()["error"]
    assert client.get("/api/training/samples").status_code == 404
    assert client.post("/api/training/stop", json={}).json()["state"] == "idle"
    assert client.post("/api/training/dance", json={}).status_code == 404


def test_the_settings_of_an_architecture_are_listed(client: TestClient) -> None:
    settings = client.get("/api/settings/dense").json()["settings"]
    assert {"latents", "epochs"} <= {setting["name"] for setting in settings}
    assert "no architecture" in client.get("/api/settings/none").json()["error"]


def test_events_become_what_the_page_shows() -> None:
    shown = Progress(state="running")
    for event in (Reading(1, 3), Note("one\nline"), Phase("fitting")):
        shown.note(event)
    assert (shown.phase, shown.notes) == ("fitting", ["one line"])
    for step in range(1, 1001):
        shown.note(Advanced(step, step / 1000, 1.0, math.inf, {"loss": 1 / step, "rate_bpp": math.inf}, fresh=True))
    shown.note(Validated(1000, 1.0, {"loss": 0.5}, is_best=True))
    assert (shown.step, shown.left_s) == (1000, None)
    points = shown.curves["training"]
    assert len(points) <= 400
    assert points[0] == {"step": 1, "loss": 1}
    assert points[-1]["step"] > 990
    assert shown.curves["validation"] == [{"step": 1000, "loss": 0.5}]


def until_state(client: TestClient, *states: str) -> dict[str, Any]:
    end = time.monotonic() + 240
    while (told := client.get("/api/training").json())["state"] not in states:
        assert time.monotonic() < end, told
        time.sleep(0.05)
    return dict(told)


@pytest.mark.slow
def test_one_training_runs_at_a_time_and_the_end_of_the_server_saves_it(
    client: TestClient, server: Server, root: Path
) -> None:
    for number in range(8):
        shutil.copyfile(root / "photos" / "one.png", root / "photos" / f"{number}.png")
    (root / "texts").mkdir()
    shutil.copyfile(root / "photos" / "notes.txt", root / "texts" / "notes.png")
    client.post("/api/training/start", json=ASKED | {"data": "texts"})
    failed = until_state(client, "failed")
    assert failed["message"]
    assert "\n" not in failed["message"]
    client.post("/api/training/start", json=ASKED | {"base": "dense/fashion", "name": "based", "output": "new"})
    done = until_state(client, "done", "failed")
    assert (done["state"], done["step"], done["output"]) == ("done", 20, "new/based.safetensors"), done
    assert (root / "new" / "based.safetensors").is_file()
    long = ASKED | {"settings": {"steps": "1000000", "sample_epochs": "1"}}
    client.post("/api/training/start", json=long)
    assert "a training is running" in client.post("/api/training/start", json=long).json()["error"]
    while client.get("/api/training").json()["step"] == 0:
        until_state(client, "running")
    server.close()
    assert (root / "mine.run" / "checkpoint.pt").is_file()
