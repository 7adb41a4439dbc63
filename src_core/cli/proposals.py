"""Commands for the time before the first label, and for what is not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from src_core.cli.console import (
    AsJson,
    ProjectFolder,
    Who,
    emit,
    progress_bar,
    tell,
    user,
)

if TYPE_CHECKING:
    from src_core.rounds.proposing import ProposerChoice


def proposer(
    project: ProjectFolder,
    use: Annotated[
        str, typer.Option(help="auto, none, clipseg or sam3; what may propose here.")
    ] = "",
    revision: Annotated[
        str, typer.Option(help="Commit of the weights, 40 hexadecimal digits.")
    ] = "",
    download: Annotated[
        bool, typer.Option("--download", help="Fetch the weights of --use now.")
    ] = False,
    teach: Annotated[
        bool | None,
        typer.Option(
            "--teach/--no-teach",
            help="Let proposals teach the first round, with lower trust.",
        ),
    ] = None,
    who: Who = "",
    as_json: AsJson = False,
) -> None:
    """Show or choose what answers before the first model."""
    from src_core import proposers
    from src_core.errors import BadInputError
    from src_core.rounds import choose_proposer, proposer_choice
    from src_core.store import Project

    changes: dict[str, Any] = {"revision": revision} if use or revision else {}
    changes |= {"use": use} if use else {}
    changes |= {} if teach is None else {"teaches": teach}
    if use not in ("", "auto", "none", *proposers.PROPOSERS):
        raise BadInputError(
            f"There is no proposer '{use}'; use auto, none, "
            f"{' or '.join(proposers.PROPOSERS)}."
        )
    with Project.open(project, mode="rw" if changes else "r") as opened:
        choice = proposer_choice(opened)
        if changes:
            try:
                choice = type(choice).model_validate({**dict(choice), **changes})
            except ValueError as error:
                raise BadInputError(
                    f"'{revision}' is no commit; give its 40 hexadecimal digits."
                ) from error
        if download:
            if choice.use not in proposers.PROPOSERS:
                raise BadInputError("Say which to fetch: --use clipseg or --use sam3.")
            tell(f"Fetching the weights of {choice.use}…")
            proposers.fetch(choice.use, choice.revision)
        if changes:
            choose_proposer(opened, choice, who or user())
    found = _weights_here(choice)
    names = ", ".join(f"{one['name']} in '{one['folder']}'" for one in found)
    may = "may" if choice.teaches else "may not"
    emit(
        {**choice.model_dump(), "found": found},
        f"Proposer: {choice.use}. Weights on this machine: {names or 'none'}. "
        f"Proposals {may} teach the first round.",
        as_json=as_json,
    )


def _weights_here(choice: ProposerChoice) -> list[dict[str, str]]:
    """List the proposers whose weights lie on this machine."""
    from src_core import proposers

    found = []
    for kind in proposers.PROPOSERS:
        pinned = choice.revision if kind == choice.use else ""
        weights = proposers.find(kind, revision=pinned)
        if weights is not None:
            folder = str(weights.folder)
            found.append({"name": kind, "folder": folder, "commit": weights.commit})
    return found


def propose(
    project: ProjectFolder,
    target: Annotated[
        list[str], typer.Option(help="Only this target; may be repeated.")
    ] = [],  # noqa: B006 - typer copies it
    version: Annotated[
        str, typer.Option("--version", help="A version, clipseg or sam3.")
    ] = "",
    weights: Annotated[
        Path | None, typer.Option(help="A folder with a proposer's weights.")
    ] = None,
    who: Who = "",
    as_json: AsJson = False,
) -> None:
    """Save masks as proposals wherever nobody has begun."""
    from src_core.errors import UserError
    from src_core.rounds import answerer
    from src_core.rounds import propose as save_proposals
    from src_core.store import Project

    with Project.open(project, mode="rw") as opened:
        wanted = [opened.target(name) for name in target] or opened.targets()
        if not wanted:
            raise UserError(
                "The project has no target yet, so there is nothing to propose; import "
                "a table that names one, or type it in the window."
            )
        model = answerer(opened, version, weights=weights)
        with progress_bar() as bars:
            task = bars.add_task("proposing", total=None, note="")
            saved = save_proposals(
                opened,
                model,
                wanted,
                who=who or user(),
                notify=lambda done, total: bars.update(
                    task, completed=done, total=total
                ),
            )
    images = len({revision.image for revision in saved})
    emit(
        {"proposals": len(saved), "images": images, "version": model.name},
        f"{model.name} proposes {len(saved)} masks in {images} images; correct them, "
        "or accept what is right.",
        as_json=as_json,
    )


def absent(
    project: ProjectFolder,
    images: Annotated[list[str], typer.Argument(help="Their names or identifiers.")],
    target: Annotated[str, typer.Option(help="What is not in them.")],
    who: Who = "",
    as_json: AsJson = False,
) -> None:
    """Say of whole images that a target is not in them."""
    from src_core.rounds import declare_absent
    from src_core.store import Project

    with Project.open(project, mode="rw") as opened:
        found = [opened.image(name) for name in images]
        known = opened.target(target)
        saved, left = declare_absent(opened, known, found, who=who or user())
    rest = f" In {len(left)} somebody has begun; they are as before." if left else ""
    emit(
        {"declared": len(saved), "left": [image.name for image in left]},
        f"'{known.name}' is not in {len(saved)} images, as you say.{rest}",
        as_json=as_json,
    )


COMMANDS: dict[str, Callable[..., None]] = {
    "proposer": proposer,
    "propose": propose,
    "absent": absent,
}
