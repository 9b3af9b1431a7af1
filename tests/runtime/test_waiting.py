"""The share of time spent waiting for data: counted, shown in the progress line and by `netdef time`."""
from types import SimpleNamespace

import pytest

import netdef
from netdef.cli.progress import Timing
from netdef.config.load import parse_text_message
from netdef.debug.timing import time_net
from netdef.layers.data import Data
from netdef.runtime import waiting
from netdef.runtime.waiting import Waiting, waited


def net_of(*seconds):
    return SimpleNamespace(steps=[SimpleNamespace(layer=SimpleNamespace(waited=s) if s else object()) for s in seconds])


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(time=100.0)
    monkeypatch.setattr(waiting.time, "perf_counter", lambda: now.time)
    return now


def test_share(clock):
    one, two = net_of(1.5, 0.0, 0.5), net_of(2.0)
    assert waited(one) == 2
    found = Waiting(one, two)
    assert found.text() == "" and found.share() == 0
    clock.time += 10
    one.steps[0].layer.waited += 2.2
    two.steps[0].layer.waited += 1.5
    assert found.share() == pytest.approx(0.37) and found.text() == "waiting for data: 37%"
    clock.time += 1000
    assert found.text() == "", "less than a percent"


def test_the_progress_line(clock):
    net = net_of(0.0, 1.0)
    timing = Timing(SimpleNamespace(net=net, test_nets=[], iter=0, param=SimpleNamespace(max_iter=40)))
    clock.time += 20
    net.steps[1].layer.waited += 5
    assert timing.text(10) == "0:20 elapsed, 1:00 to go, waiting for data: 25%"


def test_netdef_time(monkeypatch):
    real = Data.make_batch
    text = 'layer { name: "d" type: "Data" top: "data" data_param { source: "builtin:xor" batch_size: 2 } }'
    with netdef.Net(parse_text_message(text, "n", "NetParameter"), phase="TRAIN") as net:
        times = time_net(net, 3)
        assert 0 < times.waiting < 1 and times.as_dict()["waiting_for_data"] == times.waiting
        assert times.render().splitlines()[-1] == f"Waiting for data: {times.waiting:.1%} of the passes."
    monkeypatch.setattr(Data, "make_batch", lambda self, job: (waiting.time.sleep(0.03), real(self, job))[1])
    with netdef.Net(parse_text_message(text, "n", "NetParameter"), phase="TRAIN") as net:
        assert time_net(net, 3).waiting > 0.9
