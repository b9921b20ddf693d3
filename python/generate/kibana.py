"""Kibana's dashboards, written as what they ask and shown as saved objects (NDJSON) for Kibana 8.8 and later, and 9.x.

The readable source is ``dashboards()`` at the end. Everything above it turns a panel into the state that Lens keeps: data source
``formBased``, no formulas, so that each number is one aggregation. All ids are made of names, so a second import replaces the first.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from esatls.elastic.documents import tls_version
from esatls.extraction.ciphers import DEPRECATED, WEAK_PARTS
from esatls.verdicts.words import CONNECTION_VERDICTS, DELIVERED_VERDICTS, OVER_TLS, RECEIVED_VERDICTS, counted

# The oldest migration that has all that is used here: a newer Kibana brings it up to date by itself, an older one refuses it.
CORE_MIGRATION = "8.8.0"
TYPE_MIGRATION = {"dashboard": "8.7.0", "index-pattern": "8.0.0", "search": "8.0.0"}
PANEL_VERSION = "8.8.0"
WIDTH = 48

EVENTS = "esatls-events"
CONNECTIONS = "esatls-connections"
MESSAGES = "esatls-messages"
VIEWS = {
    EVENTS: ("ESA TLS: events", "logs-esatls.events-*"),
    CONNECTIONS: ("ESA TLS: connections", "esatls-connections-*"),
    MESSAGES: ("ESA TLS: messages", "esatls-messages-*"),
}


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

    @property
    def bucketed(self) -> bool:
        """Tell whether the column makes rows (terms, dates) rather than numbers."""
        return self.operation in {"terms", "date_histogram"}


def count(label: str, where: str = "") -> Column:
    """Count documents, all or those that meet a KQL condition."""
    return Column(label, "count", where=where)


def by(label: str, source: str, size: int = 10, *, rest: bool = False) -> Column:
    """Make a row for each of the ``size`` most frequent values of a field; ``rest``: also for the other values, and for documents that have none."""
    return Column(label, "terms", source, size=size, rest=rest)


def share(label: str, source: str) -> Column:
    """Show the average of a field that is 1 or 0 as a percentage; documents without the field do not count."""
    return Column(label, "average", source, percent=True)


def last(label: str, source: str = "@timestamp") -> Column:
    """Show the newest time."""
    return Column(label, "max", source)


def over_time() -> Column:
    """Make a row for each interval of time."""
    return Column("Time", "date_histogram", "@timestamp")


@dataclass(frozen=True)
class Condition:
    """What KQL cannot say: a query of the search server, shown under its ``title``."""

    title: str
    query: dict[str, Any]


@dataclass(frozen=True)
class Panel:
    """One panel: ``shape`` is metric, table, pie, area (stacked bars over time), bars, search or text."""

    title: str
    shape: str
    width: int
    height: int
    view: str = ""
    columns: tuple[Column, ...] = ()
    where: str = ""
    only: Condition | None = None
    text: str = ""
    drill_to: str = ""
    drill_name: str = ""


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


def _lens_column(column: Column, order_by: str) -> dict[str, Any]:
    """Return the state of one column; ``order_by`` is the id of the metric that sorts the rows."""
    common: dict[str, Any] = {"customLabel": True, "label": column.label, "sourceField": column.source, "isBucketed": column.bucketed}
    if column.operation == "date_histogram":
        return {
            **common,
            "operationType": "date_histogram",
            "dataType": "date",
            "scale": "interval",
            "params": {"interval": "auto", "includeEmptyRows": True, "dropPartials": False},
        }
    if column.operation == "terms":
        params = {
            "size": column.size,
            "orderBy": {"type": "column", "columnId": order_by},
            "orderDirection": "desc",
            # Lens heeds the second only with the first
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
    data_type = "date" if column.source == "@timestamp" else "number"
    state = {**common, "operationType": column.operation, "dataType": data_type, "scale": "ratio", "params": params}
    if column.where:
        state["filter"] = {"language": "kuery", "query": column.where}
    return state


def _ids(panel: Panel) -> list[str]:
    """Return the ids of a panel's columns: their places, which stay the same from one build to the next."""
    return [f"column-{place}" for place in range(len(panel.columns))]


def _visualization(panel: Panel) -> tuple[str, dict[str, Any]]:
    """Return Lens's name of the chart and the state of its appearance."""
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
    stacked = "bar_stacked" if panel.shape == "area" else "bar_horizontal_stacked"
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
    filters = []
    if panel.only:
        name = "filter-index-pattern-0"
        references.append({"type": "index-pattern", "id": panel.view, "name": name})
        # the view is named, as Kibana may be set to ignore filters that do not fit one
        meta = {"alias": panel.only.title, "disabled": False, "index": name, "key": "query", "negate": False, "type": "custom"}
        filters.append({"$state": {"store": "appState"}, "meta": meta, "query": panel.only.query})
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
            "filters": filters,
            "internalReferences": [],
            "adHocDataViews": {},
        },
    }
    return {"attributes": attributes}, references


