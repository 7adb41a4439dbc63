"""Commands about what to label next, what to look at again, and when to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from src_core.cli.console import AsJson, ProjectFolder, Who, emit, progress_bar, user
from src_core.cli.models import load_predictor

if TYPE_CHECKING:
    from src_core.acquire import Pick
    from src_core.acquire.regions import Region
    from src_core.predict import Predictor
    from src_core.rounds.survey import Limits
    from src_core.store import Project

Version = Annotated[
    str, typer.Option("--version", help="A version; else what answers.")
]


def next_(
    project: ProjectFolder,
    count: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 5,
    strategy: Annotated[str, typer.Option(help="A strategy's name.")] = "",
    target: Annotated[
        list[str] | None, typer.Option(help="Only for this target; may be repeated.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0, help="How long to look at what is not known yet.")
    ] = 10.0,
    heat: Annotated[
        Path | None, typer.Option(help="A folder: pictures of where to look.")
    ] = None,
    skip: Annotated[str, typer.Option(help="An image never to offer again.")] = "",
    pin: Annotated[str, typer.Option(help="An image to offer first.")] = "",
    forget: Annotated[
        str, typer.Option(help="An image that is neither skipped nor pinned any more.")
    ] = "",
    because: Annotated[str, typer.Option(help="Why it is skipped or pinned.")] = "",
    who: Who = "",
    as_json: AsJson = False,
) -> None:
    """Name the images to label next, and why."""
    from src_core.acquire import strategy as known_strategy
    from src_core.rounds.choose import next_picks
    from src_core.rounds.left import why_none
    from src_core.store import Project

    if strategy:
        known_strategy(strategy)
    wished = bool(skip or pin or forget)
    with Project.open(project, mode="rw" if wished else "r") as opened:
        _wish(opened, skip, pin, forget, because, target or [], who or user())
        wanted = [opened.target(name).id for name in target or []]
        with _looking(seconds) as waiting:
            picks = next_picks(
                opened,
                _model(opened),
                count,
                strategy or None,
                targets=wanted,
                waiting=waiting,
            )
        items = _items(opened, picks, heat)
        why = "" if picks else why_none(opened, wanted)
    lines = [
        f"{item['image']}  {item['target']}: {item['reason']}{_cost(pick)}"
        for item, pick in zip(items, picks, strict=True)
    ]
    emit(
        {"items": items},
        "\n".join(lines) or why,
        as_json=as_json,
    )


def outlook(
    project: ProjectFolder,
    more: Annotated[int, typer.Option(min=1, help="So many images more.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Say what more labels are expected to bring, and how good the proposals are."""
    from src_core.rounds import effort
    from src_core.rounds.outlook import outlook as look_ahead
    from src_core.store import Project

    with Project.open(project) as opened:
        ahead = look_ahead(opened, more)
        rounds = effort(opened)
    proposals = [
        {
            "round": done.number,
            "version": done.model,
            "dice": done.dice,
            "n": done.proposals,
            "minutes_an_image": done.minutes_an_image,
        }
        for done in rounds
        if done.masks
    ]
    gain = ahead.gain
    payload = {
        "points": [
            {"version": p.version, "labelled": p.labelled, "dice": p.dice}
            for p in ahead.points
        ],
        "more": more,
        "gain": None if gain is None else gain.mean,
        "low": None if gain is None else gain.low,
        "high": None if gain is None else gain.high,
        "minutes": ahead.minutes,
        "enough": ahead.enough,
        "proposals": proposals,
    }
    lines = [ahead.sentence]
    lines += [
        f"round {row['round']}: {row['minutes_an_image']:.1f} minutes an image; "
        f"{row['n']} proposals of {row['version']}, Dice to what became of them "
        f"{row['dice']:.3f}"
        for row in proposals
        if row["n"]
    ]
    emit(payload, "\n".join(lines), as_json=as_json)


def review(
    project: ProjectFolder,
    count: Annotated[int, typer.Option("-n", min=1, help="At most so many.")] = 20,
    version: Version = "",
    as_json: AsJson = False,
) -> None:
    """List finished masks of which the model is confidently of another opinion."""
    from src_core.rounds.review import doubts
    from src_core.store import Project

    with Project.open(project) as opened:
        found = doubts(opened, load_predictor(opened, version))[:count]
        names = {image.id: image.name for image in opened.images()}
        targets = {target.id: target.name for target in opened.targets()}
    items = [
        {
            "image": names[doubt.image],
            "target": targets[doubt.target],
            "revision": doubt.revision,
            "score": doubt.score,
            "reason": doubt.sentence,
            "where": [_where(region) for region in doubt.regions],
        }
        for doubt in found
    ]
    lines = [f"{item['image']}  {item['target']}: {item['reason']}" for item in items]
    emit(
        {"items": items},
        "\n".join(lines) or "The model doubts none of the finished masks.",
        as_json=as_json,
    )


