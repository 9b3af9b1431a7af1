"""Nets as text for the runtime's tests."""
from __future__ import annotations

import pytest

import netdef


@pytest.fixture
def net_of(tmp_path):
    """``net_of(text, **options)``: a Net from prototxt text, seeded with 1 unless told otherwise."""

    def make(text, **options):
        path = tmp_path / "net.prototxt"
        path.write_text(text)
        return netdef.Net(str(path), **{"seed": 1, **options})

    return make
