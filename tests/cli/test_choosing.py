"""What to label next, what to look at again, when to stop: from the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

from discs_and_bars import quick_request
from src_core.acquire import STRATEGIES
from src_core.cli.app import app
from src_core.devices import pick_device
from src_core.rounds import promote
from src_core.rounds.round import Round
from src_core.rounds.wishes import skip
from src_core.store import Project
from src_core.types import MaskStatus, Source, SourceKind, Split


def lgssl(*arguments):
    """Run a command in this process; return its JSON, or raise what it raised."""
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    if done.exception is not None:
        raise done.exception
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ten pictures of a disc, three of them labelled, and a model of a few steps."""
    path = tmp_path_factory.mktemp("choosing") / "project"
    y, x = np.mgrid[:64, :64]
    with Project.create(path) as project:
        project.add_target("disc", ("the disc",))
        for k in range(10):
            rng = np.random.default_rng(k)
            disc = (y - 20 - k) ** 2 + (x - 30) ** 2 < 100
            pixels = 120 + 90 * disc + rng.normal(0, 10, y.shape)
            image, _ = project.add_image(
                pixels.clip(0, 255).astype(np.uint8),
                name=f"im{k}.png",
                axes="yx",
                group=f"p{k}",
                split=Split.VAL if k > 7 else Split.TRAIN,
            )
            if k in (0, 1, 2, 8, 9):
                first = project.save_mask(
                    image.id,
                    "disc",
                    np.roll(disc, 4, axis=0).astype(np.uint8),
                    status=MaskStatus.PROPOSED,
                    source=Source(SourceKind.MODEL, "v0", "the disc"),
                )
                project.save_mask(
                    image.id,
                    "disc",
                    disc.astype(np.uint8),
                    status=MaskStatus.DONE,
                    source=Source(SourceKind.HUMAN, "v0", "the disc"),
                    parent=first.number,
                    seconds_spent=20.0,
                )
        request = quick_request("lg-ssl")
        result = Round(project, request, pick_device("cpu")).run()
        promote(project, result.version, who="ada", reason="test")
    return path


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_next_with_every_strategy(folder, strategy):
    items = lgssl("next", folder, "-n", 3, "--strategy", strategy)["items"]
    assert len({item["image"] for item in items}) == 3
    assert all(set(i) == {"image", "target", "score", "reason"} for i in items)
    assert {item["image"] for item in items} <= {f"im{k}.png" for k in range(3, 8)}


def test_skipped_pinned_and_forgotten(folder):
    def names(*arguments):
        return [i["image"] for i in lgssl("next", folder, "-n", 9, *arguments)["items"]]

    assert "im4.png" not in names("--skip", "im4.png", "--because", "blurred")
    assert "im4.png" not in names()
    assert names("--pin", "im6.png", "--because", "rare", "--target", "disc")[0] == (
        "im6.png"
    )
    assert "im4.png" in names("--forget", "im4.png")
    assert names()[0] == "im6.png"
    lgssl("next", folder, "--forget", "im6.png", "--target", "disc")


@pytest.mark.parametrize(
    ("labelled", "skipped", "sentence"),
    [
        (0, 0, "There are no images in the project yet"),
        (2, 0, "Every training image is labelled for every target."),
        (1, 2, "All that is not labelled yet was skipped (2 images)"),
        (0, 1, "All that is not labelled yet was skipped (1 image)"),
    ],
)
def test_why_there_is_nothing_to_label_is_said_truly(
    tmp_path, labelled, skipped, sentence
):
    path = tmp_path / "project"
    with Project.create(path) as project:
        project.add_target("disc")
        for k in range(labelled + skipped):
            pixels = np.full((64, 64), k, np.uint8)
            image, _ = project.add_image(pixels, name=f"im{k}.png", axes="yx")
            if k < labelled:
                project.save_mask(image.id, "disc", None, status=MaskStatus.EMPTY)
            else:
                skip(project, image.id, "blurred")
    done = CliRunner().invoke(app, ["next", str(path)])
    assert sentence in " ".join(done.stdout.split())
    assert lgssl("next", path)["items"] == []


def test_of_the_history_at_least_one_revision_is_listed(folder):
    done = CliRunner().invoke(app, ["history", str(folder), "--limit", "0"])
    assert done.exit_code == 2
    assert len(lgssl("history", folder, "--limit", 1)["revisions"]) == 1


def test_pictures_of_where_to_look(folder, tmp_path):
    items = lgssl("next", folder, "-n", 2, "--heat", tmp_path / "heat")["items"]
    assert len(items) == 2
    for item in items:
        with Picture.open(item["heat"]) as picture:
            assert min(picture.size) > 100
        assert all(
            {"slice", "rows", "columns", "share", "words"} == set(region)
            for region in item["where"]
        )


def test_outlook(folder):
    told = lgssl("outlook", folder, "--more", 10)
    assert told["points"][0]["labelled"] == 3
    assert told["gain"] is None
    assert told["minutes"] == pytest.approx(10 * 20 / 60)
    assert told["proposals"] == [
        {
            "round": 1,
            "version": "v0",
            "dice": pytest.approx(0.75, abs=0.05),
            "n": 5,
            "minutes_an_image": pytest.approx(1 / 3),
        }
    ]


def test_review(folder):
    assert set(lgssl("review", folder)) == {"items"}


def test_groups(folder):
    told = lgssl("groups", folder, "-n", 2)
    assert (told["known"], told["images"]) == (10, 10)
    assert sorted(name for group in told["groups"] for name in group) == [
        f"im{k}.png" for k in range(10)
    ]
