"""One door to numba: kernels are compiled once, cached on disk and release the GIL.

Where numba is absent `HAS_NUMBA` is False and `compiled` hands the function back unchanged. Every caller then takes a
plain numpy path with the same answer, so nothing but time depends on numba.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

try:
    if os.environ.get("MASKWRIGHT_NO_NUMBA"):
        raise ImportError("numba is switched off by MASKWRIGHT_NO_NUMBA")
    import numba
except ImportError:
    HAS_NUMBA = False
else:
    HAS_NUMBA = True


def compiled(function: Function) -> Function:
    """`function`, compiled by numba when it is here: cached, without the GIL, IEEE arithmetic: x / 0 is inf or nan."""
    if not HAS_NUMBA:
        return function
    result: Function = numba.njit(cache=True, nogil=True, fastmath=False, error_model="numpy")(function)
    return result
