"""Descriptions of dashboards -> saved objects with the state of Kibana and Lens, for Kibana 8.8 and later, and 9.x.

The data source is ``formBased``, without formulas, so each number is one aggregation. Ids are made from names, so a second import replaces the first.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

# The oldest migration version that supports all that is used here: a newer Kibana migrates the objects itself, an older one refuses them.
CORE_MIGRATION = "8.8.0"
TYPE_MIGRATION = {"dashboard": "8.7.0", "index-pattern": "8.0.0", "search": "8.0.0"}
PANEL_VERSION = "8.8.0"
WIDTH = 48
DATES = frozenset({"@timestamp", "event.start", "event.end", "esatls.run.read_to"})


@dataclass(frozen=True)
class Column:
    """One column of a Lens layer: an ``operation``, the field it works on, and a KQL condition for a metric."""

    label: str
    operation: str
    source: str = "___records___"
    where: str = ""
    size: int = 10
    percent: bool = False
    rest: bool = False
    interval: str = "auto"

    @property
    def bucketed(self) -> bool:
        """Tell whether the column makes rows (terms, dates) rather than numbers."""
        return self.operation in {"terms", "date_histogram"}


def count(label: str, where: str = "") -> Column:
    """Count documents, all or those that meet a KQL condition."""
    return Column(label, "count", where=where)


def by(label: str, source: str, size: int = 10, *, rest: bool = False) -> Column:
    """Make a row for each of the ``size`` most frequent values of a field; with ``rest``, also for other values and for documents without a value."""
    return Column(label, "terms", source, size=size, rest=rest)


def share(label: str, source: str) -> Column:
    """Show the average of a field that is 1 or 0 as a percentage; documents without the field do not count."""
    return Column(label, "average", source, percent=True)


def last(label: str, source: str = "@timestamp", where: str = "") -> Column:
    """Show the newest time, of all documents or of those that meet a KQL condition."""
    return Column(label, "max", source, where=where)


def first(label: str, where: str = "") -> Column:
    """Show the oldest time of the documents that meet a KQL condition."""
    return Column(label, "min", "@timestamp", where=where)


def total(label: str, source: str) -> Column:
    """Show the sum of a field."""
    return Column(label, "sum", source)


def most(label: str, source: str) -> Column:
    """Show the largest value of a field."""
    return Column(label, "max", source)


def over_time(interval: str = "auto") -> Column:
    """Make a row for each interval of time: `1w` and `1M` are calendar weeks and months, `auto` fits the time range."""
    return Column("Time", "date_histogram", "@timestamp", interval=interval)


@dataclass(frozen=True)
class Condition:
    """A condition that KQL cannot express: an Elasticsearch query, shown as its ``title``."""

    title: str
    query: dict[str, Any]


@dataclass(frozen=True)
class Panel:
    """One panel: ``shape`` is metric, table, pie, area (stacked bars over time), line, bars, search or text."""

    title: str
    shape: str
    width: int
    height: int
    view: str = ""
    columns: tuple[Column, ...] = ()
    where: str = ""
    only: Condition | None = None
    text: str = ""
    drill: tuple[str, str] | None = None
    """The dashboard to which a click on a value leads, and what that is called."""


@dataclass(frozen=True)
class Search:
    """A saved search: the documents themselves, newest first."""

    id: str
    title: str
    description: str
    view: str
    columns: tuple[str, ...]
    where: str = ""


@dataclass(frozen=True)
class Dashboard:
    """One dashboard; its panels fill rows from left to right in the order given."""

    id: str
    title: str
    description: str
    controls: tuple[tuple[str, str, str], ...] = ()
    panels: tuple[Panel, ...] = field(default=())
    since: str = "now-7d"


def _lens_column(column: Column, order_by: str) -> dict[str, Any]:
    """Return the state of one column; ``order_by`` is the id of the metric that sorts the rows."""
    common: dict[str, Any] = {"customLabel": True, "label": column.label, "sourceField": column.source, "isBucketed": column.bucketed}
    if column.operation == "date_histogram":
        return {
            **common,
            "operationType": "date_histogram",
            "dataType": "date",
            "scale": "interval",
            "params": {"interval": column.interval, "includeEmptyRows": True, "dropPartials": False},
        }
    if column.operation == "terms":
        params = {
            "size": column.size,
            "orderBy": {"type": "column", "columnId": order_by},
            "orderDirection": "desc",
            # Lens ignores the second without the first
            "otherBucket": column.rest,
            "missingBucket": column.rest,
            "parentFormat": {"id": "terms"},
            "include": [],
            "exclude": [],
            "includeIsRegex": False,
            "excludeIsRegex": False,
        }
        data_type = "ip" if column.source.endswith(".ip") else "string"
        return {**common, "operationType": "terms", "dataType": data_type, "scale": "ordinal", "params": params}
    params = {"emptyAsNull": False} if column.operation == "count" else {"emptyAsNull": True}
    if column.percent:
        params["format"] = {"id": "percent", "params": {"decimals": 1}}
    data_type = "date" if column.source in DATES else "number"
    state = {**common, "operationType": column.operation, "dataType": data_type, "scale": "ratio", "params": params}
    if column.where:
        state["filter"] = {"language": "kuery", "query": column.where}
    return state


def _ids(panel: Panel) -> list[str]:
    """Return the ids of a panel's columns, made from their places so that they are the same in every build."""
    return [f"column-{place}" for place in range(len(panel.columns))]


