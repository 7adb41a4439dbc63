"""nnU-Net folders (versions 1 and 2) and those of the Medical Decathlon, as rows."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from src_core.errors import BadInputError
from src_core.imaging import Source, TableRow
from src_core.imaging.sources import CHANNELS
from src_core.types import Split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    Labels = dict[str, tuple[int, ...]]

FILE_NAME: Final = "dataset.json"
_IGNORE: Final = "ignore"
_BACKGROUND: Final = "background"
_CHANNEL: Final = re.compile(r"_(\d{4})$")
_FOLDERS: Final = (
    ("imagesTr", "labelsTr", Split.TRAIN),
    ("imagesTs", "labelsTs", Split.TEST),
)


def read_nnunet(path: Path) -> list[TableRow]:
    """Read an nnU-Net folder as the rows of a table.

    Parameters
    ----------
    path : Path
        The folder, or the ``dataset.json`` in it.

    Returns
    -------
    list of TableRow
        One for each case and label; a case is its own group, because nothing tells
        the patient. Regions of several labels are targets of their own. A case with
        voxels of the label ``ignore`` is imported as not finished.

    Raises
    ------
    BadInputError
        If there is no usable ``dataset.json``, or no case.
    """
    file = path / FILE_NAME if path.is_dir() else path
    about = _content(file)
    labels, ignore = _labels(file, about)
    ending = str(about.get("file_ending", ".nii.gz"))
    rows = []
    for name, images, mask, split in _cases(file.parent, about, ending):
        for target, values in labels.items():
            rows.append(
                TableRow(
                    line=0,
                    image=images,
                    mask=Source(mask) if mask is not None else None,
                    value=values[0] if len(values) == 1 else values,
                    target=target,
                    prompts=(),
                    caption="",
                    group=name,
                    split=split,
                    ignore=ignore,
                )
            )
    if not rows:
        raise BadInputError(
            f"'{file.parent}' holds no case of nnU-Net: there is no '*{ending}' in "
            "'imagesTr'; copy the folder again, whole."
        )
    return rows


def _content(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except OSError as error:
        raise BadInputError(
            f"There is no '{file}'; choose a folder of nnU-Net with its dataset.json."
        ) from error
    except (ValueError, RecursionError) as error:
        raise BadInputError(
            f"'{file}' is not JSON ({error}); write it anew."
        ) from error
    if not isinstance(found, dict) or not isinstance(found.get("labels"), dict):
        raise BadInputError(
            f"'{file}' names no 'labels', so it is none of nnU-Net; add them."
        )
    return found


def _labels(file: Path, about: dict[str, Any]) -> tuple[Labels, int | None]:
    """Return target -> label values, and the value that says nobody has looked.

    Version 1 maps numbers to names, version 2 names to a number or a list of them.
    """
    labels: Labels = {}
    ignore = None
    for key, value in about["labels"].items():
        name, number = (value, key) if str(key).isdecimal() else (key, value)
        try:
            numbers = number if isinstance(number, list) else [number]
            values = tuple(int(n) for n in numbers)
        except (TypeError, ValueError) as error:
            raise BadInputError(
                f"'{file}' gives '{name}' the label {number!r}, which is no whole "
                "number; correct it."
            ) from error
        plain = " ".join(str(name).replace("_", " ").split())
        if plain.casefold() == _IGNORE:
            ignore = values[0]
        elif plain.casefold() != _BACKGROUND and values != (0,):
            labels[plain] = values
    if not labels:
        raise BadInputError(f"'{file}' names no label but the background; add them.")
    return labels, ignore


def _cases(
    root: Path, about: dict[str, Any], ending: str
) -> Iterator[tuple[str, Source, Path | None, Split]]:
    """Yield name, image, mask and split of each case."""
    listed = [item for item in about.get("training", []) if isinstance(item, dict)]
    if listed and all((root / str(item.get("image"))).is_file() for item in listed):
        # the Decathlon lists its files, whose fourth axis holds the channels
        several = len(about.get("modality", about.get("channel_names", {}))) > 1
        for item in listed:
            image, label = root / str(item["image"]), root / str(item.get("label"))
            source = Source(image, CHANNELS if several else "")
            mask = label if label.is_file() else None
            yield image.name.removesuffix(ending), source, mask, Split.TRAIN
        return
    for images, labels, split in _FOLDERS:
        for name, files in _by_case((root / images).glob(f"*{ending}"), ending):
            mask = root / labels / f"{name}{ending}"
            source = Source(files[0])
            if len(files) > 1:
                source = Source(files[0], CHANNELS, tuple(files))
            yield name, source, mask if mask.is_file() else None, split


def _by_case(files: Iterable[Path], ending: str) -> Iterator[tuple[str, list[Path]]]:
    """Group the channels ``case_0000``, ``case_0001`` of each case."""
    cases: dict[str, list[Path]] = {}
    for path in sorted(files):
        if path.name.startswith("."):
            continue
        stem = path.name.removesuffix(ending)
        cases.setdefault(_CHANNEL.sub("", stem), []).append(path)
    yield from cases.items()
