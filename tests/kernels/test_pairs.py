"""Every compiled kernel (this test compiles them all) against its NumPy twin, and against itself by other numbers of threads."""
import numpy as np
import pytest

from netdef import kernels as K
from netdef.kernels import table

pytestmark = pytest.mark.compiled

SIZES = [0, 1, 2, 15, 1000, 70_001]
CANARY = 64
KEYS = [np.array([1, 2, 3, 4, start, 0], np.uint32) for start in (0, 3)]
RNG = np.random.default_rng(5)


def real(*shape):
    """Random values, C-contiguous float32."""
    return RNG.standard_normal(shape).astype(np.float32)


def empty(*shape, dtype=np.float32):
    """An output: whatever is not written shows."""
    return np.full(shape, np.nan if dtype == np.float32 else 77, dtype)


def vectors(*before):
    """(x, *before, out) of all sizes, apart and in place."""
    for n in SIZES:
        x = real(n)
        yield x, *before, empty(n)
        yield x, *before, x
    special = np.array([np.nan, -np.inf, np.inf, -0.0, 0.0, 1e-40], np.float32)
    yield special, *before, empty(6)


def pairs(*between):
    """(a, b, *between, out), apart and with b in place."""
    for n in SIZES:
        a, b = real(n), real(n)
        yield a, b, *between, empty(n)
        yield a, b, *between, b


IMAGES = [((3, 5, 7), (3, 9, 13)), ((2, 6, 4), (2, 1, 2)), ((1, 1, 1), (1, 4, 3)), ((0, 3, 3), (0, 5, 5)),
          ((21, 45, 45), (21, 90, 91))]


def products():
    """Arguments of gemm, in all its forms, large enough for the compiled ones."""
    for m, n, k in ((3, 900, 801), (50, 300, 150), (129, 131, 130)):
        for trans_a, trans_b in ((False, False), (False, True), (True, False)):
            a, b = real(*((k, m) if trans_a else (m, k))), real(*((n, k) if trans_b else (k, n)))
            for add in (False, True):
                yield a, b, real(m, n) if add else empty(m, n), trans_a, trans_b, add


POOLS = [  # planes, image, out, kernel, stride, pad
    ((2, 3), (7, 6), (4, 7), (3, 2), (2, 1), (1, 1)),
    ((1, 5), (6, 6), (3, 3), (2, 2), (2, 2), (0, 0)),
    ((2, 2), (5, 4), (1, 1), (5, 4), (1, 1), (0, 0)),
    ((3, 1), (3, 3), (2, 2), (1, 1), (3, 3), (0, 0)),  # a window wholly outside
    ((1, 1), (1, 1), (1, 1), (1, 1), (1, 1), (0, 0)),
    ((0, 2), (4, 4), (2, 2), (2, 2), (2, 2), (0, 0)),
    ((8, 16), (24, 23), (12, 12), (3, 3), (2, 2), (0, 0)),
    *(((3, 5), (9, 40), out, (3, 3), (step, step), (pad, pad)) for step, pad, out in (
        (1, 1, (9, 40)), (1, 2, (11, 42)), (2, 1, (5, 21)), (2, 0, (4, 20)), (2, 2, (6, 21))))]


def max_pools():
    """Arguments of max_pool_forward, with ties, NaN and infinities among the values."""
    for planes, image, out, *how in POOLS:
        x = np.round(real(*planes, *image) * 2)
        yield x, *how, empty(*planes, *out), empty(*planes, *out, dtype=np.int32)
    x = np.full((1, 4, 4, 4), np.nan, np.float32)
    x[0, 1:3] = -np.inf
    x[0, 2:, 1] = real(2, 4)
    yield x, (2, 2), (2, 2), (0, 0), empty(1, 4, 2, 2), empty(1, 4, 2, 2, dtype=np.int32)


def max_pools_back():
    """Arguments of max_pool_backward, with places that pass nothing."""
    for planes, image, out, *_ in POOLS:
        mask = RNG.integers(-1, image[0] * image[1], (*planes, *out)).astype(np.int32)
        yield real(*planes, *out), mask, empty(*planes, *image)


