"""Corrections by the press of a button, in the mask at hand."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.mark.parametrize(
    ("edit", "before", "after"), [("fill", 12, 16), ("largest", 12, 12)]
)
def test_a_correction_is_one_undoable_step(bench, edit, before, after) -> None:
    bench.controller.ask("heart")
    ring = np.zeros((24, 32), np.uint8)
    ring[4:8, 4:8] = 1
    ring[5:7, 5:7] = 0
    bench.canvas.edit_annotation(ring)
    assert bench.canvas.drawn.sum() == before
    bench.controller.edit(edit)
    assert bench.canvas.drawn.sum() == after
    if before == after:
        assert "nothing to change" in bench.state.message.text
    else:
        bench.canvas.undo_stroke()
        assert bench.canvas.drawn.sum() == before


def test_a_correction_does_not_undo_a_stroke_made_meanwhile(drawn) -> None:
    drawn.runner.held = True
    drawn.controller.edit("smooth")
    correcting = drawn.runner.waiting.pop()
    drawn.runner.held = False
    drawn.canvas.paint(slice(0, 1), slice(0, 3))
    correcting()
    assert drawn.canvas.drawn.sum() == 27
    assert "changed meanwhile" in drawn.state.message.text
