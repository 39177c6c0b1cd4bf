"""A network that looks at a whole window at one size, however large it is: for things that need all of a picture."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from maskwright.models.unet import UNet


class WholeWindow(nn.Module):
    """Logits (n, classes, height, width) of normalised pixels (n, bands, height, width), seen `side` pixels long.

    The window is shrunk, or blown up, so that its longer side is about `side` (a multiple of 16, like the shorter one),
    goes through a U-Net, and its logits are laid back over all pixels, so borders are as coarse as `side` makes them.
    """

    stride = 1

    def __init__(self, bands: int, classes: int, *, width: int = 16, side: int = 192) -> None:
        super().__init__()
        self.side = side
        self.inner = UNet(bands, classes, width=width)

    def forward(self, pixels: Tensor) -> Tensor:
        size = int(pixels.shape[-2]), int(pixels.shape[-1])  # numbers also while it is being exported
        seen = self.seen_size(*size)
        if seen != size:
            step = max(1, max(size) // self.side)
            shrunk = avg_pool2d(pixels, step, ceil_mode=True, count_include_pad=False) if step > 1 else pixels
            pixels = interpolate(shrunk, size=seen, mode="bilinear", align_corners=False)
        logits: Tensor = self.inner(pixels)
        return logits if seen == size else interpolate(logits, size=size, mode="bilinear", align_corners=False)

    def seen_size(self, height: int, width: int) -> tuple[int, int]:
        """The size a window of a size is seen at."""
        stride, share = UNet.stride, self.side / max(height, width)
        return max(1, round(height * share / stride)) * stride, max(1, round(width * share / stride)) * stride
