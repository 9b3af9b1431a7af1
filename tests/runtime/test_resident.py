"""The plan's peak against the memory that a process really takes, and fused compiled passes on a real net."""
from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from netdef.runtime.net import Net

SCRIPT = """
import ctypes
import gc
import sys
from netdef.config.load import load_net
from netdef.graph.build import build
from netdef.graph.memorytext import param_bytes, peak_bytes
from netdef.runtime.net import Net

def plan_of(batch):
    located = load_net("configs/" + sys.argv[1] + "/net.yaml")
    for layer in located.message.layer:
        if layer.HasField("data_param"):
            layer.data_param.batch_size = batch
    return build(located, "TRAIN")

def passes(plan):
    net = Net(plan, seed=1, keep="outputs")
    for _ in range(2):
        net.forward()
        net.backward()
    return net

def resident():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what is free goes back
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))

passes(plan_of(1))  # the kernels' own code and the data source are no part of the plan
before = resident()
plan = plan_of(int(sys.argv[2]))
net = passes(plan)
print(resident() - before, peak_bytes(plan, histories=0))
"""


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(("model", "batch"), [("googlenet", 8), ("resnet50", 4)])
def test_resident_memory_is_the_plans(model, batch):
    done = subprocess.run([sys.executable, "-c", SCRIPT, model, str(batch)], capture_output=True, text=True, check=True)
    grown, planned = map(int, done.stdout.split())
    assert planned > 200e6
    assert abs(grown - planned) <= 0.15 * planned, (grown, planned)


@pytest.mark.slow
@pytest.mark.compiled
def test_a_residual_net_for_any_number_of_threads():
    """Fused and shared, layer by layer and kept, with one thread and with all: one result."""
    from netdef.kernels import threads

    found = []
    for options, count in (({"fuse": False}, 8), ({"keep": "outputs"}, 8), ({"keep": "outputs"}, 1)):
        net = Net("configs/resnet20/net.yaml", phase="TRAIN", seed=3, **options)
        with threads.limited(count):
            net.forward()
            net.backward()
        found.append([np.float64(net.loss), *(b.diff for b in net.param_blobs), *(b.data for b in net.param_blobs)])
        assert any(len(item.runs) > 1 for item in net.executor.pieces) == ("fuse" not in options)
    for other in found[1:]:
        assert all(a.tobytes() == b.tobytes() for a, b in zip(found[0], other, strict=True))