CONVOLUTIONS = [  # x, filters, kernel, stride, pad, dilation, group
    ((2, 3, 6, 4), 4, (3, 3), (2, 2), (0, 0), (1, 1), 1),
    ((3, 4, 9, 7), 6, (3, 2), (2, 1), (1, 2), (1, 2), 2),
    ((5, 6, 9, 11), 7, (3, 2), (1, 1), (2, 1), (2, 1), 1),  # by shifted rows, as the next four
    ((4, 1, 8, 8), 1, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((4, 1, 12, 13), 5, (5, 5), (1, 1), (0, 0), (1, 1), 1),
    ((19, 9, 8, 9), 10, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((64, 4, 12, 12), 12, (5, 5), (1, 1), (2, 2), (1, 1), 1),
    ((2, 3, 17, 16), 5, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((6, 8, 5, 5), 8, (3, 3), (1, 1), (1, 1), (1, 1), 8),
    ((2, 3, 11), 4, (4,), (3,), (2,), (1,), 1),
    ((0, 3, 6, 4), 4, (3, 3), (1, 1), (0, 0), (1, 1), 1),
    ((4, 3, 2, 2), 4, (3, 3), (1, 1), (0, 0), (1, 1), 1),  # no outputs
]


def convolutions():
    """x, w, how, scratch and the shape of out for each case."""
    for x_shape, filters, kernel, stride, pad, dilation, group in CONVOLUTIONS:
        w_shape = (filters, x_shape[1] // group, *kernel)
        how = (stride, pad, dilation, group)
        axes = zip(x_shape[2:], kernel, stride, pad, dilation, strict=True)
        out = (x_shape[0], filters, *((i + 2 * p - d * (k - 1) - 1) // s + 1 for i, k, s, p, d in axes))
        yield real(*x_shape), real(*w_shape), how, empty(*K.conv_scratch_shape(x_shape, w_shape, *how)), out


def columns():
    """x, how and an empty col for each case."""
    for x, w, how, _, out in convolutions():
        kernel = w.shape[2:]
        yield x, (kernel, *how[:3]), empty(x.shape[1], *kernel, x.shape[0], *out[2:])


def matrices():
    """dy of bias_grad."""
    for shape in [(0, 3, 2), (1, 1, 1), (5, 3, 7), (4, 600, 1), (64, 10, 50)]:
        yield real(*shape)


def responses(*sizes):
    """x, scale, dy, a window size and beta for local response normalisation."""
    for shape in sizes:
        for size, beta in ((1, 0.75), (3, 0.75), (5, 0.6)):
            yield real(*shape), np.abs(real(*shape)) + 1, real(*shape), size, beta


ACROSS = [(0, 3, 4), (1, 1, 1), (2, 7, 5), (3, 16, 300)]
WITHIN = [(0, 3, 4, 4), (1, 1, 1, 1), (2, 3, 5, 7), (2, 8, 20, 19)]


def regions():
    """x, rois, out and mask of ROI pooling: regions of one cell, beyond the map and backwards among them."""
    for count in (0, 1, 40):
        x = real(3, 5, 9, 11)
        rois = np.concatenate((RNG.integers(0, 3, (count, 1)), RNG.integers(-20, 200, (count, 4))), 1).astype(np.float32)
        yield x, rois, empty(count, 5, 3, 4), empty(count, 5, 3, 4, dtype=np.int32)


def boxes(count):
    """Rows of four corners, with boxes turned round, a NaN and an infinity among them."""
    made = RNG.random((count, 4), np.float32)
    made[:, 2:] += made[:, :2] * (RNG.random((count, 1)) > 0.1)
    made[3:4, 1], made[5:6, 2] = np.nan, np.inf
    return made


def suppressions():
    """Arguments of nms: no group, groups without candidates, a threshold that falls and one that does not."""
    for count, starts in ((0, [0]), (9, [0, 0, 9]), (4000, [0, 1, 1300, 1300, 4000])):
        order = RNG.permutation(max(count, 1))[:count].astype(np.int32)
        for threshold, eta in ((0.45, 1.0), (0.9, 0.99)):
            yield boxes(count), order, np.array(starts, np.int32), threshold, eta, empty(count, dtype=np.uint8)


HOW = [(False, 2), (True, 0)]  # aligned and sampling ratio of ROI alignment
CHANNELS = [(0, 3, 4), (1, 1, 1), (2, 3, 5), (3, 7, 300), (1, 2, 70_001)]  # outer, channels, places


def channels():
    """x, one value a channel, and an output; apart and in place."""
    for shape in CHANNELS:
        x = real(*shape)
        yield x, real(shape[1]), empty(*shape)
        yield x, real(shape[1]), x


def standardizations():
    """Arguments of standardize: both kinds of eps, in place and apart, with and without a second output."""
    for x, one, out in channels():
        mean, var = (np.empty(len(one)) for _ in range(2))
        yield x + 3, 0.1, out is x, empty(*x.shape), mean, var, one, empty(*x.shape)
        yield x, 0.1, False, empty(*x.shape), mean, var, one, empty(*x.shape), out


def norms(stored=False):
    """Arguments of norm_forward (or norm_stored) with every choice of what follows, in place and apart."""
    for x, one, out in channels():
        for scale, bias, slope in RESTS:
            rest = (np.abs(one) + 0.5 if scale else None, real(len(one)) if bias else None, slope)
            if stored:
                yield x, one.astype(np.float64), np.abs(one) + 1, *rest, out
            else:
                yield x, 0.1, *rest, empty(*x.shape), np.empty(len(one)), np.empty(len(one)), one, empty(*x.shape), out


RESTS = [(False, False, 0.0), (True, False, None), (True, True, 0.0), (True, True, 0.1), (True, True, -0.5), (True, False, 0.0)]


def norm_gradients():
    """Arguments of norm_backward, for the same choices."""
    for dy, one, out in channels():
        for scale, bias, slope in RESTS:
            kept, y, rest = real(*dy.shape), empty(*dy.shape), (one if scale else None, real(len(one)) if bias else None)
            table.TABLE["norm_stored"].reference(kept, np.zeros(len(one)), np.ones_like(one), *rest, slope, y)
            yield (dy, y, kept, np.abs(one) + 1, *rest, slope, empty(*dy.shape),
                   *(r if r is None else r + 1 for r in rest), out)


def scores():
    """x or (y, dy) of softmax: classes side by side and apart, in place, and values that are not finite."""
    for shape in [(0, 3, 1), (1, 1, 1), (3, 10, 1), (70, 1003, 1), (2, 5, 7), (3, 21, 700)]:
        yield real(*shape) * 30
    x = real(6, 20, 1)
    x[0, 3], x[1, 0], x[2, 7], x[3], x[4, 1:] = np.nan, np.inf, -np.inf, -np.inf, 1e30
    yield x
    yield np.moveaxis(x, 0, 2).reshape(1, 20, 6)


def labels(prob):
    """Labels of some places, among them ignored (255) and bad ones."""
    wanted = RNG.integers(0, prob.shape[1], (prob.shape[0], prob.shape[2])).astype(np.float32)
    for k, odd in enumerate((255, -1, 1e20, np.nan, 0.7)):
        wanted.reshape(-1)[k + 2: k + 3] = odd
    return wanted


CASES = {
    "elu_forward": lambda: [(x, 0.7, empty(*x.shape), out) for x, out in vectors()],
    "elu_backward": lambda: [(a, b, real(a.size), 0.7, empty(a.size), out) for a, b, out in pairs()],
    "sigmoid_forward": vectors,
    "tanh_forward": vectors,
    "softmax_forward": lambda: [(x, out) for x in scores() for out in (x, empty(*x.shape))],
    "softmax_backward": lambda: [(real(*x.shape), real(*x.shape), empty(*x.shape)) for x in scores()],
    "softmax_loss_forward": lambda: [(np.abs(real(*x.shape)), labels(x), ignore) for x in scores() for ignore in (None, 255)],
    "softmax_loss_backward": lambda: [(p, labels(p), ignore, 0.3, out) for p in (np.abs(real(*x.shape)) for x in scores())
                                      for ignore in (None, 255) for out in (p, empty(*p.shape))],
    "standardize": standardizations,
    "standardize_backward": lambda: [(dy, real(*dy.shape), np.abs(one) + 1, gain, empty(*dy.shape), out)
                                     for dy, one, out in channels() for gain in (None, one)],
    "shift_divide": lambda: [(x, one.astype(np.float64), np.abs(one) + 1, out) for x, one, out in channels()],
    "norm_forward": norms,
    "norm_stored": lambda: norms(True),
    "norm_backward": norm_gradients,
    "add_relu_forward": lambda: [(*args[:2], slope, args[2]) for args in pairs() for slope in (0.0, 0.1)],
    "add_relu_backward": lambda: [(real(n), real(n), slope, empty(n), empty(n)) for n in SIZES for slope in (0.0, 0.1)],
    "scale_forward": lambda: [(x, one, bias, kept, out) for x, one, out in channels()
                              for bias in (None, real(len(one))) for kept in (None, empty(*x.shape))],
    "scale_backward": lambda: [(real(*x.shape), x, one, empty(*x.shape), *(real(len(one)) if w else None for w in want[:2]),
                                out if want[2] else None) for x, one, out in channels() for want in np.ndindex(2, 2, 2)],
    "bias_forward": channels,
    "prelu_forward": lambda: [(x, one, kept, empty(*x.shape), out) for x, one, out in channels()
                              for kept in (None, empty(*x.shape))],
    "prelu_backward": lambda: [(real(*x.shape), x, one, empty(*x.shape), real(len(one)) if want[0] else None,
                                out if want[1] else None) for x, one, out in channels() for want in np.ndindex(2, 2)],
    "larger": lambda: [(np.round(a), np.round(b), empty(*a.shape), empty(*a.shape, dtype=np.int32)) for a, b, _ in pairs()],
    "larger_yet": lambda: [(np.round(a), 2, np.round(b), empty(*a.shape, dtype=np.int32)) for a, b, _ in pairs()],
    "larger_backward": lambda: [(real(n), RNG.integers(0, 3, n).astype(np.int32), 1, empty(n)) for n in SIZES],
    "scale": lambda: [(-0.3, x, out) for x, out in vectors()],
    "add": pairs,
    "multiply": pairs,
    "nesterov_update": lambda: [(real(n), real(n), real(n), 0.1, 0.9, decay) for n in SIZES for decay in (0.0, 0.01)],
    "adam_update": lambda: [(real(n), real(n), real(n), np.abs(real(n)), 0.1, 0.9, 0.99, 1e-8, decay)
                            for n in SIZES for decay in (0.0, 0.01)],
    "relu_forward": lambda: [*vectors(0.0), *vectors(0.1)],
    "relu_backward": lambda: [*pairs(0.0), *pairs(0.1)],
    "sigmoid_backward": pairs,
    "tanh_backward": pairs,
    "philox_bits": lambda: [(key, empty(n, dtype=np.uint32)) for n in (*SIZES, 3, 4, 5, 7) for key in KEYS],
    "dropout_forward": lambda: [(x, key, 0.3, empty(n, dtype=kind), out) for n in SIZES for key in KEYS
                                for kind in (np.uint8, np.bool_) for x in [real(n)] for out in (x, empty(n))],
    "dropout_backward": lambda: [(real(n), RNG.integers(0, 2, n).astype(np.uint8), 0.3, empty(n)) for n in SIZES],
    "max_pool_forward": max_pools,
    "max_pool_backward": max_pools_back,
    "ave_pool_forward": lambda: [(real(*p, *i), *how, empty(*p, *o)) for p, i, o, *how in POOLS],
    "ave_pool_backward": lambda: [(real(*p, *o), *how, empty(*p, *i)) for p, i, o, *how in POOLS],
    "roi_pool_forward": lambda: [(x, rois, 0.0625, out, mask) for x, rois, out, mask in regions()],
    "roi_pool_backward": lambda: [(real(*out.shape), RNG.integers(-1, 99, out.shape).astype(np.int32), rois, empty(*x.shape))
                                  for x, rois, out, mask in regions()],
    "psroi_pool_forward": lambda: [(real(3, 18, 9, 11), rois, 0.0625, empty(len(rois), 2, 3, 3)) for _, rois, *_ in regions()],
    "psroi_pool_backward": lambda: [(real(len(r), 2, 3, 3), r, 0.0625, empty(3, 18, 9, 11)) for _, r, *_ in regions()],
    "roi_align_forward": lambda: [(x, r, 0.0625, *h, y) for x, r, y, _ in regions() for h in HOW],
    "roi_align_backward": lambda: [(real(*y.shape), r, 0.0625, *h, empty(*x.shape)) for x, r, y, _ in regions() for h in HOW],
    "roi_align_corners": lambda: [(x, real(*y.shape), r, 0.0625, *h, empty(*r.shape)) for x, r, y, _ in regions() for h in HOW],
    "ctc": lambda: [(np.log(RNG.dirichlet(np.ones(c), (t, n))), RNG.integers(1, c, (n, 9)).astype(np.int32),
                     RNG.integers(0, 10, n).astype(np.int32), 0, np.full(n, np.nan), np.full((t, n, c), np.nan))
                    for t, n, c in ((1, 1, 2), (4, 5, 3), (30, 7, 11))],
    "lrn_across_forward": lambda: [(x, size, 0.5, beta, 2.0, empty(*x.shape), empty(*x.shape))
                                   for x, _, _, size, beta in responses(*ACROSS)],
    "lrn_across_backward": lambda: [(x, scale, dy, size, 0.5, beta, empty(2, *x.shape), empty(*x.shape))
                                    for x, scale, dy, size, beta in responses(*ACROSS)],
    "lrn_within_forward": lambda: [(x, size, 0.5, beta, empty(*x.shape), empty(*x.shape))
                                   for x, _, _, size, beta in responses(*WITHIN)],
    "lrn_within_backward": lambda: [(x, scale, dy, size, 0.5, beta, empty(2, *x.shape), empty(*x.shape))
                                    for x, scale, dy, size, beta in responses(*WITHIN)],
    "im2col": lambda: [(x, *how, col) for x, how, col in columns()],
    "col2im": lambda: [(real(*col.shape), *how, empty(*x.shape)) for x, how, col in columns()],
    "conv_forward": lambda: [(x, w, bias, *how, col, empty(*out)) for x, w, how, col, out in convolutions()
                             for bias in (None, real(len(w)))],
    "conv_backward_data": lambda: [(real(*out), w, *how, col, empty(*x.shape)) for x, w, how, col, out in convolutions()],
    "conv_backward_weights": lambda: [(x, real(*out), *how, col, real(*w.shape))
                                      for x, w, how, col, out in convolutions()],
    "conv_bias_grad": lambda: [(dy, real(dy.shape[1])) for dy in matrices()],
    "bias_grad": lambda: [(dy, real(dy.shape[1])) for dy in matrices()],
    "gemm": lambda: products(),
    "decode_boxes": lambda: [(real(n, p, k, 4), boxes(p), np.abs(real(p, 4)), code, empty(n, p, k, 4))
                             for n, p, k in ((2, 900, 1), (1, 7, 3), (0, 5, 1)) for code in (1, 2, 3)],
    "box_overlaps": lambda: [(boxes(a), boxes(b), empty(a, b)) for a, b in ((0, 3), (7, 1), (1200, 9))],
    "nms": suppressions,
    "interp_forward": lambda: [(real(*x), empty(*y)) for x, y in IMAGES],
    "interp_backward": lambda: [(real(*y), empty(*x)) for x, y in IMAGES],
    "axpy": lambda: [(a, real(n), real(n)) for n in SIZES for a in (1.0, -0.3)],
    "sgd_update": lambda: [(real(n), real(n), real(n), 0.1, 0.9, decay) for n in SIZES for decay in (0.0, 0.01)],
    "l2_decay": lambda: [(real(n), 0.01, real(n)) for n in SIZES],
    "l1_decay": lambda: [(np.round(real(n)), 0.01, real(n)) for n in SIZES],
    "sum_squares": lambda: [(real(n),) for n in SIZES],
    "sum_abs": lambda: [(real(n),) for n in SIZES],
}
SCRATCH = {"conv_forward": 7, "conv_backward_data": 6, "conv_backward_weights": 6, "lrn_across_backward": 6,
           "lrn_within_backward": 6, "elu_forward": 2, "elu_backward": 4, "standardize": 3, "standardize_backward": 4,
           "scale_backward": 3, "norm_forward": 5, "norm_backward": 7, "prelu_forward": 3, "prelu_backward": 3}
"""name -> the argument that is worthless after the call"""


def guarded(args):
    """Copies of the arrays (one for arguments that are one array), each amid canaries, and the memory around them."""
    copies, fences = {}, []
    for a in args:
        if isinstance(a, np.ndarray) and id(a) not in copies:
            memory = np.full(a.size + 2 * CANARY, 42, a.dtype)
            view = memory[CANARY: CANARY + a.size].reshape(a.shape)
            view[...] = a
            copies[id(a)] = view
            fences += [memory[:CANARY], memory[CANARY + a.size:]]
    return [copies.get(id(a), a) for a in args], fences


def call(name, function, args):
    """What a kernel returns, and its arrays afterwards (without scratch); fails where it wrote beside them."""
    given, fences = guarded(args)
    returned = function(*given)
    assert all((fence == fence.dtype.type(42)).all() for fence in fences), "wrote outside its arrays"
    return returned, [a for i, a in enumerate(given) if isinstance(a, np.ndarray) and i != SCRATCH.get(name)]


def close(got, want):
    """Equal bits for whole numbers, six digits of the largest value for real ones."""
    if want.dtype.kind != "f":
        return np.array_equal(got, want)
    finite = want[np.isfinite(want)]
    largest = float(np.abs(finite).max()) if finite.size else 0.0
    return np.allclose(got, want, rtol=2e-6, atol=4e-6 * largest, equal_nan=True)


def test_every_compiled_kernel_has_cases():
    assert sorted(CASES) == sorted(row.name for row in table.ROWS if row.compiled)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("name", sorted(CASES))
def test_compiled_against_reference(name):
    from netdef.kernels import threads

    entry = table.TABLE[name]
    for args in CASES[name]():
        want, want_arrays = call(name, entry.reference, args)
        got, arrays = call(name, entry.compiled, args)
        with threads.limited(1):
            alone, alone_arrays = call(name, entry.compiled, args)
        shapes = [getattr(a, "shape", a) for a in args]
        if want is not None:
            assert got == pytest.approx(want, rel=1e-12), shapes
        assert got == alone, shapes
        for one, two, three in zip(want_arrays, arrays, alone_arrays, strict=True):
            assert close(two, one), shapes
            assert two.tobytes() == three.tobytes(), f"{shapes}: another number of threads, other bits"


def test_read_only_inputs():
    x, w, out = real(4, 2, 8, 8), real(3, 2, 3, 3), empty(4, 3, 6, 6)
    bias = real(3)
    for a in (x, w, bias):
        a.flags.writeable = False
    how = ((1, 1), (0, 0), (1, 1), 1)
    col = empty(*K.conv_scratch_shape(x.shape, w.shape, *how))
    table.TABLE["conv_forward"].compiled(x, w, bias, *how, col, out)
    assert np.isfinite(out).all()


def test_a_read_only_output_is_an_error():
    out = empty(4)
    out.flags.writeable = False
    with pytest.raises(TypeError):
        table.TABLE["relu_forward"].compiled(real(4), 0.0, out)


def test_warm_makes_everything_ready_once():
    from netdef.kernels import jit

    seen = []
    jit.warm(lambda done, total, name: seen.append((done, total, name)))
    assert len(seen) == len(jit.kernels()) and seen[0][0] == 0
    assert jit.warm() == 0
    assert len({(k.function.__module__, k.name) for k in jit.kernels()}) == len(jit.kernels())
