"""A mask on a coarser or shifted grid becomes a mask of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from maskwright.arrays.windows import Window
from maskwright.errors import InputError
from maskwright.io.regrid import lay_on
from maskwright.types import Hint, Image, Mask, Step


@dataclass(frozen=True)
class CoarseMask:
    """Each pixel takes the class, and the confidence, of the pixel of a coarse mask that holds its centre.

    The coarse mask lies on a grid of its own, in any coordinate system; without a place on Earth it covers the picture
    from edge to edge. Pixels it does not reach, where it knows nothing or where the picture has no data, are UNKNOWN.
    Classes are matched by name.

    `gps_error_m` (metres, needs a picture on Earth) and `border_px` (pixels of the picture) say how far off the mask
    may lie: as far as that to either side of a border between two classes nobody knows. Where pixels are not square the
    shorter side counts.

    Several coarse masks speak by the sum of their confidences; a tie is UNKNOWN. `label_window` gives any window of a
    picture of any size exactly as the whole picture would have it.
    """

    gps_error_m: float = 0.0
    border_px: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("gps_error_m", self.gps_error_m), ("border_px", self.border_px)):
            if not 0 <= value < float("inf"):
                raise InputError(f"{name} is {value}; expected 0 or more; leave it out for no band along borders")

    def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Mask:
        return self.label_window(image, hints, class_names, image.grid.window)

    def label_window(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...], window: Window) -> Mask:
        """The mask of one window of the picture, equal to that part of the whole picture's mask."""
        masks = [hint for hint in hints if isinstance(hint, Mask)]
        if not masks:
            raise InputError("no mask among the hints of this picture; expected a coarse one; give --hints coarse.tif")
        laid = lay_on(masks, image, window, class_names, gps_error_m=self.gps_error_m, border_px=self.border_px)
        return laid.after(Step.of(self), laid.class_ids, laid.confidence)
