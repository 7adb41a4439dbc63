"""The other targets' masks: what is drawn of them, and nothing of the one at hand."""

from __future__ import annotations

import numpy as np
import pytest

from src_core.types import MaskStatus


def block(rows: slice, columns: slice) -> np.ndarray:
    made = np.zeros((24, 32), np.uint8)
    made[rows, columns] = 1
    return made


@pytest.fixture
def crowded(bench):
    """Two lungs are saved, the heart is at hand."""
    for target, columns in (("left-lung", slice(20, 28)), ("right-lung", slice(2, 9))):
        mask = block(slice(4, 16), columns)
        bench.project.save_mask("film-0", target, mask, status=MaskStatus.DONE)
    bench.project.save_mask("film-1", "left-lung", None, status=MaskStatus.EMPTY)
    bench.controller._parts.projects.refresh()
    bench.controller.ask("heart")
    return bench


def shown(bench) -> dict[str, int]:
    """Names of what is shown with the number of their pixels."""
    if not bench.canvas.neighbours:
        return {}
    labels, names = bench.canvas.neighbours
    return {
        name: int((labels == number).sum())
        for number, (name, _) in enumerate(names, start=1)
    }


def test_they_are_shown_when_wanted_and_hidden_again(crowded) -> None:
    assert shown(crowded) == {}
    crowded.controller.show_neighbours(True)
    assert shown(crowded) == {"left lung": 96, "right lung": 84}
    crowded.controller.show_neighbours(False)
    assert shown(crowded) == {}


def test_what_was_hidden_before_it_was_read_stays_hidden(crowded) -> None:
    crowded.runner.held = True
    crowded.controller.show_neighbours(True)
    crowded.controller.show_neighbours(False)
    crowded.runner.release()
    assert shown(crowded) == {}


def test_the_one_at_hand_is_not_among_them(crowded) -> None:
    crowded.controller.show_neighbours(True)
    crowded.controller.ask("left lung")
    assert shown(crowded) == {"right lung": 84}


def test_they_follow_from_image_to_image(crowded) -> None:
    crowded.controller.show_neighbours(True)
    crowded.controller.show_image("film-1")
    assert shown(crowded) == {}
    crowded.controller.show_image("film-0")
    assert set(shown(crowded)) == {"left lung", "right lung"}


def test_each_keeps_the_colour_of_its_target(crowded) -> None:
    crowded.controller.show_neighbours(True)
    _, names = crowded.canvas.neighbours
    order = [target.name for target in crowded.state.project.targets]
    assert [(name, order.index(name)) for name, _ in names] == list(names)


def test_what_is_saved_now_is_seen_from_the_next_target(crowded) -> None:
    crowded.controller.open_next(False)
    crowded.controller.show_neighbours(True)
    crowded.canvas.paint(slice(18, 22), slice(10, 20))
    crowded.controller.save()
    crowded.controller.ask("left lung")
    assert shown(crowded)["heart"] == 40
