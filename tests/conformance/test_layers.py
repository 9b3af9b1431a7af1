"""Small nets against values and gradients that BVLC Caffe 1.0 computed (../shared/conformance/layers)."""
import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from netdef.config.load import parse_text_message
from netdef.layers import registry

ROOT = Path(__file__).resolve().parents[2]


def cases():
    """The names of the cases, where the folder is there when tests are collected."""
    folder = Path(os.environ.get("NETDEF_SHARED") or ROOT.parent / "shared") / "conformance" / "layers"
    return sorted(p.stem for p in folder.glob("*.npz")) or [pytest.param("", marks=pytest.mark.skip("needs ../shared"))]


@pytest.fixture(scope="session")
def check(shared):
    """The module conformance/check.py."""
    spec = importlib.util.spec_from_file_location("conformance_check", shared / "conformance" / "check.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", cases())
def test_agrees_with_caffe(name, shared, check):
    path = shared / "conformance" / "layers" / f"{name}.npz"
    with np.load(path) as case:
        net = parse_text_message(str(case["prototxt"]), f"{name}.prototxt", "NetParameter").message
    missing = sorted({layer.type for layer in net.layer} - registry.layer_types().keys())
    if missing:
        pytest.skip(f"not registered: {', '.join(missing)}")
    assert check.run(path) == []
