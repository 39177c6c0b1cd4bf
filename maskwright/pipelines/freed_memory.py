"""Memory that is asked for again and again stays with this process instead of going back to the system each time."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

LARGEST, KEPT = 32 << 20, 512 << 20
"""Blocks up to LARGEST bytes are kept, KEPT bytes at most: what a network makes of one window, and of a few."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


@cache
def keep_freed_memory() -> bool:
    """From now on, give freed arrays to the next ones that need room; gives whether this system can do so.

    By itself glibc returns arrays above 128 kB when they are freed, and the system clears their pages anew for the
    next: a tenth of the time of a small network that is led over windows. Other C libraries decide for themselves.
    """
    if not sys.platform.startswith("linux"):
        return False
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None:
        return False
    return bool(set_option(_MMAP_THRESHOLD, LARGEST)) and bool(set_option(_TRIM_THRESHOLD, KEPT))
