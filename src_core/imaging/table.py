"""The table that an import reads: a row for each image and target."""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from src_core.errors import BadInputError
from src_core.imaging.sources import Source
from src_core.types import Split

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = ("image", "mask", "value", "target", "prompt", "caption", "group", "split")
SHOWN_PROBLEMS = 5
_SEPARATOR = re.compile(r"sep=(?P<mark>[^\r\n])\r?\n", re.IGNORECASE)
"""The line that Excel reads, and some programs write, before the header."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One image and one target, checked.

    Attributes
    ----------
    line : int
        In the table's file, from 1.
    image : Source
        An existing file, or a folder that is one image, or a part of either.
    mask : Source or None
        The same; None: nobody has labelled this target in this image.
    value : int, tuple of int or None
        The label in the mask's file, or several; None: anything that is not 0.
    target : str
        Its name; ``""`` only where there is no mask either.
    prompts : tuple of str
        The wordings between the ``|`` of the column ``prompt``, each once.
    caption : str
        A sentence about the image, or ``""``.
    group : str
        The patient, or ``""`` where the table does not tell.
    split : Split
        ``train`` where the table does not tell.
    ignore : int or None
        A label that says "nobody has looked here"; a mask with any of it is no truth.
    """

    line: int
    image: Source
    mask: Source | None
    value: int | tuple[int, ...] | None
    target: str
    prompts: tuple[str, ...]
    caption: str
    group: str
    split: Split
    ignore: int | None = None


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Why a row cannot be taken, and what to do about it.

    Attributes
    ----------
    line : int
        In the table's file, from 1.
    reason : str
        Without a full stop.
    """

    line: int
    reason: str


class _Bad(Exception):
    """A cell that is not usable; caught where the line is known."""


def read_table(path: str | Path) -> list[TableRow]:
    """Read a table and accept no bad row.

    Raises
    ------
    BadInputError
        If the table cannot be read, or any row is bad; names the first few.
    """
    rows, problems = parse_table(path)
    if problems:
        shown = [f"line {p.line}: {p.reason}" for p in problems[:SHOWN_PROBLEMS]]
        more = len(problems) - len(shown)
        rest = f"; and {more} more" if more else ""
        count = "A row" if len(problems) == 1 else f"{len(problems)} rows"
        raise BadInputError(
            f"{count} of the table '{path}' cannot be used. {'; '.join(shown)}{rest}."
        )
    return rows


def parse_table(path: str | Path) -> tuple[list[TableRow], list[RowProblem]]:
    """Read a table and tell good rows from bad ones.

    Parameters
    ----------
    path : str or Path
        CSV with a header of `COLUMNS`, in any order; only ``image`` must be there.
        UTF-8, separated by commas, semicolons or tabs. Paths are relative to the
        table's folder, or absolute, with a part after ``#`` where a file holds
        several images; see `Source`. Empty lines are passed over.

    Returns
    -------
    rows : list of TableRow
    problems : list of RowProblem
        In the file's order.

    Raises
    ------
    BadInputError
        If there is no such file, it is no text, or its header is not usable.
    """
    path = Path(path)
    rows: list[TableRow] = []
    problems: list[RowProblem] = []
    for line, cells in _records(path):
        try:
            rows.append(_row(line, cells, path.parent))
        except _Bad as error:
            problems.append(RowProblem(line, str(error)))
    if not rows and not problems:
        raise BadInputError(f"The table '{path}' has no rows; add one for each image.")
    conflicts = _conflicts(rows)
    bad = {problem.line for problem in conflicts}
    problems = sorted([*problems, *conflicts], key=lambda problem: problem.line)
    return [row for row in rows if row.line not in bad], problems


def _records(path: Path) -> Iterator[tuple[int, dict[str, str] | None]]:
    """Line number and stripped cells by column; None where there are too many."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise BadInputError(f"There is no table '{path}'; check the path.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(
            f"The table '{path}' cannot be read as text; save it as CSV in UTF-8."
        ) from error
    # Not str.splitlines: a text copied from a document may hold other breaks.
    lines = io.StringIO(text)
    told = _SEPARATOR.match(text)
    if told:
        lines.readline()
    above = 1 if told else 0
    head = text.partition("\n")[0]
    mark = told["mark"] if told else max(",;\t", key=head.count)
    reader = csv.reader(lines, delimiter=mark, strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        while header and not header[-1]:  # columns that a spreadsheet once had
            header.pop()
        _check_header(path, header)
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if len(stripped) > len(header) and any(stripped[len(header) :]):
                # a comma in a caption without quotes would shift every column
                yield above + reader.line_num, None
            elif any(stripped):
                found = dict(zip(header, stripped, strict=False))
                yield above + reader.line_num, dict.fromkeys(COLUMNS, "") | found
    except csv.Error as error:
        raise BadInputError(
            f"The table '{path}', line {above + reader.line_num}, is no CSV ({error}); "
            "mend the quotes there."
        ) from error


def _check_header(path: Path, header: list[str]) -> None:
    expected = f"begin the file with {','.join(COLUMNS)}"
    for name in header:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, n=1)
            advice = f"did you mean '{near[0]}'?" if near else f"{expected}."
            raise BadInputError(
                f"The table '{path}' has an unknown column '{name}'; {advice}"
            )
        if header.count(name) > 1:
            raise BadInputError(
                f"The table '{path}' has the column '{name}' twice; remove one."
            )
    if "image" not in header:
        raise BadInputError(f"The table '{path}' has no column 'image'; {expected}.")


