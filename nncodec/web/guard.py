"""Decides which requests are answered: those of a page that this server sent to its own user.

A web page of another site can make the browser send requests here, also under another name that resolves to this
machine (DNS rebinding). So Host must be one of ours, Origin must be ours wherever a request may change something, and a
cookie must hold the secret of the address that the terminal showed. The cookie also keeps other users of the machine
out.
"""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_READING = ("GET", "HEAD")


class Guard:
    """ASGI middleware that refuses foreign requests and adds the headers of security to every answer.

    Args:
        app: answers the requests that are let through.
        port: of the server, on the loopback interface.
        secret: what the first address must carry as `?token=`; a cookie holds it from then on.
    """

    def __init__(self, app: ASGIApp, port: int, secret: str) -> None:
        self._app = app
        self._secret = secret
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._cookie = f"nncodec-{port}"  # browsers share cookies among the ports of a machine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return  # there are no web sockets
        answer = self._answer(scope)
        await (answer or self._app)(scope, receive, _with_headers(send))

    def _answer(self, scope: Scope) -> Response | None:
        """Return the answer to a request that is not let through."""
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if host not in self._hosts:
            return _refusal("this server answers on this machine only, under its own address")
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return _refusal("this request comes from another site")
        if origin is None and scope["method"] not in _READING:
            return _refusal("this request does not say which page it comes from")
        if origin is not None and origin != f"http://{host}":
            return _refusal("this request comes from another site")
        if self._holds_secret(headers):
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and secrets.compare_digest(given.encode(), self._secret.encode()):
            home = RedirectResponse("/", status_code=303)
            home.set_cookie(self._cookie, self._secret, httponly=True, samesite="strict")
            return home
        return _refusal("open the address that 'nncodec ui' showed in the terminal")

    def _holds_secret(self, headers: Headers) -> bool:
        try:
            kept = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return False
        return kept is not None and secrets.compare_digest(kept.value.encode(), self._secret.encode())


def _refusal(reason: str) -> Response:
    return PlainTextResponse(f"Refused: {reason}.\n", status_code=403)


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers
