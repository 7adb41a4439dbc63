"""Drive the real window through two rounds, with a picture of each step.

Run it on a virtual screen of the smallest size that the panel has to fit::

    xvfb-run -a -s "-screen 0 1366x768x24" python tests/lgssl_napari/drive_window.py \
        --out docs/images --minutes 1.5

Buttons are clicked, keys pressed and strokes drawn through Qt's own events. Printed in
the end: Dice of both rounds, and for each step the longest time that the window's event
loop stood still, in milliseconds. ``drive_acdc.py`` does the same on real images.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from driver import Driver, asked, close, open_driver


def first_round(drive: Driver, minutes: float) -> dict[str, Any]:
    """From the empty panel to the first model."""
    panel, watch = drive.panel, drive.watch
    drive.pause(1.0)
    drive.shot("01-start")
    with watch.step("open the sample"):
        drive.click(panel.start.sample)
        drive.until(lambda: drive.state.work.image)
        drive.idle()
    drive.type("lef", ask=False)
    drive.pause(0.3)
    drive.shot("02-completion")
    drive.type("left lung")
    drive.idle()
    drive.shot("03-no-model-yet")
    drive.click(panel.tour.end)
    return drive.retrain(minutes, "04-training", "first training")


def ask(drive: Driver) -> None:
    """Prompts: found, as a heat map, not found, and in other words."""
    watch = drive.watch
    drive.tab("Label")
    drive.until(lambda: drive.state.answer is not None)
    drive.shot("05-prediction")
    with watch.step("a prompt"):
        drive.type("heart")
        drive.until(lambda: asked(drive, "heart"))
    drive.key("h")
    drive.shot("06-heat-map")
    drive.key("h")
    # A model of a minute or two is not sure of everything that is absent.
    for words in ("gland", "small nuclei", "large nuclei", "xylophone"):
        with watch.step("a prompt for what is not there"):
            drive.type(words)
            drive.until(lambda: asked(drive, words))  # noqa: B023
        if not drive.state.answer.present:
            break
    drive.shot("07-not-found")
    drive.type("cardiac shadow")
    drive.until(lambda: asked(drive, "cardiac shadow"))
    drive.shot("08-new-wording")


def ask_about_a_large_one(drive: Driver) -> str:
    """Ask about an image of 512 x 512 pixels; return its id."""
    from PIL import Image

    panel, watch = drive.panel, drive.watch
    at_hand = drive.state.work.image.id
    small = Image.fromarray(drive.panel.controller._desk.pixels)
    path = Path(os.environ["HOME"]) / "large.png"
    small.resize((512, 512)).save(path)
    panel.controller.add_files([path])
    drive.until(lambda: any(r.name == path.name for r in drive.state.project.images))
    large = next(r.id for r in drive.state.project.images if r.name == path.name)
    with watch.step("another image, 512 x 512"):
        panel.controller.show_image(large)
        drive.until(lambda: drive.state.work.image.id == large)
        drive.idle()
    for words in ("heart", "left lung", "right lung", "heart"):
        with watch.step("a prompt, 512 x 512"):
            drive.type(words)
            drive.until(lambda: asked(drive, words))  # noqa: B023
    panel.controller.show_image(at_hand)
    drive.until(lambda: drive.state.work.image.id == at_hand)
    drive.idle()
    return large


def correct(drive: Driver) -> None:
    """Accept, paint, refine with strokes, save, look back."""
    panel, watch = drive.panel, drive.watch
    drive.type("left lung")
    drive.until(lambda: asked(drive, "left lung"))
    with watch.step("accept"):
        drive.key("k")
        drive.idle()
    panel.mask.corrections.expand(animate=False)
    drive.key("p")
    panel._viewer.layers.selection.active.brush_size = 12
    with watch.step("strokes of the brush"):
        drive.stroke([(0.60, 0.62), (0.66, 0.68), (0.72, 0.74), (0.78, 0.78)])
        drive.stroke([(0.60, 0.40), (0.64, 0.34), (0.68, 0.32)])
    drive.shot("09-correction")
    panel.mask.corrections.collapse(animate=False)
    with watch.step("the first time to strokes"):
        drive.key("9")
        drive.pause(0.3)
    drive.shot("10-outside")
    with watch.step("a stroke that refines"):
        drive.stroke([(0.57, 0.61), (0.60, 0.66)])
        drive.pause(0.3)
        drive.idle()
    drive.shot("11-refined")
    panel.mask.strokes.widget.collapse(animate=False)
    panel.mask.review.widget.expand(animate=False)
    drive.shot("12-review")
    panel.mask.review.widget.collapse(animate=False)
    with watch.step("save, and the next image"):
        drive.key("w")
        drive.until(lambda: drive.state.work.reason != "nobody has labelled it yet")
        drive.idle()
        drive.pause(0.5)
        drive.idle()
    panel.images.all.expand(animate=False)
    panel.mask.others.setChecked(True)
    drive.shot("13-next-image")
    panel.mask.others.setChecked(False)
    with watch.step("another image"):
        panel.controller.show_image("chest_04a.png")
        drive.until(lambda: drive.state.work.image.name == "chest_04a.png")
        drive.idle()
    panel.images.all.collapse(animate=False)
    drive.tab("History")
    panel.history.list.setCurrentItem(panel.history.list.topLevelItem(0))
    with watch.step("look at a revision"):
        drive.click(panel.history.look)
        drive.idle()
    drive.shot("14-history")


def judge(drive: Driver) -> None:
    """What a round gave, in both themes, and a question."""
    panel, watch = drive.panel, drive.watch
    drive.shot("16-after")
    drive.tab("Results")
    drive.until(lambda: drive.state.judgement is not None)
    drive.pause(1.0)
    drive.shot("17-results")
    for step in ("side by side, the first time", "side by side"):
        with watch.step(step):
            drive.click(panel.judge.beside)
            drive.until(lambda: drive.state.comparing)
        if step != "side by side":
            drive.shot("18-side-by-side")
        drive.click(panel.judge.back)
    bar = panel.judge_area.verticalScrollBar()
    bar.setValue(bar.maximum())
    drive.shot("19-rounds")
    drive.tab("Plan")
    drive.pause(1.0)
    drive.idle()
    drive.shot("20-plan")
    drive.tab("Results")
    panel._viewer.theme = "light"
    drive.pause(3.0)
    drive.shot("21-light-results")
    drive.tab("Train")
    drive.shot("22-light-train")
    drive.tab("Label")
    drive.key("8")
    drive.shot("23-light-label")
    drive.key("8")
    panel._viewer.theme = "dark"
    panel.mask.strokes.widget.collapse(animate=False)
    drive.key("p")
    drive.stroke([(0.40, 0.40), (0.45, 0.45)])
    drive.key("n")
    drive.shot("24-unsaved")


def main() -> None:
    """Drive, print, and leave."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=1.5)
    parser.add_argument("--where", action="store_true", help="say where it stood still")
    wanted = parser.parse_args()
    drive, home = open_driver(wanted.out, asks_where=wanted.where)
    drive.words = ("heart", "right lung", "left lung")
    rounds = [first_round(drive, wanted.minutes)]
    ask(drive)
    large = ask_about_a_large_one(drive)
    correct(drive)
    drive.panel.controller.show_image(large)
    drive.until(lambda: drive.state.work.image.id == large)
    drive.idle()
    rounds.append(
        drive.retrain(wanted.minutes / 2, "15-second-round", "second training")
    )
    judge(drive)
    close(drive, home, {"rounds": rounds})


if __name__ == "__main__":
    main()