def _panel(dashboard: Dashboard, place: int, panel: Panel, grid: dict[str, int]) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Return one panel of a dashboard, and the dashboard's references for it."""
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
    if panel.drill_to:
        event = f"{index}-drill"
        action = {
            "factoryId": "DASHBOARD_TO_DASHBOARD_DRILLDOWN",
            "name": panel.drill_name,
            "config": {"useCurrentFilters": True, "useCurrentDateRange": True, "openInNewTab": False},
        }
        config["enhancements"] = {"dynamicActions": {"events": [{"eventId": event, "triggers": ["FILTER_TRIGGER"], "action": action}]}}
        named.append({"type": "dashboard", "id": panel.drill_to, "name": f"{index}:drilldown:DASHBOARD_TO_DASHBOARD_DRILLDOWN:{event}:dashboardId"})
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
    group = {"controlStyle": "oneLine", "chainingSystem": "HIERARCHICAL", "ignoreParentSettingsJSON": _json(ignore), "panelsJSON": _json(panels)}
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


def _dashboard(dashboard: Dashboard) -> dict[str, Any]:
    group, references = _controls(dashboard)
    built = [_panel(dashboard, place, panel, grid) for place, (panel, grid) in enumerate(zip(dashboard.panels, _layout(dashboard.panels)))]
    attributes = {
        "title": dashboard.title,
        "description": dashboard.description,
        "panelsJSON": _json([panel for panel, _ in built]),
        "optionsJSON": _json({"useMargins": True, "syncColors": True, "syncCursor": True, "syncTooltips": False, "hidePanelTitles": False}),
        "controlGroupInput": group,
        "kibanaSavedObjectMeta": {"searchSourceJSON": _json({"query": {"language": "kuery", "query": ""}, "filter": []})},
        "timeRestore": True,
        "timeFrom": "now-7d",
        "timeTo": "now",
        "refreshInterval": {"pause": True, "value": 60000},
        "version": 1,
    }
    return _object("dashboard", dashboard.id, attributes, references + [reference for _, named in built for reference in named])


def _search(search: Search) -> dict[str, Any]:
    index = "kibanaSavedObjectMeta.searchSourceJSON.index"
    source = {
        "query": {"language": "kuery", "query": search.where},
        "filter": [],
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
        "kibanaSavedObjectMeta": {"searchSourceJSON": _json(source)},
    }
    return _object("search", search.id, attributes, [{"type": "index-pattern", "id": search.view, "name": index}])


def _view(identity: str) -> dict[str, Any]:
    name, title = VIEWS[identity]
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


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def objects() -> list[dict[str, Any]]:
    """Return all saved objects, those that others refer to first."""
    return [*map(_view, VIEWS), *map(_search, searches()), *map(_dashboard, dashboards())]


def files() -> dict[Path, str]:
    """Return the generated file: path in the repository -> text. NDJSON has no room for a comment, the README names the command."""
    return {Path("logstash/kibana/dashboards.ndjson"): "".join(_json(item) + "\n" for item in objects())}


# ---- the readable source ----

OVERVIEW, PARTNERS, LOOKUP = "esatls-overview", "esatls-partners", "esatls-message-lookup"
RECEIVING, DELIVERY = "network.direction : ingress", "network.direction : egress"
FAILURES = "esatls.verdict : failed or (esatls.verdict : cleartext and event.reason : *)"
OVER_TLS_CONNECTIONS = f"esatls.verdict : ({' or '.join(OVER_TLS)})"
CLEAR_MESSAGES = "esatls.received.verdict : cleartext or esatls.delivered.verdict : (cleartext or mixed)"


def _outdated() -> dict[str, Any]:
    """Return the query that is true where the command line's report finds a deprecated protocol or a weak cipher, from its own lists.

    KQL can only try a few places for `DES` in a name; a regular expression, which must match the whole value, takes whole parts.
    """
    known = {pair for name in DEPRECATED if (pair := tls_version(name[:3].upper() + name[3:]))}
    pairs = [{"bool": {"filter": [{"term": {"tls.version_protocol": protocol}}, {"term": {"tls.version": version}}]}} for version, protocol in sorted(known)]
    # a protocol that names no version for ECS stands as it was logged
    logged = "|".join(map(re.escape, sorted(DEPRECATED)))
    parts = "|".join(WEAK_PARTS)
    names = {"tls.version": logged, "tls.cipher": f"(.*[-_])?({parts})([-_].*)?"}
    expressions = [{"regexp": {name: {"value": value, "case_insensitive": True}}} for name, value in names.items()]
    return {"bool": {"should": [*pairs, *expressions], "minimum_should_match": 1}}


