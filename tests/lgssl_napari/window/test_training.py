"""A training as the window shows it."""

from __future__ import annotations


def test_a_training_is_shown_while_it_runs_and_when_it_ends(panel) -> None:
    from dataclasses import replace

    from lgssl_napari.results import JobState, Outcome

    running = JobState(
        running=True,
        phase="learning from all images",
        device="CPU",
        done=0.5,
        step=40,
        seconds_left=65.0,
        counts=(3, 5),
        dice=((10.0, 0.3), (20.0, 0.6)),
        losses=((1.0, 2.0), (20.0, 1.0)),
    )
    desk = panel.controller._desk
    desk.update(job=running)
    train = panel.train
    assert train.bar.text() == "50%, 1:05 left"
    assert train.phase.text() == "learning from all images · step 40 · CPU"
    assert train.counts.text() == "3 labelled and 5 unlabelled images."
    assert train.stop.isEnabled()
    assert not train.retrain.isEnabled()
    assert not train.form.native.isEnabled()
    outcome = Outcome("v2", True, "Better.", 0.5, 0.85, (), 3, 5, 80, 9, False)
    desk.update(job=replace(running, running=False, outcome=outcome))
    assert train.result.text() == "✔  Model v2: Dice 0.500 → 0.850"
    assert train.retrain.isEnabled()
    assert not train.bar.isVisibleTo(panel)


def test_the_curves_are_drawn_in_the_colours_of_the_theme(panel, wait) -> None:
    from dataclasses import replace

    curve, desk = panel.train.curve.curves, panel.controller._desk

    def corner() -> int:
        pixmap = curve.picture.pixmap()
        return pixmap.toImage().pixelColor(1, 1).lightness() if pixmap else -1

    for at in range(1, 4):  # the newest of several is drawn in the end
        dice = tuple((float(second), 0.2 * second) for second in range(at))
        desk.update(job=replace(desk.state.job, running=True, dice=dice))
    wait(lambda: corner() >= 0 and not curve._drawing)
    assert curve._drawn.lines[0].points == dice
    assert corner() < 80
    panel._viewer.theme = "light"
    wait(lambda: corner() > 180)
    desk.update(job=replace(desk.state.job, running=False))