def _visualization(panel: Panel) -> tuple[str, dict[str, Any]]:
    """Return Lens's name for the chart, and the state of its appearance."""
    ids = _ids(panel)
    rows = [identity for identity, column in zip(ids, panel.columns) if column.bucketed]
    numbers = [identity for identity, column in zip(ids, panel.columns) if not column.bucketed]
    layer = {"layerId": "layer", "layerType": "data"}
    if panel.shape == "metric":
        return "lnsMetric", {**layer, "metricAccessor": numbers[0]}
    if panel.shape == "table":
        columns = [{"columnId": identity, "isTransposed": False} for identity in ids]
        return "lnsDatatable", {**layer, "columns": columns, "paging": {"size": 10, "enabled": True}}
    if panel.shape == "pie":
        pie = {
            **layer,
            "primaryGroups": rows,
            "metrics": numbers,
            "numberDisplay": "percent",
            "categoryDisplay": "default",
            "legendDisplay": "show",
            "nestedLegend": False,
        }
        return "lnsPie", {"shape": "donut", "layers": [pie]}
    stacked = {"area": "bar_stacked", "line": "line"}.get(panel.shape, "bar_horizontal_stacked")
    xy = {**layer, "accessors": numbers, "seriesType": stacked, "xAccessor": rows[0], "position": "top", "showGridlines": False}
    if len(rows) > 1:
        xy["splitAccessor"] = rows[1]
    appearance = {
        "legend": {"isVisible": True, "position": "right"},
        "valueLabels": "hide",
        "preferredSeriesType": stacked,
        "fittingFunction": "None",
        "axisTitlesVisibilitySettings": {"x": False, "yLeft": False, "yRight": False},
    }
    return "lnsXY", {**appearance, "layers": [xy]}


def _in_effect(found: dict[str, Any], key: str, name: str) -> dict[str, Any]:
    """Return a filter that is switched on; ``key`` is the property that tells the ``name`` of the reference to its view."""
    return {**found, "$state": {"store": "appState"}, "meta": {**found["meta"], "disabled": False, key: name, "negate": False}}


def _only_dataset(view: str) -> dict[str, Any]:
    """Return the filter for the data set of a view: in the Fleet package, all panels look at `logs-*`."""
    field, name = "data_stream.dataset", view.replace("-", ".")
    return {"meta": {"alias": None, "field": field, "key": field, "params": {"query": name}, "type": "phrase"}, "query": {"match_phrase": {field: name}}}


def _only_datasets(views: list[str]) -> dict[str, Any]:
    """Return the filter for events and for the data sets of some views, so that controls offer values from these only."""
    field, names = "data_stream.dataset", sorted({"esatls.events", *(view.replace("-", ".") for view in views)})
    words = {"should": [{"match_phrase": {field: name}} for name in names], "minimum_should_match": 1}
    return {"meta": {"alias": None, "field": field, "key": field, "params": names, "type": "phrases", "value": names}, "query": {"bool": words}}


