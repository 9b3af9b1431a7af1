"""Property: on random graphs the plan's gradient equals the numeric one."""
from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import netdef

UNARY = ("TanH", "Sigmoid", "InnerProduct")


@st.composite
def dags(draw):
    """A net of 2 to 8 layers over blobs of shape (2, 3): unary ones (some in place), sums and products, with shared
    params, frozen layers, stops and one to three losses."""
    lines = ['force_backward: true', 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }',
             'layer { name: "t" type: "Input" top: "t" input_param { shape { dim: 2 dim: 3 } } }']
    blobs, used = ["x"], {"x": 0}
    for i in range(draw(st.integers(2, 8))):
        name = f"l{i}"
        if draw(st.booleans()) or len(blobs) < 2:
            kind, bottom = draw(st.sampled_from(UNARY)), draw(st.sampled_from(blobs))
            in_place = kind != "InnerProduct" and bottom != "x" and used[bottom] == 0 and draw(st.booleans()) \
                and made_by.get(bottom) == "InnerProduct"
            top = bottom if in_place else name
            option = ('inner_product_param { num_output: 3 weight_filler { type: "xavier" } } '
                      + ('param { name: "w" } ' if draw(st.booleans()) else "")) if kind == "InnerProduct" else ""
            lines.append(f'layer {{ name: "{name}" type: "{kind}" bottom: "{bottom}" top: "{top}" {option}}}')
            if not in_place:
                used[bottom] += 1
        else:
            kind, top = "Eltwise", name
            bottoms = draw(st.lists(st.sampled_from(blobs), min_size=2, max_size=3))
            operation = draw(st.sampled_from(["SUM", "PROD"]))
            lines.append(f'layer {{ name: "{name}" type: "Eltwise" ' + "".join(f'bottom: "{b}" ' for b in bottoms)
                         + f'top: "{top}" eltwise_param {{ operation: {operation} }} }}')
            for b in bottoms:
                used[b] += 1
        made_by[top] = kind if top == name else "in place"
        if top == name:
            blobs.append(top)
            used[top] = 0
    for k, b in enumerate(draw(st.lists(st.sampled_from(blobs[1:]), min_size=1, max_size=3))):
        weight = draw(st.sampled_from([0.5, 1, 2]))
        lines.append(f'layer {{ name: "loss{k}" type: "EuclideanLoss" bottom: "{b}" bottom: "t" top: "loss{k}" '
                     f"loss_weight: {weight} }}")
    return "\n".join(lines)


made_by: dict[str, str] = {}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(dags(), st.integers(0, 2**31))
def test_gradients_equal_central_differences(tmp_path, text, seed):
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    net = netdef.Net(str(path), phase="TRAIN", dtype="float64", seed=seed)
    rng = np.random.default_rng(seed)
    x, t = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    net.forward(x=x, t=t)
    net.clear_param_diffs()
    net.backward()
    checks = [(net.blobs["x"], net.blobs["x"].diff.copy())]
    checks += [(net.param_blobs[p], net.param_blobs[p].diff.copy()) for p in net.learnable()]
    for blob, gradient in checks:
        flat, at = blob.data.reshape(-1), int(rng.integers(blob.count))
        old, step = flat[at], 1e-6
        losses = []
        for moved in (old + step, old - step):
            flat[at] = moved
            net.forward()
            losses.append(net.loss)
        flat[at] = old
        numeric = (losses[0] - losses[1]) / (2 * step)
        analytic = gradient.reshape(-1)[at]
        assert abs(numeric - analytic) <= 1e-6 * max(1, abs(numeric), abs(net.loss)), (blob.name, numeric, analytic, text)
