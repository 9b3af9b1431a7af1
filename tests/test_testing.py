"""The battery catches broken layers, each with the right message; the gradient functions; a whole net's gradients."""
import numpy as np
import pytest

from netdef.layers import registry
from netdef.layers.base import Inferred, Layer, ParamInit
from netdef.layers.constraints import Constraint
from netdef.testing import (
    Kink,
    LayerCheckError,
    check_layer,
    compare_gradients,
    numeric_gradient,
    spread,
)


class Sound(Layer):
    """y = w * x over the last axis; dx = w * dy; dw += sum of x * dy."""

    type = "Sound"
    options_field = "elu_param"
    backward_reads = frozenset({"bottoms"})
    param_names = ("scale",)
    constraints = {"alpha": Constraint(low=0)}

    def infer(self, bottom_shapes):
        shape = bottom_shapes[0]
        return Inferred(tops=[shape], params=[ParamInit("scale", shape[-1:], 1.0)])

    def forward(self, ctx, bottoms, params, tops):
        np.multiply(bottoms[0].data, params[0].data, out=tops[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        x, dy = bottoms[0].data, tops[0].diff
        if need.params[0]:
            params[0].diff[...] += (x * dy).reshape(-1, x.shape[-1]).sum(0)
        if need.bottoms[0]:
            bottoms[0].diff[...] = params[0].data * dy


def then(method, extra):
    """A broken layer: the sound one's method, and something after it."""
    def both(self, *args):
        result = getattr(Sound, method)(self, *args)
        extra(self, *args)
        return result
    return type("Broken", (Sound,), {method: both})


def broken(**attributes):
    return type("Broken", (Sound,), attributes)


def scale_bottom_diff(factor):
    def extra(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            bottoms[0].diff[...] *= factor
    return then("backward", extra)


def overwrite_param_diff(self, ctx, tops, params, bottoms, need):
    if need.params[0]:
        x = bottoms[0].data
        params[0].diff[...] = (x * tops[0].diff).reshape(-1, x.shape[-1]).sum(0)


def write_bottom_data(self, ctx, bottoms, params, tops):
    bottoms[0].data[0] = 0


def write_bottom_diff_in_forward(self, ctx, bottoms, params, tops):
    bottoms[0].diff[...] = 0


def write_param_data(self, ctx, bottoms, params, tops):
    params[0].data[...] *= 0.9


def write_top_data_in_backward(self, ctx, tops, params, bottoms, need):
    tops[0].data[...] = 0


def ignore_need_of_bottoms(self, ctx, tops, params, bottoms, need):
    bottoms[0].diff[...] = params[0].data * tops[0].diff


def ignore_need_of_params(self, ctx, tops, params, bottoms, need):
    if not need.params[0]:
        params[0].diff[...] += 1


def forget_bottom_diff(self, ctx, tops, params, bottoms, need):
    if need.params[0]:
        x = bottoms[0].data
        params[0].diff[...] += (x * tops[0].diff).reshape(-1, x.shape[-1]).sum(0)


def add_to_bottom_diff(self, ctx, tops, params, bottoms, need):
    if need.bottoms[0]:
        bottoms[0].diff[...] += params[0].data * tops[0].diff


def draw_outside_the_stream(self, ctx, bottoms, params, tops):
    tops[0].data[...] += np.random.default_rng().normal(size=tops[0].shape)


def draw_from_the_stream(self, ctx, bottoms, params, tops):
    tops[0].data[...] += ctx.rng.uniform(tops[0].shape, ctx.dtype)


def be_rough(self, ctx, bottoms, params, tops):
    if ctx.dtype == np.float32:
        tops[0].data[...] = tops[0].data.astype(np.float16)


def need_a_batch(self, ctx, bottoms, params, tops):
    bottoms[0].data.max()


def remember_the_first_size(self, ctx, bottoms, params, tops):
    self.first = getattr(self, "first", bottoms[0].data.shape[0])
    tops[0].data[self.first:] = 0


def infer_wider(self, bottom_shapes):
    shape = bottom_shapes[0]
    return Inferred(tops=[(*shape[:-1], shape[-1] + 1)], params=[ParamInit("scale", shape[-1:], 1.0)])


def infer_two(self, bottom_shapes):
    shape = bottom_shapes[0]
    return Inferred(tops=[(1, *shape)], params=[ParamInit("scale", shape[-1:], 1.0)])


def infer_impurely(self, bottom_shapes):
    self.calls = getattr(self, "calls", 0) + 1
    shape = bottom_shapes[0]
    return Inferred(tops=[shape], params=[ParamInit("scale", shape[-1:], 1.0)], macs=self.calls)


def reshape_top(self, ctx, bottoms, params, tops):
    tops[0].reshape(1, *bottoms[0].shape)


def skip_constraints(self, spec):
    self.spec, self.options = spec, spec.options


BROKEN = {
    "wrong sign": (scale_bottom_diff(-1), "gradients", "by bottom 0: 12 of 12 elements are wrong.*the sign is wrong"),
    "off by 2": (scale_bottom_diff(2), "gradients", "twice too large"),
    "half": (scale_bottom_diff(0.5), "gradients", "half of what it should be"),
    "missing gradient": (scale_bottom_diff(0), "gradients", "it is missing"),
    "slightly off": (scale_bottom_diff(1.001), "gradients", "elements are wrong"),
    "forgotten add": (then("backward", overwrite_param_diff), "need",
                      "overwrites the diff of param 0 instead of adding to it"),
    "bottom diff forgotten": (broken(backward=forget_bottom_diff), "gradients", "analytic nan"),
    "bottom written": (then("forward", write_bottom_data), "untouched",
                       "forward writes the data of bottom 0: .*first at"),
    "bottom diff as scratch": (then("forward", write_bottom_diff_in_forward), "untouched",
                               "forward writes the diff of bottom 0"),
    "param written": (then("forward", write_param_data), "untouched", "forward writes the data of param 0"),
    "top written in backward": (then("backward", write_top_data_in_backward), "untouched",
                                "backward writes the data of top 0"),
    "need of bottoms ignored": (then("backward", ignore_need_of_bottoms), "need",
                                "writes the diff of bottom 0, which is not needed"),
    "need of params ignored": (then("backward", ignore_need_of_params), "need",
                               "writes the diff of param 0, which is not needed"),
    "bottom diff added": (broken(backward=add_to_bottom_diff), "gradients", "analytic nan"),
    "backward_reads too little": (broken(backward_reads=frozenset({"tops"})), "backward_reads",
                                  r"with data that backward_reads \['tops'\] leaves out spoiled, the diff of param 0"),
    "wrongly in place": (broken(in_place="yes"), "in place", "the diff of param 0 differs from out of place"),
    "no identity": (broken(identity=True), "claims", "the top of an identity layer differs from the bottom"),
    "signs change": (broken(keeps_sign=True), "claims", "a value changes its sign where a gradient passes"),
    "random without the stream": (then("forward", draw_outside_the_stream), "repeatable",
                                  "top 0 differs from the first run of the same net"),
    "random without saying so": (then("forward", draw_from_the_stream), "repeatable", "differs from the pass before"),
    "rough in float32": (then("forward", be_rough), "float32", "top 0 .* differs from float64"),
    "no empty batch": (then("forward", need_a_batch), "forward", r"failed for bottoms \[\(0, 4\)\].*ValueError"),
    "sized once": (then("forward", remember_the_first_size), "other shape",
                   r"top 0 differs from a new net of shapes \[\(4, 4\)\]"),
    "inferred too wide": (broken(infer=infer_wider), "forward",
                          r"failed for bottoms \[\(3, 4\)\] and tops \[\(3, 5\)\]: Value"),
    "inferred axis too many": (broken(infer=infer_two), "values",
                               r"top 0 has shape \(1, 3, 4\), but the reference has \(3, 4\)"),
    "params not named": (broken(param_names=()), "shapes", r"param_names is \(\), but by infer it is \('scale',\)"),
    "inferred impurely": (broken(infer=infer_impurely), "shapes", "infer is not pure"),
    "top reshaped": (then("forward", reshape_top), "shapes",
                     r"top 0 is inferred as \(3, 4\), but forward made it \(1, 3, 4\)"),
    "constraint not checked": (broken(__init__=skip_constraints), "constraints", "alpha with -1 is accepted; expected "
                               "the message 'alpha: expected a number of at least 0, got -1'"),
}
RANDOM = ("random without the stream", "random without saying so")  # the reference would catch these first


@pytest.fixture
def check(monkeypatch):
    """check_layer on a class that is registered for this test only."""
    def run(cls, **kwargs):
        cls.type = "Broken" if cls is not Sound else "Sound"
        monkeypatch.setitem(registry._types, cls.type, cls)
        return check_layer(f'type: "{cls.type}"', [(3, 4)], **{"reference": lambda x, w: w * x, **kwargs})
    return run


def test_a_sound_layer_passes(check):
    report = check(Sound)
    assert {"gradients", "values", "need", "constraints", "batches", "other shape"} <= set(report.passed)
    assert report.skipped.keys() == {"in place", "claims"}
    assert "12 checked, 0 skipped" in str(report)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_layer_is_caught(name, check):
    cls, rule, message = BROKEN[name]
    extra = {"reference": None, "skip": ["gradients", "need", "backward_reads"]} if name in RANDOM else {}
    with pytest.raises(LayerCheckError, match=f"(?s)Broken: {rule}: .*{message}") as caught:
        check(cls, **extra)
    assert caught.value.check == rule


def test_wrong_values_name_place_and_numbers(check):
    message = r"values: top 0 differs from the reference in 1 of 12 values, first at \(1, 2\): "
    with pytest.raises(LayerCheckError, match=message):
        check(Sound, reference=lambda x, w: w * x + np.eye(12)[6].reshape(3, 4))


def test_random_must_differ_from_pass_to_pass(check):
    with pytest.raises(LayerCheckError, match="random=True, but the next pass gives the same values"):
        check(Sound, random=True)


def test_a_kink_at_every_element_is_no_check(check):
    with pytest.raises(LayerCheckError, match="all elements lie near the kink; move the test point"):
        check(Sound, kink=Kink(0, 10))


def test_unknown_check_to_skip(check):
    with pytest.raises(ValueError, match="no check is called gradient"):
        check(Sound, skip=["gradient"])


def test_given_params_must_fit(check):
    with pytest.raises(LayerCheckError, match=r"expected params of shapes \[\(4,\)\], got \[\(3,\)\]"):
        check(Sound, params=[np.ones(3)])


# gradients as pure functions ---------------------------------------------------------------------------------------


def test_numeric_gradient_of_a_cubic():
    x = np.array([[1.0, -2.0], [0.5, 3.0]])
    before = x.copy()
    np.testing.assert_allclose(numeric_gradient(lambda: (x**3).sum(), x), 3 * x**2, rtol=1e-6)
    assert np.array_equal(x, before)


def test_numeric_gradient_of_several_objectives_at_some_places():
    x = np.array([1.0, 2.0, 3.0])
    got = numeric_gradient(lambda: np.array([x.sum(), (x**2).sum()]), x, at=[0, 2])
    np.testing.assert_allclose(got[:, [0, 2]], [[1, 1], [2, 6]])
    assert np.isnan(got[:, 1]).all()


def test_the_kink_margin_is_on_both_sides():
    x = np.array([-1.005, -0.5, 0.0, 0.995, 1.02])
    got = numeric_gradient(lambda: np.maximum(np.abs(x), 1).sum(), x, kink=Kink(1, 0.01))
    assert np.isnan(got).tolist() == [True, False, False, True, False]


def test_the_step_that_was_made_is_the_one_divided_by():
    x = np.array([1.0], np.float32)
    assert numeric_gradient(lambda: float(x[0]) * 3, x, step=1e-4) == pytest.approx(3, abs=1e-12)


def test_acceptance_rule():
    analytic = np.array([0.0, 1.0, 100.0, 5.0])
    assert compare_gradients("x", analytic, analytic + [9e-4, 0, 0.09, np.nan], 1e-3).ok
    report = compare_gradients("x", analytic, analytic + [2e-3, 0, 0, 7.0], 1e-3)
    assert (report.checked, report.skipped, len(report.mismatches)) == (4, 0, 2)
    assert report.mismatches[0].index == (3,) and report.worst == pytest.approx(7 / 12)
    assert str(report).startswith("gradient of x: 2 of 4 elements are wrong\n    at (3,): analytic 5, numeric 12")


def test_an_analytic_gradient_that_is_not_finite_is_wrong():
    assert not compare_gradients("x", np.array([np.nan, np.inf]), np.zeros(2)).ok


def test_spread_has_distinct_values_that_float32_holds():
    values = spread((5, 7), np.random.default_rng(0))
    assert len(np.unique(values)) == 35 and np.abs(values).min() > 0.01
    assert np.array_equal(values.astype(np.float32), values)
