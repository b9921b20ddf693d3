"""The part of Kibana's query language that the dashboards use: parsed strictly, run on the server and on documents."""

from __future__ import annotations

import re
from typing import Any

_TOKEN = re.compile(r'\s*(?:([()])|"((?:[^"\\]|\\.)*)"|([^\s():"]+)|(:))')


class Kql:
    """One parsed query: ``("and" | "or", [parts])``, ``("not", part)``, ``("is", field, value)``, ``("exists", field)`` or ``("all",)``."""

    def __init__(self, text: str) -> None:
        """Parse; ``ValueError`` for anything that is not understood."""
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                message = f"no KQL: {text[at:]!r}"
                raise ValueError(message)
            kind = next(name for name, value in zip(("bracket", "quoted", "word", "colon"), found.groups()) if value is not None)
            self._tokens.append((kind, next(value for value in found.groups() if value is not None)))
            at = found.end()
        self.tree: tuple[Any, ...] = self._or() if self._tokens else ("all",)
        if self._tokens:
            message = f"more than a query: {text!r}"
            raise ValueError(message)

    def _next_is(self, kind: str, value: str) -> bool:
        return bool(self._tokens) and self._tokens[0][0] == kind and self._tokens[0][1].lower() == value

    def _take(self, kind: str) -> str:
        if not self._tokens or self._tokens[0][0] != kind:
            message = f"expected {kind}, found {self._tokens[:1]}"
            raise ValueError(message)
        return self._tokens.pop(0)[1]

    def _or(self) -> tuple[Any, ...]:
        parts = [self._and()]
        while self._next_is("word", "or"):
            self._tokens.pop(0)
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else ("or", parts)

    def _and(self) -> tuple[Any, ...]:
        parts = [self._not()]
        while self._next_is("word", "and"):
            self._tokens.pop(0)
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else ("and", parts)

    def _not(self) -> tuple[Any, ...]:
        if self._next_is("word", "not"):
            self._tokens.pop(0)
            return ("not", self._not())
        if self._next_is("bracket", "("):
            self._tokens.pop(0)
            inner = self._or()
            self._close()
            return inner
        field = self._take("word")
        self._take("colon")
        if not self._next_is("bracket", "("):
            return self._value(field)
        self._tokens.pop(0)
        values = [self._value(field)]
        while self._next_is("word", "or"):
            self._tokens.pop(0)
            values.append(self._value(field))
        self._close()
        return ("or", values)

    def _close(self) -> None:
        if self._take("bracket") != ")":
            message = "a bracket is not closed"
            raise ValueError(message)

    def _value(self, field: str) -> tuple[Any, ...]:
        kind = self._tokens[0][0] if self._tokens else ""
        value = self._take("quoted" if kind == "quoted" else "word")
        return ("exists", field) if kind == "word" and value == "*" else ("is", field, value)

    @property
    def fields(self) -> set[str]:
        """Every field that the query names."""
        return _fields(self.tree)

    def query(self) -> dict[str, Any]:
        """Return the search that Kibana would send."""
        return _query(self.tree)

    def matches(self, document: dict[str, Any]) -> bool:
        """Tell whether a nested document meets the query."""
        return _matches(self.tree, document)


def _fields(tree: tuple[Any, ...]) -> set[str]:
    if tree[0] in {"and", "or"}:
        return set().union(*map(_fields, tree[1]))
    if tree[0] == "not":
        return _fields(tree[1])
    return {tree[1]} if tree[0] != "all" else set()


def _query(tree: tuple[Any, ...]) -> dict[str, Any]:
    if tree[0] == "and":
        return {"bool": {"filter": [_query(part) for part in tree[1]]}}
    if tree[0] == "or":
        return {"bool": {"should": [_query(part) for part in tree[1]], "minimum_should_match": 1}}
    if tree[0] == "not":
        return {"bool": {"must_not": [_query(tree[1])]}}
    if tree[0] == "exists":
        return {"exists": {"field": tree[1]}}
    return {"match": {tree[1]: tree[2]}} if tree[0] == "is" else {"match_all": {}}


def values_of(document: Any, path: str) -> list[Any]:
    """Return all values that a document has in a dotted field, in any of its objects."""
    if isinstance(document, list):
        return [value for item in document for value in values_of(item, path)]
    if not path:
        return [] if document is None else [document]
    if not isinstance(document, dict):
        return []
    first, _, rest = path.partition(".")
    return values_of(document.get(first), rest)


def _matches(tree: tuple[Any, ...], document: dict[str, Any]) -> bool:
    if tree[0] == "and":
        return all(_matches(part, document) for part in tree[1])
    if tree[0] == "or":
        return any(_matches(part, document) for part in tree[1])
    if tree[0] == "not":
        return not _matches(tree[1], document)
    if tree[0] == "exists":
        return bool(values_of(document, tree[1]))
    if tree[0] == "all":
        return True
    return any(str(value) == tree[2] for value in values_of(document, tree[1]))
