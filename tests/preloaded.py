"""Programs in processes of their own that have torch already: importing it takes longer than most of what they do.

One process imports packages, and nothing of nncodec. It forks for every program, which so begins as in a new
interpreter, with its own folder, environment, arguments and standard streams. Systems without fork start an interpreter
for each. Tests about starting or memory start processes themselves.

A program ends like any other, threads and exit functions included, but nothing is torn down after those: with torch,
that takes longer than many programs.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

Completed = subprocess.CompletedProcess[str]

# Torch, what it loads when a network is trained (every optimizer imports _dynamo), and what plots need.
HEAVY = ("matplotlib.figure", "scipy.interpolate", "scipy.ndimage", "torch._dynamo")
# What nncodec loads without torch.
LIGHT = ("click", "numpy", "PIL.Image")


class Preloaded:
    """Runs programs; a context manager whose process ends with it.

    Args:
        modules: what they have imported already.
    """

    def __init__(self, modules: Sequence[str] = HEAVY) -> None:
        self._modules = modules
        self._server: subprocess.Popen[str] | None = None

    def __enter__(self) -> Preloaded:
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.communicate()

    def run(self, arguments: Sequence[str], **options: object) -> Completed:
        """Run a program and return its status and what it printed; options are those of `run_together`."""
        (done,) = self.run_together([arguments], **options)  # type: ignore[arg-type]
        return done

    def run_together(
        self,
        programs: Sequence[Sequence[str]],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        envs: Sequence[Mapping[str, str]] | None = None,
        input: str = "",
    ) -> list[Completed]:
        """Run programs at the same time.

        Args:
            programs: arguments of Python for each: `-m module`, or a file, and what the program itself takes.
            cwd: folder in which they run.
            env: the environment of all, by default that of this process.
            envs: what each changes in it, by default nothing.
            input: what each reads.
        """
        changes = envs or [{} for _ in programs]
        environments = [{**(os.environ if env is None else env), **change} for change in changes]
        with tempfile.TemporaryDirectory() as folder:
            requests = []
            for number, (arguments, environment) in enumerate(zip(programs, environments, strict=True)):
                streams = [str(Path(folder, f"{number}.{name}")) for name in ("in", "out", "err")]
                Path(streams[0]).write_text(input, encoding="utf-8")
                requests.append({"arguments": list(arguments), "cwd": str(cwd), "env": environment, "streams": streams})
            statuses = self._statuses(requests)
            return [
                Completed(
                    request["arguments"],
                    status,
                    *(Path(path).read_text(encoding="utf-8") for path in request["streams"][1:]),
                )
                for request, status in zip(requests, statuses, strict=True)
            ]

    def _statuses(self, requests: list[dict[str, object]]) -> list[int]:
        if not hasattr(os, "fork"):
            return [process.wait() for process in [_started(request) for request in requests]]
        if self._server is None or self._server.poll() is not None:
            self._server = subprocess.Popen(
                [sys.executable, __file__, *self._modules], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(requests) + "\n")
        self._server.stdin.flush()
        statuses: list[int] = json.loads(self._server.stdout.readline())
        return statuses


def _started(request: Mapping[str, object]) -> subprocess.Popen[bytes]:
    """Start an interpreter for a request."""
    paths = request["streams"]
    assert isinstance(paths, list)
    with Path(paths[0]).open("rb") as stdin, Path(paths[1]).open("wb") as stdout, Path(paths[2]).open("wb") as stderr:
        command = [sys.executable, *request["arguments"]]  # type: ignore[misc]
        return subprocess.Popen(
            command,
            cwd=request["cwd"],
            env=request["env"],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,  # type: ignore
        )


def _serve() -> dict[str, object] | None:
    """Fork for every program asked for; return its request in the child, and None at the end."""
    for line in sys.stdin:
        children = []
        for request in json.loads(line):
            child = os.fork()
            if not child:
                return request  # type: ignore[no-any-return]
            children.append(child)
        statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        print(json.dumps(statuses), flush=True)
    return None


def _become(request: Mapping[str, object]) -> None:
    """Run the program of a request in this process."""
    arguments, paths, environment = request["arguments"], request["streams"], request["env"]
    assert isinstance(arguments, list)
    assert isinstance(paths, list)
    assert isinstance(environment, dict)
    for number, path in enumerate(paths):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT
        handle = os.open(path, flags, 0o600)
        os.dup2(handle, number)
        os.close(handle)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)  # the one in place has read further
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(str(request["cwd"]))
    added = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.path[0:1] = [str(Path.cwd()), *added]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return
    sys.argv = list(arguments)
    sys.path[0:1] = [str(Path(arguments[0]).resolve().parent), *added]
    main = ModuleType("__main__")
    main.__file__ = str(Path(arguments[0]).resolve())  # which processes that it spawns import
    sys.modules["__main__"] = main
    source = Path(arguments[0]).read_text(encoding="utf-8")
    exec(compile(source, arguments[0], "exec", dont_inherit=True), main.__dict__)


class _QuickEnd:
    """The last exit function: ends the process with its status, without tearing anything down.

    It leaves the end to Python where that is no plain status, as after Ctrl-C.
    """

    def __init__(self) -> None:
        self._status: int | None = None
        atexit.register(self._exit)  # these run in reverse order

    def run(self, program: Callable[[], None]) -> None:
        """Run a program and note its status."""
        try:
            program()
            self._status = 0
        except SystemExit as exit:
            self._status = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
            raise
        except Exception:
            self._status = 1
            raise

    def _exit(self) -> None:
        if self._status is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self._status)


def _main() -> None:
    """Serve, and become a program in each fork."""
    if (asked := _serve()) is not None:
        _become(asked)


if __name__ == "__main__":
    end = _QuickEnd()
    for name in sys.argv[1:]:
        importlib.import_module(name)
    gc.freeze()  # what is loaded stays, and no program searches it for garbage
    end.run(_main)
