"""Taking maps row by row: the same values and gradients as indexing."""

from __future__ import annotations

import pytest
import torch

from src_core.nets.blocks import take


@pytest.mark.parametrize("rows", [[0, 0, 0, 1, 1, 2], [2, 0, 2], [1], []])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_rows_are_taken_as_indexing_takes_them(rows, layout):
    rng = torch.Generator().manual_seed(0)
    maps = torch.randn((3, 4, 5, 6), generator=rng).to(memory_format=layout)
    rows = torch.tensor(rows, dtype=torch.long)
    weight = torch.randn((len(rows), 4, 5, 6), generator=rng)
    mine, theirs = (maps.clone().requires_grad_() for _ in range(2))
    taken, indexed = take(mine, rows), theirs[rows]
    assert torch.equal(taken, indexed)
    (taken * weight).sum().backward()
    (indexed * weight).sum().backward()
    torch.testing.assert_close(mine.grad, theirs.grad)


def test_what_is_taken_of_channels_last_stays_channels_last():
    maps = torch.zeros((2, 4, 5, 6)).to(memory_format=torch.channels_last)
    taken = take(maps, torch.tensor([1, 0, 1]))
    assert taken.is_contiguous(memory_format=torch.channels_last)
