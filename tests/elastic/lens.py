"""A Lens panel's saved state: run on the server as the aggregations that Lens makes of it, and worked out from documents.

Last compared with: the documentation of Lens and of the aggregations only; never with a Kibana. The aggregations run on a real search server (OpenSearch)
in each test, and the workflow `servers` loads the panels into a Kibana (tests/servers/elastic.py), which says that it takes them, not what they draw.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta, timezone
from statistics import fmean
from typing import TYPE_CHECKING, Any

from tests.elastic.kql import Kql, fields_of, meets, values_of

if TYPE_CHECKING:
    from esatls.elastic.client import Client

Rows = dict[tuple[Any, ...], tuple[Any, ...]]
_INTERVAL = "1h"
_MISSING = "__missing__"


class Layer:
    """The one layer of a panel: its data view, its conditions and its columns, rows first."""

    def __init__(self, panel: dict[str, Any]) -> None:
        """Read the state that Kibana keeps of a panel."""
        attributes = panel["embeddableConfig"]["attributes"]
        ((name, layer),) = attributes["state"]["datasourceStates"]["formBased"]["layers"].items()
        self.title = attributes["title"]
        self.view = next(reference["id"] for reference in attributes["references"] if reference["name"] == f"indexpattern-datasource-layer-{name}")
        conditions = [Kql(attributes["state"]["query"]["query"]).query()]
        first, *others = attributes["state"]["filters"]
        # what no document states, and each index knows
        self.dataset = {"term": {"data_stream.dataset": first["meta"]["params"]["query"]}}
        assert first["query"] == {"match_phrase": self.dataset["term"]}
        for found, kind in [(first, "phrase"), *((other, "custom") for other in others)]:
            meta = found["meta"]
            assert (meta["type"], meta["disabled"], meta["negate"]) == (kind, False, False)
            assert {"type": "index-pattern", "id": self.view, "name": meta["index"]} in attributes["references"]
        conditions += [found["query"] for found in others]
        self.condition: dict[str, Any] = {"bool": {"filter": conditions}}
        columns = [(identity, layer["columns"][identity]) for identity in layer["columnOrder"]]
        assert sorted(layer["columnOrder"]) == sorted(layer["columns"])
        self.buckets = [(identity, column) for identity, column in columns if column["isBucketed"]]
        self.metrics = [(identity, column) for identity, column in columns if not column["isBucketed"]]

    @property
    def fields(self) -> set[str]:
        """Every field that the panel reads."""
        sources = {column["sourceField"] for _, column in self.buckets + self.metrics} - {"___records___"}
        conditions = [self.condition, *(Kql(column["filter"]["query"]).query() for _, column in self.metrics if "filter" in column)]
        return sources.union(*map(fields_of, conditions))

    # on the server

    def ask(self, client: Client, index: str) -> Rows:
        """Return rows -> numbers, from the server."""
        metrics: dict[str, Any] = {identity: _metric(column) for identity, column in self.metrics if _metric(column)}
        aggregations = metrics
        for identity, column in reversed(self.buckets):
            # the metrics stand at each level, since rows of each level are sorted by one
            aggregations = {**metrics, identity: {**self._bucket(column), "aggs": aggregations}}
        query = {"bool": {"filter": [self.dataset, self.condition]}}
        answer = client.request("POST", f"/{index}/_search", {"size": 0, "track_total_hits": True, "query": query, "aggs": aggregations})
        top = {**answer.get("aggregations", {}), "doc_count": answer["hits"]["total"]["value"]}
        rows: Rows = {}
        self._read(top, self.buckets, (), rows)
        return rows

    def _bucket(self, column: dict[str, Any]) -> dict[str, Any]:
        if column["operationType"] == "date_histogram":
            interval = column["params"]["interval"]
            unit = {"fixed_interval": _INTERVAL} if interval == "auto" else {"calendar_interval": interval}
            return {"date_histogram": {"field": column["sourceField"], **unit, "min_doc_count": 1}}
        params = column["params"]
        by = params["orderBy"]["columnId"]
        metric = dict(self.metrics)[by]
        order = "_count" if metric["operationType"] == "count" and "filter" not in metric else by
        missing = {"missing": _MISSING} if _has_missing(column) else {}
        return {"terms": {"field": column["sourceField"], "size": params["size"], "order": {order: params["orderDirection"]}, **missing}}

    def _read(self, bucket: dict[str, Any], rest: list[tuple[str, dict[str, Any]]], key: tuple[Any, ...], rows: Rows) -> None:
        if not rest:
            rows[key] = tuple(_number(bucket, identity, column) for identity, column in self.metrics)
            return
        for inner in bucket[rest[0][0]]["buckets"]:
            self._read(inner, rest[1:], (*key, inner.get("key_as_string", inner["key"])), rows)

    # from documents

    def work_out(self, documents: list[dict[str, Any]]) -> Rows:
        """Return rows -> numbers, from the documents themselves."""
        chosen = [document for document in documents if meets(self.condition, document)]
        groups: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
        for document in chosen:
            for key in self._keys(document):
                groups[key].append(document)
        if not self.buckets:
            groups[()] = chosen
        return {key: tuple(_worked_out(column, group) for _, column in self.metrics) for key, group in groups.items()}

    def _keys(self, document: dict[str, Any]) -> list[tuple[Any, ...]]:
        keys: list[tuple[Any, ...]] = [()]
        for _, column in self.buckets:
            values = values_of(document, column["sourceField"])
            if column["operationType"] == "date_histogram":
                values = [_begin(values[0], column["params"]["interval"])]
            if not values and _has_missing(column):
                values = [_MISSING]
            keys = [(*key, value) for key in keys for value in dict.fromkeys(values)]
        return keys

    def is_cut(self, rows: Rows) -> bool:
        """Tell whether a column has more values than the panel shows, so that the two ways may choose different ones."""
        counts = [Counter(key[place] for key in rows) for place in range(len(self.buckets))]
        return any(len(count) > column["params"].get("size", len(count)) for count, (_, column) in zip(counts, self.buckets))


def _begin(time: str, interval: str) -> str:
    """Return when the interval of a time begins."""
    if interval == "auto":
        return f"{time[:13]}:00:00.000Z"
    day = date.fromisoformat(time[:10])
    day = day.replace(day=1) if interval == "1M" else day - timedelta(days=day.weekday())
    return f"{day.isoformat()}T00:00:00.000Z"


def _has_missing(column: dict[str, Any]) -> bool:
    # of a choice without the other, Lens makes nothing
    return bool(column["params"].get("otherBucket") and column["params"].get("missingBucket"))


def _metric(column: dict[str, Any]) -> dict[str, Any] | None:
    if column["operationType"] == "count":
        return {"filter": Kql(column["filter"]["query"]).query()} if "filter" in column else None
    metric = {{"average": "avg"}.get(column["operationType"], column["operationType"]): {"field": column["sourceField"]}}
    return {"filter": Kql(column["filter"]["query"]).query(), "aggs": {"metric": metric}} if "filter" in column else metric


def _number(bucket: dict[str, Any], identity: str, column: dict[str, Any]) -> Any:
    if column["operationType"] == "count":
        return bucket[identity]["doc_count"] if "filter" in column else bucket["doc_count"]
    value = bucket[identity]["metric"] if "filter" in column else bucket[identity]
    if value["value"] is None:
        return None
    if column["dataType"] == "date":
        return datetime.fromtimestamp(value["value"] / 1000, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return round(value["value"], 9)


def _worked_out(column: dict[str, Any], group: list[dict[str, Any]]) -> Any:
    if column["operationType"] == "count":
        condition = Kql(column.get("filter", {"query": ""})["query"])
        return sum(condition.matches(document) for document in group)
    condition = Kql(column.get("filter", {"query": ""})["query"])
    values = [value for document in group if condition.matches(document) for value in values_of(document, column["sourceField"])]
    if column["operationType"] == "sum":
        return sum(values)
    if not values:
        return None
    if column["operationType"] == "average":
        return round(fmean(values), 9)
    found = max(values) if column["operationType"] == "max" else min(values)
    return found.replace("Z", ".000Z") if isinstance(found, str) and "." not in found else found
