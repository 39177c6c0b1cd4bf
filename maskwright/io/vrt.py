"""The small XML files that join rasters into one without copying them."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

BAND_END = "</VRTRasterBand>"


def with_overviews(text: str, names: Sequence[str]) -> str:
    """The text of a VRT whose bands have the bands of the files `names`, which lie beside it, as their overviews.

    >>> print(with_overviews("<VRTRasterBand></VRTRasterBand>", ["half.tif"]).replace("><", "> <"))
    <VRTRasterBand> <Overview> <SourceFilename relativeToVRT="1">half.tif</SourceFilename> \
<SourceBand>1</SourceBand> </Overview> </VRTRasterBand>
    """
    *bands, rest = text.split(BAND_END)
    return "".join(band + _overviews(names, number) + BAND_END for number, band in enumerate(bands, 1)) + rest


def _overviews(names: Sequence[str], band: int) -> str:
    return "".join(
        f'<Overview><SourceFilename relativeToVRT="1">{escape(each)}</SourceFilename>'
        f"<SourceBand>{band}</SourceBand></Overview>"
        for each in names
    )
