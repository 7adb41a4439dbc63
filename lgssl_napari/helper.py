"""A process beside the window, for whatever would hold the window up.

Python runs one thread at a time: a network that is asked, or a filter over a volume, in
another *thread* still stops the brush. And a window must not die, strokes and all, of
an answer that takes more memory than there is.

The process is this same Python, started without the caller's ``__main__`` and fed
through its own pipes with pickled calls of module-level functions. It ends when its
input does, however the window ended.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeVar

from lgssl_napari.telling import telling
from src_core.errors import (
    JobError,
    JobLostError,
    LgsslError,
    OutOfMemoryError,
    memory_ran_out,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lgssl_napari.telling import Told

T = TypeVar("T")

START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from lgssl_napari.helper import serve; serve()"
)
EVERY = 0.1
"""Seconds between two words about how far a call has got."""
NICENESS = 5
"""Behind the window, before a training (10)."""


class HelperLike(Protocol):
    """Calls module-level functions somewhere else."""

    def call(
        self, function: Callable[..., T], *arguments: Any, told: Told | None = None
    ) -> T:
        """Return what the function returns; blocks.

        Parameters
        ----------
        function, *arguments
            What is called.
        told : callable, optional
            Hears how far it has got, where it reports that.
        """
        ...

    def stop(self, function: Callable[..., Any]) -> None:
        """Give up a call of this function that is under way, from another thread."""
        ...

    def close(self) -> None:
        """End what was started."""
        ...


class HelperProcess:
    """One process, started when first needed; calls wait for one another.

    Parameters
    ----------
    command : list of str, optional
        What to start, for tests.
    """

    def __init__(self, command: list[str] | None = None) -> None:
        path = json.dumps([entry or os.getcwd() for entry in sys.path])
        self._command = command or [sys.executable, "-c", START, path]
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()
        self._at: Callable[..., Any] | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process's number, None while there is none."""
        return self._process.pid if self._process else None

    def call(
        self, function: Callable[..., T], *arguments: Any, told: Told | None = None
    ) -> T:
        """Return what a module-level function returns in the process.

        Raises
        ------
        LgsslError
            What the function raised on purpose; for anything else a JobError that
            carries the process's own traceback.
        OutOfMemoryError
            If memory ran out there.
        JobLostError
            If the process ended meanwhile; the next call starts another.
        """
        with self._turn:
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            # Whole before it is sent: half a call in the pipe would end the process.
            wanted = pickle.dumps((function, arguments), pickle.HIGHEST_PROTOCOL)
            self._at = function
            try:
                process.stdin.write(wanted)
                process.stdin.flush()
                kind, value = pickle.load(process.stdout)
                while kind == "told":
                    if told is not None:
                        told(*value)
                    kind, value = pickle.load(process.stdout)
            except (EOFError, OSError, pickle.UnpicklingError) as error:
                self._end()
                raise JobLostError(
                    "The process that answers ended before it had finished: it was "
                    "killed, or the machine ran out of memory. Nothing that you drew "
                    "is lost; close other programs and do it again."
                ) from error
            finally:
                self._at = None
        if kind == "result":
            result: T = value
            return result
        raise _rebuilt(*value)

    def stop(self, function: Callable[..., Any]) -> None:
        """End the process if it is at a call of this function; see `HelperLike`.

        The call raises a JobLostError, and the next one starts another process: work
        that does not end by itself is not asked to.
        """
        process = self._process
        if process is not None and self._at is function:
            process.kill()

    def close(self) -> None:
        """End the process, in the middle of a call if need be."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()  # a call under way reads its end, and gives its turn up
        with self._turn:
            self._end()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._closed:
            raise JobLostError("The window is closing.")
        if self._process is not None and self._process.poll() is not None:
            self._end()  # it died between two calls: its pipes are still open
        if self._process is None:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Threads that wait without spinning: the window needs the cores.
                env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ},
            )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        process.wait()


class HelperThread:
    """The same calls, made where they are: for tests and for scripts."""

    def call(
        self, function: Callable[..., T], *arguments: Any, told: Told | None = None
    ) -> T:
        """Return what the function returns."""
        with telling(told):
            return function(*arguments)

    def stop(self, function: Callable[..., Any]) -> None:
        """Nothing: who would call is at work itself."""

    def close(self) -> None:
        """Nothing was started."""


def serve() -> None:
    """Work off calls until the input ends; the life of the process."""
    calls, answers = _pipes()
    _give_way()
    last = 0.0

    def told(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if total > 1 and now - last >= EVERY:
            last = now
            answers.write(pickle.dumps(("told", (done, total))))
            answers.flush()

    while True:
        try:
            function, arguments = pickle.load(calls)
        except EOFError:
            return
        try:
            with telling(told):
                result = ("result", function(*arguments))
            answer = pickle.dumps(result, pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            failure = ("error", (_told(error), memory_ran_out(error)))
            answer = pickle.dumps(failure, pickle.HIGHEST_PROTOCOL)
        answers.write(answer)
        answers.flush()


def _pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Keep the pipes for calls alone: whatever is printed goes to standard error."""
    calls, answers = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    if sys.platform == "win32":
        import msvcrt

        for descriptor in (calls, answers):
            msvcrt.setmode(descriptor, os.O_BINARY)
    return os.fdopen(calls, "rb"), os.fdopen(answers, "wb")


def _give_way() -> None:
    import psutil

    process = psutil.Process()
    windows = getattr(psutil, "BELOW_NORMAL_PRIORITY_CLASS", None)
    process.nice(windows or max(NICENESS, process.nice()))


def _told(error: Exception) -> tuple[str, str, str]:
    """Return an error as words: its class may not survive a pipe."""
    return type(error).__name__, str(error), "".join(traceback.format_exception(error))


def _rebuilt(told: tuple[str, str, str], is_memory: bool) -> LgsslError:
    """Return the error of the process as one of this program's."""
    name, words, trace = told
    if is_memory:
        error: LgsslError = OutOfMemoryError(
            "This needs more memory than there is. Nothing that you drew is lost; "
            "close other programs, or work on the visible slice alone."
        )
    elif (kind := _kinds().get(name)) is not None:
        error = kind.__new__(kind)
        error.args = (words,)
    else:
        first = (words.splitlines() or [""])[0]
        error = JobError(
            f"That failed inside the program: {name}: {first} Nothing saved is lost; "
            "the log file has the details."
        )
    error.add_note(f"In the process that answers:\n{trace}")
    return error


def _kinds() -> dict[str, type[LgsslError]]:
    known: dict[str, type[LgsslError]] = {}
    found = [LgsslError]
    while found:
        kind = found.pop()
        known[kind.__name__] = kind
        found.extend(kind.__subclasses__())
    return known
