"""The table of layer types, filled by ``@register`` as the layers' files are imported."""
from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from netdef.config import forks
from netdef.errors import UnknownLayerType, did_you_mean
from netdef.layers.base import Layer

_types: dict[str, type[Layer]] = {}
L = TypeVar("L", bound=type[Layer])


def register(type_name: str) -> Callable[[L], L]:
    """Class decorator: make a layer known under its type string (as in Caffe: ``ReLU``, ``InnerProduct``).

    Raises ValueError when the name is taken by another class.
    """

    def add(cls: L) -> L:
        old = _types.get(type_name)
        if old is not None and (old.__module__, old.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(f"layer type '{type_name}' is already {old.__module__}.{old.__qualname__}")
        cls.type = type_name
        _types[type_name] = cls
        return cls

    return add


def register_user_layer(cls: type[Layer], type_name: str | None = None, proto: Any = None,
                        number: int | None = None) -> type[Layer]:
    """``netdef.register(cls, proto=...)``: a layer type of one's own, with options of one's own.

    ``proto`` describes the options, ``{"alpha": ("float", 1.0, "slope below zero")}`` (name: type, default,
    comment); they are written in the config under ``cls.options_field``. ``number`` is the field's number in
    binary files, from 60000 up (needed only if these are to be exchanged).

    >>> class Twice(Layer):
    ...     options_field = "twice_param"
    >>> _ = register_user_layer(Twice, proto={"times": ("float", 2.0, "factor")})
    """
    if proto is not None:
        from netdef.config import options, schema

        if cls.options_field is None:
            raise ValueError(f"{cls.__name__}: a layer with options needs options_field")
        schema.register_options(cls.options_field, number, proto)
        options.declare_options(type_name or cls.__name__, cls.options_field)
    return register(type_name or cls.__name__)(cls)


@cache
def _load_builtin() -> None:
    """Import every file of this folder, which registers the types in it."""
    package = importlib.import_module("netdef.layers")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"netdef.layers.{module.name}")


def layer_types() -> dict[str, type[Layer]]:
    """All registered types by name, sorted."""
    _load_builtin()
    return dict(sorted(_types.items()))


def find(type_name: str, where: Any = None, who: str = "") -> type[Layer]:
    """The class of a type string; raises UnknownLayerType with the nearest known name."""
    _load_builtin()
    try:
        return _types[type_name]
    except KeyError:
        hint = _about(type_name) or did_you_mean(type_name, _types) or "`netdef layers` lists all types"
        who = f"{who}: " if who else ""
        raise UnknownLayerType(f"{who}unknown layer type '{type_name}'", where=where, hint=hint) from None


def _about(type_name: str) -> str:
    """What is known of a type that a fork has, and what to do about it."""
    known = forks.about(type_name)
    return f"{known}; a Python layer can stand in for it, see `netdef layers Python`" if known else ""
