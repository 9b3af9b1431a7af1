"""RNN and LSTM: the battery against plain loops, the state between batches, exposed states, Caffe's rules (trap 29)."""
import json

import numpy as np
import pytest

import netdef
from netdef.errors import GraphError, ShapeError
from netdef.solvers import state as solver_state
from netdef.testing import check_layer, spread

FILLER = 'weight_filler { type: "uniform" min: -0.5 max: 0.5 } bias_filler { type: "uniform" min: -0.5 max: 0.5 }'


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, cont, *rest, static=False, exposed=False):
    """A loop over steps and sequences, in the words of the formula."""
    rest = list(rest)
    s = rest.pop(0) if static else None
    h0, c0 = (rest.pop(0)[0], rest.pop(0)[0]) if exposed else (None, None)
    w_x, b, *others = rest
    w_h, d = others[-1], others[-1].shape[1]
    out = np.zeros((*x.shape[:2], d))
    last = np.zeros((2, 1, x.shape[1], d))
    for n in range(x.shape[1]):
        h, c = (h0[n], c0[n]) if exposed else (np.zeros(d), np.zeros(d))
        for t in range(len(x)):
            a = w_x @ x[t, n].ravel() + b + w_h @ (cont[t, n] * h)
            if static:
                a = a + others[0] @ s[n].ravel()
            i, f, o, g = sigmoid(a[:d]), sigmoid(a[d:2 * d]), sigmoid(a[2 * d:3 * d]), np.tanh(a[3 * d:])
            c = f * cont[t, n] * c + i * g
            h = o * np.tanh(c)
            out[t, n] = h
        last[:, 0, n] = h, c
    return [out, *last] if exposed else out


def rnn(x, cont, *rest, static=False, exposed=False):
    rest = list(rest)
    s = rest.pop(0) if static else None
    h0 = rest.pop(0)[0] if exposed else None
    w_x, b, *others = rest
    w_s = others.pop(0) if static else None
    w_h, w_o, b_o = others
    out = np.zeros((*x.shape[:2], len(w_h)))
    last = np.zeros((1, x.shape[1], len(w_h)))
    for n in range(x.shape[1]):
        h = h0[n] if exposed else np.zeros(len(w_h))
        for t in range(len(x)):
            h = np.tanh(w_x @ x[t, n].ravel() + b + w_h @ (cont[t, n] * h) + (w_s @ s[n].ravel() if static else 0))
            out[t, n] = np.tanh(w_o @ h + b_o)
        last[0, n] = h
    return [out, last] if exposed else out


REFERENCE = {"LSTM": lstm, "RNN": rnn}
STATES = {"LSTM": 2, "RNN": 1}


def cont(t, n):
    """Sequence 0 begins at step 0, sequence 1 goes on from the batch before, the others begin anywhere."""
    values = np.ones((t, n))
    values[0, 0] = 0
    for k in range(2, n):
        values[k % max(t, 1), k] = 0
    return values


def config(type_, d=3, more=""):
    return f'type: "{type_}" recurrent_param {{ num_output: {d} {FILLER} {more} }}'


def run_battery(type_, t, n, static=False, exposed=False, inputs=(2,)):
    generator = np.random.default_rng(1)

    def bottoms(t, n):
        values = [spread((t, n, *inputs), generator, -1, 1), cont(t, n)]
        values += [spread((n, 2, 2), generator, -1, 1)] if static else []
        return values + [spread((1, n, 3), generator, -1, 1) for _ in range(STATES[type_] * exposed)]

    return check_layer(
        config(type_, more="expose_hidden: true" if exposed else ""), bottoms(t, n),
        lambda *arrays: REFERENCE[type_](*arrays, static=static, exposed=exposed),
        tops=1 + STATES[type_] * exposed, batch=[0, 1], other=bottoms(t + 1, n + 2))


@pytest.mark.parametrize("type_", ["LSTM", "RNN"])
@pytest.mark.parametrize("t, n, inputs", [(3, 2, (2,)), (1, 1, (1,)), (4, 3, (2, 1, 2))])
def test_battery(type_, t, n, inputs):
    report = run_battery(type_, t, n, inputs=inputs)
    assert {"values", "gradients", "batches", "other shape"} <= set(report.passed)


@pytest.mark.parametrize("type_", ["LSTM", "RNN"])
def test_battery_with_static_input(type_):
    assert {"values", "gradients"} <= set(run_battery(type_, 3, 2, static=True).passed)


@pytest.mark.parametrize("type_", ["LSTM", "RNN"])
@pytest.mark.parametrize("static", [False, True])
def test_battery_with_exposed_states(type_, static):
    """The gradient goes through the exposed states both ways, which Caffe leaves out."""
    assert {"values", "gradients"} <= set(run_battery(type_, 3, 2, static=static, exposed=True).passed)