def groups(
    project: ProjectFolder,
    count: Annotated[int, typer.Option("-n", min=0, help="0: as many as fit.")] = 0,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="How long to look; default: to the end.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Group the pictures by look, and point out those that are nearly the same."""
    from src_core.rounds.grouping import groups_by_look, look_alikes
    from src_core.rounds.survey import take_in_looks
    from src_core.store import Project

    with Project.open(project) as opened:
        with _looking(seconds) as (looks, _):
            known = take_in_looks(opened, looks)
        names = {image.id: image.name for image in opened.images()}
        found = groups_by_look(opened, count)
        alike = look_alikes(opened)
    payload = {
        "known": known.done,
        "images": known.total,
        "groups": [[names[i] for i in group.images] for group in found],
        "alike": [
            {
                "images": [names[i] for i in same.images],
                "across_groups": same.across_groups,
                "across_splits": same.across_splits,
            }
            for same in alike
        ],
    }
    lines = [
        f"{len(group.images):>6} images like {names[group.images[0]]}"
        for group in found
    ]
    for same in alike:
        doubt = " (of different patients)" if same.across_groups else ""
        doubt = " (in different splits!)" if same.across_splits else doubt
        shown = ", ".join(names[i] for i in same.images[:4])
        lines.append(f"nearly the same{doubt}: {shown}")
    emit(payload, "\n".join(lines), as_json=as_json)


def _wish(
    project: Project,
    skip: str,
    pin: str,
    forget: str,
    because: str,
    targets: list[str],
    who: str,
) -> None:
    """Record what is wanted, for the named targets or for all."""
    from src_core.rounds import wishes

    for target in targets or [""]:
        if skip:
            wishes.skip(project, skip, because, target=target, who=who)
        if pin:
            wishes.pin(project, pin, because, target=target, who=who)
        if forget:
            wishes.forget(project, forget, target=target, who=who)


def _model(project: Project) -> Callable[[], Predictor] | None:
    from src_core.rounds import promoted

    return (lambda: load_predictor(project, "")) if promoted(project) else None


def _items(
    project: Project, picks: list[Pick], heat: Path | None
) -> list[dict[str, Any]]:
    names = {image.id: image.name for image in project.images()}
    targets = {target.id: target.name for target in project.targets()}
    items: list[dict[str, Any]] = [
        {
            "image": names[pick.image],
            "target": targets.get(pick.target, ""),
            "score": pick.score,
            "reason": pick.reason,
        }
        for pick in picks
    ]
    model = _model(project)
    if heat is not None and model is not None:
        predictor = model()
        for item, pick in zip(items, picks, strict=True):
            item |= _shown(project, predictor, pick, heat)
    return items


def _shown(
    project: Project, predictor: Predictor, pick: Pick, folder: Path
) -> dict[str, Any]:
    """Write where the model wavers as a picture, and say it in numbers."""
    from src_core.cli.report import write_heat
    from src_core.rounds.explain import explain
    from src_core.rounds.views import planes_of

    if not pick.target:
        return {}
    told = explain(project, predictor, pick.image, pick.target)
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"{pick.image}--{pick.target}.png"
    image, heat = project.image(pick.image), told.heat
    hottest = told.regions[0].slice if told.regions else None
    for z, plane, axes in planes_of(project, image):
        if z in (-1, hottest or 0):
            write_heat(out, plane, axes, heat if z < 0 else heat[z])
    return {"heat": str(out), "where": [_where(region) for region in told.regions]}


def _where(region: Region) -> dict[str, Any]:
    return {
        "slice": region.slice,
        "rows": list(region.rows),
        "columns": list(region.columns),
        "share": region.share,
        "words": region.words,
    }


def _cost(pick: Pick) -> str:
    return f" (about {pick.seconds:.0f} s)" if pick.seconds is not None else ""


@contextmanager
def _looking(seconds: float | None) -> Iterator[tuple[Limits, Limits]]:
    """Limits for a person who waits, with a bar: by the looks, and by the model."""
    from src_core.rounds.survey import Limits

    with progress_bar() as bars:

        def limits(text: str) -> Limits:
            task = bars.add_task(text, total=None, note="", visible=False)
            return Limits(
                seconds=seconds,
                progress=lambda done, total: bars.update(
                    task, completed=done, total=total, visible=True
                ),
            )

        yield limits("looking at the pictures"), limits("asking the model")


COMMANDS: dict[str, Callable[..., None]] = {
    "next": next_,
    "outlook": outlook,
    "review": review,
    "groups": groups,
}
