"""Which processor and which arithmetic a network runs on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast

import torch
from torch import nn

from maskwright.errors import MissingPartError

Precision = Literal["auto", "float32", "bfloat16"]


def choose_device(name: str = "auto") -> torch.device:
    """The device of a name: "auto" is an accelerator, else the CPU; one that is not here is an error."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise MissingPartError(
            f"no device is called {name!r}; "
            "expected auto, cpu, cuda, cuda:1 or mps; `maskwright doctor` names those here"
        ) from None
    count = torch.cuda.device_count() if device.type == "cuda" else int(torch.backends.mps.is_available())
    if device.type != "cpu" and (device.index or 0) >= count:
        raise MissingPartError(f"the device {name!r} is not here; `maskwright doctor` lists them; use auto or cpu")
    return device


def choose_precision(precision: Precision, device: torch.device) -> Literal["float32", "bfloat16"]:
    """bfloat16 for "auto" where the processor has instructions for it, else float32."""
    if precision != "auto":
        return precision
    return "bfloat16" if has_bfloat16(device) else "float32"


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 by itself; others would imitate it slowly."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return False


def cores() -> int:
    """Cores this process may use: OMP_NUM_THREADS where it is set, else those the system lets it have."""
    if (told := os.environ.get("OMP_NUM_THREADS", "")).isdigit() and int(told) > 0:
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def placed(network: nn.Module, device: torch.device) -> nn.Module:
    """`network` on a device, its weights laid out channels last, which is what convolutions are fastest with."""
    return cast(nn.Module, cast(Any, network).to(device, memory_format=torch.channels_last))


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """torch with `count` threads inside the block, and with as many as before after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context in which matrix products run in `precision`."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
