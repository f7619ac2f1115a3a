"""Text that tells things apart: values, estimators, and the code of functions."""

from __future__ import annotations

import inspect
import sys
import uuid
from functools import partial, partialmethod
from pathlib import PurePath
from types import CodeType, ModuleType
from typing import Any

import joblib
import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator

# Values that a run does not change, as the lists and dicts of a class may be.
_FIXED = (bool, int, float, complex, str, bytes, tuple, frozenset, type(None))
Seen = dict[int, Any]  # by id; kept, so that no other thing gets the id
_OWN = __name__.partition(".")[0]  # its version is part of every key
_INSTALLED = {"site-packages", "dist-packages"}
# Where objects of functools, numpy and numba keep the function they stand for.
_INSIDE = ("__wrapped__", "func", "pyfunc", "py_func")
_NOT_CODE = {"__doc__", "__dict__", "__weakref__", "__annotations__", "__firstlineno__"}


def describe(thing: Any) -> str:
    """Return text that is the same for equal things in another process.

    A function is its code, with defaults, the values that it has closed over and the
    functions and fixed values that it names, in its own module or in others; a class is
    its attributes, in the same way. What comes from the standard library or an
    installed package is its name. Of lists, dicts and other objects at the level of a
    class or a module, which a run may change, the type alone counts.

    Where there is no such text, as for objects whose repr holds their address, it is
    new at every call, and the run is repeated rather than taken for another.
    """
    try:
        return _text(thing, {})
    except Exception:  # of an object that has methods of its own
        return str(uuid.uuid4())


def _text(thing: Any, seen: Seen) -> str:
    if isinstance(thing, np.ndarray) or issparse(thing):
        return f"array {joblib.hash(thing)}"
    if isinstance(thing, dict):
        items = sorted((str(key), _text(value, seen)) for key, value in thing.items())
        return "{" + ", ".join(f"{key}: {value}" for key, value in items) + "}"
    if isinstance(thing, (list, tuple)):
        return "[" + ", ".join(_text(value, seen) for value in thing) + "]"
    if isinstance(thing, (set, frozenset)):
        return "{" + ", ".join(sorted(_text(value, seen) for value in thing)) + "}"
    if type(thing).__module__ in ("builtins", "numpy") and not callable(thing):
        return repr(thing)
    if _is_code(thing):
        return _code_text(thing, seen)
    return _object_text(thing, seen)


def _object_text(thing: Any, seen: Seen) -> str:
    if isinstance(thing, (partial, partialmethod)):
        parts = [thing.func, thing.args, thing.keywords]
        return f"partial{_text(parts, seen)}"
    kind = _text(type(thing), seen)
    if isinstance(thing, BaseEstimator):
        text = f"{kind}({_text(thing.get_params(deep=False), seen)})"
        if type(thing).__sklearn_clone__ is BaseEstimator.__sklearn_clone__:
            return text
        return f"{text} {joblib.hash(thing)}"  # a clone keeps what was fitted
    if hasattr(thing, "dist") and hasattr(thing, "kwds"):  # of scipy.stats
        given = [thing.args, thing.kwds]
        return f"{thing.dist.name}{_text(type(thing.dist), seen)}{_text(given, seen)}"
    if hasattr(thing, "__array__"):
        return f"{kind} array {joblib.hash(np.asarray(thing))} {thing!r}"
    if id(thing) in seen:  # it contains itself
        return kind
    seen[id(thing)] = thing
    own_repr = type(thing).__repr__ is not object.__repr__
    if hasattr(thing, "__dict__") and not (own_repr and _by_name(type(thing))):
        return f"{kind}({_text(vars(thing), seen)})"
    text = repr(thing)
    return f"{kind}({uuid.uuid4() if ' at 0x' in text else text})"


def _code_text(thing: Any, seen: Seen) -> str:
    """Text of a class, function or method."""
    if inspect.ismethod(thing):
        return _text([thing.__func__, thing.__self__], seen)
    name = f"{thing.__module__}.{thing.__qualname__}"
    if id(thing) in seen:
        return name
    seen[id(thing)] = thing
    if inspect.isfunction(thing):
        return f"{name} {_function_text(thing, seen)}"
    if hasattr(thing, "__wrapped__"):  # as what `lru_cache` makes
        return f"{name} {_text(thing.__wrapped__, seen)}"
    if not inspect.isclass(thing) or _by_name(thing):
        return name
    attributes = {
        key: _fixed_text(_plain_attribute(value), seen)
        for key, value in vars(thing).items()
        if key not in _NOT_CODE
    }
    return f"{name} {_text([thing.__bases__, attributes], seen)}"


def _function_text(function: Any, seen: Seen) -> str:
    given = [function.__defaults__, function.__kwdefaults__]
    closed_over = []
    for cell in function.__closure__ or ():
        try:
            closed_over.append(cell.cell_contents)
        except ValueError:  # not assigned yet
            closed_over.append(None)
    named: dict[str, str] = {}
    if not _by_name(function):
        named = _named_texts(function.__globals__, _names(function.__code__), seen)
    return _text([_bytecode(function.__code__), given, closed_over, named], seen)


def _named_texts(space: Any, names: list[str], seen: Seen) -> dict[str, str]:
    """Texts of what code with these names finds in a module, and in modules there."""
    found = {}
    for name in names:
        if name not in space:
            continue
        value = space[name]
        found[name] = _fixed_text(value, seen)
        if isinstance(value, ModuleType) and not _is_installed(value.__name__):
            others = [other for other in names if other != name]
            found[name] += _text(_named_texts(vars(value), others, seen), seen)
    return found


def _bytecode(code: CodeType) -> list[Any]:
    constants = [_bytecode(c) if isinstance(c, CodeType) else c for c in code.co_consts]
    return [code.co_code, code.co_names, code.co_varnames, constants]


def _names(code: CodeType) -> list[str]:
    """Names that a function, and those inside it, look up outside."""
    inside = [c for c in code.co_consts if isinstance(c, CodeType)]
    names = [*code.co_names, *(name for c in inside for name in _names(c))]
    return list(dict.fromkeys(names))


def _plain_attribute(value: Any) -> Any:
    """Functions that a property, class method or the like is made of."""
    if isinstance(value, (classmethod, staticmethod)):
        return value.__func__
    if isinstance(value, property):
        return value.fget, value.fset
    return value


def _fixed_text(value: Any, seen: Seen) -> str:
    if isinstance(value, ModuleType):
        return value.__name__
    if isinstance(value, (*_FIXED, partial, partialmethod)) or _is_code(value):
        return _text(value, seen)
    own = getattr(value, "__dict__", {})
    inside = [own[name] for name in _INSIDE if name in own]
    return f"{type(value).__module__}.{type(value).__qualname__}{_text(inside, seen)}"


def _is_code(thing: Any) -> bool:
    is_named = inspect.isroutine(thing) and hasattr(thing, "__qualname__")
    return is_named or inspect.isclass(thing)


def _by_name(thing: Any) -> bool:
    """Whether the name of a class or function says what it is, for all that matters."""
    return "<locals>" not in thing.__qualname__ and _is_installed(thing.__module__)


def _is_installed(module: str | None) -> bool:
    """Whether a module belongs to Python, to this package or to an installed one."""
    top = (module or "builtins").partition(".")[0]
    if top == "__main__":
        return False
    if top == _OWN or top in sys.stdlib_module_names:
        return True
    file = getattr(sys.modules.get(top), "__file__", None) or ""
    return not _INSTALLED.isdisjoint(PurePath(file).parts)
