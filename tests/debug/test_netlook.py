from __future__ import annotations

import pytest

from netdef.config.load import parse_text_message
from netdef.debug.netlook import look, states


def located(text):
    return parse_text_message(text, "net.prototxt", "NetParameter")


def data(name, rule=""):
    return (f'layer {{ name: "{name}" type: "DummyData" top: "data" dummy_data_param {{ shape {{ dim: 2 dim: 3 }} }} {rule} }}\n')


LOSS = 'layer { name: "l" type: "EuclideanLoss" bottom: "data" bottom: "data" top: "l" }\n'


@pytest.mark.parametrize(("text", "expected"), [
    (data("d"), ["TEST"]),
    (data("d") + LOSS, ["TRAIN", "TEST"]),
    (data("d", "include { phase: TRAIN }"), ["TRAIN"]),
    (data("d", "include { phase: TRAIN }") + data("e", "include { phase: TEST }"), ["TRAIN", "TEST"]),
    (data("d", "include { phase: TRAIN }") + data("e", 'include { phase: TEST stage: "a" }'),
     ["TRAIN", "TEST stage a"]),
    (data("d", "exclude { phase: TEST }"), ["TRAIN"]),
])
def test_the_states_a_net_is_meant_for(text, expected):
    assert [" ".join([s.phase, *(f"stage {x}" for x in s.stages)]) for s in states(located(text))] == expected
    assert [s.name for s in look(located(text))] == expected


def test_a_look():
    text = (data("d") + 'layer { name: "o" type: "Odd" bottom: "data" top: "o" }\n'
            'layer { name: "r" type: "ReLU" bottom: "o" top: "r" }\n')
    (seen,) = look(located(text))
    assert seen.types == {"Odd": 1} and seen.unknown == 1 and not seen.errors and not seen.whole and seen.layers == 3
    (seen,) = look(located(text), {"o": (1, 2)})
    assert seen.whole and seen.assumed == ("o 1x2",)
    (seen,) = look(located(text.replace('"data" top: "o"', '"dta" top: "o"')))
    assert "'dta' is made by no layer" in seen.errors[0].message
