"""Making a core from the patterns and from what to do with their lines; calling it; the values that it can hold."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional

from esatls.compiled import module
from esatls.errors import EsatlsError
from esatls.extraction.fact_types import FACT_TYPES
from esatls.extraction.match import Spec, front_of, specs_of
from esatls.extraction.patterns import MATCHERS
from esatls.extraction.stream import RECORD
from esatls.extraction.wrapped import SHORTEST_CUT
from esatls.native import shapes
from esatls.native.told import rule_of
from esatls.verdicts import lives

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import TypeGuard

    from esatls.lines.clock import Time

_ODD = RECORD.encode()
Plan = tuple["Sequence[int]", Optional[tuple[Any, Any]]]
"""The wanted groups of a match, and what the core does with them (`reading.rs`); None: the line is for Python."""
FOR_PYTHON: Plan = (), None
CODES = tuple(sorted(FACT_TYPES, key=lambda code: (shapes.ORDER.get(code, len(shapes.ORDER)), code)))
"""All codes, in the order in which shapes have them."""
_LATEST = 1 << 32


class _Table(NamedTuple):
    """What makes a life ordinary (`judging.rs`)."""

    rules: list[Any]
    same: int
    silence: int


def new_core(plan: Callable[[Spec], Plan | None], most: int = sys.maxsize) -> Any:
    """Return a new core that does with each line what `plan` says for its pattern; None: the line is not wanted.

    It keeps at most `most` bytes of facts in memory, and the others in a temporary file.
    """
    matchers = []
    for start, (text, _, _) in MATCHERS.items():
        specs = specs_of(start)
        plans = [(last, *told) for last, spec in specs.items() if (told := plan(spec)) is not None]
        if plans:
            matchers.append((start.encode(), text, front_of(specs), plans))
    table = _Table([*map(rule_of, CODES)], lives.SAME_OPENING, min(lives.FINISHED_SILENCE, lives.CONNECTION_SILENCE))
    return module().Core(matchers, _ODD, SHORTEST_CUT, CODES, table, most)


def answer(method: Callable[..., Any], *arguments: object) -> Any:
    """Return the core's answer. Raises `EsatlsError` if it fails."""
    try:
        return method(*arguments)
    except RuntimeError as error:
        raise EsatlsError(str(error)) from error


def is_time(time: Time | None) -> TypeGuard[int]:
    """Tell whether the core can hold a time."""
    return type(time) is int and 0 <= time < _LATEST


def to_bytes(text: str) -> bytes:
    """Return a text as the core holds it."""
    return text.encode("utf-8", "surrogateescape")


def to_text(text: bytes) -> str:
    """Return a text of the core as Python has it."""
    return text.decode("utf-8", "surrogateescape")
