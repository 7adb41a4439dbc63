"""Writers that the crash tests kill: a warm process that forks one for each line.

Each line of standard input is a JSON object: what to do, and where to acknowledge. The
answer is the writer's process id, and "ended" once it is gone.
"""

from __future__ import annotations

import json
import os
import sys

import numpy as np

from src_core.errors import ConflictError, LockedError
from src_core.store import Change, Ledger, Project, StrokeJournal
from src_core.types import MaskStatus

DONE = MaskStatus.DONE


def mask_of(n: int, shape: tuple[int, ...] = (48, 48)) -> np.ndarray:
    """The mask that the n-th save holds."""
    return np.random.default_rng(n).integers(0, 2, shape).astype(np.uint8)


def pixels_of(n: int) -> np.ndarray:
    """The pixels of the n-th image of an import."""
    return np.random.default_rng(n).integers(0, 255, (64, 64)).astype(np.uint8)


def commit(path: str, ack: int, first: int) -> None:
    """Save masks without end; acknowledge each when the save has returned."""
    with Project.open(path, mode="rw", who="ada") as project:
        standing = project.mask("a", "t")
        parent = None if standing is None else standing.revision
        journal = StrokeJournal(project)
        shape = project.image("a").spatial_shape
        for n in range(first, first + 10**6):
            journal.write("a", "t", mask_of(n, shape), parent)
            os.write(ack, f"stroke {n} 0\n".encode())
            parent = project.save_mask(
                "a", "t", mask_of(n, shape), status=DONE, parent=parent
            ).number
            os.write(ack, f"save {n} {parent}\n".encode())


def import_images(path: str, ack: int, count: int) -> None:
    """Import images in order; acknowledge each."""
    with Project.open(path, mode="rw", who="ada") as project:
        for n in range(count):
            image, new = project.add_image(pixels_of(n), name=f"i{n}", axes="yx")
            os.write(ack, f"{'new' if new else 'old'} {n} {image.id}\n".encode())
    os.write(ack, b"all 0 0\n")


def import_patients(path: str, ack: int, first: int) -> None:
    """Import images without end, each of a patient of its own; acknowledge each."""
    with Project.open(path, mode="rw", who="ada") as project:
        for n in range(first, first + 10**6):
            image, _ = project.add_image(
                pixels_of(n), name=f"i{n}", axes="yx", group=f"Patient {n}"
            )
            os.write(ack, f"new {n} {image.group}\n".encode())


def back_up(path: str, ack: int, file: str) -> None:
    """Back a project up to one file without end; acknowledge each time."""
    with Project.open(path) as project:
        for n in range(10**6):
            project.backup(file)
            os.write(ack, f"done {n} 0\n".encode())


def race(path: str, ack: int, name: str, count: int) -> None:
    """Commit to one mask beside another process; take conflicts as they come."""
    with Ledger(f"{path}/ledger.sqlite", mode="rw") as ledger:
        conflicts = 0
        for n in range(count):
            while True:
                head = ledger.mask_head("a", "t")
                if n == 0 and not conflicts:
                    _meet(path, name)
                parent = None if head is None else head.number
                change = Change(
                    name, "mask", image="a", target="t", status=DONE, parent=parent
                )
                try:
                    row = ledger.commit(change, {f"race/{name}/{n}": name.encode()})
                except ConflictError:
                    conflicts += 1
                    os.write(ack, f"conflict {n} 0\n".encode())
                else:
                    break
            os.write(ack, f"save {n} {row.number}\n".encode())


def take_turns(path: str, ack: int, name: str, count: int) -> None:
    """Open the project for each save; wait while the other one has it."""
    for n in range(count):
        while True:
            try:
                with Project.open(path, mode="rw", who=name) as project:
                    standing = project.mask("a", "t")
                    row = project.save_mask(
                        "a",
                        "t",
                        mask_of(n),
                        who=name,
                        status=DONE,
                        parent=None if standing is None else standing.revision,
                    )
            except LockedError:
                continue
            break
        os.write(ack, f"save {n} {row.number}\n".encode())


def watch(path: str, ack: int, at: int, stop: str) -> None:
    """Read one snapshot over and over; acknowledge what was seen."""
    with Project.open(path, at=at) as project:
        while True:
            last = os.path.exists(stop)
            pixels = project.mask("a", "t").read()
            seen = len(project.history()), len(project.masks()), project.position
            os.write(ack, f"seen {hash(pixels.tobytes())} {seen}\n".encode())
            if last:
                return


def _meet(path: str, name: str) -> None:
    """Wait until both racers have loaded the mask: the first to save wins."""
    with open(f"{path}/tmp/{name}", "w"):
        pass
    while len(os.listdir(f"{path}/tmp")) < 2:
        pass


ACTS = {
    act.__name__: act
    for act in (
        commit,
        import_images,
        import_patients,
        back_up,
        race,
        take_turns,
        watch,
    )
}


def _answer(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    for line in sys.stdin:
        task = json.loads(line)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY
                ack = os.open(task["ack"], flags, 0o600)
                ACTS[task["act"]](task["path"], ack, *task["more"])
                status = 0
            finally:
                sys.stderr.flush()
                os._exit(status)
        _answer(str(child))
        _, status = os.waitpid(child, 0)
        _answer(f"ended {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
