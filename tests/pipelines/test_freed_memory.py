"""Arrays of one size after another: the second one gets the pages of the first."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

COUNT_FAULTS = """
import resource, sys
import numpy as np
from maskwright.pipelines.freed_memory import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
np.ones(3_000_000, np.float32)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for size in range(20):
    np.ones(3_000_000 - 500_000 * (size % 3), np.float32)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library decides for itself")
def test_pages_are_used_again() -> None:
    faults = {
        word: int(subprocess.run([sys.executable, "-c", COUNT_FAULTS, word], check=True, capture_output=True).stdout)
        for word in ("kept", "given")
    }
    assert faults["kept"] < 100 < faults["given"]
