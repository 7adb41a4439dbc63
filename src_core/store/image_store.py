"""A folder of pixels as a read-only zarr store that trusts nothing in it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.storage import LocalStore

from src_core.errors import CorruptError
from src_core.store.guard import contained
from src_core.store.zstd import decompress

if TYPE_CHECKING:
    from pathlib import Path

    from zarr.abc.store import ByteRequest

_SLACK: Final = 1 << 16


class ImageStore(LocalStore):
    """zarr's folder store that hands out chunks checked and decompressed.

    zarr's own decoder would take whatever memory a chunk declares, and a damaged one
    would end in a bare RuntimeError. So the array above this store is told that its
    chunks are plain bytes.

    Parameters
    ----------
    root : Path
        The ``.ome.zarr`` folder; no key and no link may lead out of it.
    chunk_bytes : int
        What every chunk must decode to.
    compressed : bool
        Whether the files are zstd or plain bytes.
    """

    def __init__(self, root: Path, *, chunk_bytes: int, compressed: bool) -> None:
        super().__init__(root, read_only=True)
        self._chunk_bytes = chunk_bytes
        self._compressed = compressed

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        data = await asyncio.to_thread(self._chunk, key)
        if data is None:
            return None
        return (prototype or default_buffer_prototype()).buffer.from_bytes(data)

    def _chunk(self, key: str) -> bytes | None:
        path = contained(self.root, key)
        what = f"The chunk '{path}'"
        # A compressor adds at most a little to what it cannot compress.
        limit = self._chunk_bytes + self._chunk_bytes // 128 + _SLACK
        try:
            with path.open("rb") as file:
                data = file.read(limit + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CorruptError(f"{what} cannot be read ({error}).") from error
        if len(data) > limit:
            raise CorruptError(
                f"{what} has more than {limit} bytes, more than it may decode to; it "
                "was refused."
            )
        if self._compressed:
            data = decompress(data, self._chunk_bytes, what)
        if len(data) != self._chunk_bytes:
            raise CorruptError(
                f"{what} has {len(data)} bytes where {self._chunk_bytes} are due."
            )
        return data
