"""A server on small pictures, and a client that speaks as its page does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image
from starlette.testclient import TestClient

from nncodec.web.app import Server

PORT = 4321
SECRET = "the secret"
HOME = f"http://127.0.0.1:{PORT}"


@pytest.fixture(scope="session")
def picture() -> Image.Image:
    """A grey picture of 28 x 28 pixels, the size that dense/fashion takes."""
    return Image.fromarray(np.asarray(Image.fromarray(skimage.data.camera()).resize((28, 28))))


@pytest.fixture
def root(tmp_path: Path, picture: Image.Image) -> Path:
    """The folder of the user: two pictures, a text, a hidden folder, and a link that leads out."""
    folder = tmp_path / "root"
    for name in ("photos/deep", ".hidden", "empty"):
        (folder / name).mkdir(parents=True)
    for name in ("photos/one.png", "photos/deep/two.png", ".hidden/three.png"):
        picture.save(folder / name)
    (folder / "photos" / "notes.txt").write_text("no picture")
    outside = tmp_path / "outside"
    outside.mkdir()
    picture.save(outside / "secret.png")
    (folder / "way-out").symlink_to(outside)
    (folder / "photos" / "out.png").symlink_to(outside / "secret.png")
    return folder


@pytest.fixture
def server(root: Path) -> Iterator[Server]:
    """A server on that folder."""
    server = Server(root)
    yield server
    server.close()


@pytest.fixture
def stranger(server: Server) -> Iterator[TestClient]:
    """A client that knows the address, but not the secret."""
    client = TestClient(server.app(PORT, SECRET), base_url=HOME, headers={"origin": HOME})
    yield client
    client.close()


@pytest.fixture
def client(stranger: TestClient) -> TestClient:
    """A client that opened the address of the terminal."""
    assert stranger.get(f"/?token={SECRET}").status_code == 200
    return stranger


@pytest.fixture
def work(client: TestClient) -> Callable[..., dict[str, Any]]:
    """Return what runs a job to its end and returns what the page is told: (kind, asked)."""

    def run(kind: str, **asked: Any) -> dict[str, Any]:
        job: dict[str, Any] = client.post(f"/api/jobs/{kind}", json=asked).json()
        until = time.monotonic() + 300
        while job["state"] in ("waiting", "running"):
            assert time.monotonic() < until
            time.sleep(0.02)
            job = client.get(f"/api/jobs/{job['id']}").json()
        return job

    return run


@pytest.fixture
def photo_ids(client: TestClient) -> list[str]:
    """The pictures of the folder, taken by the page."""
    return [file["id"] for file in client.post("/api/folders", json={"folder": "photos"}).json()["files"]]
