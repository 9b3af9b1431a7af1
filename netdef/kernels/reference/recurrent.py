"""One step of recurrent layers. D is the size of the hidden state, N the number of sequences side by side."""
from __future__ import annotations

import numpy as np

Array = np.ndarray


def carry(state: Array, cont: Array, out: Array) -> None:
    """out = cont * state, and 0 where cont is 0 even if the state is not finite.

    state and out are (N, D), cont is (N,); out may be state.
    """
    with np.errstate(invalid="ignore"):  # inf * 0, put right below
        np.multiply(state, cont[:, None], out=out)
    ended = cont == 0
    if ended.any():
        out[ended] = 0


def lstm_unit_forward(gates: Array, carried: Array, c: Array, tanh_c: Array, h: Array) -> None:
    """c = f * carried + i * g and h = o * tanh(c), from the sums that reach the gates.

    gates (N, 4 D) holds i, f, o, g in this order and is turned into their activations in place: the logistic function
    for i, f and o, tanh for g. The others are (N, D). c may be ``carried``.
    """
    i, f, o, g = _parts(gates)
    sigmoids = gates[:, : 3 * g.shape[1]]
    np.multiply(sigmoids, 0.5, out=sigmoids)  # tanh(x / 2) / 2 + 1/2 cannot overflow
    np.tanh(gates, out=gates)
    np.multiply(sigmoids, 0.5, out=sigmoids)
    np.add(sigmoids, 0.5, out=sigmoids)
    np.multiply(f, carried, out=c)
    np.multiply(i, g, out=h)
    np.add(c, h, out=c)
    np.tanh(c, out=tanh_c)
    np.multiply(o, tanh_c, out=h)


def lstm_unit_backward(gates: Array, carried: Array, tanh_c: Array, dh: Array, dc: Array, dgates: Array,
                       dcarried: Array) -> None:
    """Gradients by the sums that reach the gates, (N, 4 D), and by ``carried``, (N, D).

    ``gates`` are the activations, dh and dc the gradients by both results, (N, D). dcarried may be dc.
    """
    i, f, o, g = _parts(gates)
    di, df, do, dg = _parts(dgates)
    total = dh * o * (1 - tanh_c * tanh_c) + dc
    np.multiply(total * g, i * (1 - i), out=di)
    np.multiply(total * carried, f * (1 - f), out=df)
    np.multiply(dh * tanh_c, o * (1 - o), out=do)
    np.multiply(total * i, 1 - g * g, out=dg)
    np.multiply(total, f, out=dcarried)


def _parts(gates: Array) -> tuple[Array, Array, Array, Array]:
    """Views of i, f, o, g; the axis is cut into four."""
    d = gates.shape[1] // 4
    return gates[:, :d], gates[:, d: 2 * d], gates[:, 2 * d: 3 * d], gates[:, 3 * d:]