def _row(line: int, cells: dict[str, str] | None, folder: Path) -> TableRow:
    if cells is None:
        raise _Bad("it has more cells than the header; put texts with commas in quotes")
    if not cells["image"]:
        raise _Bad("the column 'image' is empty; name the image's file")
    if cells["mask"] and not cells["target"]:
        raise _Bad("there is a mask but no target; name what the mask shows")
    words = [word.strip() for word in cells["prompt"].split("|")]
    return TableRow(
        line=line,
        image=_existing(cells["image"], folder, "image"),
        mask=_existing(cells["mask"], folder, "mask") if cells["mask"] else None,
        value=_value(cells["value"]),
        target=cells["target"],
        prompts=tuple(dict.fromkeys(word for word in words if word)),
        caption=cells["caption"],
        group=cells["group"],
        split=_split(cells["split"]),
    )


def _existing(cell: str, folder: Path, what: str) -> Source:
    try:
        source = Source.of(cell, folder)
        found = source.path.exists()
    except (OSError, ValueError):
        source, found = Source(folder / cell), False
    if not found:
        raise _Bad(f"there is no {what} '{source}'; correct the path or remove the row")
    return source


def _value(cell: str) -> int | None:
    if not cell:
        return None
    try:
        # spreadsheets write 1 as 1.0
        number = float(cell)
        if number != int(number) or number == 0:
            raise ValueError
    except (ValueError, OverflowError) as error:
        raise _Bad(
            f"the value '{cell}' is no label; give a whole number other than 0, or "
            "nothing for any label"
        ) from error
    return int(number)


def _split(cell: str) -> Split:
    try:
        return Split(cell.lower() or "train")
    except ValueError as error:
        raise _Bad(f"the split '{cell}' is none of train, val, test") from error


def _conflicts(rows: list[TableRow]) -> list[RowProblem]:
    """Find rows that contradict an earlier one."""
    found = []
    splits: dict[str, TableRow] = {}
    images: dict[Source, TableRow] = {}
    pairs: dict[Source, set[str]] = defaultdict(set)
    for row in rows:
        first = images.setdefault(row.image, row)
        mate = splits.setdefault(row.group, row) if row.group else row
        if row.target in pairs[row.image]:
            reason = f"'{row.target}' in '{row.image}' stands in the table twice"
        elif (first.split, first.group) != (row.split, row.group):
            reason = (
                f"'{row.image}' has another group or split in line {first.line}; give "
                "an image one of each"
            )
        elif mate.split != row.split:
            reason = (
                f"the group '{row.group}' is in the split '{mate.split}' in line "
                f"{mate.line}; keep all images of a patient in one split"
            )
        else:
            pairs[row.image].add(row.target)
            continue
        found.append(RowProblem(row.line, reason))
    return found
