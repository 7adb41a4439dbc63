"""A pool that is asked about in shards: the question, and what a shard's answer holds.

The answer travels as arrays. Whoever receives it checks each against the question.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import numpy as np
from pydantic import Field

from src_core.cluster.manifest import Sha
from src_core.config import DeviceName, Settings
from src_core.errors import CorruptError
from src_core.rounds.survey import WIDTH
from src_core.rounds.tally import COLUMNS, Voices

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

SHARD: Final = 128
"""Images a shard: what a worker that dies costs, some seconds of work."""

LARGEST: Final = 1 << 30
"""Bytes that a shard's answer may have."""

Text = Annotated[str, Field(min_length=1, max_length=2_000)]


class Question(Settings):
    """What is asked of a pool.

    Attributes
    ----------
    what : str
        ``"survey"``: what the choice of the next image is made from. ``"masks"``: the
        masks themselves.
    prompts : tuple of str
        K; of a survey the usual wording of each target that it is about.
    shard : int
        Images a shard.
    """

    what: Literal["survey", "masks"]
    prompts: Annotated[tuple[Text, ...], Field(min_length=1, max_length=10_000)]
    shard: int = Field(SHARD, ge=1, le=10_000)
    device: DeviceName = "auto"

    def shards(self, images: int) -> list[range]:
        """Return which images each shard holds."""
        starts = range(0, images, self.shard)
        return [range(first, min(first + self.shard, images)) for first in starts]


class ShardOrder(Settings):
    """What the server asks of a worker: some images of a bundle."""

    bundle: Sha
    bundle_bytes: int
    question: str
    first: int = Field(ge=0)
    count: int = Field(ge=1)


def shard_name(number: int) -> str:
    """Name of a shard's answer among the files of a job."""
    return f"shard-{number:06d}"


@dataclass(frozen=True, slots=True)
class MaskAnswer:
    """What was found in one image.

    Attributes
    ----------
    row : int
        The image's number in the bundle.
    masks : ndarray
        (K, *spatial) uint8 of 0 and 1.
    scores : ndarray
        (K,) float32, how sure the model is that the target is there.
    present : ndarray
        (K,) bool.
    """

    row: int
    masks: NDArray[np.uint8]
    scores: NDArray[np.float32]
    present: NDArray[np.bool_]


def save_answer(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a shard's answer.

    Parameters
    ----------
    path : Path
        A safetensors file.
    arrays : mapping of str to ndarray
        As :func:`survey_arrays` or :func:`mask_arrays` makes them.
    """
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(a) for name, a in arrays.items()}, path)


def load_answer(path: Path) -> Arrays:
    """Read a shard's answer.

    Raises
    ------
    CorruptError
        If it is none.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found: Arrays = load_file(path)
        return found
    except (SafetensorError, ValueError, json.JSONDecodeError) as error:
        raise _odd(error) from error


def survey_arrays(rows: Sequence[int], found: Sequence[Arrays]) -> Arrays:
    """Stack what :func:`src_core.rounds.survey.ask_about` yielded.

    Parameters
    ----------
    rows : sequence of int
        (n,), the images' numbers in the bundle.
    found : sequence of dict
        (n,), the arrays of each: ``tally``, ``features`` and ``voices``.
    """
    names = ("tally", "features", "voices")
    stacked = {name: np.stack([row[name] for row in found]) for name in names}
    return {"row": np.array(rows, np.int64), **stacked}


def read_survey(arrays: Arrays, question: Question, images: range) -> Arrays:
    """Check a survey's answer against what was asked.

    Returns
    -------
    dict
        ``"row"`` and the arrays of the survey's shelf.

    Raises
    ------
    CorruptError
        If it is not an answer to that.
    """
    try:
        rows, tally = arrays["row"], arrays["tally"]
        features, voices = arrays["features"], arrays["voices"]
        _check_rows(rows, images)
        count = len(rows)
        fits = (
            set(arrays) == {"row", "tally", "features", "voices"}
            and tally.shape == (count, len(question.prompts), len(COLUMNS))
            and tally.dtype == np.float32
            and features.shape[:1] == (count,)
            and features.ndim == 2
            and features.shape[1] <= WIDTH
            and features.dtype == np.float16
            and voices.shape == (count,)
            and voices.dtype == np.uint8
            and set(voices.tolist()) <= set(Voices)
        )
    except (KeyError, TypeError, IndexError) as error:
        raise _odd(error) from error
    if not fits:
        raise _odd(ValueError("shapes"))
    return arrays


def mask_arrays(found: Sequence[MaskAnswer]) -> Arrays:
    """Pack masks, a bit a pixel.

    Returns
    -------
    dict
        ``row`` (n,) int64, ``score`` (n, K) float32, ``present`` (n, K) uint8, and for
        each image ``mask-ROW``: the bits of its K masks, flat.
    """
    packed = {f"mask-{one.row}": np.packbits(one.masks) for one in found}
    return {
        "row": np.array([one.row for one in found], np.int64),
        "score": np.stack([one.scores for one in found]).astype(np.float32),
        "present": np.stack([one.present for one in found]).astype(np.uint8),
        **packed,
    }


def read_masks(
    arrays: Arrays,
    question: Question,
    images: range,
    shapes: Mapping[int, tuple[int, ...]],
) -> Iterator[MaskAnswer]:
    """Check masks against what was asked, and unpack them one by one.

    Parameters
    ----------
    arrays : dict
        As :func:`mask_arrays` made them, or somebody else.
    question : Question
        What was asked.
    images : range
        The shard's images.
    shapes : mapping
        Number of an image -> its spatial shape.

    Raises
    ------
    CorruptError
        If they are not an answer to that.
    """
    width = len(question.prompts)
    try:
        rows, scores, present = arrays["row"], arrays["score"], arrays["present"]
        _check_rows(rows, images)
        fits = scores.shape == present.shape == (len(rows), width)
        if not fits or scores.dtype != np.float32 or present.dtype != np.uint8:
            raise ValueError("shapes")
        for number, row in enumerate(rows.tolist()):
            shape = (width, *shapes[row])
            size, bits = int(np.prod(shape)), arrays[f"mask-{row}"]
            if bits.dtype != np.uint8 or bits.shape != (-(-size // 8),):
                raise ValueError("a mask's size")
            masks = np.unpackbits(bits, count=size).reshape(shape)
            yield MaskAnswer(row, masks, scores[number], present[number] > 0)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise _odd(error) from error


def _check_rows(rows: NDArray[Any], images: range) -> None:
    told = rows.tolist()
    wrong = rows.dtype != np.int64 or rows.ndim != 1 or len(set(told)) != len(told)
    if wrong or not set(told) <= set(images):
        raise CorruptError("The server answers about images that it was not asked for.")


def _odd(error: Exception) -> CorruptError:
    return CorruptError(
        f"The server's answer cannot be read ({type(error).__name__}: {error}); it was "
        "refused. Use the same version of lgssl-napari on both sides."
    )
