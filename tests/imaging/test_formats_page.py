"""docs/formats.md says what the tables of readers and exporters do, and no more."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from real_files import READ, REFUSED
from src_core.imaging import EXPORTERS
from src_core.imaging.read import MASK_READERS
from src_core.imaging.windows import PRESETS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")


def rows(heading):
    """The cells of the first table below a heading."""
    part = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_suffix_stands_in_the_table():
    told = {s for row in rows("In") for s in re.findall(r"`(\.[a-z0-9.]+)`", row[1])}
    assert told == {s for reader in MASK_READERS for s in reader.suffixes}


def test_every_extra_is_one():
    import tomllib

    about = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = set(about["project"]["optional-dependencies"])
    told = {e for row in rows("In") for e in re.findall(r"`([a-z-]+)`", row[2])}
    assert told
    assert told <= extras


def test_every_exporter_stands_in_the_table():
    assert [row[0].strip("`") for row in rows("Out")] == list(EXPORTERS)


@pytest.mark.parametrize("name", PRESETS)
def test_the_windows_are_those_of_the_program(name):
    low, high = (f"{value:.0f}" for value in PRESETS[name])
    assert f"{name} ({low} to {high}" in PAGE.replace("\n", " ")


KINDS = {
    "OME-Zarr 0.4, 0.5": lambda path: ".zarr" in path,
    "NIfTI-1, NIfTI-2, MGH": lambda path: path.endswith((".nii", ".gz", ".mgz")),
    "TIFF, OME-TIFF": lambda path: path.endswith(".tif"),
    "DICOM": lambda path: path.startswith("dicom/") and "liver_1frame" not in path,
    "DICOM-SEG": lambda path: "liver_1frame" in path,
}


def test_the_page_counts_the_real_files_that_the_tests_compare():
    paths = [case.path.split("#")[0] for case in READ]
    counted = dict.fromkeys(KINDS, 0)
    for path in paths:
        kind = next(name for name, fits in KINDS.items() if fits(path))
        counted[kind] += 1
    told = {row[0]: int(row[5]) for row in rows("In") if row[5]}
    assert told == counted
    assert len(REFUSED) == 11
