"""Shows the events of a training run on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import click

from nncodec._support.text import line_of, plain
from nncodec.training.events import Advanced, Event, Note, Phase, Reading, Validated

_LINE_S = 10.0  # between plain lines of one kind
_SHOWN = ("loss", "rate_bpp", "psnr_db")
_UNITS = {"rate_bpp": " bpp", "psnr_db": " dB"}


class Display:
    """Shows events; a context manager that always closes its bar."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._bar: Any = None
        self._shown_at: dict[str, float] = {}
        self._started_s = 0.0

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        match event:
            case Note(text):
                self._say(line_of(text))
            case Phase(text):
                self._phase(text)
            case Reading():
                self._reading(event)
            case Advanced():
                self._advanced(event)
            case Validated():
                self._validated(event)

    def _reading(self, event: Reading) -> None:
        now = time.monotonic()
        if event.done == 0:
            self._close()
            self._started_s = self._shown_at["reading"] = (
                now  # so that the first line comes only if reading takes a while
            )
        if event.done == event.total:
            self._close()
        elif self._terminal:
            if self._bar is None:
                self._bar = _bar(total=event.total, desc=event.what, unit=" pictures")
            self._bar.update(event.done - self._bar.n)
        elif event.done and self._is_time("reading"):
            left_s = (now - self._started_s) * (event.total - event.done) / event.done
            self._say(f"{event.what}: {event.done:,} of {event.total:,} pictures, {duration(left_s)} left")

    def _phase(self, text: str) -> None:
        self._close()
        if self._is_time("phase"):
            self._say(plain(text))

    def _advanced(self, event: Advanced) -> None:
        if self._terminal:
            if self._bar is None:
                layout = "{desc}{percentage:3.0f}%|{bar}| {postfix}"
                self._bar = _bar(total=1.0, bar_format=layout, initial=event.progress)
            parts = [f"step {event.step:,}", figures_text(event.figures), f"{duration(event.left_s)} left"]
            self._bar.set_postfix_str(", ".join(part for part in parts if part), refresh=False)
            self._bar.update(event.progress - self._bar.n)
        elif event.fresh and self._is_time("step"):
            figures = figures_text(event.figures)
            self._say(f"{event.progress:4.0%}  step {event.step:,}  {figures}  {duration(event.left_s)} left")

    def _validated(self, event: Validated) -> None:
        if self._is_time("validation"):
            best = ", the best so far" if event.is_best else ""
            self._say(f"validation, epoch {event.epoch:.4g}: {figures_text(event.figures)}{best}")

    def _is_time(self, kind: str) -> bool:
        now = time.monotonic()
        if now - self._shown_at.get(kind, -math.inf) < _LINE_S:
            return False
        self._shown_at[kind] = now
        return True

    def _say(self, line: str) -> None:
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        else:
            click.echo(line, err=True)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def figures_text(figures: Mapping[str, float]) -> str:
    """Return those of loss, rate and PSNR that are present, as part of a line."""
    shown = [(name, figures[name]) for name in _SHOWN if name in figures]
    return ", ".join(f"{'loss ' if name == 'loss' else ''}{value:.4g}{_UNITS.get(name, '')}" for name, value in shown)


def duration(seconds: float) -> str:
    """Return a time as `0:05`, `12:30` or `3:05:00`; `?` if it is unknown."""
    if not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _bar(**options: Any) -> Any:
    from tqdm import tqdm  # type: ignore[import-untyped]

    return tqdm(file=sys.stderr, dynamic_ncols=True, leave=False, **options)
