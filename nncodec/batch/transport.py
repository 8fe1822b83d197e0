"""Retries: what fails on its way to or from a store is tried again; what is wrong with a file is not."""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")

_ATTEMPTS = 6
_FIRST_DELAY_S, _MAX_DELAY_S = 0.1, 10.0

_TEMPORARY_ERRNOS = {
    getattr(errno, name)
    for name in (
        *("EAGAIN", "EBUSY", "EINTR", "EIO", "EREMOTEIO", "ESTALE", "ETIMEDOUT"),
        *("ECONNABORTED", "ECONNREFUSED", "ECONNRESET", "EHOSTUNREACH", "ENETDOWN", "ENETRESET", "ENETUNREACH"),
    )
    if hasattr(errno, name)
}
# Names of exceptions of HTTP libraries under fsspec's stores; none of them need be installed.
_OF_CONNECTIONS = {"ClientConnectionError", "ClientPayloadError", "HTTPClientError", "IncompleteRead"}
_OF_ANSWERS = {"ClientResponseError", "HttpError", "HttpResponseError", "HTTPError"}
_TOO_MANY_REQUESTS, _SERVER_ERROR = 429, 500


def is_transport_error(error: BaseException) -> bool:
    """Return whether the way to a store failed, so that another attempt may succeed."""
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if isinstance(error, OSError) and error.errno in _TEMPORARY_ERRNOS:
        return True
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & _OF_CONNECTIONS:
        return True
    status = getattr(error, "status", None) or getattr(error, "code", None) or getattr(error, "status_code", None)
    return bool(names & _OF_ANSWERS) and str(status).isdigit() and _is_temporary(int(str(status)))


def retried(call: Callable[[], _T], sleep: Callable[[float], None] = time.sleep) -> _T:
    """Return what a call returns; after a transport error it is made again, up to five times, with growing delays.

    Delays double from 0.1 s, up to 10 s, and vary by half, so that many workers do not come back at once.

    Args:
        call: safe to repeat.
        sleep: waits for so many seconds.

    Raises:
        Exception: that of the last attempt, or the first that is not of the transport.
    """
    delay_s = _FIRST_DELAY_S
    for _ in range(_ATTEMPTS - 1):
        try:
            return call()
        except Exception as error:
            if not is_transport_error(error):
                raise
        sleep(delay_s * random.uniform(0.5, 1.5))  # noqa: S311 (no secret)
        delay_s = min(2 * delay_s, _MAX_DELAY_S)
    return call()


def _is_temporary(status: int) -> bool:
    return status == _TOO_MANY_REQUESTS or status >= _SERVER_ERROR
