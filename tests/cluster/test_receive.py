"""A model that comes back is looked at before it is written; events before shown."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch
from safetensors.torch import save

from discs_and_bars import quick_request
from src_core.checkpoints import CARD, WEIGHTS, ModelCard, list_models, load_model
from src_core.cluster.blobs import BlobStore
from src_core.cluster.news import read_news
from src_core.cluster.receive import Wanted, receive
from src_core.cluster.trouble import as_error
from src_core.errors import (
    BadInputError,
    CorruptError,
    JobError,
    LgsslError,
    OutOfMemoryError,
    UserError,
)
from src_core.methods import method_class
from src_core.rounds.comparison import FILE as COMPARISON
from src_core.rounds.comparison import Pair, read_comparison

JOB = "0" * 32
PAIRS = [{"image": "i00000001", "target": "t00000", "old": None, "new": 0.5}]


class FakeLink:
    """Hands out files in parts of 1,000 bytes, as the server would."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.asked: list[tuple[str, int]] = []

    def fetch(self, path: str, offset: int, length: int) -> bytes:
        name = path.rsplit("/", 1)[1]
        self.asked.append((name, offset))
        return self.files[name][offset : offset + min(length, 1000)]


@pytest.fixture
def good():
    """What a server gives for a finished job: result, card, weights."""
    request = quick_request(method="supervised")
    frame = request.settings.frame.model_copy(update={"size": 64, "tiles": False})
    settings = request.settings.model_copy(update={"frame": frame})
    torch.manual_seed(0)
    weights = method_class("supervised").build(settings).state_dict()
    card = ModelCard(
        version="v1",
        created="2026-01-01T00:00:00+00:00",
        position=7,
        settings=settings,
        targets=["t00000", "t00001"],
        labelled=4,
        unlabelled=2,
        steps=6,
        seconds=1.0,
        validation={"t00000": 0.5, "t00001": 0.7, "mean": 0.6},
    )
    result = {
        "version": "v1",
        "method": "supervised",
        "steps": 6,
        "seconds": 1.0,
        "labelled": 4,
        "unlabelled": 2,
        "promoted": True,
        "verdict": {"promoted": True, "reason": "better"},
        "looks": [{"step": 1, "seconds": 0.1, "dice": None}],
        "stopped": False,
        "position": 7,
        "presence": {"threshold": 0.5, "summary": "the defaults"},
    }
    return settings, card, result, weights


def take(
    good, models, store, *, card=None, result=None, weights=None, pairs=None, files=None
):
    settings, own_card, own_result, own_weights = good
    contents = {
        CARD: (card or own_card).model_dump_json().encode(),
        WEIGHTS: save(weights or own_weights, {"meta": "{}"}),
        COMPARISON: json.dumps({"pairs": pairs or PAIRS}).encode(),
    }
    told = {
        name: [hashlib.sha256(data).hexdigest(), len(data)]
        for name, data in contents.items()
    } | (files or {})
    link = FakeLink(contents)
    answer = {"result": json.dumps({**own_result, **(result or {})}), "files": told}
    wanted = Wanted(settings, ["im0", "im1"], ["bar", "disc"], 35, "v0")
    return receive(link, JOB, answer, store, models, wanted), link


@pytest.fixture
def place(tmp_path):
    (tmp_path / "models").mkdir()
    return tmp_path / "models", BlobStore(tmp_path / "remote")


def test_a_model_becomes_the_next_version_with_the_projects_own_names(good, place):
    models, store = place
    result, _ = take(good, models, store)
    card, weights = load_model(models / "v1")
    assert result["version"] == "v1"
    assert result["position"] == card.position == 35
    assert card.targets == ["bar", "disc"]
    assert card.validation == {"bar": 0.5, "disc": 0.7, "mean": 0.6}
    assert all(bool((weights[k] == v).all()) for k, v in good[3].items())
    compared = read_comparison(models / "v1")
    assert (compared.version, compared.against) == ("v1", "v0")
    assert compared.pairs == (Pair("im1", "bar", None, 0.5),)
    assert compared.verdict.reason == result["verdict"]["reason"] == "better"
    assert result["presence"] == card.presence.report()  # not what the answer says
    assert [p for p in store.root.rglob("*") if p.is_file()] == []


def test_received_twice_it_is_one_version_and_another_is_the_next(good, place):
    models, store = place
    assert take(good, models, store)[0]["version"] == "v1"
    assert take(good, models, store)[0]["version"] == "v1"
    later = good[1].model_copy(update={"created": "2026-01-02T00:00:00+00:00"})
    assert take(good, models, store, card=later)[0]["version"] == "v2"
    assert [card.version for card in list_models(models)] == ["v1", "v2"]


def test_a_broken_download_goes_on_from_its_last_byte(good, place):
    models, store = place
    data = save(good[3], {"meta": "{}"})
    sha256 = hashlib.sha256(data).hexdigest()
    store.append(sha256, len(data), 0, data[:5000])
    _, link = take(good, models, store)
    assert min(offset for name, offset in link.asked if name == WEIGHTS) == 5000


def _more(weights):
    return {**weights, "backdoor": torch.zeros(1)}


def _less(weights):
    return dict(list(weights.items())[1:])


def _reshaped(weights):
    name = next(iter(weights))
    return {**weights, name: weights[name].flatten()}


def _not_numbers(weights):
    name = next(k for k, v in weights.items() if v.is_floating_point())
    return {**weights, name: torch.full_like(weights[name], float("nan"))}


