"""What the server answers: files, folders, jobs and downloads, and that it stays within the user's folder."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

import nncodec
from nncodec.metrics import psnr
from nncodec.web import files as kept_files
from nncodec.web.app import Server
from nncodec.web.compressing import compress
from nncodec.web.enhancing import enhance_picture

Work = Callable[..., dict[str, Any]]
OUTSIDE = (
    "..",
    "photos/../..",
    "/etc",
    "way-out",
    "way-out/x",
    ".hidden",
    "photos/.git",
    "..\\..",
    "C:/",
    "a\0b",
    7,
    None,
)
MODEL = "dense/fashion"


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def upload(client: TestClient, name: str, data: bytes) -> str:
    answer = client.post("/api/files", params={"name": name}, content=data)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


# --- the page -----------------------------------------------------------------------------------------------------


def test_the_page_asks_for_parts_that_are_there_and_for_nothing_elsewhere(client: TestClient) -> None:
    page = client.get("/").text
    parts = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert "/static/main.js" in parts
    scripts = [part for part in parts if part.endswith(".js")]
    for part in scripts:
        imported = re.findall(r'from "\./([a-z]+\.js)"', client.get(part).text)
        scripts += [f"/static/{name}" for name in imported if f"/static/{name}" not in scripts]
    assert len(scripts) > 6
    for part in (*parts, *scripts):
        assert client.get(part).status_code == 200, part
    texts = [client.get(part).text for part in (*parts, *scripts, "/")]
    assert {found for text in texts for found in re.findall(r"https?://[^\s\"']+", text)} <= {
        "http://www.w3.org/2000/svg"
    }


def test_the_page_has_no_script_or_style_within_that_the_policy_would_refuse(client: TestClient) -> None:
    page = client.get("/").text
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=|<script>", page) == []


def test_the_page_is_told_what_is_installed(client: TestClient, root: Path) -> None:
    told = client.get("/api/start").json()
    assert told["folder"] == str(root.resolve())
    assert {"name": "dense", "kind": "codec"} in told["trainable"]
    assert {model["kind"] for model in told["models"]} >= {"codec", "enhancer"}
    assert "jpeg" in told["codecs"]


# --- what may be read and written ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_parameter_leads_out_of_the_folder(client: TestClient, root: Path, name: object) -> None:
    before = sorted(root.parent.rglob("*"))
    result = upload(client, "a.png", b"x")
    answers = [
        client.post("/api/folders", json={"folder": name}),
        client.post("/api/training/start", json={"architecture": "dense", "name": "m", "data": name}),
        client.post("/api/save", json={"folder": name, "files": [result]}),
    ]
    if isinstance(name, str):
        answers += [
            client.get("/api/folders", params={"in": name}),
            client.post("/api/training/start", json={"architecture": "dense", "name": "m", "low": name}),
            client.post("/api/training/start", json={"architecture": "dense", "name": "m", "output": name}),
            client.post("/api/training/start", json={"architecture": "dense", "name": f"../{name}"}),
            client.post(
                "/api/training/start",
                json={"architecture": "dense", "name": "m", "settings": {"features": "/etc/passwd"}},
            ),
        ]
    for answer in answers:
        told = answer.json()
        assert told.get("error") or told.get("problems"), f"{answer.request.url}: {told}"
    assert sorted(root.parent.rglob("*")) == before


@pytest.mark.parametrize(
    "name", ["../api.py", "..%2fapp.py", "%2e%2e/app.py", "index.htm", "__init__.py", "/etc/passwd"]
)
def test_only_the_parts_of_the_page_are_served(client: TestClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404


@pytest.mark.parametrize("file", ["none", "..%2f..%2fetc%2fpasswd", "%00"])
@pytest.mark.parametrize("what", ["picture", "download", "report"])
def test_files_are_named_by_ids_only(client: TestClient, file: str, what: str) -> None:
    assert client.get(f"/api/files/{file}/{what}").status_code in (400, 404)


@pytest.mark.parametrize("kind", ["size", "compress", "open", "compare", "report", "enhance"])
def test_a_job_reads_only_files_that_the_page_was_given(work: Work, root: Path, kind: str) -> None:
    path = str(root / "photos" / "one.png")
    for file in (path, "../one.png", None, 3, {"id": "x"}):
        assert work(kind, file=file, files=[file])["error"]


def test_a_folder_is_taken_without_hidden_files_texts_and_links_that_lead_out(client: TestClient) -> None:
    told = client.post("/api/folders", json={"folder": "photos"}).json()["files"]
    assert [file["name"] for file in told] == ["one.png", "two.png"]
    assert client.get("/api/folders", params={"in": ""}).json()["folders"] == ["empty", "photos"]
    assert "no picture" in client.post("/api/folders", json={"folder": "empty"}).json()["error"]
    assert "no folder" in client.post("/api/folders", json={"folder": "missing"}).json()["error"]


@pytest.mark.parametrize("name", ["../../a.png", "/etc/a.png", "C:\\pictures\\a.png", "x/y/a.png"])
def test_an_upload_has_a_name_and_no_path(client: TestClient, server: Server, name: str) -> None:
    kept = server.files.get(upload(client, name, b"data"))
    assert kept.name == "a.png"
    assert kept.path.name == kept.id
    assert kept.path.read_bytes() == b"data"


# --- bounds and cleaning ------------------------------------------------------------------------------------------


def test_uploads_are_bounded_and_what_is_too_large_leaves_nothing(
    client: TestClient, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_files, "MOST_UPLOAD_BYTES", 100)
    monkeypatch.setattr(kept_files, "MOST_TOTAL_BYTES", 250)
    folder = server.files.get(upload(client, "a", bytes(100))).path.parent
    assert "larger than 100 B" in client.post("/api/files", content=bytes(101)).json()["error"]
    upload(client, "b", bytes(100))
    assert "all files together" in client.post("/api/files", content=bytes(60)).json()["error"]
    assert sum(path.stat().st_size for path in folder.iterdir()) == 200
    assert client.post("/api/jobs/size", content=b"[" * (2 << 20)).status_code == 400


def test_a_request_that_is_no_object_is_refused(client: TestClient) -> None:
    for body in (b"[]", b"{", b"1", b"[" * 100_000):
        assert "JSON" in client.post("/api/jobs/size", content=body).json()["error"]


def test_removed_files_and_their_results_are_gone_and_all_files_at_the_end(
    client: TestClient, server: Server, work: Work, picture: Image.Image
) -> None:
    source = upload(client, "a.png", png(picture))
    result = work("compress", files=[source], model=MODEL)["result"]["results"][0]
    folder = server.files.get(source).path.parent
    client.get(f"/api/files/{source}/picture")
    assert len(list(folder.iterdir())) == 4
    client.delete(f"/api/files/{source}")
    assert list(folder.iterdir()) == []
    assert client.get(f"/api/files/{result['file']}/download").status_code == 400
    server.close()
    assert not folder.exists()


def test_forgetting_a_picture_of_the_folder_leaves_it_there(
    client: TestClient, root: Path, photo_ids: list[str]
) -> None:
    client.delete(f"/api/files/{photo_ids[0]}")
    assert (root / "photos" / "one.png").is_file()


# --- work ---------------------------------------------------------------------------------------------------------


def test_compressed_pictures_are_those_of_the_api_with_their_numbers(
    client: TestClient, work: Work, photo_ids: list[str], picture: Image.Image, root: Path
) -> None:
    job = work("compress", files=photo_ids, model=MODEL, quality=50)
    assert job["state"] == "done", job
    assert job["done"] <= job["total"]
    results, mean = job["result"]["results"], job["result"]["mean"]
    data = nncodec.encode(picture, MODEL)
    assert client.get(f"/api/files/{results[0]['file']}/download").content == data
    decoded = Image.open(io.BytesIO(client.get(f"/api/files/{results[0]['picture']}/picture").content))
    assert decoded.tobytes() == nncodec.decode(data).tobytes()
    assert results[0]["bytes"] == len(data) == mean["bytes"]
    assert results[0]["measured"]["psnr_db"] == mean["psnr_db"] == pytest.approx(psnr(picture, decoded))
    assert results[0]["measured"]["encode_s"] > 0
    assert work("size", file=photo_ids[0], model=MODEL, quality=50)["result"] == {"bytes": len(data)}
    written = client.post("/api/save", json={"folder": "new", "files": [one["file"] for one in results]}).json()
    assert written == {"written": ["new/one.nnc", "new/two.nnc"], "problems": []}
    assert (root / "new" / "one.nnc").read_bytes() == data
    again = client.post("/api/save", json={"folder": "new", "files": [results[0]["file"]]}).json()
    assert "already" in again["problems"][0]


def test_figures_of_an_animation_are_those_of_all_its_frames(
    client: TestClient, work: Work, picture: Image.Image
) -> None:
    file = io.BytesIO()
    picture.save(file, "PNG", save_all=True, append_images=[picture.rotate(90 * turns) for turns in (1, 2)])
    (result,) = work("compress", files=[upload(client, "a.png", file.getvalue())], model=MODEL)["result"]["results"]
    pixels = 3 * picture.width * picture.height
    assert result["measured"]["bpp"] == pytest.approx(8 * result["bytes"] / pixels)
    assert result["measured"]["ratio_raw"] == pytest.approx(pixels / result["bytes"])
    assert any("those of its first frame" in note for note in result["notes"])


def test_a_hostile_picture_has_a_line_and_the_others_are_compressed(
    client: TestClient, work: Work, picture: Image.Image
) -> None:
    bomb = png(Image.new("1", (20_000, 20_000)))
    hostile = [b"", b"\x89PNG\r\n\x1a\n" + bytes(50), bomb, b"<script>alert(1)</script>", b"\x8eNNC\xff" + bytes(40)]
    ids = [upload(client, f"<b>{number}.png", data) for number, data in enumerate(hostile)]
    good = upload(client, "good.png", png(picture))
    results = work("compress", files=[*ids, good], model=MODEL)["result"]["results"]
    for result in results[:-1]:
        assert result["error"]
        assert "\n" not in result["error"]
        assert client.get(f"/api/files/{result['source']}/picture").json()["error"]
    assert results[-1]["bytes"] > 0


def test_an_nnc_file_is_opened_checked_and_shown(client: TestClient, work: Work, picture: Image.Image) -> None:
    data = nncodec.encode(picture, MODEL)
    opened = work("open", file=upload(client, "a.nnc", data))["result"]
    assert (opened["width"], opened["info"]["model"], opened["info"]["file_bytes"]) == (28, MODEL, len(data))
    shown = client.get(f"/api/files/{opened['picture']}/picture")
    assert shown.headers["content-type"] == "image/png"
    for damaged in (data[:-1], data[:20] + bytes([data[20] ^ 1]) + data[21:], b"\x8eNNC"):
        job = work("open", file=upload(client, "b.nnc", damaged))
        assert job["state"] == "failed"
        assert job["error"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"quality": 101}, "quality"),
        ({"quality": True}, "quality"),
        ({"effort": -1}, "effort"),
        ({"target_size": 0}, "target_size"),
        ({"model": "none"}, "none"),
        ({"model": ["x"]}, "model"),
        ({"files": []}, "add a picture"),
    ],
)
def test_what_cannot_be_asked_has_a_line(work: Work, photo_ids: list[str], asked: dict[str, Any], told: str) -> None:
    job = work("compress", **{"files": photo_ids, "model": MODEL} | asked)
    assert told in job["error"]


def test_a_comparison_has_means_times_plots_and_the_same_numbers_as_nncodec_compare(
    client: TestClient, work: Work, photo_ids: list[str]
) -> None:
    asked = {"files": photo_ids, "model": MODEL, "codecs": ["jpeg"], "by": "psnr", "timings": True}
    result = work("compare", **asked)["result"]
    assert [table["title"] for table in result["tables"]][:2] == [
        "Means at the matching point",
        "Pictures at the matching point",
    ]
    assert len(result["plots"]) == 3
    for plot in result["plots"]:
        for theme in ("light", "dark"):
            assert client.get(f"/api/files/{plot[theme]}/download").content[1:4] == b"PNG"
    assert "psnr" in work("compare", **asked | {"by": "looks"})["error"]


def test_the_report_is_a_page_in_a_sandbox(client: TestClient, work: Work, photo_ids: list[str]) -> None:
    made = work("report", files=photo_ids[:1], model=MODEL, codecs=["jpeg"])["result"]
    page = client.get(f"/api/files/{made['page']}/report")
    assert "nncodec compare" in page.text
    assert page.headers["content-security-policy"].startswith("sandbox allow-scripts; default-src 'none'")
    assert client.get(f"/api/files/{made['archive']}/download").content[:2] == b"PK"
    assert client.get(f"/api/files/{made['archive']}/report").status_code == 404
    assert client.get(f"/api/files/{photo_ids[0]}/report").status_code == 404


def test_an_enhanced_picture_stands_beside_its_input(
    client: TestClient, work: Work, photo_ids: list[str], enhancers: object
) -> None:
    made = work("enhance", file=photo_ids[0], enhancer="x2", strength=0.5)["result"]
    assert (made["input_size"], made["size"]) == ([28, 28], [56, 56])
    for part in ("input", "result"):
        assert client.get(f"/api/files/{made[part]}/picture").headers["content-type"] == "image/png"
    assert "strength" in work("enhance", file=photo_ids[0], enhancer="x2", strength="1")["error"]
    assert "strength" in work("enhance", file=photo_ids[0], enhancer="x2", strength=2)["error"]


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("work_of", [compress, enhance_picture])
def test_work_ends_at_the_next_step_and_keeps_nothing(
    work_of: Callable[..., Any], server: Server, root: Path, enhancers: object
) -> None:
    file = server.files.refer(root / "photos" / "one.png")
    folder = server.files.add("x", b"").path.parent
    before = set(folder.iterdir())

    def stop(done: int, total: int) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        work_of(server.files, {"file": file.id, "files": [file.id], "model": MODEL, "enhancer": "x2"}, stop)
    assert set(folder.iterdir()) == before
