"""Vectors: the processor's registers as numbers, and the few operations on them that plain loops do not reach.

Everything here is an intrinsic: LLVM code that is put in where a kernel calls it. Arrays are flat and float32, places in them are
element offsets, and ``n`` counts elements. A vector that ends behind ``n`` is loaded and stored under a mask, so nothing outside
the ``n`` elements is read or written, except where a docstring says *whole vectors*.

``LANES`` floats make a vector; a *tile* is ``ROWS`` by ``VECTORS`` vectors, the block of a matrix product that stays in registers
(24 accumulators of 32 registers on AVX-512, 12 of 16 elsewhere). ``gemm.py`` builds matrix products from tiles.

``NETDEF_SIMD=avx512|avx2|generic`` overrides what the processor offers, to test the narrower widths on a wide machine.
"""
from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm

from netdef.kernels.jit import cgutils, intrinsic, ir, types

WIDTHS = {"avx512": (16, 8, 3), "avx2": (8, 6, 2), "generic": (4, 6, 2)}
"""name -> (LANES, ROWS, VECTORS)"""


def features() -> str:
    """``avx512``, ``avx2`` or ``generic``: $NETDEF_SIMD, or what this processor offers. Raises ValueError for another word."""
    given = os.environ.get("NETDEF_SIMD", "")
    if given and given not in WIDTHS:
        raise ValueError(f"NETDEF_SIMD: expected {', '.join(WIDTHS)}, got '{given}'")
    try:
        host = llvm.get_host_cpu_features()
    except RuntimeError:  # not known on this platform
        host = {}
    offered = "avx512" if host.get("avx512f") else "avx2" if host.get("avx2") and host.get("fma") else "generic"
    return given or offered


LANES, ROWS, VECTORS = WIDTHS[features()]
COLUMNS = LANES * VECTORS
"""Columns of a tile."""

F32, I32, I64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
VECTOR = ir.VectorType(F32, LANES)
ZERO = ir.Constant(VECTOR, [0.0] * LANES)


# -------------------------------------------------------------------------------------------------- what code is made of

def int64(value: int) -> Any:
    """A constant."""
    return ir.Constant(I64, value)


def lanes(values: list[int]) -> Any:
    """A constant vector of lane numbers, for a shuffle."""
    return ir.Constant(ir.VectorType(I32, len(values)), values)


def values_of(context: Any, builder: Any, signature: Any, arguments: Any) -> list[Any]:
    """What an intrinsic was given, as LLVM values: the data pointer of an array, int64 for integers, float32 for floats."""
    found = []
    for kind, value in zip(signature.args, arguments, strict=True):
        if isinstance(kind, types.Array):
            found.append(context.make_array(kind)(context, builder, value).data)
        elif isinstance(kind, types.Float):
            found.append(context.cast(builder, value, kind, types.float32))
        else:
            found.append(context.cast(builder, value, kind, types.int64))
    return found


def at(builder: Any, pointer: Any, offset: Any, kind: Any = F32) -> Any:
    """The pointer, so many elements on."""
    return builder.gep(pointer, [offset], source_etype=kind)


def splat(builder: Any, value: Any, kind: Any = VECTOR) -> Any:
    """A vector with one value in every lane."""
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(I32, 0))
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), lanes([0] * kind.count))


def load(builder: Any, pointer: Any, offset: Any, mask: Any = None) -> Any:
    """A vector from an address of any alignment; lanes off the mask are zero and not read."""
    place = builder.bitcast(at(builder, pointer, offset), VECTOR.as_pointer())
    if mask is None:
        return builder.load(place, align=4, typ=VECTOR)
    kind = ir.FunctionType(VECTOR, [VECTOR.as_pointer(), I32, mask.type, VECTOR])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.load.v{LANES}f32.p0")
    return builder.call(function, [place, ir.Constant(I32, 4), mask, ZERO])


def store(builder: Any, vector: Any, pointer: Any, offset: Any, mask: Any = None) -> None:
    """A vector to an address of any alignment; lanes off the mask are left as they are."""
    place = builder.bitcast(at(builder, pointer, offset), VECTOR.as_pointer())
    if mask is None:
        builder.store(vector, place, align=4)
        return
    kind = ir.FunctionType(ir.VoidType(), [VECTOR, VECTOR.as_pointer(), I32, mask.type])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.store.v{LANES}f32.p0")
    builder.call(function, [vector, place, ir.Constant(I32, 4), mask])