OUTDATED = Condition("deprecated protocol or weak cipher", _outdated())

NOTE = (
    "`unused` connections carried no message, and of `unknown` ones the log does not tell: both have their own count and are in no percentage. "
    "A `mixed` connection carried messages before TLS came up and after. `internal` messages were made by the appliance itself; `none` means that nothing "
    "was received, because the message was refused or given up, or that nothing was delivered in view."
)


def searches() -> tuple[Search, ...]:
    """Return the saved searches: the documents behind the numbers."""
    return (
        Search(
            "esatls-search-messages",
            "ESA TLS: messages",
            "One row per message, with both verdicts and its whole path.",
            MESSAGES,
            (
                "observer.hostname",
                "email.local_id",
                "email.direction",
                "email.from.address",
                "email.to.address",
                "esatls.received.verdict",
                "esatls.delivered.verdict",
                "esatls.path",
            ),
        ),
        Search(
            "esatls-search-cleartext-messages",
            "ESA TLS: messages that went in clear text",
            "Messages received or delivered without TLS, newest first.",
            MESSAGES,
            (
                "observer.hostname",
                "email.local_id",
                "email.direction",
                "email.from.address",
                "email.to.address",
                "esatls.received.verdict",
                "esatls.delivered.verdict",
            ),
            CLEAR_MESSAGES,
        ),
        Search(
            "esatls-search-connections",
            "ESA TLS: connections",
            "One row per connection, with its verdict and why.",
            CONNECTIONS,
            (
                "observer.hostname",
                "network.direction",
                "esatls.icid",
                "esatls.dcid",
                "esatls.partner",
                "esatls.verdict",
                "tls.version",
                "tls.cipher",
                "event.reason",
                "esatls.messages",
            ),
        ),
        Search(
            "esatls-search-events",
            "ESA TLS: log lines",
            "The log lines that were understood, as they were logged.",
            EVENTS,
            ("observer.hostname", "event.action", "email.local_id", "esatls.icid", "esatls.dcid", "message"),
            "event.action : *",
        ),
    )


def _verdicts(name: str, words: tuple[str, ...]) -> tuple[Column, ...]:
    return tuple(count(word, f"{name} : {word}") for word in words)


def _shares(prefix: str, words: tuple[str, ...]) -> tuple[Column, ...]:
    return tuple(share(f"{word} %", f"{prefix}.{word}") for word in words)


def _summary(title: str, view: str, where: str, prefix: str, verdict: str, words: tuple[str, ...]) -> tuple[Panel, ...]:
    """Return the percentage in large letters, and the pie of the verdicts."""
    encrypted = share("encrypted, of those the log tells about", f"{prefix}.encrypted")
    return (
        Panel(title, "metric", 12, 7, view, (encrypted,), where),
        Panel(f"{title}: verdicts", "table", 12, 7, view, (by("Verdict", verdict, len(words)), count("Count")), where),
    )


