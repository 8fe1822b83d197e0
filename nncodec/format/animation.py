"""The animation chunk: how long each frame is shown, and how often all are.

    1     flags: 01 a loop count follows, 02 the first frame is a still picture that is not part of the animation
    v     loop count, 0 for ever (with flag 01)
    v ..  duration in milliseconds: one for all frames, or one for each

Frames are whole pictures, so there is nothing to dispose of between them.
"""

from __future__ import annotations

from dataclasses import dataclass

from nncodec.format.header import read_varints, varint

_LOOP, _STILL = 0x01, 0x02


@dataclass(frozen=True)
class Animation:
    """How frames are shown one after another.

    Args:
        durations_ms: of each frame.
        loop: the loop count as the source file states it, 0 for ever; None if it states none: the frames are shown
            once.
        first_is_still: whether the first frame is for programs that show no animations only ("default image" in APNG).
    """

    durations_ms: tuple[int, ...]
    loop: int | None = None
    first_is_still: bool = False

    def to_bytes(self) -> bytes:
        """Return the chunk."""
        flags = (0 if self.loop is None else _LOOP) | (_STILL if self.first_is_still else 0)
        shown = self.durations_ms[:1] if len(set(self.durations_ms)) == 1 else self.durations_ms
        loop = () if self.loop is None else (self.loop,)
        return bytes((flags,)) + b"".join(map(varint, (*loop, *shown)))

    @classmethod
    def of_bytes(cls, chunk: bytes, frames: int) -> Animation | None:
        """Return the animation of a chunk in a file with so many frames, or None if the chunk is malformed."""
        numbers = read_varints(chunk[1:], 1 + frames)
        if not numbers or chunk[0] & ~(_LOOP | _STILL):
            return None
        loop = numbers.pop(0) if chunk[0] & _LOOP else None
        if len(numbers) not in (1, frames):
            return None
        durations = tuple(numbers) if len(numbers) == frames else (numbers[0],) * frames
        return cls(durations, loop, bool(chunk[0] & _STILL))
