"""Packages that only some readers need, imported where they are used."""

import importlib
from typing import Any


def import_optional(module: str, purpose: str, extra: str) -> Any:
    """Return the module, or say how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(
            f"{purpose} needs the package {package}, which cannot be imported "
            f"({error}): run `pip install 'sklearn-invlearn[{extra}]'`."
        ) from error