def dashboards() -> tuple[Dashboard, ...]:
    """Return the three dashboards, with the panels of the Splunk app."""
    hosts = ("Appliance", CONNECTIONS, "observer.hostname")
    overview = (
        *_summary("Connections received", CONNECTIONS, RECEIVING, "esatls.share", "esatls.verdict", CONNECTION_VERDICTS),
        *_summary("Connections for delivery", CONNECTIONS, DELIVERY, "esatls.share", "esatls.verdict", CONNECTION_VERDICTS),
        *_summary("Messages received", MESSAGES, "", "esatls.received.share", "esatls.received.verdict", RECEIVED_VERDICTS),
        *_summary("Messages delivered", MESSAGES, "", "esatls.delivered.share", "esatls.delivered.verdict", DELIVERED_VERDICTS),
        Panel("Connections received over time", "area", 24, 12, CONNECTIONS, (over_time(), by("Verdict", "esatls.verdict"), count("Connections")), RECEIVING),
        Panel(
            "Connections for delivery over time", "area", 24, 12, CONNECTIONS, (over_time(), by("Verdict", "esatls.verdict"), count("Connections")), DELIVERY
        ),
        Panel("Messages received over time", "area", 24, 12, MESSAGES, (over_time(), by("Verdict", "esatls.received.verdict"), count("Messages"))),
        Panel("Messages delivered over time", "area", 24, 12, MESSAGES, (over_time(), by("Verdict", "esatls.delivered.verdict"), count("Messages"))),
        Panel(
            "Protocols of encrypted connections",
            "pie",
            16,
            12,
            CONNECTIONS,
            (by("Protocol", "tls.version_protocol"), by("Version", "tls.version"), count("Connections")),
            OVER_TLS_CONNECTIONS,
        ),
        Panel(
            "Ciphers of encrypted connections",
            "table",
            32,
            12,
            CONNECTIONS,
            (by("Version", "tls.version"), by("Cipher", "tls.cipher", 20), count("receiving", RECEIVING), count("delivery", DELIVERY)),
            OVER_TLS_CONNECTIONS,
        ),
        Panel(
            "Partners with TLS failures, and why",
            "table",
            48,
            14,
            CONNECTIONS,
            (
                by("Direction", "network.direction"),
                by("Partner", "esatls.partner", 50),
                by("Reason", "event.reason", 5),
                count("failed", "esatls.verdict : failed"),
                count("went in clear text", "esatls.verdict : cleartext"),
            ),
            FAILURES,
            drill_to=PARTNERS,
            drill_name="Show this partner",
        ),
        Panel(
            "Partners with deprecated protocols or weak ciphers",
            "table",
            48,
            12,
            CONNECTIONS,
            (
                by("Direction", "network.direction"),
                by("Partner", "esatls.partner", 50),
                by("Version", "tls.version", rest=True),
                by("Cipher", "tls.cipher", 20, rest=True),
                count("Connections"),
            ),
            OVER_TLS_CONNECTIONS,
            OUTDATED,
            drill_to=PARTNERS,
            drill_name="Show this partner",
        ),
        Panel("Messages in clear text", "search", 48, 12, "esatls-search-cleartext-messages"),
        Panel("", "text", 48, 4, text=NOTE),
    )
    sender, recipient = by("Partner", "esatls.received.partner", 100), by("Partner", "esatls.delivered.partner", 100)
    partners = (
        Panel(
            "Mail from partners",
            "table",
            48,
            14,
            MESSAGES,
            (
                sender,
                count("Messages"),
                *_verdicts("esatls.received.verdict", RECEIVED_VERDICTS),
                *_shares("esatls.received.share", counted(RECEIVED_VERDICTS)),
                last("Last seen"),
            ),
            drill_to=LOOKUP,
            drill_name="Show the messages",
        ),
        Panel(
            "Mail to partners",
            "table",
            48,
            14,
            MESSAGES,
            (
                recipient,
                count("Messages"),
                *_verdicts("esatls.delivered.verdict", DELIVERED_VERDICTS),
                *_shares("esatls.delivered.share", counted(DELIVERED_VERDICTS)),
                last("Last seen"),
            ),
            drill_to=LOOKUP,
            drill_name="Show the messages",
        ),
        Panel(
            "Connections with partners",
            "table",
            48,
            14,
            CONNECTIONS,
            (
                by("Partner", "esatls.partner", 100),
                by("Direction", "network.direction"),
                count("Connections"),
                *_verdicts("esatls.verdict", CONNECTION_VERDICTS),
                *_shares("esatls.share", counted(CONNECTION_VERDICTS)),
            ),
        ),
        Panel("Reasons", "table", 24, 12, CONNECTIONS, (by("Reason", "event.reason", 20), count("Connections"))),
        Panel("Connections over time", "area", 24, 12, CONNECTIONS, (over_time(), by("Verdict", "esatls.verdict"), count("Connections"))),
        Panel("Connections", "search", 48, 14, "esatls-search-connections"),
    )
    lookup = (
        Panel("Messages", "metric", 8, 6, MESSAGES, (count("Messages"),)),
        Panel("Received", "table", 20, 6, MESSAGES, (by("Received", "esatls.received.verdict"), count("Messages"))),
        Panel("Delivered", "table", 20, 6, MESSAGES, (by("Delivered", "esatls.delivered.verdict"), count("Messages"))),
        Panel("The path of each message", "search", 48, 16, "esatls-search-messages"),
        Panel("Its log lines", "search", 48, 14, "esatls-search-events"),
    )
    return (
        Dashboard(
            OVERVIEW,
            "ESA TLS: Overview",
            "Which share of connections and messages used TLS, over time, with which protocols, and who fails.",
            (hosts, ("Mail flow", MESSAGES, "email.direction")),
            overview,
        ),
        Dashboard(
            PARTNERS,
            "ESA TLS: Partners",
            "TLS with each partner: success, failure, clear text, and why.",
            (
                hosts,
                ("Partner", CONNECTIONS, "esatls.partner"),
                ("Sender's domain", MESSAGES, "esatls.received.partner"),
                ("Recipient's domain", MESSAGES, "esatls.delivered.partner"),
            ),
            partners,
        ),
        Dashboard(
            LOOKUP,
            "ESA TLS: Message lookup",
            "The whole path of one message, found by MID, address or domain.",
            (hosts, ("MID", MESSAGES, "email.local_id"), ("Sender", MESSAGES, "email.from.address"), ("Recipient", MESSAGES, "email.to.address")),
            lookup,
        ),
    )
