"""The processors torch could use on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True)
class Device:
    """A processor: the name to give as --device, what it is, and its memory in bytes where known."""

    name: str
    kind: str
    memory_bytes: int | None = None


def list_devices() -> tuple[Device, ...]:
    """The CPU, and every accelerator torch sees; without torch the CPU alone."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cpu = Device("cpu", f"{cores} cores", _memory())
    if find_spec("torch") is None:
        return (cpu,)
    import torch

    found = [cpu]
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        properties = torch.cuda.get_device_properties(index)
        found.append(Device(f"cuda:{index}", properties.name, properties.total_memory))
    if torch.backends.mps.is_available():
        found.append(Device("mps", "Apple GPU"))
    return tuple(found)


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not every system counts its pages
        return None
