"""The exponentials of compiled kernels, against float64, over all magnitudes."""
import numba
import numpy as np
import pytest

pytestmark = pytest.mark.compiled


def apply(name, x):
    """A helper over an array."""
    from netdef.kernels.compiled import exponential

    function = getattr(exponential, name)

    @numba.njit(error_model="numpy")
    def run(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    out = np.empty_like(x)
    run(x, out)
    return out


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
def test_exp_within_two_units_of_the_last_digit():
    x = np.concatenate((np.linspace(-110, 95, 500_001), [0, -0.0, 88.7228, 88.73, 1e30, -1e30])).astype(np.float32)
    want = np.exp(x.astype(np.float64)).astype(np.float32)
    got = apply("exp32", x)
    assert np.array_equal(np.isinf(got), np.isinf(want))
    finite = np.isfinite(want)
    off = np.abs(got[finite].astype(np.float64) - want[finite]) / np.spacing(np.maximum(want[finite], np.float32(1e-37)))
    assert off.max() <= 2
    assert np.isnan(apply("exp32", np.array([np.nan], np.float32))[0])


def test_expm1_keeps_its_digits_near_zero():
    x = -np.concatenate((np.logspace(-40, 2.1, 100_001), [0, np.inf])).astype(np.float32)
    want = np.expm1(x.astype(np.float64))
    got = apply("expm1_negative", x)
    np.testing.assert_allclose(got, want, rtol=4e-7, atol=1e-44)
    assert np.isnan(apply("expm1_negative", np.array([np.nan], np.float32))[0])