def net(type_, t, n, more="", seed=3):
    text = f'''
layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: {t} dim: {n} dim: 2 }} }} }}
layer {{ name: "cont" type: "Input" top: "cont" input_param {{ shape {{ dim: {t} dim: {n} }} }} }}
layer {{ name: "r" bottom: "x" bottom: "cont" top: "y" {config(type_, more=more)} }}'''
    return netdef.Net(parse(text), seed=seed, dtype="float64")


def parse(text):
    from netdef.config.load import parse_text_message

    return parse_text_message(text, "recurrent.prototxt", "NetParameter")


def params_of(a):
    return [p.data for p in a.params["r"]]


@pytest.mark.parametrize("type_", ["LSTM", "RNN"])
def test_trap_29_one_pass_of_three_steps_is_three_passes_of_one(type_):
    """State goes on from batch to batch; cont = 0 at a step kills it before that step."""
    x = spread((3, 2, 2), np.random.default_rng(0), -1, 1)
    k = np.array([[0, 0], [1, 1], [1, 0.0]])
    whole = net(type_, 3, 2).forward(x=x, cont=k)["y"].copy()
    single = net(type_, 1, 2)
    steps = [single.forward(x=x[t: t + 1], cont=k[t: t + 1])["y"].copy() for t in range(3)]
    np.testing.assert_allclose(np.concatenate(steps), whole, rtol=1e-12)
    alone = net(type_, 1, 2).forward(x=x[2:], cont=k[2:])["y"]
    np.testing.assert_allclose(alone[0, 1], whole[2, 1], rtol=1e-12)  # its cont is 0: nothing came before it
    assert np.abs(alone[0, 0] - whole[2, 0]).max() > 1e-3


def test_trap_29_the_output_of_rnn_has_a_tanh():
    a = net("RNN", 1, 1)
    for p, value in zip(params_of(a), (0, 0.5, 0, 3, 0.25), strict=True):
        p[...] = value
    out = a.forward(x=np.ones((1, 1, 2)), cont=np.zeros((1, 1)))["y"]
    np.testing.assert_allclose(out, np.tanh(3 * 3 * np.tanh(0.5) + 0.25))


def test_trap_29_the_gates_stand_in_the_order_i_f_o_g():
    """With zero weights the bias decides alone: each gate is opened or shut by its own three rows."""
    def h_and_c(i, f, o, g):
        a = net("LSTM", 2, 1)
        w_x, b, w_h = params_of(a)
        w_x[...], w_h[...], b[...] = 0, 0, np.repeat([i, f, o, g], 3)
        h = a.forward(x=np.zeros((2, 1, 2)), cont=np.ones((2, 1)))["y"][:, 0, 0].copy()
        return h, a.steps[-1].layer.hidden[1][0, 0]

    shut, open_, one = -100, 100, 100
    assert h_and_c(open_, open_, open_, one)[1] == 2  # keeps and adds: 1 + 1
    assert h_and_c(open_, shut, open_, one)[1] == 1  # forgets
    assert h_and_c(shut, open_, open_, one)[1] == pytest.approx(0, abs=1e-40)  # takes nothing in
    h, c = h_and_c(open_, open_, shut, one)
    assert c == 2 and np.abs(h).max() < 1e-40  # shows nothing


def test_trap_29_expose_hidden_changes_bottoms_and_tops():
    with pytest.raises(GraphError, match=r"expected 4 or 5 bottoms where expose_hidden is true, got 2"):
        net("LSTM", 2, 1, "expose_hidden: true")
    with pytest.raises(GraphError, match=r"expected 3 or 4 bottoms where expose_hidden is true, got 2"):
        net("RNN", 2, 1, "expose_hidden: true")
    text = net_text = '''
layer { name: "x" type: "Input" top: "x" top: "cont" top: "h0" top: "c0" input_param { shape { dim: 2 dim: 1 dim: 2 }
    shape { dim: 2 dim: 1 } shape { dim: 1 dim: 1 dim: 3 } shape { dim: 1 dim: 1 dim: 3 } } }
layer { name: "r" type: "LSTM" bottom: "x" bottom: "cont" bottom: "h0" bottom: "c0" top: "y"
        recurrent_param { num_output: 3 expose_hidden: true } }'''
    with pytest.raises(GraphError, match="expected 3 tops where expose_hidden is true, got 1"):
        netdef.Net(parse(text))
    made = netdef.Net(parse(net_text.replace('top: "y"', 'top: "y" top: "h" top: "c"')))
    assert [made.blobs[b].shape for b in "yhc"] == [(2, 1, 3), (1, 1, 3), (1, 1, 3)]
    assert made.state()["layers"] == {}


