"""zarr's interface to a store, over four plain functions of keys and bytes."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING

from zarr.abc.store import (
    ByteRequest,
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable


class KeyValueStore(Store):
    """zarr's interface over four plain functions of keys and bytes."""

    supports_writes = True
    supports_deletes = True
    supports_listing = True

    @abstractmethod
    def _read(self, key: str) -> bytes | None: ...

    @abstractmethod
    def _write(self, values: dict[str, bytes | None]) -> None: ...

    @abstractmethod
    def _keys(self, prefix: str) -> list[str]: ...

    @abstractmethod
    def _children(self, prefix: str) -> list[str]: ...

    # ---------------------------------------------------------------- reading
    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        # A read takes some 30 us; handing it to a thread would cost more than that.
        return self.get_sync(key, prototype=prototype, byte_range=byte_range)

    def get_sync(
        self,
        key: str,
        *,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Read a value, whole or a part of it; None where there is none."""
        value = self._read(key)
        if value is None:
            return None
        make = (prototype or default_buffer_prototype()).buffer.from_bytes
        return make(value[_to_slice(byte_range)])

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        return self._read(key) is not None

    async def list(self) -> AsyncIterator[str]:
        for key in self._keys(""):
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        for key in self._keys(prefix):
            yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        prefix = prefix.rstrip("/")
        for name in self._children(f"{prefix}/" if prefix else ""):
            yield name

    async def is_empty(self, prefix: str) -> bool:
        prefix = prefix.strip("/")
        return not self._keys(f"{prefix}/" if prefix else "")

    # ---------------------------------------------------------------- writing
    async def set(self, key: str, value: Buffer) -> None:
        await asyncio.to_thread(self.set_sync, key, value)

    def set_sync(self, key: str, value: Buffer) -> None:
        """Write one value."""
        self._check_writable()
        if not isinstance(value, Buffer):
            raise TypeError(f"A store keeps zarr buffers, not {type(value).__name__}.")
        self._write({key: value.to_bytes()})

    async def _set_many(self, values: Iterable[tuple[str, Buffer]]) -> None:
        self._check_writable()
        content: dict[str, bytes | None] = {k: v.to_bytes() for k, v in values}
        await asyncio.to_thread(self._write, content)

    async def delete(self, key: str) -> None:
        await asyncio.to_thread(self.delete_sync, key)

    def delete_sync(self, key: str) -> None:
        """Remove one value; a key without one is left alone."""
        self._check_writable()
        if self._read(key) is not None:
            self._write({key: None})

    async def delete_dir(self, prefix: str) -> None:
        self._check_writable()
        prefix = prefix.strip("/")
        keys = self._keys(f"{prefix}/" if prefix else "")
        if keys:
            await asyncio.to_thread(self._write, dict.fromkeys(keys))


def _to_slice(part: ByteRequest | None) -> slice:
    """A zarr byte request as a slice of the value."""
    if part is None:
        return slice(None)
    if isinstance(part, RangeByteRequest):
        return slice(part.start, part.end)
    if isinstance(part, OffsetByteRequest):
        return slice(part.offset, None)
    if isinstance(part, SuffixByteRequest):
        return slice(-part.suffix, None) if part.suffix else slice(0, 0)
    raise ValueError(f"Unexpected byte_range, got {part}.")