def load_scalar(builder: Any, pointer: Any, offset: Any, kind: Any = F32) -> Any:
    """One element."""
    return builder.load(at(builder, pointer, offset, kind), align=kind.width // 8 if kind is I64 else 4, typ=kind)


def multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c in every lane, rounded once where the processor can."""
    kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
    name = "llvm.fmuladd" if LANES == 4 else "llvm.fma"  # SSE has no fused form: an exact one would be a library call
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"{name}.v{LANES}f32"), [a, b, c])


def first_lanes(builder: Any, count: Any) -> Any:
    """A mask with the first ``count`` lanes on (all for a count of LANES or more)."""
    kind = ir.VectorType(I64, LANES)
    return builder.icmp_signed("<", ir.Constant(kind, list(range(LANES))), splat(builder, count, kind))


def for_vectors(builder: Any, n: Any, body: Callable[[Any, Any], None]) -> None:
    """Emits ``body(offset, mask)`` for the vectors of n elements; the mask is None but for a last, partial one."""
    whole = builder.and_(n, int64(-LANES))
    before = builder.block
    loop, rest, tail, end = (builder.append_basic_block(name) for name in ("vectors", "rest", "tail", "end"))
    builder.cbranch(builder.icmp_signed(">", whole, int64(0)), loop, rest)
    builder.position_at_end(loop)
    i = builder.phi(I64)
    i.add_incoming(int64(0), before)
    body(i, None)
    following = builder.add(i, int64(LANES))
    i.add_incoming(following, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, whole), loop, rest)
    builder.position_at_end(rest)
    builder.cbranch(builder.icmp_signed("<", whole, n), tail, end)
    builder.position_at_end(tail)
    body(whole, first_lanes(builder, builder.sub(n, whole)))
    builder.branch(end)
    builder.position_at_end(end)


def counted(builder: Any, begin: Any, end: Any, carried: list[Any], body: Callable[[Any, list[Any]], list[Any]],
            step: int = 1) -> list[Any]:
    """Emits ``values = body(i, values)`` for begin <= i < end; the values begin as ``carried``, and their last ones are returned.
    Values in loops stay in registers, which variables in memory would not."""
    before = builder.block
    loop, done = builder.append_basic_block("counted"), builder.append_basic_block("done")
    builder.cbranch(builder.icmp_signed("<", begin, end), loop, done)
    builder.position_at_end(loop)
    i = builder.phi(I64)
    i.add_incoming(begin, before)
    values = [builder.phi(value.type) for value in carried]
    new = body(i, values)
    following, last = builder.add(i, int64(step)), builder.block
    i.add_incoming(following, last)
    builder.cbranch(builder.icmp_signed("<", following, end), loop, done)
    builder.position_at_end(done)
    results = [builder.phi(value.type) for value in carried]
    for value, result, first, then in zip(values, results, carried, new, strict=True):
        value.add_incoming(first, before)
        value.add_incoming(then, last)
        result.add_incoming(first, before)
        result.add_incoming(then, last)
    return results


# ------------------------------------------------------------------------------------------------------- rows of floats

def _void(signature: Any, emit: Callable[..., None]) -> Any:
    """What an intrinsic that returns nothing gives to Numba: its types and the code, from plain LLVM values."""
    def generate(context: Any, builder: Any, typed: Any, arguments: Any) -> Any:
        emit(builder, *values_of(context, builder, typed, arguments))
        return context.get_dummy_value()
    return types.void(*signature), generate


@intrinsic
def copy(typing, to, to_at, source, source_at, n):
    """to[i] = source[i]; they do not overlap."""
    def emit(b, to, to_at, source, source_at, n):
        to, source = at(b, to, to_at), at(b, source, source_at)
        for_vectors(b, n, lambda i, mask: store(b, load(b, source, i, mask), to, i, mask))
    return _void((to, to_at, source, source_at, n), emit)


@intrinsic
def fill(typing, to, to_at, value, n):
    """to[i] = value."""
    def emit(b, to, to_at, value, n):
        to, vector = at(b, to, to_at), splat(b, value)
        for_vectors(b, n, lambda i, mask: store(b, vector, to, i, mask))
    return _void((to, to_at, value, n), emit)


@intrinsic
def accumulate(typing, to, to_at, source, source_at, n):
    """to[i] += source[i]."""
    def emit(b, to, to_at, source, source_at, n):
        to, source = at(b, to, to_at), at(b, source, source_at)
        for_vectors(b, n, lambda i, m: store(b, b.fadd(load(b, to, i, m), load(b, source, i, m)), to, i, m))
    return _void((to, to_at, source, source_at, n), emit)


@intrinsic
def multiply_accumulate(typing, to, to_at, factor, source, source_at, n):
    """to[i] += factor * source[i]."""
    def emit(b, to, to_at, factor, source, source_at, n):
        to, source, vector = at(b, to, to_at), at(b, source, source_at), splat(b, factor)
        for_vectors(b, n, lambda i, m: store(
            b, multiply_add(b, vector, load(b, source, i, m), load(b, to, i, m)), to, i, m))
    return _void((to, to_at, factor, source, source_at, n), emit)


@intrinsic
def finish(typing, to, to_at, source, source_at, n, bias, slope):
    """to[i] = v where v = source[i] + bias is above 0 (or is NaN), else slope * v: slope 1 leaves it, 0 is a ReLU."""
    def emit(b, to, to_at, source, source_at, n, bias, slope):
        to, source, shift, factor = at(b, to, to_at), at(b, source, source_at), splat(b, bias), splat(b, slope)

        def body(i, mask):
            value = b.fadd(load(b, source, i, mask), shift)
            low = b.fcmp_ordered("<=", value, ZERO)
            store(b, b.select(low, b.fmul(value, factor), value), to, i, mask)
        for_vectors(b, n, body)
    return _void((to, to_at, source, source_at, n, bias, slope), emit)


@intrinsic
def move(typing, to, to_at, source, source_at):
    """One whole vector: to[i] = source[i] for i < LANES, whatever lies there."""
    def emit(b, to, to_at, source, source_at):
        store(b, load(b, source, source_at), to, to_at)
    return _void((to, to_at, source, source_at), emit)


@intrinsic
def total(typing, source, source_at, n):
    """The sum of source[i], lane by lane and then across the lanes, in an order that n fixes."""
    def generate(context, builder, signature, arguments):
        b = builder
        source, source_at, n = values_of(context, b, signature, arguments)
        source = at(b, source, source_at)
        kept = cgutils.alloca_once_value(b, ZERO)
        b.store(ZERO, kept)
        for_vectors(b, n, lambda i, mask: b.store(b.fadd(b.load(kept), load(b, source, i, mask)), kept))
        return across(b, b.load(kept))
    return types.float32(source, source_at, n), generate


def across(builder: Any, vector: Any) -> Any:
    """The sum of a vector's lanes: halves are added to halves."""
    width = LANES // 2
    while width:
        other = builder.shuffle_vector(vector, vector, lanes([(i + width) % LANES for i in range(LANES)]))
        vector = builder.fadd(vector, other)
        width //= 2
    return builder.extract_element(vector, ir.Constant(I32, 0))


# -------------------------------------------------------------------------------------------------------- transposition

@intrinsic
def transpose(typing, to, to_at, to_step, source, source_at, source_step, rows, columns):
    """to[j * to_step + i] = source[i * source_step + j] for i < rows and j < columns, both at most LANES."""
    def emit(b, to, to_at, to_step, source, source_at, source_step, rows, columns):
        to, source = at(b, to, to_at), at(b, source, source_at)
        across_columns, across_rows = first_lanes(b, columns), first_lanes(b, rows)
        off = ir.Constant(across_columns.type, [0] * LANES)
        vectors = []
        for i in range(LANES):
            mask = b.select(b.icmp_signed("<", int64(i), rows), across_columns, off)
            vectors.append(load(b, source, b.mul(source_step, int64(i)), mask))
        for j, vector in enumerate(transposed(b, vectors)):
            mask = b.select(b.icmp_signed("<", int64(j), columns), across_rows, off)
            store(b, vector, to, b.mul(to_step, int64(j)), mask)
    return _void((to, to_at, to_step, source, source_at, source_step, rows, columns), emit)


def transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """LANES vectors as the rows of a matrix -> its columns: blocks of 1, 2, 4, ... change places across the diagonal."""
    block = 1
    while block < LANES:
        low = [j if not j & block else LANES + (j ^ block) for j in range(LANES)]
        high = [j | block if not j & block else LANES + j for j in range(LANES)]
        out = list(rows)
        for i in range(LANES):
            if not i & block:
                out[i] = builder.shuffle_vector(rows[i], rows[i | block], lanes(low))
                out[i | block] = builder.shuffle_vector(rows[i], rows[i | block], lanes(high))
        rows, block = out, 2 * block
    return rows
