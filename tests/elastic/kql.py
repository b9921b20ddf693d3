"""The part of Kibana's query language that the dashboards use: parsed strictly, run on the server and on documents.

Last compared with: the documentation of KQL only; never with a Kibana. What it makes of a query runs on a real search server (OpenSearch) in each test.
"""

from __future__ import annotations

import re
from typing import Any

LISTS: dict[tuple[str, str], dict[str, list[str]]] = {}
"""Documents that queries look values up in, by index and id."""
_TOKEN = re.compile(r'\s*(?:([()])|"((?:[^"\\]|\\.)*)"|([^\s():"]+)|(:))')


class Kql:
    """One parsed query: ``("and" | "or", [parts])``, ``("not", part)``, ``("is" | "like", field, value)``, ``("exists", field)`` or ``("all",)``."""

    def __init__(self, text: str) -> None:
        """Parse; ``ValueError`` for anything that is not understood."""
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                raise ValueError(f"no KQL: {text[at:]!r}")
            kind = next(name for name, value in zip(("bracket", "quoted", "word", "colon"), found.groups()) if value is not None)
            self._tokens.append((kind, next(value for value in found.groups() if value is not None)))
            at = found.end()
        self.tree: tuple[Any, ...] = self._or() if self._tokens else ("all",)
        if self._tokens:
            raise ValueError(f"more than a query: {text!r}")

    def _next_is(self, kind: str, value: str) -> bool:
        return bool(self._tokens) and self._tokens[0][0] == kind and self._tokens[0][1].lower() == value

    def _take(self, kind: str) -> str:
        if not self._tokens or self._tokens[0][0] != kind:
            raise ValueError(f"expected {kind}, found {self._tokens[:1]}")
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
            raise ValueError("a bracket is not closed")

    def _value(self, field: str) -> tuple[Any, ...]:
        kind = self._tokens[0][0] if self._tokens else ""
        value = self._take("quoted" if kind == "quoted" else "word")
        if kind == "word" and "*" in value:
            return ("exists", field) if value == "*" else ("like", field, value)
        return ("is", field, value)

    @property
    def fields(self) -> set[str]:
        """Every field that the query names."""
        return fields_of(self.query())

    def query(self) -> dict[str, Any]:
        """Return the search that Kibana would send."""
        return _query(self.tree)

    def matches(self, document: dict[str, Any]) -> bool:
        """Tell whether a nested document meets the query."""
        return meets(self.query(), document)


def _query(tree: tuple[Any, ...]) -> dict[str, Any]:
    if tree[0] == "and":
        return {"bool": {"filter": [_query(part) for part in tree[1]]}}
    if tree[0] == "or":
        return {"bool": {"should": [_query(part) for part in tree[1]], "minimum_should_match": 1}}
    if tree[0] == "not":
        return {"bool": {"must_not": [_query(tree[1])]}}
    if tree[0] == "exists":
        return {"exists": {"field": tree[1]}}
    if tree[0] == "like":
        return {"wildcard": {tree[1]: tree[2]}}
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


def fields_of(query: dict[str, Any]) -> set[str]:
    """Return every field that a query of the server names."""
    ((kind, inner),) = query.items()
    if kind == "bool":
        return {field for name in ("filter", "should", "must_not") for part in inner.get(name, []) for field in fields_of(part)}
    if kind == "exists":
        return {inner["field"]}
    return set(inner)


def meets(query: dict[str, Any], document: dict[str, Any]) -> bool:
    """Tell whether a nested document meets a query of the server; ``KeyError`` for a kind of query that is not known here."""
    ((kind, inner),) = query.items()
    if kind == "match_all":
        return True
    if kind == "bool":
        known = {name: [meets(part, document) for part in parts] for name, parts in inner.items() if name != "minimum_should_match"}
        assert known.keys() <= {"filter", "should", "must_not"}
        assert inner.get("minimum_should_match", 0) == int("should" in known)
        return all(known.get("filter", [])) and any(known.get("should", [True])) and not any(known.get("must_not", []))
    if kind == "exists":
        return bool(values_of(document, inner["field"]))
    ((field, wanted),) = inner.items()
    if kind == "terms":
        # the values, or a list that the server looks up
        listed = wanted if isinstance(wanted, list) else LISTS[wanted["index"], wanted["id"]][wanted["path"]]
        return any(str(value) in listed for value in values_of(document, field))
    is_wanted = {
        "match": wanted.__eq__,
        "term": wanted.__eq__,
        "regexp": lambda value: _fits(wanted, value),
        "wildcard": lambda value: _is_like(wanted, value),
    }[kind]
    return any(is_wanted(str(value)) for value in values_of(document, field))


def _is_like(wanted: str, value: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, wanted.split("*"))), value, re.DOTALL) is not None


def _fits(wanted: dict[str, Any], value: str) -> bool:
    # only of these signs is it certain that Lucene and Python mean the same
    assert re.fullmatch(r"(?:\w|/|\\\.|\||\(|\)\??|\.\*|\[-_\])+", wanted["value"])
    return re.fullmatch(wanted["value"], value, re.DOTALL | (re.IGNORECASE if wanted["case_insensitive"] else 0)) is not None
