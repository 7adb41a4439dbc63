"""What a method remembers of pairs from step to step: bounded, and part of its state.

A method sees an image again after hundreds of steps. What it then wants to know again
it keeps here under the pair's numbers (image and target), in main memory and not on
the device that trains.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from src_core.ranks import here

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Key = tuple[int, ...]
MEGABYTE = 2**20


class Memory(nn.Module):
    """Rows of tensors under keys, the longest unseen forgotten first.

    It is a module so that a checkpoint of the method holds it: a resumed training
    remembers what the broken one did.

    Parameters
    ----------
    fields : sequence of str
        Names of a row's tensors; each has one shape and type in all rows.
    limit : int
        Bytes that all rows together may take.
    """

    def __init__(self, fields: Sequence[str], limit: int) -> None:
        super().__init__()
        self.fields, self.limit = tuple(fields), limit
        self._rows: OrderedDict[Key, tuple[Tensor, ...]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._rows)

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __getitem__(self, key: Key) -> tuple[Tensor, ...]:
        return self._rows[key]

    def put(self, key: Key, *row: Tensor) -> None:
        """Keep a row as the one seen last, and forget the longest unseen if need be."""
        # Copies: a row of a batch would keep the whole batch alive.
        held = tuple(part.detach().cpu().clone() for part in row)
        self._rows[key] = held
        self._rows.move_to_end(key)
        room = max(1, self.limit // sum(part.nbytes for part in held))
        while len(self._rows) > room:
            self._rows.popitem(last=False)

    def share(self, keys: Tensor, *columns: Tensor) -> None:
        """Keep, too, what other ranks have just put in; each tells of its own rows.

        Parameters
        ----------
        keys : Tensor
            (n, k) long, of what this rank has put in.
        *columns : Tensor
            (n, ...), one for each field.
        """
        others = here().of_others
        told = (others(keys).tolist(), *map(others, columns))
        for key, *row in zip(*told, strict=True):
            self.put(tuple(key), *row)

    def _save_to_state_dict(
        self, destination: Any, prefix: str, keep_vars: bool
    ) -> None:
        columns = zip(*self._rows.values(), strict=True) if self._rows else None
        stacked = [torch.stack(column) for column in columns] if columns else []
        destination[f"{prefix}keys"] = torch.tensor(list(self._rows), dtype=torch.long)
        destination |= {
            f"{prefix}{name}": column
            for name, column in zip(self.fields, stacked, strict=False)
        }

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        keys = state_dict[f"{prefix}keys"].tolist()
        columns = [state_dict[f"{prefix}{name}"] for name in self.fields if keys]
        rows = zip(*columns, strict=True) if keys else ()
        self._rows = OrderedDict(
            (tuple(key), tuple(part.cpu().clone() for part in row))
            for key, row in zip(keys, rows, strict=True)
        )


class EPI(nn.Module):
    """Exponential pseudo-label iteration: P_t = β·P_{t-1} + (1 - β)·P_t.

    LViT (Li et al., IEEE TMI 2024, arXiv 2206.14718). P_0 is the first answer. A pair
    that was forgotten starts anew from the present answer, which is a better one than
    the answer it started from.

    Parameters
    ----------
    beta : float
        β, published as 0.99.
    limit : int
        Bytes of memory.
    """

    # 16 bits: a change of one part in a hundred of a small difference must not be
    # lost to rounding, as it would be in 8.
    SCALE = 32767.0

    def __init__(self, beta: float, limit: int) -> None:
        super().__init__()
        self.beta = beta
        self.memory = Memory(("label",), limit)

    def iterate(self, keys: Sequence[Key], answers: Tensor) -> Tensor:
        """Take answers in, and return the pseudo-labels.

        Parameters
        ----------
        keys : sequence of tuple of int
            n of them; one that stands twice is iterated twice.
        answers : Tensor
            (n, ...) probabilities, of the images as they lie in the pool.

        Returns
        -------
        Tensor
            (n, ...), on the answers' device.
        """
        labels = []
        for key, answer in zip(keys, answers.float().cpu(), strict=True):
            label = answer
            if key in self.memory:
                (before,) = self.memory[key]
                label = torch.lerp(answer, before / self.SCALE, self.beta)
            self.memory.put(key, (label * self.SCALE).round().to(torch.int16))
            labels.append(label)
        found = torch.stack(labels) if labels else answers.float().cpu()
        held = torch.tensor(keys, dtype=torch.long).view(-1, 2)
        self.memory.share(held, (found * self.SCALE).round().to(torch.int16))
        return found.to(answers.device)
