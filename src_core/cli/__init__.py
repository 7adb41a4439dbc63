"""The command line: the same verbs as the panel, without a screen."""

from __future__ import annotations

import errno
import os
import sys

from src_core.errors import JobError, LgsslError
from src_core.files import NO_SPACE

REFUSED = frozenset(
    getattr(errno, name)
    for name in ("EACCES", "EPERM", "EROFS", "ENOTDIR", "EISDIR", "EEXIST")
)
"""What the system says of a place that a person chose, and not of a mistake of ours."""


def main() -> None:
    """Run ``lgssl``; exit 0, 2 on a user's error, 1 when the program failed."""
    # Threads that wait without spinning, from when torch is loaded: beside a training
    # that has both cores, asking a model was measured three times slower with it.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    from src_core.cli.app import app

    try:
        app()
    except LgsslError as error:
        from src_core.cli.console import log_failure, tell

        log_failure(error)
        tell(str(error))
        sys.exit(1 if isinstance(error, JobError) else 2)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        from src_core.cli.console import log_failure, tell

        path = log_failure(error)
        if isinstance(error, OSError) and error.errno in NO_SPACE:
            tell(
                "A disk is full: what was being written is not complete, and the "
                "project is as it was. Free some space and do it again."
            )
            sys.exit(2)
        if isinstance(error, OSError) and error.errno in REFUSED and error.filename:
            tell(
                f"The system refuses '{error.filename}': {error.strerror}. Choose "
                "another place, or change who may read and write there."
            )
            sys.exit(2)
        tell(
            f"Something went wrong inside the program ({type(error).__name__}). "
            f"Nothing saved is lost; the details are in '{path}'."
        )
        sys.exit(1)
