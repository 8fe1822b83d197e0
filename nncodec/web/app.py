"""What the server answers at which address. Everything under `/api` is JSON, pictures and downloads apart."""

from __future__ import annotations

import functools
import json
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from nncodec import __version__
from nncodec._support.text import describe, plain
from nncodec.api import DEFAULT_MODEL
from nncodec.coding.enhancing import DEFAULT_SCALE, default_enhancer
from nncodec.errors import NncError
from nncodec.format.header import MAGIC
from nncodec.limits import DEFAULT_LIMITS
from nncodec.plugin import registry
from nncodec.training.recipe import find_recipe, trainable_architectures
from nncodec.training.settings import settings_of
from nncodec.web.comparing import compare_pictures, make_report, other_codecs
from nncodec.web.compressing import chosen_files, compress, compressed_size, open_file, shown_png
from nncodec.web.enhancing import enhance_picture
from nncodec.web.files import MOST_UPLOAD_BYTES, Files, KeptFile
from nncodec.web.folders import UserFolder
from nncodec.web.guard import Guard
from nncodec.web.jobs import Jobs
from nncodec.web.training import Trainer

_MOST_JSON_BYTES = 1 << 20
_PAGE = "index.html"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_WORK: Mapping[str, Callable[..., Any]] = {
    "size": compressed_size,
    "compress": compress,
    "open": open_file,
    "compare": compare_pictures,
    "report": make_report,
    "enhance": enhance_picture,
}
# The report brings its own script and style; in a sandbox they reach nothing of this server.
_REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
)


