"""Whether a callback asks for a stop, or somebody has pressed Ctrl-C meanwhile."""

from __future__ import annotations

import dis
from types import TracebackType

_RAISE = dis.opmap["RAISE_VARARGS"]


def is_request_to_stop(interrupt: KeyboardInterrupt) -> bool:
    """Whether a callback's own ``raise`` has raised `interrupt`.

    skorch's callbacks end the training by ``raise KeyboardInterrupt``. A signal
    arrives between two instructions instead, or in a handler, a function of a signal
    number and a frame. The innermost frame tells them apart.
    """
    innermost = _last(interrupt.__traceback__)
    if innermost is None:
        return False
    code = innermost.tb_frame.f_code
    by_statement = code.co_code[innermost.tb_lasti] == _RAISE
    return by_statement and not _handles_signals(innermost)


def _handles_signals(innermost: TracebackType) -> bool:
    """Whether the frame is that of a handler: Python calls it with (number, frame)."""
    code = innermost.tb_frame.f_code
    names = code.co_varnames[: code.co_argcount]
    given = [innermost.tb_frame.f_locals.get(name) for name in names]
    return any(isinstance(value, type(innermost.tb_frame)) for value in given)


def _last(traceback: TracebackType | None) -> TracebackType | None:
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback
