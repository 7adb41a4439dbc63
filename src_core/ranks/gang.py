"""Ranks that train together by torch's DistributedDataParallel.

On GPUs they speak by NCCL, else by gloo. Where they meet is given to them; they listen
on one address of their machine, 127.0.0.1 unless another was asked for, and say to one
another tensors and bytes, never pickles.
"""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._C._distributed_c10d import TCPStore

from src_core.errors import JobLostError, memory_ran_out
from src_core.ranks import Ranks, enter, leave

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Net = TypeVar("Net", bound=nn.Module)

PATIENCE: Final = timedelta(minutes=10)
LOOPBACK: Final = "127.0.0.1"


class Seat(Protocol):
    """The place of one process among those that train together.

    Attributes
    ----------
    number, count : int
    host : str
        The address of this machine at which the others reach it.
    """

    @property
    def number(self) -> int: ...

    @property
    def count(self) -> int: ...

    @property
    def host(self) -> str: ...

    def announce(self, port: int) -> None:
        """Tell the others where the first one listens."""
        ...

    def meeting(self) -> tuple[str, int]:
        """Wait until the first one has told where it listens."""
        ...


class Gang(Ranks):
    """One of several processes.

    Parameters
    ----------
    number, count, beside : int
        As :class:`Ranks`.
    device : torch.device
        Where this one computes.
    """

    def __init__(
        self, number: int, count: int, beside: int, device: torch.device
    ) -> None:
        self.number, self.count, self.beside = number, count, beside
        self.device = device

    def own(self, rows: Tensor) -> Tensor:
        """As the base says."""
        share, left = divmod(len(rows), 2 * self.count)
        if left:
            raise ValueError(
                f"{len(rows)} rows cannot be dealt out to {self.count} ranks"
            )
        first = self.number * share
        return torch.cat([half[first : first + share] for half in rows.chunk(2)])

    def agree(self, decide: Callable[[], Sequence[float]]) -> tuple[float, ...]:
        """As the base says; two messages, one of them a number."""
        decided = list(decide()) if self.is_first else []
        count = self._broadcast(torch.tensor([len(decided)]))
        held = torch.zeros(int(count), dtype=torch.float64)
        if self.is_first:
            held = torch.tensor(decided, dtype=torch.float64)
        return tuple(self._broadcast(held).tolist())

    def denominator(self, total: Tensor) -> Tensor:
        """As the base says."""
        shared = total.detach().clone()
        dist.all_reduce(shared)
        return shared.clamp_min(1.0) / self.count

    def averaged(self, values: Mapping[str, Tensor]) -> dict[str, float]:
        """As the base says."""
        held = torch.stack([value.detach().float() for value in values.values()])
        dist.all_reduce(held)
        return dict(zip(values, (held / self.count).tolist(), strict=True))

    def joined(self, rows: Tensor) -> Tensor:
        """As the base says."""
        return torch.cat(self._parts(rows))

    def of_others(self, rows: Tensor) -> Tensor:
        """As the base says."""
        parts = self._parts(rows)
        del parts[self.number]
        return torch.cat(parts)

    def from_first(self, read: Callable[[], bytes]) -> bytes:
        """As the base says."""
        held = torch.zeros(0, dtype=torch.uint8)
        if self.is_first and (data := read()):
            held = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        size = int(self._broadcast(torch.tensor([held.numel()])))
        if not self.is_first:
            held = torch.zeros(size, dtype=torch.uint8)
        return self._broadcast(held).numpy().tobytes() if size else b""

    def share_statistics(self, net: Net) -> Net:
        """As the base says."""
        from src_core.ranks.norm import with_shared_statistics

        return with_shared_statistics(net)

    def parallel(self, method: nn.Module) -> Callable[..., Any]:
        """As the base says: torch's own way, which sends while it still computes."""
        # A decoder that no batch has asked yet must keep its weights, and does so.
        wrapped: Callable[..., Any] = nn.parallel.DistributedDataParallel(
            method, find_unused_parameters=True
        )
        return wrapped

    def _parts(self, rows: Tensor) -> list[Tensor]:
        lengths = torch.zeros(self.count, dtype=torch.long)
        lengths[self.number] = len(rows)
        lengths = lengths.to(self.device)
        dist.all_reduce(lengths)
        # As bytes: not every type that torch has can be sent.
        shape, kind, home = rows.shape[1:], rows.dtype, rows.device
        mine = rows.to(self.device).reshape(len(rows), shape.numel())
        mine = mine.contiguous().view(torch.uint8)  # (n, bytes)
        sent = mine.new_zeros((int(lengths.max()), mine.shape[1]))
        sent[: len(rows)] = mine
        heard = [torch.empty_like(sent) for _ in range(self.count)]
        dist.all_gather(heard, sent)
        return [
            part[:length].view(kind).reshape(length, *shape).to(home)
            for part, length in zip(heard, lengths.tolist(), strict=True)
        ]

    def _broadcast(self, held: Tensor) -> Tensor:
        sent = held.to(self.device)
        dist.broadcast(sent, 0)
        return sent.cpu()


