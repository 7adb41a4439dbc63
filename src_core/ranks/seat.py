"""Seats of a gang of dask tasks: which of its processes one is, and where they meet."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

from src_core.errors import JobLostError

LOOPBACK: Final = "127.0.0.1"
_PATIENCE: Final = 120.0


@dataclass(frozen=True, slots=True)
class Seat:
    """One process's place among those that train together.

    Attributes
    ----------
    number, count : int
        Which one, from 0, and how many.
    name : str
        Of the gang: where they meet is told under it, through dask's scheduler.
    host : str
        The address at which the others reach this process.
    """

    number: int
    count: int
    name: str
    host: str = LOOPBACK

    def announce(self, port: int) -> None:
        """Tell the others where the first one listens."""
        from distributed import Variable

        Variable(self.name).set([self.host, port])

    def meeting(self) -> tuple[str, int]:
        """Wait until the first one has told where it listens.

        Raises
        ------
        JobLostError
            If it does not within two minutes.
        """
        from distributed import Variable

        try:
            host, port = Variable(self.name).get(timeout=_PATIENCE)
        except TimeoutError as error:
            raise JobLostError(
                "The processes that were to train together did not meet within two "
                "minutes; start the training again."
            ) from error
        return str(host), int(port)

    def pack(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def unpack(cls, text: str) -> Seat | None:
        """Read what :meth:`pack` wrote; None of an empty text."""
        return cls(**json.loads(text)) if text else None


def seats(name: str, hosts: list[str]) -> list[Seat]:
    """Return the seats of a gang, one for each process's address."""
    return [Seat(n, len(hosts), name, host) for n, host in enumerate(hosts)]
