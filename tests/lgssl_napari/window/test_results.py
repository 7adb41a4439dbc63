"""What a version changed, and which one answers."""

from __future__ import annotations


def test_versions_are_listed_and_any_can_answer(panel, add_model, wait) -> None:
    add_model(panel.controller._desk.project, "v2")
    panel.controller._parts.projects.refresh()
    judge = panel.judge
    wait(lambda: judge.versions.topLevelItemCount() == 2)
    assert judge.versions.topLevelItem(0).text(0) == "v2 (answers)"
    assert not judge.answers.isEnabled()
    judge.versions.setCurrentItem(judge.versions.topLevelItem(1))
    judge.answers.click()
    wait(lambda: "model v1" in panel.header.name.text())
    assert judge.versions.topLevelItem(1).text(0) == "v1 (answers)"


def words(tree) -> list[list[str]]:
    return [
        [tree.topLevelItem(row).text(column) for column in range(tree.columnCount())]
        for row in range(tree.topLevelItemCount())
    ]


def test_the_results_page_says_whether_it_helped(judged, wait) -> None:
    judged.train.results.click()
    wait(lambda: judged.judge.title.text() == "Model v2 against v1")
    assert "Promoted: Dice 0.650 before" in judged.judge.sentence.text()
    assert words(judged.judge.targets) == [
        ["left lung", "0.500", "0.900"],
        ["heart", "0.800", "0.700"],
    ]
    assert words(judged.judge.changed)[0] == ["film-3", "left lung", "0.500", "0.900"]
    assert words(judged.judge.rounds)[-1] == ["3", "1", "1.5", "–"]
    curves = judged.judge.curves
    wait(lambda: curves.picture.pixmap() and not curves.picture.pixmap().isNull())


def test_a_click_puts_old_new_and_truth_side_by_side(judged, wait) -> None:
    judged.train.results.click()
    wait(lambda: judged.judge.changed.topLevelItemCount() == 2)
    judged.judge.changed.setCurrentItem(judged.judge.changed.topLevelItem(0))
    judged.judge.beside.click()
    wait(lambda: judged.controller.state.comparing)
    layers = judged._viewer.layers
    assert layers["Masks side by side"].visible
    assert not layers["film 0"].visible
    judged.judge.back.click()
    assert not layers["Masks side by side"].visible
    assert layers["film 0"].visible
    assert not judged.judge.back.isEnabled()


def test_an_earlier_version_is_judged_by_choosing_it(judged, wait) -> None:
    judged.tabs.setCurrentIndex(2)
    wait(lambda: judged.judge.title.text() == "Model v2 against v1")
    judged.judge.versions.setCurrentItem(judged.judge.versions.topLevelItem(1))
    wait(lambda: judged.judge.title.text() == "Model v1: the first")
    assert "before comparisons were kept" in judged.judge.sentence.text()
    assert not judged.judge.changed.isVisibleTo(judged)