def test_trap_29_the_static_input_is_the_third_bottom():
    text = f'''
layer {{ name: "x" type: "Input" top: "x" top: "cont" top: "s" input_param {{ shape {{ dim: 2 dim: 3 dim: 2 }}
    shape {{ dim: 2 dim: 3 }} shape {{ dim: 3 dim: 4 }} }} }}
layer {{ name: "r" bottom: "x" bottom: "cont" bottom: "s" top: "y" {config("LSTM", 5)} }}'''
    shapes = {p.name: p.shape for p in netdef.Net(parse(text)).params["r"]}
    assert list(shapes.items()) == [("W_xc", (20, 2)), ("b_c", (20,)), ("W_xc_static", (20, 4)), ("W_hc", (20, 5))]


def test_trap_26_the_state_is_in_snapshots():
    """What Net.state() says survives JSON, and puts a new net where the old one was."""
    x, k = np.ones((2, 2, 2)), np.ones((2, 2))
    a = net("LSTM", 2, 2)
    a.forward(x=x, cont=k)
    saved = solver_state.decode(solver_state.encode(solver_state.ExtraState(1, train=a.state()))).train
    b = net("LSTM", 2, 2)
    b.set_state(saved)
    assert b.forward(x=x, cont=k)["y"].tolist() == a.forward(x=x, cont=k)["y"].tolist()
    json.dumps(net("LSTM", 2, 2).state())


def test_another_number_of_sequences_begins_at_zero():
    a = net("LSTM", 2, 2)
    x, k = np.ones((2, 2, 2)), np.ones((2, 2))
    first = a.forward(x=x, cont=k)["y"].copy()
    a.forward(x=np.ones((2, 3, 2)), cont=np.ones((2, 3)))
    assert a.forward(x=x, cont=k)["y"].tolist() == first.tolist()


@pytest.mark.filterwarnings("error")
def test_a_state_that_is_not_finite_ends_where_cont_is_0():
    a = net("LSTM", 1, 2)
    a.steps[-1].layer.hidden = [np.full((2, 3), np.inf), np.full((2, 3), np.nan)]
    y = a.forward(x=np.ones((1, 2, 2)), cont=np.zeros((1, 2)))["y"]
    assert np.isfinite(y).all() and (y[0, 0] == y[0, 1]).all()


@pytest.mark.parametrize("shapes, message", [
    ([(3, 2), (3, 2)], r"expected \(steps, sequences, values...\), got \(3, 2\)"),
    ([(3, 2, 4), (3, 1)], r"expected one number for each step and sequence, \(3, 2\), got \(3, 1\)"),
    ([(3, 2, 4), (3, 2), (3, 4)], r"expected a static input \(2, values...\), got \(3, 4\)"),
    ([(3, 2, 0), (3, 2)], "expected at least one value at each step"),
])
def test_bad_shapes(shapes, message):
    with pytest.raises(ShapeError, match=message):
        check_layer(config("LSTM"), shapes)
    exposed = [(3, 2, 4), (3, 2), (1, 2, 4), (1, 2, 3)]
    with pytest.raises(ShapeError, match=r"expected a hidden state of shape \(1, 2, 3\), got \(1, 2, 4\)"):
        check_layer(config("LSTM", more="expose_hidden: true"), exposed, tops=3)


def test_trap_23_cont_gets_no_gradient():
    with pytest.raises(GraphError, match="propagate_down: true asks for a gradient by bottom 1 'cont'"):
        netdef.Net(parse(f'''
layer {{ name: "x" type: "Input" top: "x" top: "cont" input_param {{ shape {{ dim: 2 dim: 3 dim: 2 }}
    shape {{ dim: 2 dim: 3 }} }} }}
layer {{ name: "r" bottom: "x" bottom: "cont" top: "y" propagate_down: true propagate_down: true {config("RNN")} }}'''))


def test_a_layer_in_place_behind_it_changes_no_gradient():
    """Backward reads copies of its own, as Caffe's unrolled net does."""
    text = f'''
force_backward: true
layer {{ name: "x" type: "Input" top: "x" top: "cont" input_param {{ shape {{ dim: 2 dim: 3 dim: 2 }}
    shape {{ dim: 2 dim: 3 }} }} }}
layer {{ name: "r" bottom: "x" bottom: "cont" top: "y" {config("RNN")} }}
layer {{ name: "relu" type: "ReLU" bottom: "y" top: "y" }}'''
    diffs = []
    for name in ("y", "z"):
        made = netdef.Net(parse(text.replace('bottom: "y" top: "y"', f'bottom: "y" top: "{name}"')), phase="TRAIN",
                          dtype="float64", seed=1)
        made.forward(x=spread((2, 3, 2), np.random.default_rng(0)), cont=np.ones((2, 3)))
        made.backward(**{name: np.ones((2, 3, 3))})
        diffs.append(made.blobs["x"].diff.copy())
    assert np.abs(diffs[0]).max() > 0 and (diffs[0] == diffs[1]).all()
