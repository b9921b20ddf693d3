"""Records over several lines: an indented JSON document or array, Logstash's rubydebug; or a table (`tables`)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from esatls.lines import envelope, records
from esatls.lines.tables import CsvTable, table

if TYPE_CHECKING:
    from esatls.lines.records import Record

LARGEST = 1 << 20
"""Characters of one record that are held; in a larger document, the elements of the outermost array are separate records."""

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|(\\?\Z))', re.DOTALL)
"""A string, perhaps without an end: otherwise, it would be tried again from each of its quotes, in quadratic time."""
_RUBY = re.compile(r'(\s*"[^"\\]*(?:\\.[^"\\]*)*")\s*=>\s*(\S.*|)', re.DOTALL)
_RUBY_TIME = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]{8,20}Z)(,?)")
_MARKS = re.compile(r"[{}\[\]]")
_CLOSING = str.maketrans("{[", "}]")
_DEEPEST = 100
"""Maximum nesting of objects and arrays; no collector's record has more."""
_BEGINNINGS = ("", *'"{}[]-0123456789tfn')


def begun(line: str, *, may_be_names: bool, is_first: bool) -> JsonDocument | CsvTable | None:
    """Return the document that begins with a line, if any; CSV can begin only with a line that may have the names of its columns."""
    text = line.strip(" \t")
    if text[:1] in ("{", "["):
        document = JsonDocument()
        document.add(line)
        return document if document.depth > 0 else None
    return table(line, is_first=is_first) if may_be_names else None


def restored(state: dict[str, Any]) -> JsonDocument | CsvTable:
    """Restore a document from its `state`."""
    document: JsonDocument | CsvTable
    if "names" in state:
        document = CsvTable([str(name) for name in state["names"]], str(state["mark"]), int(state["sure"]))
    else:
        document = JsonDocument(str(state.get("around", "")))
    for line in state["lines"]:
        document.add(str(line))
    return document


class JsonDocument:
    """Lines of one document, in JSON or in Ruby's notation for it."""

    def __init__(self, around: str = "") -> None:
        self.depth = 0
        self.lines: list[str] = []
        """The lines of the record that is still incomplete."""
        self._size = 0
        self._stack = ""
        self._around = ""
        """What is in front of the next elements of an array whose first ones are taken already: it makes them a document again."""
        if around:
            self.add(around)
            self.lines, self._size, self._around = [], 0, around

    def state(self) -> dict[str, Any]:
        """Return what the meaning of the next line depends on."""
        return {"lines": self.lines, "around": self._around}

    def add(self, line: str) -> list[tuple[int, list[Record]]] | None:
        """Take the next line; return the records that it completes, with their number of lines. None: it is not part of a document."""
        if line.lstrip(" \t")[:1] not in _BEGINNINGS or (self._stack and _has_header(line)):
            return None
        ruby = _RUBY.fullmatch(line)
        if ruby is not None:
            value = _RUBY_TIME.sub(r'"\1"\2', ruby[2]) if ruby[2][:1].isdigit() else {"nil": "null", "nil,": "null,"}.get(ruby[2], ruby[2].replace("\\#", "#"))
            line = f"{ruby[1]}: {value}"
        stack = self._stack
        # the text between strings, and after each string None if it is closed
        parts = _STRING.split(line)
        if (len(parts) > 1 and parts[-2] is not None) or (stack[-1:] == "{" and line.lstrip(" \t")[:1] == "{"):
            return None  # this line or the one before was cut: no string spans lines, and no object holds another without a name
        marks = _MARKS.findall("".join(parts[::2]))
        for number, mark in enumerate(marks, 1):
            if mark in "{[":
                stack += mark
                if len(stack) > _DEEPEST:
                    return None
            elif stack and stack[-1] + mark in ("{}", "[]"):
                stack = stack[:-1]
            elif stack or mark == "}" or number < len(marks):
                return None  # only a bracket at the end may close an array that began before the lines seen
            else:
                self._around = "["
        self._stack = stack
        self.lines.append(line)
        self._size += len(line)
        self.depth = len(self._stack)
        if self._stack in ("", "[") or (self._size > LARGEST and self._stack.count("[") == 1 and self._stack[-1] == "["):
            return [self._complete()]
        if self._size > 16 * LARGEST:
            self.lines.pop()
            return None
        return []

    def _complete(self) -> tuple[int, list[Record]]:
        lines, self.lines, self._size = self.lines, [], 0
        text = self._around + "\n".join(lines).strip(" \t\n,") + self._stack[::-1].translate(_CLOSING)
        try:
            values = list(records.values(text))
        except ValueError:
            values = []
        self._around = self._stack if len(self._stack) < 2 else "".join(map(_around, values[-1:]))
        return len(lines), [record for value in values for record in records.of_value(value)]


def _around(value: Any) -> str:
    """Return what a document has in front of the array that is its last value: names, and what stands beside it and may say more about its elements.

    What is larger than one record is left out: it would be read again with each part of the array.
    """
    found = ""
    while isinstance(value, dict):
        *others, (name, value) = value.items()
        beside = {other: told for other, told in others if not any(records.of_value(told))}
        level = json.dumps({**beside, name: 0})
        found += (level if len(found) + len(level) <= LARGEST else json.dumps({name: 0}))[: -len("0}")]
    return found + "["


def _has_header(line: str) -> bool:
    env = envelope.parse(line)
    return env.rank == envelope.STAMPED and not env.lead