@pytest.mark.parametrize("harm", [_more, _less, _reshaped, _not_numbers])
def test_weights_that_are_no_network_of_these_settings_are_refused(good, place, harm):
    models, store = place
    with pytest.raises(CorruptError, match="does not fit its settings"):
        take(good, models, store, weights=harm(good[3]))
    assert list(models.iterdir()) == []


@pytest.mark.parametrize(
    "update",
    [
        {"targets": ["t00009"]},
        {"targets": ["../x"]},
        {"validation": {"t00007": 0.5}},
        {"version": "v2"},
        {"version": "../v1"},
    ],
)
def test_a_card_that_does_not_answer_what_was_asked_is_refused(good, place, update):
    models, store = place
    with pytest.raises(CorruptError, match="not the one that was asked for"):
        take(good, models, store, card=good[1].model_copy(update=update))
    assert list(models.iterdir()) == []


@pytest.mark.parametrize(
    "update",
    [
        {"method": "mean-teacher"},
        {"seed": 5},
        {"text": {"encoder": "transformers", "model": "evil/model", "revision": "x"}},
    ],
)
def test_other_settings_than_were_asked_for_are_refused(good, place, update):
    models, store = place
    other = type(good[0]).model_validate(good[0].model_dump(mode="json") | update)
    with pytest.raises(CorruptError, match="not the one that was asked for"):
        take(good, models, store, card=good[1].model_copy(update={"settings": other}))


@pytest.mark.parametrize(
    "result",
    [{"steps": "many"}, {"stopped": "perhaps"}, {"verdict": {}}, {"looks": [1]}],
)
def test_a_result_of_another_form_is_refused(good, place, result):
    models, store = place
    with pytest.raises(JobError, match="cannot be read"):
        take(good, models, store, result=result)


@pytest.mark.parametrize(
    "pairs",
    [
        [{**PAIRS[0], "image": "i00000002"}],
        [{**PAIRS[0], "target": "../x"}],
        [{**PAIRS[0], "new": "good"}],
        {"x": 1},
    ],
)
def test_a_comparison_of_other_images_is_refused(good, place, pairs):
    models, store = place
    with pytest.raises(CorruptError, match="not the one that was asked for"):
        take(good, models, store, pairs=pairs)
    assert list(models.iterdir()) == []


def test_what_a_verdict_says_is_one_printable_line(good, place):
    models, store = place
    verdict = {"promoted": True, "reason": "\x1b[2Jbetter\nmuch"}
    result, _ = take(good, models, store, result={"verdict": verdict})
    assert result["verdict"]["reason"] == "[2Jbetter much"


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({CARD: ["x", "y"]}, JobError),
        ({CARD: []}, JobError),
        ({CARD: ["0" * 64, 1 << 30]}, JobError),
        ({WEIGHTS: ["0" * 64, 1 << 40]}, JobError),
        ({CARD: ["../../x", 100]}, BadInputError),
        ({CARD: ["0" * 64, 100]}, LgsslError),  # another content
    ],
)
def test_files_that_are_not_what_they_declare_are_refused(good, place, files, error):
    models, store = place
    with pytest.raises(error):
        take(good, models, store, files=files)
    assert list(models.iterdir()) == []


def test_weights_of_another_content_are_dropped_and_can_be_fetched_again(good, place):
    models, store = place
    data = save(good[3], {"meta": "{}"})
    card = good[1].model_dump_json().encode()
    files = {
        CARD: [hashlib.sha256(card).hexdigest(), len(card)],
        WEIGHTS: [hashlib.sha256(data + b"x").hexdigest(), len(data)],
    }
    with pytest.raises(CorruptError, match="another content"):
        take(good, models, store, files=files)
    assert list(models.iterdir()) == []
    assert take(good, models, store)[0]["version"] == "v1"


PROGRESS = {
    "kind": "progress",
    "phase": "all images",
    "step": 3,
    "done": 0.5,
    "seconds": 1.0,
    "seconds_left": 1.0,
    "losses": {"loss": 0.1},
    "looks": [[1, 0.1, float("nan"), 0.5]],
}


@pytest.mark.parametrize(
    ("told", "heard"),
    [
        ({"kind": "note", "text": "hello"}, {"kind": "note", "text": "hello"}),
        (
            {"kind": "phase", "text": "\x1b]0;owned\x07\x1b[2Jtraining\n\n"},
            {"kind": "phase", "text": "]0;owned [2Jtraining"},
        ),
        ({"kind": "note", "text": "x" * 5000}, {"kind": "note", "text": "x" * 1000}),
        ({"kind": "note", "text": "a", "more": 1}, None),
        ({"kind": "run", "text": "rm -rf"}, None),
        ({"kind": "note"}, None),
        ({**PROGRESS, "step": "many"}, None),
        ({**PROGRESS, "looks": [[1]]}, None),
        ("note", None),
        (None, None),
    ],
)
def test_only_what_a_job_may_tell_is_heard(told, heard):
    assert read_news(told) == heard


def test_progress_is_heard_as_the_local_worker_tells_it():
    heard = read_news(PROGRESS)
    assert str(heard) == str(PROGRESS)


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("UserError", UserError),
        ("OutOfMemoryError", OutOfMemoryError),
        ("ConflictError", JobError),  # needs more than a sentence
        ("MissingExtraError", JobError),
        ("SystemExit", JobError),
        ("annotations", JobError),
        ("", JobError),
    ],
)
def test_an_error_of_the_servers_is_one_of_ours(kind, made):
    error = as_error(kind, "It\x1b[2J failed.")
    assert type(error) is made
    assert str(error) == "It [2J failed."
