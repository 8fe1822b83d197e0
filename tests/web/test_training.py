"""The training of the page: what is refused, what is shown, and that only one runs."""

from __future__ import annotations

import math
import shutil
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from nncodec.plugin import registry
from nncodec.plugin.model_file import read_model_info
from nncodec.training.events import Advanced, Note, Phase, Reading, Validated
from nncodec.web.app import Server
from nncodec.web.trainer import DONE, FAILED, Training, train_in_process
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


class Told(list[Any]):
    """Takes the place of the pipe to the server."""

    send = list.append

    def close(self) -> None:
        """Nothing to do."""


def trained(root: Path, **changes: Any) -> tuple[str, str]:
    """Train as the process of a training does, in this one; return how it ended."""
    plain = Training("dense", root / "photos", None, root / "mine.safetensors", "mine", {"steps": "20"}, None, False)
    told = Told()
    before = signal.getsignal(signal.SIGINT)
    try:
        train_in_process(replace(plain, **changes), told, threading.Event())
    finally:
        signal.signal(signal.SIGINT, before)
    state, line = told[-1]
    return state, line


@pytest.fixture
def photos(root: Path) -> Path:
    """The folder of the user with more pictures."""
    for number in range(8):
        shutil.copyfile(root / "photos" / "one.png", root / "photos" / f"{number}.png")
    return root


def test_a_training_without_pictures_fails_with_a_line(root: Path) -> None:
    (root / "texts").mkdir()
    shutil.copyfile(root / "photos" / "notes.txt", root / "texts" / "notes.png")
    state, line = trained(root, data=root / "texts")
    assert state == FAILED
    assert line
    assert "\n" not in line


def test_a_training_goes_on_from_a_model(photos: Path) -> None:
    base = registry.catalog().find("dense/fashion").path
    state, line = trained(photos, base=base, output=photos / "new" / "based.safetensors")
    assert state == DONE, line
    assert "loss" in line
    assert read_model_info(photos / "new" / "based.safetensors").card["training"]["steps"] == 20


@pytest.mark.slow
def test_one_training_runs_at_a_time_and_the_end_of_the_server_saves_it(
    client: TestClient, server: Server, photos: Path
) -> None:
    long = ASKED | {"settings": {"steps": "1000000"}, "output": "new"}
    client.post("/api/training/start", json=long)
    assert "a training is running" in client.post("/api/training/start", json=long).json()["error"]
    while (told := client.get("/api/training").json())["step"] == 0:
        until_state(client, "running")
        time.sleep(0.1)
    assert told["output"] == "new/mine.safetensors"
    server.close()
    assert (photos / "new" / "mine.run" / "checkpoint.pt").is_file()
