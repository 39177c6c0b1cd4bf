"""Windows: rectangles of pixels that cover a picture, and what is stitched from them."""

from __future__ import annotations

from typing import NamedTuple


class Window(NamedTuple):
    """A rectangle of pixels: rows top..bottom, columns left..right, the last two excluded.

    >>> window = Window(2, 10, 5, 30)
    >>> window.height, window.width, window.slices
    (3, 20, (slice(2, 5, None), slice(10, 30, None)))
    """

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """What to index an array (height, width, ...) with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def meet(self, other: Window) -> Window | None:
        """The rectangle both share, or None where they share no pixel.

        >>> Window(0, 0, 4, 4).meet(Window(2, 3, 9, 9))
        Window(top=2, left=3, bottom=4, right=4)
        """
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom, right = min(self.bottom, other.bottom), min(self.right, other.right)
        return Window(top, left, bottom, right) if top < bottom and left < right else None
