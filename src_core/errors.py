"""One tree of errors; every message says what happened, where, and what to do.

::

    LgsslError                      anything this program raises on purpose
    ├── UserError                   the request cannot be met; exit status 2
    │   ├── BadInputError           a file, a table or a value is not usable
    │   │   └── NoEncoderError      the text encoder of the settings cannot be had
    │   ├── NotFoundError           no such project, image, target or version
    │   ├── MissingExtraError       an optional dependency is not installed
    │   └── NoModelError            nothing has been trained yet
    ├── StoreError                  the project on disk
    │   ├── ConflictError           somebody changed the mask meanwhile
    │   ├── LockedError             another process writes to the project
    │   ├── ReadOnlyError           a write to a snapshot or a reader
    │   └── CorruptError            a hash does not match what it covers
    └── JobError                    a background job
        ├── JobLostError            its worker died or stopped answering
        └── OutOfMemoryError        it needs more memory than there is
"""

from __future__ import annotations


class LgsslError(Exception):
    """Base of every error raised on purpose; its text is fit for a user."""


class UserError(LgsslError):
    """The request cannot be met as it stands; the text says what to change."""


class BadInputError(UserError):
    """A file, a table or a value is not usable."""


class NoEncoderError(BadInputError):
    """The text encoder that the settings name cannot be had."""


class NotFoundError(UserError):
    """There is no such project, image, target, revision or model version."""


class NoModelError(UserError):
    """Nothing has been trained in this project yet."""


class MissingExtraError(UserError):
    """An optional dependency is needed.

    Parameters
    ----------
    what : str
        What cannot be done without it.
    extra : str
        The extra of ``lgssl-napari`` that brings it.
    """

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the extra '{extra}': pip install 'lgssl-napari[{extra}]'."
        )
        self.extra = extra


class StoreError(LgsslError):
    """The project on disk cannot do what was asked."""


class ConflictError(StoreError):
    """The mask was changed by somebody else since it was loaded.

    Parameters
    ----------
    image, target : str
        Which mask.
    expected, found : int or None
        The revision that the writer had loaded, and the one that stands now;
        None where there was no mask.
    """

    def __init__(
        self, image: str, target: str, expected: int | None, found: int | None
    ) -> None:
        def name(revision: int | None) -> str:
            return "no mask" if revision is None else f"revision {revision}"

        super().__init__(
            f"'{target}' in '{image}' was changed meanwhile: you loaded "
            f"{name(expected)}, now {name(found)} stands. Nothing was overwritten; "
            "reload the mask and save again."
        )
        self.image, self.target = image, target
        self.expected, self.found = expected, found


class LockedError(StoreError):
    """Another process has the project open for writing."""


class ReadOnlyError(StoreError):
    """A write was asked of a snapshot or of a project opened for reading."""


class CorruptError(StoreError):
    """Stored bytes do not match the hash that was recorded with them."""


class JobError(LgsslError):
    """A background job did not end well."""


class JobLostError(JobError):
    """The worker died or stopped answering; the last checkpoint resumes."""


class OutOfMemoryError(JobError):
    """The job needs more memory than there is."""


_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def memory_ran_out(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on the machine or on its GPU.

    Torch says so in a RuntimeError, in other words on each device and system.
    """
    words = str(error).lower()
    return isinstance(error, MemoryError) or any(said in words for said in _NO_MEMORY)