@contextmanager
def together(seat: Seat, device: torch.device) -> Iterator[Ranks]:
    """Be one of several processes that train one network.

    Parameters
    ----------
    seat : Seat
        Which one, and how the others are found.
    device : torch.device
        Where this one computes.

    Raises
    ------
    JobLostError
        If another one died, or they never met.
    """
    on_gpu = device.type == "cuda"
    try:
        with _heard_at(seat.host):
            store = _meet(seat)
            dist.init_process_group(
                "nccl" if on_gpu else "gloo",
                store=store,
                rank=seat.number,
                world_size=seat.count,
                timeout=PATIENCE,
            )
        beside = seat.count if seat.host == LOOPBACK else 1
        enter(Gang(seat.number, seat.count, beside, device))
        try:
            yield Gang(seat.number, seat.count, beside, device)
        finally:
            leave()
    except RuntimeError as error:
        if memory_ran_out(error) or not _is_of_the_line(error):
            raise
        raise JobLostError(
            f"One of the {seat.count} processes that trained together died (it was "
            "killed, or its machine ran out of memory). Start the training again: it "
            "goes on from its last checkpoint."
        ) from error
    finally:
        if dist.is_initialized():
            with suppress(RuntimeError):
                dist.destroy_process_group()


def _meet(seat: Seat) -> TCPStore:
    """Return the place where the processes leave word for one another."""
    if seat.number:
        host, port = seat.meeting()
        return TCPStore(host, port, seat.count, is_master=False, timeout=PATIENCE)
    # A socket of our own: left to itself the store listens on every address.
    family = socket.AF_INET6 if ":" in seat.host else socket.AF_INET
    with socket.create_server((seat.host, 0), family=family, backlog=128) as listening:
        port = listening.getsockname()[1]
        store = TCPStore(
            seat.host,
            port,
            seat.count,
            is_master=True,
            timeout=PATIENCE,
            wait_for_workers=False,
            master_listen_fd=os.dup(listening.fileno()),
        )
    seat.announce(port)
    return store


@contextmanager
def _heard_at(host: str) -> Iterator[None]:
    """Let gloo and NCCL listen at the address of `host` and nowhere else."""
    name = _interface(host)
    names = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")
    before = {key: os.environ.get(key) for key in names}
    if name:
        os.environ.update(dict.fromkeys(names, name))
    try:
        yield
    finally:
        for key, value in before.items():
            os.environ.pop(key, None)
            if value is not None:
                os.environ[key] = value


def _interface(host: str) -> str:
    """Name of the network interface that has an address; ``""`` where unknown."""
    import psutil

    found: dict[str, list[Any]] = psutil.net_if_addrs()
    for name, addresses in found.items():
        if any(address.address.split("%")[0] == host for address in addresses):
            return name
    return ""


_BROKEN: Final = (
    "connection closed",
    "connection reset",
    "connection refused",
    "broken pipe",
    "timed out",
    "timeout",
    "socket",
    "remote process exited",
    "nccl",
    "gloo",
)


def _is_of_the_line(error: RuntimeError) -> bool:
    """Whether an error says that another process is gone."""
    if isinstance(error, dist.DistError):
        return True
    words = str(error).lower()
    return any(said in words for said in _BROKEN)
