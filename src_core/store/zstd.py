"""zstd chunks, decompressed only after they were found to be what they should be.

The decoder takes the memory that the frames declare before it decodes any of them, and
it accepts several frames one behind the other: 32 KB can make it take gigabytes.
"""

from __future__ import annotations

from typing import Final

from src_core.errors import CorruptError

_MAGIC: Final = b"\x28\xb5\x2f\xfd"


def compress(data: bytes | memoryview, level: int) -> bytes:
    """Compress to one frame that declares its size."""
    from numcodecs import zstd  # type: ignore[import-untyped]

    return bytes(zstd.compress(data, level))


def decompress(data: bytes, size: int, what: str) -> bytes:
    """Decompress a chunk of known size.

    Parameters
    ----------
    data : bytes
        The compressed chunk.
    size : int
        How many bytes it must decode to.
    what : str
        How a message names it.

    Raises
    ------
    CorruptError
        When it is anything but one whole frame of this size.
    """
    from numcodecs import zstd

    check_frame(data, size, what)
    try:
        return bytes(zstd.decompress(data))
    except RuntimeError as error:
        raise CorruptError(
            f"{what} is damaged ({error}); restore the project from a backup."
        ) from error


def check_frame(data: bytes, size: int, what: str) -> None:
    """Check, without decoding, that a chunk is one whole frame of the right size.

    Parameters
    ----------
    data : bytes
        The compressed chunk.
    size : int
        How many bytes it must decode to.
    what : str
        How a message names it.

    Raises
    ------
    CorruptError
        When it is cut short, is not zstd, or declares another size.
    """
    declared, length = _frame(data, what)
    if declared != size:
        raise CorruptError(
            f"{what} declares {declared} bytes where {size} are due; it was refused."
        )
    if length != len(data):
        raise CorruptError(
            f"{what} has {len(data)} bytes where its frame has {length}; it is cut "
            "short or something was added."
        )


def _frame(data: bytes, what: str) -> tuple[int | None, int]:
    """Return a frame's declared content size and its own length (RFC 8878, 3.1.1)."""
    if data[:4] != _MAGIC:
        raise CorruptError(f"{what} is not compressed with zstd.")
    if len(data) < 6:
        raise CorruptError(f"{what} is cut short.")
    descriptor = data[4]
    single = bool(descriptor & 0x20)
    at = 5 + (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3]
    width = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    declared: int | None = None
    if width:
        declared = int.from_bytes(data[at : at + width], "little")
        declared += 256 if width == 2 else 0
    at += width
    last = False
    while not last:
        header = data[at : at + 3]
        if len(header) < 3:
            raise CorruptError(f"{what} is cut short.")
        block = int.from_bytes(header, "little")
        last = bool(block & 1)
        at += 3 + (1 if (block >> 1) & 3 == 1 else block >> 3)
    return declared, at + (4 if descriptor & 4 else 0)
