"""Before the first label: who answers, what is proposed, and whether it may teach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from src_core.config import Settings, without_unknown
from src_core.errors import NoModelError
from src_core.rounds.promotion import deployed_card, promoted
from src_core.types import MaskStatus, Source, SourceKind, Split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from src_core.answers import Answerer
    from src_core.devices import Device
    from src_core.store import Project
    from src_core.store.rows import MaskRecord
    from src_core.types import Image, Revision, Target

DOCUMENT = "documents/proposer.json"
NAMED_AT_MOST = 3


class ProposerChoice(Settings):
    """What a project says about proposers; kept in its ledger.

    No folder is named here: a project may have been made by anyone, and what it says
    must not decide which files are opened.
    """

    use: Literal["auto", "none", "clipseg", "sam3"] = Field(
        "auto", description="auto = whichever has its weights on this machine"
    )
    revision: str = Field(
        "",
        pattern="^([0-9a-f]{40})?$",
        description="commit of the weights; empty = any",
    )
    teaches: bool = Field(
        False, description="proposals teach the first round, with lower trust"
    )


def proposer_choice(project: Project) -> ProposerChoice:
    """Return what the project says, the defaults where it says nothing."""
    document = project.document(DOCUMENT) or {}
    return ProposerChoice.model_validate(without_unknown(ProposerChoice, document))


def choose_proposer(project: Project, choice: ProposerChoice, who: str) -> Revision:
    """Keep a choice in the ledger."""
    content = choice.model_dump_json().encode()
    return project.record("choose proposer", {DOCUMENT: content}, who=who)


def answerer(
    project: Project,
    version: str = "",
    *,
    device: Device | None = None,
    weights: Path | None = None,
) -> Answerer:
    """Return what answers prompts in this project, loaded.

    That is the promoted model version; before there is one, a proposer whose weights
    lie on this machine.

    Parameters
    ----------
    project : Project
        Open at any mode.
    version : str
        A model version, or a proposer's name, in place of what answers.
    device : Device, optional
        Where to compute; chosen if not given.
    weights : Path, optional
        A folder with a proposer's weights, in place of where they are looked for.

    Raises
    ------
    NoModelError
        If there is neither; one sentence that names the images to label first.
    NotFoundError
        If there is no such version.
    BadInputError
        If a proposer's files cannot be used.
    """
    from src_core.devices import pick_device
    from src_core.predict import Predictor
    from src_core.proposers import PROPOSERS

    device = device or pick_device()
    texts = project.cache_dir / "text"
    if version not in PROPOSERS and (version or promoted(project)):
        card = deployed_card(project, version or None)
        return Predictor.load(project.models_dir / card.version, device, texts)
    found = _proposer(project, version, device, weights)
    if found is None:
        raise no_model_yet(project)
    return found


def _proposer(
    project: Project, kind: str, device: Device, weights: Path | None
) -> Answerer | None:
    from src_core import proposers

    choice = proposer_choice(project)
    if choice.use == "none" and not kind:
        return None
    wanted = kind or ("" if choice.use in ("auto", "none") else choice.use)
    # On a GPU the better one first, on a CPU the one that answers within a second.
    order = ["clipseg", "sam3"] if device.torch.type == "cpu" else ["sam3", "clipseg"]
    for name in [wanted] if wanted else order:
        pinned = choice.revision if name == choice.use else ""
        found = proposers.find(name, weights, pinned)
        if found is not None:
            return proposers.load(found, device, project.cache_dir / "text")
    if kind:
        home = proposers.proposer_class(kind).home
        raise NoModelError(
            f"The weights of '{kind}' are not on this machine; put the files of "
            f"{home.hub_id} into '{proposers.own_folder(kind)}', or fetch them with "
            f"'lgssl proposer PROJECT --use {kind} --download --revision COMMIT'."
        )
    return None


def no_model_yet(project: Project) -> NoModelError:
    """Return the error that says so, and which images to label first."""
    from src_core.rounds.choose import next_picks

    begin = "There is no model in this project yet"
    picks = next_picks(project, None, NAMED_AT_MOST)
    names = list(dict.fromkeys(project.image(pick.image).name for pick in picks))
    if not names:
        to_do = "train" if project.images() else "add images, label a few, then train"
        return NoModelError(f"{begin}; {to_do}.")
    return NoModelError(
        f"{begin}; label these first, then train: {', '.join(names)} ('lgssl next' "
        "names more)."
    )


def propose(
    project: Project,
    model: Answerer,
    targets: Iterable[Target],
    *,
    who: str,
    images: Iterable[Image] | None = None,
    notify: Callable[[int, int], None] = lambda done, total: None,
) -> list[Revision]:
    """Save a model's masks as proposals wherever no person has begun.

    What it does not find is not saved: that a proposer sees nothing is no knowledge.

    Parameters
    ----------
    project : Project
        Open for writing.
    model : Answerer
        What proposes; its name and the prompt are kept with each mask.
    targets : iterable of Target
        Each is asked for with its usual wording.
    who : str
        Who had it done.
    images : iterable of Image, optional
        All images that are not for testing, if not given.
    notify : callable
        Called with images done and images in all.

    Returns
    -------
    list of Revision
        One a proposal. What the same model proposed before is left as it is.
    """
    standing = {(mask.image, mask.target): mask for mask in project.masks()}
    wanted = list(targets)
    asked = list(project.images() if images is None else images)
    asked = [image for image in asked if image.split is not Split.TEST]
    saved = []
    for number, image in enumerate(asked):
        notify(number, len(asked))
        mine = [
            target
            for target in wanted
            if _may_propose(project, standing.get((image.id, target.id)), model)
        ]
        if not mine:
            continue
        prompts = [target.wordings[0] for target in mine]
        pixels = project.pixels(image)
        answers = model.predict(pixels, image.axes, prompts, like=image)
        for target, prompt, answer in zip(mine, prompts, answers, strict=True):
            if not answer.present:
                continue
            before = standing.get((image.id, target.id))
            saved.append(
                project.save_mask(
                    image.id,
                    target.id,
                    answer.mask,
                    who=who,
                    status=MaskStatus.PROPOSED,
                    source=Source(SourceKind.MODEL, model.name, prompt),
                    parent=before.revision if before else None,
                )
            )
    notify(len(asked), len(asked))
    return saved


def _may_propose(project: Project, mask: MaskRecord | None, model: Answerer) -> bool:
    """Whether nobody has begun, and this model has not proposed already."""
    if mask is None or mask.status is MaskStatus.UNLABELLED:
        return True
    if mask.status is not MaskStatus.PROPOSED:
        return False
    last = project.history(mask.image, mask.target, limit=1)[0]
    return last.source.model != model.name


def first_teachers(
    project: Project, asked: bool | None = None
) -> dict[str, dict[str, str]]:
    """Return image id -> target id -> proposer, of the proposals that may teach.

    Parameters
    ----------
    project : Project
        At the position to train at.
    asked : bool or None
        Whether a round asks for them; None leaves it to the project. There are none
        once a version has been promoted: the first round is over.
    """
    from src_core.proposers import is_proposer

    allowed = proposer_choice(project).teaches if asked is None else asked
    if not allowed or promoted(project) is not None:
        return {}
    proposed = [m for m in project.masks() if m.status is MaskStatus.PROPOSED]
    if not proposed:
        return {}
    sources = {r.number: r.source for r in project.history()}
    found: dict[str, dict[str, str]] = {}
    for mask in proposed:
        model = sources[mask.revision].model
        if is_proposer(model):
            found.setdefault(mask.image, {})[mask.target] = str(model)
    return found
