"""Which device computes, and in which precision, asked of the machine itself."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import nn

from src_core.errors import BadInputError

if TYPE_CHECKING:
    from src_core.config import DeviceName

Net = TypeVar("Net", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Device:
    """A torch device and the precision that pays on it.

    Attributes
    ----------
    torch : torch.device
        Where tensors lie.
    bf16 : bool
        Whether bfloat16 autocast is faster here. On CPUs without native support it is
        10 to 15 times *slower*, on others it doubles the speed of a step.
    """

    torch: torch.device
    bf16: bool

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which networks run."""
        if not self.bf16:
            return nullcontext()
        return torch.autocast(self.torch.type, torch.bfloat16)

    def place(self, net: Net) -> Net:
        """Move a network here, its weights laid out channels last."""
        moved: Net = net.to(self.torch).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return moved

    @property
    def label(self) -> str:
        """What to call it before a person."""
        precision = "bfloat16" if self.bf16 else "float32"
        if self.torch.type == "cuda":
            return f"{torch.cuda.get_device_name(self.torch)}, {precision}"
        return f"CPU, {free_cores()} cores, {precision}"


def free_cores() -> int:
    """Return how many cores this process may use.

    Asked of the machine: a worker process of dask is told of one, whatever there is.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else (os.cpu_count() or 1)


def pick_device(name: DeviceName = "auto", number: int = 0) -> Device:
    """Return the device to compute on.

    Parameters
    ----------
    name : str
        What was asked for; a GPU where there is one, if "auto".
    number : int
        Of several processes beside one another, which: each takes a GPU of its own.

    Raises
    ------
    BadInputError
        If a GPU is asked for and none can be used.
    """
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        raise BadInputError(
            "No GPU can be used here (torch.cuda.is_available() is false); "
            "use --device auto or --device cpu."
        )
    if name == "cpu" or not has_gpu:
        return Device(torch.device("cpu"), _cpu_has_bf16())
    bf16 = torch.cuda.is_bf16_supported()
    if not number:
        return Device(torch.device("cuda"), bf16)
    index = number % torch.cuda.device_count()
    torch.cuda.set_device(index)
    return Device(torch.device("cuda", index), bf16)


def _cpu_has_bf16() -> bool:
    has_amx: bool = torch.cpu._is_amx_tile_supported()
    has_avx: bool = torch.cpu._is_avx512_bf16_supported()
    return has_amx or has_avx
