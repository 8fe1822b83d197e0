"""Starts and ends the server, on the loopback interface only."""

from __future__ import annotations

import contextlib
import secrets
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path

from nncodec._support import extras
from nncodec._support.text import describe
from nncodec.errors import NncError

HOST = "127.0.0.1"
_CLOSING_S = 3


def serve(folder: Path, port: int = 0, *, opens: bool = True, on_start: Callable[[str], None]) -> None:
    """Serve the page until Ctrl-C.

    Args:
        folder: what the page may read from and write to.
        port: 0 takes a free one.
        opens: open the page in the browser.
        on_start: called with the address when the server answers.

    Raises:
        NncError: the extra `ui` is not installed, or the port is taken.
    """
    uvicorn = extras.require("uvicorn", "ui", "the page")
    extras.check("starlette", "ui", "the page")
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with contextlib.closing(listener):
        try:
            listener.bind((HOST, port))
        except OSError as error:
            reason = f"the port {port} cannot be used ({describe(error)}); give another with --port, or none"
            raise NncError(detail=reason) from None
        listener.listen()  # from now on the browser can connect, and waits for the answer
        from nncodec.web.app import Server

        port, secret = listener.getsockname()[1], secrets.token_urlsafe(16)
        address = f"http://{HOST}:{port}/?token={secret}"
        server = Server(folder)
        config = uvicorn.Config(
            server.app(port, secret),
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=_CLOSING_S,
        )
        on_start(address)
        if opens:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        for name in ("SIGTERM", "SIGHUP"):  # as Ctrl-C does: files are removed, and a training saves a checkpoint
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.default_int_handler)
        try:
            with contextlib.suppress(KeyboardInterrupt):  # this is how the user ends it
                uvicorn.Server(config).run(sockets=[listener])
        finally:
            server.close()
