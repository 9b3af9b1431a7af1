import numpy as np

from netdef import kernels as K

NAN = np.nan


def test_largest_of_three_and_who_it_was():
    a, b, c = np.array([3.0, 1, 1, NAN, 1, 2]), np.array([1.0, 3, 1, 1, NAN, 1]), np.array([2.0, 2, 1, 0, 5, NAN])
    out, winner = np.empty(6), np.empty(6, np.int32)
    K.larger(a, b, out, winner)
    assert winner.tolist() == [0, 1, 1, 1, 1, 0]  # b wins a tie, and where either is NaN
    K.larger_yet(c, 2, out, winner)
    assert winner.tolist() == [0, 1, 1, 1, 1, 0] and out[:4].tolist() == [3, 3, 1, 1] and np.isnan(out[4])
    K.larger_yet(np.full(6, 9.0), 2, out, winner)
    assert winner.tolist() == [2, 2, 2, 2, 1, 2]


def test_gradient_goes_to_the_winner_alone():
    dx = np.empty(3)
    K.larger_backward(np.array([1.0, np.inf, 3.0]), np.array([0, 1, 2], np.int32), 2, dx)
    assert dx.tolist() == [0, 0, 3]
