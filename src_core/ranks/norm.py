"""Batch norm over the batches of all ranks, for processors.

``torch.nn.SyncBatchNorm`` exists for GPUs alone. This one says the same in plain torch:
mean, then mean squared distance from it, each a sum over all ranks.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

Net = TypeVar("Net", bound=nn.Module)


class _Sum(torch.autograd.Function):
    """The sum over all ranks; so is the gradient, as each rank's loss hangs on it."""

    @staticmethod
    def forward(ctx: Any, mine: Tensor) -> Tensor:
        total = mine.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total


def _summed(mine: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(mine)  # type: ignore[no-untyped-call]
    return total


class SharedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm whose statistics, while training, are those of all ranks."""

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() < 2:
            raise ValueError("rows and channels are needed")

    def forward(self, batch: Tensor) -> Tensor:
        """(N, C, ...) -> the same shape; N may differ between ranks."""
        if not self.training:
            plain: Tensor = super().forward(batch)
            return plain
        axes = [0, *range(2, batch.dim())]
        shape = (1, -1, *[1] * (batch.dim() - 2))
        x = batch.float()
        rows = x.new_tensor([x.numel() / max(1, x.shape[1])])
        told = _summed(torch.cat([x.sum(axes), rows]))
        count = told[-1].detach()
        mean = told[:-1] / count
        apart = x - mean.view(shape)
        variance = _summed(apart.square().sum(axes)) / count
        self._remember(mean.detach(), variance.detach(), count)
        found: Tensor = apart * torch.rsqrt(variance + self.eps).view(shape)
        if self.weight is not None:
            found = found * self.weight.view(shape) + self.bias.view(shape)
        return found.to(batch.dtype)

    def _remember(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        new = self.momentum
        if new is None:  # as torch has it: then the plain mean of all batches
            new = 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, new)
        self.running_var.lerp_(variance * count / (count - 1), new)


def with_shared_statistics(net: Net) -> Net:
    """Replace every batch norm of a network by one over all ranks; weights stay.

    Parameters
    ----------
    net : Module
        Changed in place.
    """
    if any(parameter.is_cuda for parameter in net.parameters()):
        shared: Net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
        return shared
    for name, child in list(net.named_children()):
        if isinstance(child, nn.modules.batchnorm._BatchNorm):
            setattr(net, name, _shared(child))
        else:
            with_shared_statistics(child)
    return net


def _shared(plain: nn.modules.batchnorm._BatchNorm) -> SharedBatchNorm:
    made = SharedBatchNorm(
        plain.num_features,
        plain.eps,
        plain.momentum,
        plain.affine,
        plain.track_running_stats,
    )
    made._parameters, made._buffers = plain._parameters, plain._buffers
    made.train(plain.training)
    return made
