"""``${...}``: a tiny language of values for templates, read by Python's parser and evaluated here, node by node.

Numbers, texts, lists and small maps; ``+ - * / // % **``, comparisons, ``and or not in``, ``a if b else c``, ``x[0]``,
and the functions of ``FUNCTIONS``. Nothing else is reachable: no attributes, no other calls, no loops. ``/`` of two
integers gives an integer where it comes out even, since sizes are integers.
"""
from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable
from typing import Any

from netdef.errors import did_you_mean

Value = Any  # int, float, bool, str, list of values, dict of str to value
MAX_LENGTH = 400  # characters of one expression
MAX_ITEMS = 10_000  # elements of a list, characters of a text
_MOST = 2**63


class BadExpression(ValueError):
    """An expression that cannot be read or evaluated; ``hint`` says what to do."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


def _letter(n: Value, first: str = "a") -> str:
    if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= 26 or first not in ("a", "A"):
        raise BadExpression(f"letter takes a number from 1 (a) to 26 (z), got {n!r}")
    return chr(ord(first) + n - 1)


def _range(*bounds: int) -> list[int]:
    made = range(*bounds)
    if len(made) > MAX_ITEMS:
        raise BadExpression(f"a range of {len(made)} numbers is longer than {MAX_ITEMS}")
    return list(made)


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "min": min, "max": max, "abs": abs, "round": round, "int": int, "float": float, "str": lambda v: show(v),
    "len": len, "sum": sum, "range": _range, "letter": _letter}

_BINARY = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
           ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow}
_COMPARE = {ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
            ast.GtE: operator.ge, ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b}


def show(value: Value) -> str:
    """A scalar as it stands in a config: ``true`` for True, ``2`` for 2.0."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value)


def parse(text: str) -> ast.expr:
    """The syntax tree of an expression. Raises BadExpression."""
    if len(text) > MAX_LENGTH:
        raise BadExpression(f"an expression of {len(text)} characters is longer than {MAX_LENGTH}",
                            "name its parts with let:")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # 1if x: this says enough itself
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise BadExpression(f"'${{{text}}}' is no expression",
                            "write a name or arithmetic; two dollars, $${, stand for the text itself") from None


def evaluate(text: str, look_up: Callable[[str], Value]) -> Value:
    """The value of an expression; ``look_up`` gives that of a name. Raises BadExpression."""
    tree = parse(text)
    try:
        return _value(tree, look_up)
    except BadExpression:
        raise
    except ZeroDivisionError:
        raise BadExpression(f"'${{{text}}}' divides by zero") from None
    except (TypeError, ValueError, KeyError, IndexError, OverflowError, RecursionError) as error:
        reason = f"no such element: {error}" if isinstance(error, (KeyError, IndexError)) else str(error)
        raise BadExpression(f"'${{{text}}}' cannot be evaluated: {reason}") from None


def _value(node: ast.expr, look_up: Callable[[str], Value]) -> Value:
    """One node of the tree; kinds that are not listed are refused."""
    def inner(n: ast.expr) -> Value:
        return _value(n, look_up)

    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float, str, bool)):
        return _checked(node.value)
    if isinstance(node, ast.Name):
        return {"true": True, "false": False}[node.id] if node.id in ("true", "false") else look_up(node.id)
    if isinstance(node, ast.List):
        return [inner(e) for e in node.elts]
    if isinstance(node, ast.UnaryOp):
        return not inner(node.operand) if isinstance(node.op, ast.Not) else _signed(node.op, inner(node.operand))
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _checked(_arithmetic(node.op, inner(node.left), inner(node.right)))
    if isinstance(node, ast.BoolOp):
        stop = isinstance(node.op, ast.Or)
        return next((v for v in map(inner, node.values) if bool(v) is stop), not stop)
    if isinstance(node, ast.Compare):
        return _compare(node, inner)
    if isinstance(node, ast.IfExp):
        return inner(node.body) if inner(node.test) else inner(node.orelse)
    if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice):
        return inner(node.value)[inner(node.slice)]
    if isinstance(node, ast.Call):
        return _call(node, inner)
    raise BadExpression(f"'{ast.unparse(node)}' cannot stand in ${{...}}",
                        "names, numbers, texts, lists, arithmetic, comparisons and "
                        f"{', '.join(FUNCTIONS)} can")


def _call(node: ast.Call, inner: Callable[[ast.expr], Value]) -> Value:
    name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
    if name not in FUNCTIONS or node.keywords:
        hint = did_you_mean(name, FUNCTIONS) or f"there are: {', '.join(FUNCTIONS)}"
        raise BadExpression(f"no function '{name}'" if name not in FUNCTIONS else f"{name} takes no named values", hint)
    return _checked(FUNCTIONS[name](*[inner(a) for a in node.args]))


def _compare(node: ast.Compare, inner: Callable[[ast.expr], Value]) -> bool:
    left = inner(node.left)
    for op, behind in zip(node.ops, node.comparators, strict=True):
        right = inner(behind)
        if type(op) not in _COMPARE:
            raise BadExpression("'is' cannot stand in ${...}", "write ==")
        if not _COMPARE[type(op)](left, right):
            return False
        left = right
    return True


def _signed(op: ast.unaryop, value: Value) -> Value:
    if not isinstance(op, (ast.USub, ast.UAdd)):
        raise BadExpression("'~' cannot stand in ${...}")
    return -value if isinstance(op, ast.USub) else +value


def _arithmetic(op: ast.operator, a: Value, b: Value) -> Value:
    """Numbers with numbers; ``+`` also joins two texts or two lists."""
    numbers = isinstance(a, (int, float)) and isinstance(b, (int, float))
    alike = isinstance(op, ast.Add) and type(a) is type(b) and isinstance(a, (str, list))
    if not numbers and not alike:
        raise BadExpression(f"{_named(a)} and {_named(b)} cannot be calculated with",
                            "texts are put side by side: ${a}${b}" if isinstance(op, ast.Add) else "")
    if isinstance(op, ast.Pow) and (abs(b) > 64 or abs(a) > 2**32):
        raise BadExpression(f"{a} ** {b} is too large")
    result = _BINARY[type(op)](a, b)
    if isinstance(op, ast.Div) and isinstance(a, int) and isinstance(b, int) and a % b == 0:
        return a // b
    return result


def _named(value: Value) -> str:
    return f"the text '{value[:30]}'" if isinstance(value, str) else f"a {type(value).__name__}" if isinstance(
        value, (list, dict)) else show(value)


def _checked(value: Value) -> Value:
    """Refuses what grows without bound."""
    if isinstance(value, complex) or (isinstance(value, int) and abs(value) > _MOST):
        raise BadExpression("a number becomes too large")
    if isinstance(value, (str, list)) and len(value) > MAX_ITEMS:
        raise BadExpression(f"a {'text' if isinstance(value, str) else 'list'} becomes longer than {MAX_ITEMS}")
    return value