def _lens(panel: Panel) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Return a Lens panel by value, and the references that it needs."""
    ids = _ids(panel)
    sorter = next(identity for identity, column in zip(ids, panel.columns) if not column.bucketed)
    chart, visualization = _visualization(panel)
    layer = {
        "columns": {identity: _lens_column(column, sorter) for identity, column in zip(ids, panel.columns)},
        "columnOrder": sorted(ids, key=lambda identity: not panel.columns[ids.index(identity)].bucketed),
        "incompleteColumns": {},
        "sampling": 1,
    }
    references = [{"type": "index-pattern", "id": panel.view, "name": "indexpattern-datasource-layer-layer"}]
    filters = [_only_dataset(panel.view)]
    if panel.only:
        filters.append({"meta": {"alias": panel.only.title, "key": "query", "type": "custom"}, "query": panel.only.query})
    # name the view, because Kibana may be set to ignore filters that do not fit a view
    names = [f"filter-index-pattern-{place}" for place in range(len(filters))]
    references += [{"type": "index-pattern", "id": panel.view, "name": name} for name in names]
    attributes = {
        "title": panel.title,
        "description": "",
        "type": "lens",
        "visualizationType": chart,
        "references": references,
        "state": {
            "datasourceStates": {"formBased": {"layers": {"layer": layer}}},
            "visualization": visualization,
            "query": {"language": "kuery", "query": panel.where},
            "filters": [_in_effect(one, "index", name) for one, name in zip(filters, names)],
            "internalReferences": [],
            "adHocDataViews": {},
        },
    }
    return {"attributes": attributes}, references


def _panel(dashboard: Dashboard, place: int, panel: Panel, grid: dict[str, int]) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Return one panel of a dashboard, and the references that the dashboard needs for it."""
    index = f"{dashboard.id}-{place}"
    base: dict[str, Any] = {"version": PANEL_VERSION, "panelIndex": index, "gridData": {**grid, "i": index}, "title": panel.title}
    if panel.shape == "text":
        saved = {
            "type": "markdown",
            "title": "",
            "description": "",
            "uiState": {},
            "params": {"markdown": panel.text, "fontSize": 12, "openLinksInNewTab": False},
            "data": {"aggs": [], "searchSource": {"query": {"query": "", "language": "kuery"}, "filter": []}},
        }
        return {**base, "type": "visualization", "embeddableConfig": {"savedVis": saved, "enhancements": {}}}, []
    if panel.shape == "search":
        reference = {"type": "search", "id": panel.view, "name": f"{index}:panel_{index}"}
        return {**base, "type": "search", "panelRefName": f"panel_{index}", "embeddableConfig": {"enhancements": {}}}, [reference]
    config, references = _lens(panel)
    named = [{**reference, "name": f"{index}:{reference['name']}"} for reference in references]
    config["enhancements"] = {}
    if panel.drill:
        target, name = panel.drill
        event = f"{index}-drill"
        action = {
            "factoryId": "DASHBOARD_TO_DASHBOARD_DRILLDOWN",
            "name": name,
            "config": {"useCurrentFilters": True, "useCurrentDateRange": True, "openInNewTab": False},
        }
        config["enhancements"] = {"dynamicActions": {"events": [{"eventId": event, "triggers": ["FILTER_TRIGGER"], "action": action}]}}
        named.append({"type": "dashboard", "id": target, "name": f"{index}:drilldown:DASHBOARD_TO_DASHBOARD_DRILLDOWN:{event}:dashboardId"})
    return {**base, "type": "lens", "embeddableConfig": config}, named


def _layout(panels: tuple[Panel, ...]) -> list[dict[str, int]]:
    """Place panels in rows from left to right; a row is as high as its highest panel."""
    places, x, y, high = [], 0, 0, 0
    for panel in panels:
        if x + panel.width > WIDTH:
            x, y, high = 0, y + high, 0
        places.append({"x": x, "y": y, "w": panel.width, "h": panel.height})
        x, high = x + panel.width, max(high, panel.height)
    return places


