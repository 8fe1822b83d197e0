"""An S3 server on loopback that answers some requests with 500 or late; it needs moto (extra `batch-test`)."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

_ERROR = b"<Error><Code>InternalError</Code><Message>injected</Message></Error>"


@dataclass
class FaultyS3:
    """The server's faults and what it counted.

    Args:
        errors: share of requests that are answered with 500; half of them are carried out nevertheless.
        delays: share of requests that are answered late.
        delay_s: how late, in seconds.
        requests, failed: numbers so far.
    """

    errors: float = 0.0
    delays: float = 0.0
    delay_s: float = 0.2
    requests: int = 0
    failed: int = 0
    random: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 (no secret)

    def wrapped(self, application: Callable[..., Any]) -> Callable[..., Any]:
        """Return a WSGI application with these faults."""

        def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
            self.requests += 1
            if self.random.random() < self.delays:
                time.sleep(self.delay_s)
            if self.random.random() < self.errors:
                self.failed += 1
                if self.random.random() < 0.5:
                    b"".join(application(environ, lambda *_: None))
                start_response("500 Internal Server Error", [("Content-Type", "application/xml")])
                return [_ERROR]
            return application(environ, start_response)

        return answer


def stored_in(bucket: str) -> dict[str, str]:
    """Return what a bucket of the server shows: names, and ETags, which are MD5 digests. It makes no request."""
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    keys = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[bucket].keys
    return {name: key.etag.strip('"') for name, key in [*keys.items()]}


@contextlib.contextmanager
def serving(faults: FaultyS3) -> Iterator[str]:
    """Serve an empty S3 and yield its URL; `s3://` of this process and its children means it until the end."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = faults.wrapped(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    settings = {
        "FSSPEC_S3_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "loopback",
        "AWS_SECRET_ACCESS_KEY": "loopback",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",  # of botocore: the attempts made again are ours
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        with _configured(settings["FSSPEC_S3_ENDPOINT_URL"]):
            yield settings["FSSPEC_S3_ENDPOINT_URL"]
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def _configured(url: str) -> Iterator[None]:
    """Tell fsspec of this process, which reads the environment only when it is imported."""
    import fsspec.config

    before = dict(fsspec.config.conf)
    fsspec.config.conf["s3"] = {"endpoint_url": url}
    try:
        yield
    finally:
        fsspec.config.conf.clear()
        fsspec.config.conf.update(before)
