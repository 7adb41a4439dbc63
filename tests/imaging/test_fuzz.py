"""Five hundred damaged files of each kind: an image or a sentence, never a crash."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does"),
]
for _module in ("nibabel", "pydicom", "SimpleITK", "tiffslide", "pylibjpeg"):
    pytest.importorskip(_module)

import fuzz_child  # noqa: E402

COUNT = 500
MOST_MIB = 3 * 1024
"""A file of a kilobyte may claim an image of 1 GiB, which is held twice when it is
turned, and no more."""


@pytest.mark.parametrize("name", fuzz_child.makers())
def test_damaged_files(tmp_path, name):
    done = subprocess.run(
        [sys.executable, fuzz_child.__file__, name, str(COUNT), "1", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    # killed by a signal: a crash (-11), or out of time (-27)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["other"] == []
    assert told["images"] + told["sentences"] == COUNT
    assert told["sentences"] > 0
    assert told["peak_mib"] < MOST_MIB