def _controls(dashboard: Dashboard) -> tuple[dict[str, Any], list[dict[str, str]]]:
    panels, references = {}, []
    for order, (title, view, source) in enumerate(dashboard.controls):
        identity = f"{dashboard.id}-control-{order}"
        explicit = {"id": identity, "fieldName": source, "title": title, "enhancements": {}, "selectedOptions": [], "singleSelect": False}
        panels[identity] = {"order": order, "width": "medium", "grow": True, "type": "optionsListControl", "explicitInput": explicit}
        references.append({"type": "index-pattern", "id": view, "name": f"controlGroup_{identity}:optionsListDataView"})
    ignore = {"ignoreFilters": False, "ignoreQuery": False, "ignoreTimerange": False, "ignoreValidations": False}
    group = {"controlStyle": "oneLine", "chainingSystem": "HIERARCHICAL", "ignoreParentSettingsJSON": compact(ignore), "panelsJSON": compact(panels)}
    return group, references


def _object(kind: str, identity: str, attributes: dict[str, Any], references: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "id": identity,
        "type": kind,
        "attributes": attributes,
        "references": references,
        "managed": False,
        "coreMigrationVersion": CORE_MIGRATION,
        "typeMigrationVersion": TYPE_MIGRATION[kind],
    }


def dashboard_object(dashboard: Dashboard) -> dict[str, Any]:
    """Return the saved object of a dashboard."""
    group, references = _controls(dashboard)
    views = sorted({panel.view for panel in dashboard.panels if panel.view and panel.shape != "search"})
    filter_index = "kibanaSavedObjectMeta.searchSourceJSON.filter[0].meta.index"
    only = _in_effect(_only_datasets(views), "indexRefName", filter_index)
    references.append({"type": "index-pattern", "id": views[0], "name": filter_index})
    built = [_panel(dashboard, place, panel, grid) for place, (panel, grid) in enumerate(zip(dashboard.panels, _layout(dashboard.panels)))]
    attributes = {
        "title": dashboard.title,
        "description": dashboard.description,
        "panelsJSON": compact([panel for panel, _ in built]),
        "optionsJSON": compact({"useMargins": True, "syncColors": True, "syncCursor": True, "syncTooltips": False, "hidePanelTitles": False}),
        "controlGroupInput": group,
        "kibanaSavedObjectMeta": {"searchSourceJSON": compact({"query": {"language": "kuery", "query": ""}, "filter": [only]})},
        "timeRestore": True,
        "timeFrom": dashboard.since,
        "timeTo": "now",
        "refreshInterval": {"pause": True, "value": 60000},
        "version": 1,
    }
    return _object("dashboard", dashboard.id, attributes, references + [reference for _, named in built for reference in named])


def search_object(search: Search) -> dict[str, Any]:
    """Return the saved object of a search."""
    index, filter_index = (f"kibanaSavedObjectMeta.searchSourceJSON.{part}" for part in ("index", "filter[0].meta.index"))
    only = _in_effect(_only_dataset(search.view), "indexRefName", filter_index)
    source = {
        "query": {"language": "kuery", "query": search.where},
        "filter": [only],
        "highlightAll": True,
        "version": True,
        "indexRefName": index,
    }
    attributes = {
        "title": search.title,
        "description": search.description,
        "columns": list(search.columns),
        "sort": [["@timestamp", "desc"]],
        "grid": {},
        "hideChart": True,
        "kibanaSavedObjectMeta": {"searchSourceJSON": compact(source)},
    }
    return _object("search", search.id, attributes, [{"type": "index-pattern", "id": search.view, "name": name} for name in (index, filter_index)])


def view_object(identity: str, name: str, title: str) -> dict[str, Any]:
    """Return the saved object of a data view."""
    return _object(
        "index-pattern",
        identity,
        {
            "title": title,
            "name": name,
            "timeFieldName": "@timestamp",
            "fieldFormatMap": "{}",
            "fieldAttrs": "{}",
            "runtimeFieldMap": "{}",
            "sourceFilters": "[]",
        },
        [],
    )


def compact(value: Any) -> str:
    """Return a value as one line of JSON with sorted keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
