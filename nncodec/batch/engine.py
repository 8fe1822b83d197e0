"""The hook behind which engines do the work, and what every engine must keep to."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Protocol

from nncodec.batch.manifest import KILLED, Item, Outcome

MAX_DEATHS = 2
"""A file on which so many workers die, while it is the only one that they have, is skipped."""


class Engine(Protocol):
    """Does groups of files in several workers, each of which computes with one thread of torch.

    An engine takes groups only a few ahead of the work. A worker that dies takes nobody with it: what it had not
    finished is done again, and a file that keeps killing its worker gets an outcome of the kind "killed". To do a file
    twice is harmless: its results are the same, and are published atomically.
    """

    @property
    def restarts(self) -> int:
        """Workers so far that died."""

    def run(self, groups: Iterator[list[Item]]) -> Generator[tuple[Item, Outcome]]:
        """Yield every item of every group with its outcome, once, in any order. Closing the generator ends the workers.

        Raises:
            NncError: no worker can start, or the engine is lost; a later run does what is left.
        """


def killed(item: Item, how: str) -> tuple[Item, Outcome]:
    """Return the outcome of a file that killed its workers.

    Args:
        item: the file.
        how: what is known of their end.
    """
    reason = f"it killed its worker {MAX_DEATHS} times ({how}), most likely for lack of memory; it is skipped"
    return item, Outcome(error=reason, kind=KILLED)
