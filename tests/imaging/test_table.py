"""The import table: rows as they are meant, and every way to get one wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sample_data
from src_core.errors import BadInputError
from src_core.imaging import Source, TableRow, parse_table, read_table
from src_core.types import Split

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "image,mask,value,target,prompt,caption,group,split"


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "b.png", "m.png"):
        (tmp_path / name).touch()
    return tmp_path


def table(folder: Path, *lines: str, header: str = HEADER, **options) -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join([header, *lines]), **{"encoding": "utf-8"} | options)
    return path


def test_a_full_row(folder):
    path = table(
        folder, 'a.png,m.png,3,heart, heart |the heart|heart,"one, two",p1,val'
    )
    assert read_table(path) == [
        TableRow(
            line=2,
            image=Source(folder / "a.png"),
            mask=Source(folder / "m.png"),
            value=3,
            target="heart",
            prompts=("heart", "the heart"),
            caption="one, two",
            group="p1",
            split=Split.VAL,
        )
    ]


def test_a_row_with_the_image_alone(folder):
    path = table(folder, "a.png,,,,,,,", "", "b.png")
    rows = read_table(path)
    assert [row.line for row in rows] == [2, 4]
    for row in rows:
        assert (row.mask, row.value, row.target, row.prompts) == (None, None, "", ())
        assert (row.caption, row.group, row.split) == ("", "", Split.TRAIN)


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("target,image,mask", "heart,a.png,m.png"),
        ("Image, Mask ,TARGET", "a.png,m.png,heart"),
        ("image;mask;target", "a.png;m.png;heart"),
        ("image\tmask\ttarget", "a.png\tm.png\theart"),
        ("image,mask,target", "a.png,m.png,heart,,"),
        ("sep=;\nimage;mask;target", "a.png;m.png;heart"),
        ("SEP=|\nimage|mask|target", "a.png|m.png|heart"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_columns_in_any_order_and_dialect(folder, header, line, encoding):
    (row,) = read_table(table(folder, line, header=header, encoding=encoding))
    assert (row.image, row.mask) == (Source(folder / "a.png"), Source(folder / "m.png"))
    assert row.target == "heart"


@pytest.mark.parametrize("mark", ["\x0b", "\x0c", "\x85", "\u2028", "\x1c"])
def test_only_ends_of_lines_end_a_row(folder, mark):
    path = table(folder, f"a.png,,,,,one{mark}two,,", "gone.png,,,,,,,")
    (row,), (problem,) = parse_table(path)
    assert row.caption == f"one{mark}two"
    assert problem.line == 3


def test_the_line_of_the_separator_counts_as_a_line(folder):
    path = table(folder, "a.png;", "gone.png;", header="sep=;\nimage;target")
    (row,), (problem,) = parse_table(path)
    assert (row.line, problem.line) == (3, 4)


def test_columns_that_a_spreadsheet_left_empty_are_no_columns(folder):
    path = table(folder, "a.png,m.png,heart,,,", header="image,mask,target,,,")
    assert [row.target for row in read_table(path)] == ["heart"]
    with pytest.raises(BadInputError, match=r"line 2: it has more cells"):
        read_table(table(folder, "a.png,m.png,heart,,x,", header="image,mask,target,,"))


def test_absolute_paths_and_folders(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "v.zarr"
    elsewhere.mkdir()
    (row,) = read_table(table(folder, f"{elsewhere},,,,,,,"))
    assert row.image == Source(elsewhere)


@pytest.mark.parametrize(("cell", "value"), [("", None), ("7", 7), ("7.0", 7)])
def test_values(folder, cell, value):
    (row,) = read_table(table(folder, f"a.png,m.png,{cell},heart,,,,"))
    assert row.value == value


BAD_ROWS = [
    (",m.png,,heart,,,,", "'image' is empty"),
    ("gone.png,,,heart,,,,", r"no image '.*gone\.png'; correct the path"),
    ("a.png,gone.png,,heart,,,,", r"no mask '.*gone\.png'"),
    ("a.png,m.png,,,,,,", "a mask but no target"),
    ("a.png,m.png,x,heart,,,,", "value 'x' is no label"),
    ("a.png,m.png,0,heart,,,,", "value '0' is no label"),
    ("a.png,m.png,1.5,heart,,,,", "value '1.5' is no label"),
    ("a.png,m.png,inf,heart,,,,", "value 'inf' is no label"),
    ("a.png,m.png,nan,heart,,,,", "value 'nan' is no label"),
    ("a.png,m.png,,heart,,,,training", "split 'training' is none of train, val, test"),
    ("a.png,m.png,,heart,,one, two,p1,val", "more cells than the header"),
    ("a\0.png,,,,,,,", "no image"),
    (f"{'a' * 5000}.png,,,,,,,", "no image"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_ROWS)
def test_a_bad_row_is_told_with_file_line_and_reason(folder, line, reason):
    path = table(folder, "b.png,m.png,,heart,,,,", line)
    with pytest.raises(BadInputError, match=reason) as caught:
        read_table(path)
    assert str(path) in str(caught.value)
    assert "line 3: " in str(caught.value)
    rows, problems = parse_table(path)
    assert [row.image.path.name for row in rows] == ["b.png"]
    assert [problem.line for problem in problems] == [3]


CONFLICTS = [
    (["a.png,,,heart,,,,", "a.png,m.png,,heart,,,,"], "in the table twice"),
    (["a.png,,,heart,,,p1,", "a.png,,,lung,,,p2,"], "another group or split in line 2"),
    (["a.png,,,heart,,,,val", "a.png,,,lung,,,,test"], "another group or split"),
    (
        ["a.png,,,,,,p1,train", "b.png,,,,,,p1,test"],
        "group 'p1' is in the split 'train'",
    ),
]


@pytest.mark.parametrize(("lines", "reason"), CONFLICTS)
def test_rows_that_contradict_an_earlier_one(folder, lines, reason):
    path = table(folder, *lines)
    with pytest.raises(BadInputError, match=reason):
        read_table(path)
    rows, problems = parse_table(path)
    assert [row.line for row in rows] == [2]
    assert [problem.line for problem in problems] == [3]


def test_images_without_a_group_are_not_one_group(folder):
    rows = read_table(table(folder, "a.png,,,,,,,train", "b.png,,,,,,,test"))
    assert [row.split for row in rows] == [Split.TRAIN, Split.TEST]


def test_only_the_first_few_problems_are_shown(folder):
    path = table(folder, *(f"gone{n}.png,,,,,,," for n in range(12)))
    with pytest.raises(BadInputError, match="12 rows") as caught:
        read_table(path)
    text = str(caught.value)
    assert [f"gone{n}.png" in text for n in (0, 4, 5)] == [True, True, False]
    assert text.endswith("; and 7 more.")


BAD_TABLES = [
    ("image,masks,target\n", "unknown column 'masks'; did you mean 'mask'"),
    ("image,xyzzy\n", r"unknown column 'xyzzy'; begin the file with image,mask"),
    ("mask,target\n", "no column 'image'"),
    ("image,image\n", "column 'image' twice"),
    ("", "no column 'image'"),
    ("image,mask\n", "has no rows"),
    ('image,caption\na.png,"open\n', "is no CSV"),
]


@pytest.mark.parametrize(("text", "message"), BAD_TABLES)
def test_a_bad_table(folder, text, message):
    (folder / "table.csv").write_text(text)
    with pytest.raises(BadInputError, match=message):
        parse_table(folder / "table.csv")


def test_what_is_no_text(folder):
    (folder / "table.csv").write_bytes(b"\xff\xfe\x00image")
    with pytest.raises(BadInputError, match="UTF-8"):
        parse_table(folder / "table.csv")
    with pytest.raises(BadInputError, match="no table"):
        parse_table(folder / "none.csv")
    with pytest.raises(BadInputError, match="cannot be read"):
        parse_table(folder)


def test_the_sample_table_is_accepted_whole():
    rows, problems = parse_table(sample_data.table_path())
    assert problems == []
    assert len(rows) == 44 * 4 + 44 * 3
    assert {row.split for row in rows} == set(Split)
    assert all(row.prompts and row.caption and row.group for row in rows)


@given(text=st.text(max_size=200))
def test_any_text_gives_rows_or_a_sentence(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text("image,mask,target\n" + text, encoding="utf-8", newline="")
    try:
        rows, problems = parse_table(path)
        told = [problem.reason for problem in problems]
    except BadInputError as error:
        rows, told = [], [str(error)]
    # every line is accounted for, and a row needs an image that exists ("/" does)
    assert told or rows
    assert all(row.image.path.exists() for row in rows)
