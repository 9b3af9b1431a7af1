"""Nets as text for the graph's tests."""
from __future__ import annotations

import pytest

from netdef.graph.build import build


@pytest.fixture
def built(tmp_path):
    """``built(text, **options)``: the plan of a net given as prototxt text in the file ``net.prototxt``."""

    def make(text, **options):
        path = tmp_path / "net.prototxt"
        path.write_text(text)
        return build(str(path), **options)

    return make


@pytest.fixture
def message_of(built, tmp_path):
    """``message_of(text)``: the whole error message, with the folder cut off."""
    from netdef.errors import NetdefError

    def get(text, **options):
        with pytest.raises(NetdefError) as caught:
            built(text, **options)
        return str(caught.value).replace(f"{tmp_path}/", "")

    return get


@pytest.fixture
def answer(tmp_path, monkeypatch):
    """``answer("why", text, "conv1")`` or ``answer("backward", ...)``: what `netdef explain` says of a net, its file
    being ``net.prototxt``."""
    from netdef.graph import answers

    def get(question, text, name, phase="TRAIN", **options):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "net.prototxt").write_text(text)
        ask = {"why": answers.why_text, "backward": answers.chain_text}[question]
        return ask("net.prototxt", name, phase, **options)

    return get