class Server:
    """The state of one server, and what it answers.

    Args:
        root: the folder of the user that the page may read from and write to.
    """

    def __init__(self, root: Path) -> None:
        self.folder = UserFolder(root)
        self.files = Files()
        self.jobs = Jobs()
        self.trainer = Trainer(self.folder)
        self._pages = _packaged()
        self._showing = threading.Lock()  # one picture at a time, for memory
        self._shown: dict[str, KeptFile] = {}

    def close(self) -> None:
        """End all work, and remove what was kept."""
        self.jobs.close()
        self.trainer.close()
        self.files.close()

    def app(self, port: int, secret: str) -> ASGIApp:
        """Return the application, which answers only what `Guard` lets through."""
        routes = [
            Route("/", self.page),
            Route("/static/{name}", self.page),
            Route("/api/start", self.start),
            Route("/api/folders", self.folders),
            Route("/api/folders", self.take_folder, methods=["POST"]),
            Route("/api/files", self.upload, methods=["POST"]),
            Route("/api/files/{file}", self.remove, methods=["DELETE"]),
            Route("/api/files/{file}/picture", self.picture),
            Route("/api/files/{file}/download", self.download),
            Route("/api/files/{file}/report", self.report),
            Route("/api/save", self.save, methods=["POST"]),
            Route("/api/jobs/{job}", self.start_job, methods=["POST"]),
            Route("/api/jobs/{job}", self.job),
            Route("/api/jobs/{job}", self.cancel_job, methods=["DELETE"]),
            Route("/api/settings/{architecture}", self.settings),
            Route("/api/training", self.training),
            Route("/api/training/samples", self.samples),
            Route("/api/training/{action}", self.train, methods=["POST"]),
        ]
        handlers = dict.fromkeys((NncError, OSError, ValueError, ClientDisconnect, Exception), _told_error)
        return Guard(Starlette(routes=routes, exception_handlers=handlers), port, secret)

    # --- the page and what it starts with -------------------------------------------------------------------------

    async def page(self, request: Request) -> Response:
        """The page and its parts."""
        name = request.path_params.get("name", _PAGE)
        if name not in self._pages:
            return JSONResponse({"error": "there is no such page"}, 404)
        return Response(self._pages[name], media_type=_TYPES[Path(name).suffix])

    async def start(self, request: Request) -> Response:
        """What is installed, and the user's folder."""
        catalog = registry.catalog()
        models = [
            {
                "name": model.name,
                "aliases": sorted(alias for alias, name in catalog.aliases.items() if name == model.name),
                "kind": catalog.kind_of(model),
                "architecture": model.architecture,
                "about": str(model.card.get("summary", "")),
            }
            for _, model in sorted(catalog.models.items())
        ]
        trainable = [{"name": name, "kind": catalog.architectures[name].kind} for name in trainable_architectures()]
        return JSONResponse(
            {
                "version": __version__,
                "folder": str(self.folder.root),
                "defaults": [DEFAULT_MODEL, default_enhancer(DEFAULT_SCALE)],
                "models": models,
                "codecs": other_codecs(),
                "trainable": trainable,
                "most_upload_bytes": MOST_UPLOAD_BYTES,
                "most_pixels": DEFAULT_LIMITS.pixels,
            }
        )

    # --- files and folders ----------------------------------------------------------------------------------------

    async def folders(self, request: Request) -> Response:
        """The folders in a folder of the user."""
        return JSONResponse({"folders": self.folder.below(request.query_params.get("in", ""))})

    async def take_folder(self, request: Request) -> Response:
        """Take the pictures of a folder of the user."""
        name = (await _json(request)).get("folder", "")
        paths = await run_in_threadpool(self.folder.pictures, name)
        return JSONResponse({"files": [_told(self.files.refer(path)) for path in paths]})

    async def upload(self, request: Request) -> Response:
        """Take one file, the body of the request."""
        return JSONResponse(_told(await self.files.receive(request.query_params.get("name", ""), request.stream())))

    async def remove(self, request: Request) -> Response:
        """Forget a file."""
        self.files.remove(request.path_params["file"])
        self._shown.pop(request.path_params["file"], None)
        return JSONResponse({})

    async def picture(self, request: Request) -> Response:
        """A picture as PNG: a result as it is, an input converted."""
        file = self.files.get(request.path_params["file"])
        shown = file if file.name.endswith(".png") and file.source else await run_in_threadpool(self._as_png, file)
        return FileResponse(shown.path, media_type="image/png")

    def _as_png(self, file: KeptFile) -> KeptFile:
        with self._showing:
            if file.id not in self._shown:
                try:
                    data = shown_png(file)
                except Exception as error:  # Pillow's decoders may raise anything
                    raise NncError(detail=plain(describe(error))) from None
                self._shown[file.id] = self.files.add(file.name, data, file.id)
            return self._shown[file.id]

    async def download(self, request: Request) -> Response:
        """A file to save."""
        file = self.files.get(request.path_params["file"])
        name = urllib.parse.quote(file.name)
        headers = {"content-disposition": f"attachment; filename*=utf-8''{name}"}
        return FileResponse(file.path, media_type="application/octet-stream", headers=headers)

    async def report(self, request: Request) -> Response:
        """A report that this server made, as a page of its own."""
        file = self.files.get(request.path_params["file"])
        if file.name != "report.html" or not file.owned:
            return JSONResponse({"error": "this file is no report"}, 404)
        return FileResponse(file.path, media_type="text/html", headers={"content-security-policy": _REPORT_POLICY})

    async def save(self, request: Request) -> Response:
        """Write results into a folder of the user."""
        asked = await _json(request)
        files = chosen_files(self.files, asked)
        written, problems = [], []
        for file in files:
            try:
                path = await run_in_threadpool(
                    self.folder.write, asked.get("folder", ""), file.name, file.path.read_bytes()
                )
                written.append(path.relative_to(self.folder.root).as_posix())
            except (NncError, OSError) as error:
                problems.append(plain(describe(error)))
        return JSONResponse({"written": written, "problems": problems})

    # --- work -----------------------------------------------------------------------------------------------------

    async def start_job(self, request: Request) -> Response:
        """Start a job of a kind."""
        work = _WORK.get(request.path_params["job"])
        if work is None:
            return JSONResponse({"error": "there is no such work"}, 404)
        return JSONResponse(self.jobs.start(functools.partial(work, self.files, await _json(request))).shown())

    async def job(self, request: Request) -> Response:
        """How far a job is, and its result."""
        return JSONResponse(self.jobs.get(request.path_params["job"]).shown())

    async def cancel_job(self, request: Request) -> Response:
        """End a job at its next step."""
        return JSONResponse(self.jobs.cancel(request.path_params["job"]).shown())

    # --- training -------------------------------------------------------------------------------------------------

    async def settings(self, request: Request) -> Response:
        """The settings of an architecture, with their defaults; imports torch."""
        recipe = await run_in_threadpool(find_recipe, request.path_params["architecture"])
        shown = [
            {"name": setting.name, "default": setting.default, "help": setting.help}
            for setting in settings_of(recipe).values()
        ]
        return JSONResponse({"settings": shown})

    async def training(self, request: Request) -> Response:
        """How far the training is."""
        return JSONResponse(self.trainer.shown())

    async def samples(self, request: Request) -> Response:
        """The newest samples of the training, as PNG."""
        newest = self.trainer.newest_samples()
        if newest is None:
            return JSONResponse({"error": "there are no samples yet"}, 404)
        return FileResponse(newest, media_type="image/png")

    async def train(self, request: Request) -> Response:
        """Start, stop or install the training."""
        action, asked = request.path_params["action"], await _json(request)
        if action == "start":
            await run_in_threadpool(self.trainer.start, asked)
        elif action == "stop":
            self.trainer.stop()
        elif action == "install":
            await run_in_threadpool(self.trainer.install)
        else:
            return JSONResponse({"error": "there is no such action"}, 404)
        return JSONResponse(self.trainer.shown())


def _packaged() -> dict[str, bytes]:
    """Return the files of the page by name: its own, and the slider of the report."""
    own = resources.files("nncodec.web") / "static"
    shared = resources.files("nncodec.compare.report") / "templates"
    pages = {path.name: path.read_bytes() for path in own.iterdir() if Path(path.name).suffix in _TYPES}
    pages |= {name: (shared / name).read_bytes() for name in ("viewer.js", "viewer.css")}
    pages[_PAGE] = pages[_PAGE].replace(b"<!-- viewer.html -->", (shared / "viewer.html").read_bytes())
    return pages


def _told(file: KeptFile) -> dict[str, Any]:
    """Return what the page is told about an input."""
    with file.path.open("rb") as stream:
        is_coded = stream.read(len(MAGIC)) == MAGIC
    return {"id": file.id, "name": file.name, "bytes": file.path.stat().st_size, "coded": is_coded}


async def _json(request: Request) -> dict[str, Any]:
    """Return the object in a request's body; raises NncError if it holds something else."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST_JSON_BYTES:
            raise NncError(detail="the request is too long")
    try:
        asked = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise NncError(detail="the request is not a JSON object")
    return asked


async def _told_error(request: Request, error: Exception) -> Response:
    """Answer an error of the user or the files with one line."""
    line = str(error) if isinstance(error, ValueError) else describe(error)
    return JSONResponse({"error": plain(line)}, 400)
