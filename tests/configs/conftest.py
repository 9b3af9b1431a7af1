"""Stand-ins for the data that some configs need beside them."""
from __future__ import annotations

from pathlib import Path

import pytest

from netdef.datasets.copying import Prepare, copy
from netdef.datasets.making import open_job

# What a config reads: the digits that come with netdef take the place of each, as few as its batches need.
DATA = {
    "fashion_mnist": {"fashion-mnist/train": 128, "fashion-mnist/test": 100},
    "image_folder": {"digits-train-folder": 64, "digits-test-folder": 100},
}


@pytest.fixture
def data_of():
    """``data_of("image_folder")``: put stand-ins for the config's data into the working directory."""

    def make(model: str) -> None:
        for out, count in DATA.get(model, {}).items():
            Path(out).parent.mkdir(exist_ok=True)
            kind = "folder" if out.endswith("folder") else "lmdb"
            job = open_job("builtin:mnist10k/test", {}, out, kind, Prepare(), limit=count)
            copy(job.records, [job.target], job.prepare)

    return make
