"""Several processes on one project: nothing lost, nothing swallowed, nothing moves."""

from __future__ import annotations

import os

import numpy as np
import pytest

from src_core.store import Ledger, Project
from src_core.types import MaskStatus

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs fork")

COMMITS = 150


@pytest.mark.parametrize("act", ["race", "take_turns"])
def test_two_processes_lose_nothing(root, tmp_path, writers, other_writers, act):
    """300 saves of one mask, through the ledger at once and through the lock."""
    both = {"ada": writers, "bob": other_writers}
    for name, process in both.items():
        process.start(act, root, tmp_path / name, name, COMMITS)
    saved: dict[int, str] = {}
    conflicts = 0
    for name, process in both.items():
        process.wait()
        acks = process.acknowledged()
        rows = [int(rest) for verb, _, rest in acks if verb == "save"]
        assert len(rows) == COMMITS
        assert not saved.keys() & set(rows)
        saved |= dict.fromkeys(rows, name)
        conflicts += sum(verb == "conflict" for verb, _, _ in acks)
    with Ledger(root / "ledger.sqlite") as ledger:
        history = ledger.history("a", "t")[::-1]
        assert {row.number: row.who for row in history} == saved
        # each save replaced the very one before it
        parents = [None, *(row.number for row in history)]
        assert [row.parent for row in history] == parents[:-1]
        if act == "race":
            for name in both:
                keys = ledger.keys(f"race/{name}/")
                assert len(keys) == COMMITS
    if act == "race":
        assert conflicts >= 1
    with Project.open(root) as project:
        assert project.verify() == []


def test_a_snapshot_in_another_process_never_changes(root, tmp_path, writers):
    stop = tmp_path / "stop"
    rng = np.random.default_rng(0)

    def noise():
        return rng.integers(0, 2, (48, 48)).astype(np.uint8)

    with Project.open(root, mode="rw", who="ada") as project:
        row = project.save_mask("a", "t", noise(), status=MaskStatus.DONE)
        writers.start("watch", root, tmp_path / "ack", row.number, str(stop))
        writers.wait_for(lambda acks: len(acks) >= 5)
        before = len(writers.acknowledged())
        parent = row.number
        for _ in range(300):
            parent = project.save_mask(
                "a", "t", noise(), status=MaskStatus.DONE, parent=parent
            ).number
        writers.wait_for(lambda acks: len(acks) >= before + 5)
        stop.touch()
        writers.wait()
    seen = writers.acknowledged()
    assert len(seen) > 10
    assert len(set(seen)) == 1
    assert seen[0][2] == f"{(row.number, 1, row.number)}"
