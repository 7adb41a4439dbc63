"""The curves as pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from lgssl_napari.plot import DICE, LOSS, Drawing, Line, Plotter, drawn

DICES = ((1.0, 0.2), (5.0, 0.6), (9.0, 0.9))
LOSSES = tuple((float(second), 2.0 / (1 + second)) for second in range(10))


def near(pixels: np.ndarray, shade: str) -> np.ndarray:
    """Rows and columns of the pixels of about this colour."""
    wanted = 255 * np.array(to_rgb(shade))
    return np.argwhere(np.abs(pixels[..., :3] - wanted).sum(-1) < 60)


@pytest.fixture(scope="module")
def plotter() -> Plotter:
    return Plotter(2)


def drawing(dice=DICES, losses=LOSSES, scale=1.0, background="#262930") -> Drawing:
    lines = (Line("Dice", DICE, dice, unit=True, dots=True), Line("loss", LOSS, losses))
    return Drawing(lines, "seconds", 330, 170, scale, background, "#f0f1f2")


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_a_picture_has_the_size_and_the_colours_that_were_asked_for(
    plotter, scale
) -> None:
    for background, shade in (("#262930", (38, 41, 48)), ("#ffffff", (255, 255, 255))):
        pixels = plotter.draw(drawing(scale=scale, background=background))
        assert pixels.shape == (170 * scale, 330 * scale, 4)
        np.testing.assert_array_equal(pixels[2, 2], (*shade, 255))


def test_dice_is_drawn_above_the_loss(plotter) -> None:
    pixels = plotter.draw(drawing())
    dice, loss = near(pixels, DICE), near(pixels, LOSS)
    assert len(dice) > 20
    assert len(loss) > 20
    assert dice[:, 0].max() < loss[:, 0].min()
    rising = dice[np.argsort(dice[:, 1])][:, 0]
    assert rising[:10].mean() > rising[-10:].mean() + 10


@pytest.mark.parametrize(("dice", "losses"), [((), LOSSES), (DICES, ()), ((), ())])
def test_curves_without_points_are_empty(plotter, dice, losses) -> None:
    plotter.draw(drawing())
    pixels = plotter.draw(drawing(dice, losses))
    assert bool(len(near(pixels, DICE))) == bool(dice)
    assert bool(len(near(pixels, LOSS))) == bool(losses)


def test_rounds_are_whole_numbers_and_need_no_second_curve() -> None:
    line = Line("minutes", LOSS, ((1.0, 4.0), (2.0, 1.5)), dots=True)
    pixels = drawn(Drawing((line,), "round", 300, 120, 1.0, "#ffffff", "#000000"))
    assert pixels.shape == (120, 300, 4)
    assert len(near(pixels, LOSS)) > 20


def test_a_training_is_drawn_the_same_after_the_rounds(plotter) -> None:
    before = plotter.draw(drawing())
    rounds = (Line("proposals", DICE, ((1.0, 0.5),)), Line("minutes", LOSS, DICES[:1]))
    plotter.draw(replace(drawing(), lines=rounds, along="round"))
    again = plotter.draw(drawing())
    np.testing.assert_allclose(again.astype(int), before, atol=3)


def test_what_is_expected_is_dashed_in_its_interval(plotter) -> None:
    band = tuple((n, 0.4, 0.8) for n in (1.0, 5.0, 9.0))
    expected = tuple((n, 0.6) for n in (1.0, 5.0, 9.0))
    plain = drawing()
    line = Line("Dice", DICE, DICES, unit=True, dots=True, expected=expected, band=band)
    before = plotter.draw(plain)
    whole = plotter.draw(replace(plain, lines=(line, plain.lines[1])))
    again = plotter.draw(plain)
    # Nothing of it is left in the next picture.
    np.testing.assert_allclose(again.astype(int), before, atol=3)
    assert (whole != again).any(-1).mean() > 0.05


@pytest.mark.parametrize("along", ["images labelled", "round"])
def test_what_is_counted_is_marked_in_whole_numbers(plotter, along) -> None:
    few = ((12.0, 0.3), (13.0, 0.4))
    plotter.draw(replace(drawing(few, few), along=along))
    marks = plotter._axes[-1].get_xticks()
    assert (marks == marks.round()).all()
