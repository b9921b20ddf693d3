"""Reads the documents of a search server: all that match, or there is an error."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from esatls.elastic.client import ElasticError
from esatls.elastic.state import STATE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from esatls.elastic.retry import Retrying

PAGE = 10_000
"""Documents of a page: the most that servers return at once by default."""

_KEPT = "5m"
_MOST_TERMS = 2_000
_EXPAND = "expand_wildcards=all&ignore_unavailable=false&allow_no_indices=true"


class Hit(NamedTuple):
    """One document: where it is, when it came in (milliseconds since 1970), its place in the order of writes, and the fields that were asked for."""

    place: tuple[str, str]
    """Its index and its id."""
    ingested: int
    seq_no: int
    primary_term: int
    source: dict[str, Any]

    def is_beside(self, other: Hit) -> bool:
        """Tell whether the two cannot be ordered: no sort field is unique on every server."""
        return (self.ingested, self.seq_no) == (other.ingested, other.seq_no)


class Snapshot:
    """Some indices as they were at one moment. What is read from them is complete; otherwise ``ElasticError`` is raised."""

    def __init__(self, server: Retrying, point: str) -> None:
        self._server = server
        self._point = point

    def page(
        self, filters: Sequence[dict[str, Any]], fields: Sequence[str], *, since: int | None = None, behind: Hit | None = None, size: int = PAGE
    ) -> list[Hit]:
        """Return the first ``size`` documents that came in from ``since`` on (milliseconds since 1970) and after ``behind``, the last one of an earlier page.

        That last one comes again, and so do those that cannot be ordered beside it (``is_beside``).
        """
        window = [] if since is None else [{"range": {"event.ingested": {"gte": since, "format": "epoch_millis"}}}]
        # documents without an arrival time sort last, and could not be paged
        query = {"bool": {"filter": [{"exists": {"field": "event.ingested"}}, *window, *filters]}}
        body = {
            "pit": {"id": self._point, "keep_alive": _KEPT},
            "size": size,
            "query": query,
            "_source": list(fields),
            # Fleet cuts the time to seconds, and one second may have more than a page
            "sort": [{"event.ingested": {"order": "asc", "unmapped_type": "date"}}, {"_seq_no": "asc"}],
            "track_total_hits": False,
            "seq_no_primary_term": True,
        }
        if "@timestamp" in fields:
            # a document may have the time in any form that the server reads
            body["docvalue_fields"] = [{"field": "@timestamp", "format": "strict_date_time"}]
        if behind:
            body["search_after"] = [behind.ingested, behind.seq_no - 1]
        answer = whole(self._server.ask("hits", "POST", "/_search?allow_partial_search_results=false", body))
        self._point = answer.get("pit_id", self._point)
        return [
            Hit((hit["_index"], hit["_id"]), int(hit["sort"][0]), hit.get("_seq_no", -1), hit.get("_primary_term", -1), _source(hit))
            for hit in answer["hits"]["hits"]
        ]

    def all(self, filters: Sequence[dict[str, Any]], fields: Sequence[str]) -> Iterator[Hit]:
        """Yield all documents, in the order of their arrival times."""
        last: Hit | None = None
        seen: set[tuple[str, str]] = set()
        while True:
            page = self.page(filters, fields, behind=last)
            yield from (hit for hit in page if hit.place not in seen)
            if len(page) < PAGE:
                return
            last, seen = page[-1], {hit.place for hit in page if hit.is_beside(page[-1])}

    def with_ids(self, ids: dict[str, list[Any]], filters: Sequence[dict[str, Any]], fields: Sequence[str]) -> Iterator[Hit]:
        """Yield the documents that have one of some values in its field; ``ids`` has the values by field. A document may come several times."""
        terms = [(field, value) for field, values in ids.items() for value in values]
        for start in range(0, len(terms), _MOST_TERMS):
            asked: dict[str, list[Any]] = {}
            for field, value in terms[start : start + _MOST_TERMS]:
                asked.setdefault(field, []).append(value)
            named = [{"terms": {field: values}} for field, values in asked.items()]
            yield from self.all([{"bool": {"should": named, "minimum_should_match": 1}}, *filters], fields)

    def close(self) -> None:
        """Let the server drop the snapshot. Errors do not matter, because the server drops it after some minutes anyway."""
        path, body = ("/_pit", {"id": self._point}) if self._server.client.is_elasticsearch else ("/_search/point_in_time", {"pit_id": [self._point]})
        try:
            self._server.client.request("DELETE", path, body)
        except ElasticError:
            return


def _source(hit: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a document that were asked for."""
    source: dict[str, Any] = hit["_source"]
    return {**source, **{name: values[0] for name, values in hit.get("fields", {}).items()}}


@contextmanager
def snapshot(server: Retrying, indices: str) -> Iterator[Snapshot]:
    """Take a snapshot of some indices, with all that was written to them before. A closed index among them is an error, because it hides documents."""
    whole(server.ask("_shards", "POST", f"/{indices}/_refresh?{_EXPAND}"))
    # OpenSearch fails if no index matches a pattern: this one always exists, and its mapping lets searches find nothing in it
    path = f"{indices},{STATE}"
    if server.client.is_elasticsearch:
        found = Snapshot(server, server.ask("id", "POST", f"/{path}/_pit?keep_alive={_KEPT}&{_EXPAND}")["id"])
    else:
        found = Snapshot(server, whole(server.ask("pit_id", "POST", f"/{path}/_search/point_in_time?keep_alive={_KEPT}&{_EXPAND}"))["pit_id"])
    try:
        yield found
    finally:
        found.close()


def whole(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer. Raises ``ElasticError`` if a part of an index is missing from it."""
    failed = answer.get("_shards", {}).get("failed", 0)
    if failed or answer.get("timed_out"):
        raise ElasticError(f"not all documents could be read: {f'{failed} shards failed' if failed else 'the search timed out'}")
    return answer
