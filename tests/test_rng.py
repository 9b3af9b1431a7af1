import numpy as np
import pytest

from netdef.rng import Stream


def stream(offset=0):
    """A stream for one test."""
    return Stream(7, "conv1", 3, offset)


def test_same_questions_same_answers():
    a, b = stream(), stream()
    for draw in (lambda s: s.uniform((2, 3)), lambda s: s.normal(5), lambda s: s.integers(0, 9, 4),
                 lambda s: s.bernoulli(0.5, 6), lambda s: s.permutation(8)):
        first, second, third = draw(a), draw(b), draw(a)
        assert (first == second).all()
        assert (first != third).any(), "a second draw goes on"
        draw(b)


@pytest.mark.parametrize("other", [Stream(8, "conv1", 3), Stream(7, "conv2", 3), Stream(7, "conv1", 4),
                                   Stream(-7, "conv1", 3), Stream(7, "conv1", 3 + 2**32), Stream(7 + 2**80, "conv1", 3)])
def test_every_part_of_the_key_counts(other):
    assert (stream().bits(64) != other.bits(64)).all()


def test_bits_are_fixed_for_good():
    assert Stream(1, "drop6", 7).bits(4).tolist() == [0xC2B82B49, 0x1FA54673, 0xD626348F, 0x9907D08]


def test_at_is_a_place_in_the_stream():
    s = stream()
    s.bits(10)
    assert s.offset == 10
    assert (s.bits(5) == stream().at(10).bits(5)).all()
    assert (s.bits(5) == stream(15).bits(5)).all()


def test_key_stands_at_the_offset():
    assert stream(2**32 + 5).key.tolist()[4:] == [5, 1]
    assert stream(3).key.tolist()[2:] == [3, 0, 3, 0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_uniform(dtype):
    u = stream().uniform((200, 500), dtype)
    assert u.dtype == dtype and u.shape == (200, 500)
    assert 0 <= u.min() < 1e-3 and 0.999 < u.max() < 1
    assert u.mean() == pytest.approx(0.5, abs=0.005)
    assert u.var() == pytest.approx(1 / 12, abs=0.001)
    assert np.histogram(u, 20, (0, 1))[0].min() > 4700


def test_normal():
    z = stream().normal(100_001, "float64")
    assert z.shape == (100_001,) and np.isfinite(z).all()
    assert z.mean() == pytest.approx(0, abs=0.015)
    assert z.std() == pytest.approx(1, abs=0.01)
    assert (np.abs(z) < 1.959964).mean() == pytest.approx(0.95, abs=0.004)
    assert np.corrcoef(z[:-1], z[1:])[0, 1] == pytest.approx(0, abs=0.015)
    np.testing.assert_allclose(stream().normal(9), z[:9], rtol=1e-6)  # float32 rounds the same values


def test_integers():
    drawn = stream().integers(-2, 4, 60_000)
    assert drawn.dtype == np.int64
    counts = np.bincount(drawn + 2)
    assert counts.size == 6 and counts.min() > 9600 and counts.max() < 10400
    assert (stream().integers(5, 6, 10) == 5).all()
    wide = stream().integers(0, 2**32, 1000)
    assert 0 <= wide.min() < 2**24 and 2**32 - 2**24 < wide.max() < 2**32
    assert stream().integers(0, 9).shape == ()


@pytest.mark.parametrize("low, high", [(3, 3), (4, 3), (0, 2**32 + 1)])
def test_integers_rejects_an_empty_or_too_wide_range(low, high):
    with pytest.raises(ValueError, match=r"expected 1 to 2\*\*32 values"):
        stream().integers(low, high)


def test_bernoulli():
    assert stream().bernoulli(0.2, 100_000).mean() == pytest.approx(0.2, abs=0.005)
    assert stream().bernoulli(1, 1000).all() and not stream().bernoulli(0, 1000).any()
    with pytest.raises(ValueError, match="from 0 to 1"):
        stream().bernoulli(1.5, 3)


@pytest.mark.parametrize("n", [0, 1, 2, 1000])
def test_permutation(n):
    p = stream().permutation(n)
    assert sorted(p.tolist()) == list(range(n))
    if n == 1000:
        assert (p == np.arange(n)).sum() < 10


def test_iteration_must_fit():
    with pytest.raises(ValueError, match="iteration"):
        Stream(1, "a", -1)


def test_empty_draws():
    assert stream().uniform((0, 3)).shape == (0, 3)
    assert stream().normal((2, 0)).shape == (2, 0)
    assert stream().uniform(()).shape == ()
