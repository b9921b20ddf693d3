"""The views as they stand in the app: valid for Splunk, and right where Splunk's validator does not look."""

from __future__ import annotations

import re
from typing import Any, Callable
from xml.etree import ElementTree as ET

import pytest

from tests.splunk.dashboards.standin import checks, spl, views

VIEWS = ["esatls_health", "esatls_message_lookup", "esatls_overview", "esatls_partners", "esatls_trends"]


def test_the_views_are_these() -> None:
    """The app has these views, and the navigation names each of them once and none that does not exist."""
    assert views.names() == VIEWS
    root = ET.fromstring(views.NAVIGATION.read_text(encoding="utf-8"))  # noqa: S314 - our own file
    named = [item.get("name") for item in root.iter("view")]
    assert [name for name in named if name and name.startswith("esatls_")] == [
        "esatls_health",
        "esatls_overview",
        "esatls_partners",
        "esatls_message_lookup",
        "esatls_trends",
    ]
    assert set(named) - set(VIEWS) == {"search", "reports", "alerts"}  # of Splunk itself
    assert [item.get("name") for item in root.iter("view") if item.get("default") == "true"] == ["esatls_overview"]


@pytest.mark.parametrize("view", VIEWS)
def test_xml_around_the_definition(view: str) -> None:
    """The file is a Dashboard Studio view whose label and description are the definition's."""
    root = ET.fromstring((views.VIEWS / f"{view}.xml").read_text(encoding="utf-8"))  # noqa: S314 - our own file
    definition = views.definition(view)
    assert (root.tag, root.get("version"), root.get("theme")) == ("dashboard", "2", "light")
    assert root.findtext("label") == definition["title"]
    assert root.findtext("description") == definition["description"]


@pytest.mark.parametrize("view", VIEWS)
def test_splunk_finds_it_valid(view: str, verdict: dict[str, Any]) -> None:
    """Splunk's own validator has nothing to say."""
    assert verdict["errors"][view] == []


@pytest.mark.parametrize("view", VIEWS)
def test_own_checks_find_nothing(view: str, verdict: dict[str, Any], week: spl.Search) -> None:
    """Nothing is wrong that Splunk's validator would miss; every search runs and gives the columns that its panel names."""
    assert checks.problems(view, checks.all_definitions(), verdict["schema"], week) == []


@pytest.mark.parametrize("view", VIEWS)
def test_every_panel_has_a_title_and_nothing_renders_markup(view: str) -> None:
    """Log text is shown in tables, charts and numbers only: no component that reads markup gets data, no address comes from data alone."""
    for name, item in views.definition(view)["visualizations"].items():
        assert item["type"] in {"splunk.table", "splunk.column", "splunk.bar", "splunk.singlevalue"}, name
        assert item["title"], name
        for handler in item.get("eventHandlers", []):
            assert handler["options"].get("url", "/app/esatls/").startswith("/app/esatls/"), name


@pytest.mark.parametrize("view", VIEWS)
def test_searches_stand_in_macros(view: str) -> None:
    """A view only calls macros, sets what the user chose, and picks a side; the searches themselves stand once, in macros.conf.

    Lines of the log are joined in the lookup alone: those of ids that were found first.
    """
    found = "`esatls_index` (CHOSEN OR [| makeresults | eval view_id=CHOSEN | `esatls_view_consolidated`]) | `esatls_ids`"
    for _ in range(2):
        found = f"`esatls_index` [search {found}] | `esatls_ids`"
    joined = {
        f"`esatls_index` [search {found}] | fields _time, host, _raw | esatlsmessages": "ds_all",
        f"`esatls_index` [search {found}] | fields _time, host, _raw | esatlsconnections": "ds_connection",
        "`esatls_index` [| makeresults | eval view_ids=CHOSEN | `esatls_ids_of_row`] | fields _time, host, source, sourcetype, _raw": "ds_lines",
    }
    for name, source in views.definition(view)["dataSources"].items():
        query = re.sub(r"\$\w+\|s\$", "CHOSEN", source["options"]["query"])
        for text, its in joined.items():
            if query.startswith(text + " |"):
                assert (view, name) == ("esatls_message_lookup", its)
                query = query.removeprefix(text)
        for stage in query.strip().lstrip("|").split("|"):
            assert re.fullmatch(r"`\w+`|eval view_\w+=CHOSEN(?:, view_\w+=CHOSEN)*|where \w+ == \"\w+\"", stage.strip()), (name, stage)


@pytest.mark.parametrize(
    ("view", "searches"), [("esatls_overview", 1), ("esatls_partners", 1), ("esatls_trends", 1), ("esatls_message_lookup", 3), ("esatls_health", 3)]
)
def test_how_many_searches_a_view_is(view: str, searches: int) -> None:
    """A view with counts is one search; the lookup has two more, which wait for a click."""
    assert sum(one["type"] == "ds.search" for one in views.definition(view)["dataSources"].values()) == searches


def test_no_macro_of_the_dashboards_is_idle(week: spl.Search) -> None:
    """Each macro that the views are made of is used by a view, itself or through another."""
    for definition in checks.all_definitions().values():
        for query in checks.queries(definition).values():
            spl.stages(checks.fill(query, checks.default_tokens(definition)), week)
    assert {name for name in week.macros if name.startswith("esatls_view_")} - week.used_macros == set()


def _set(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change of a definition."""

    def change(definition: dict[str, Any]) -> None:
        at = definition
        for key in path[:-1]:
            at = at[key]
        if to is None:
            del at[path[-1]]
        else:
            at[path[-1]] = to

    return change


SPOILED = {
    "option of a chart": (_set("visualizations", "viz_time_in", "options", "stackmode", to="stacked"), "splunk.column has no option stackmode"),
    "option of a column": (_set("visualizations", "viz_failures", "options", "columnFormat", "partner", to={"widht": 9}), "no option columnFormat.*.widht"),
    "option of an input": (_set("inputs", "input_flow", "options", "tokn", to="x"), "input.dropdown has no option tokn"),
    "option of a data source": (_set("dataSources", "ds_hosts", "options", "qeury", to="x"), "ds.chain has no option qeury"),
    "panel without data source": (_set("visualizations", "viz_time_in", "dataSources", "primary", to="ds_nothing"), "ds_nothing, which does not exist"),
    "input without data source": (_set("inputs", "input_host", "dataSources", "primary", to="ds_nothing"), "ds_nothing, which does not exist"),
    "idle data source": (_set("visualizations", "viz_time_in", "dataSources", "primary", to="ds_time_out"), "ds_time_in is used by nothing"),
    "chain without extend": (_set("dataSources", "ds_time_in", "options", "extend", to=None), "ds_time_in is a chain without extend"),
    "chain of nothing": (_set("dataSources", "ds_time_in", "options", "extend", to="ds_gone"), "ds_time_in extends ds_gone, which does not exist"),
    "chain of itself": (_set("dataSources", "ds_time_in", "options", "extend", to="ds_time_in"), "ds_time_in extends itself"),
    "search with extend": (_set("dataSources", "ds_all", "options", "extend", to="ds_hosts"), "ds_all is no chain but has extend"),
    "search without time": (_set("dataSources", "ds_all", "options", "queryParameters", to=None), "ds_all has no time range"),
    "unknown token": (_set("dataSources", "ds_messages", "options", "query", to="| eval view_host=$hots|s$ | `esatls_view_host`"), "unknown token hots"),
    "token without quotes": (
        _set("dataSources", "ds_messages", "options", "query", to='| eval view_host="$esa_host$" | `esatls_view_host`'),
        "$esa_host$ is not quoted with |s",
    ),
    "unknown filter": (_set("dataSources", "ds_messages", "options", "query", to="| eval view_host=$esa_host|x$ | `esatls_view_host`"), "unknown filter |x"),
    "no such macro": (_set("dataSources", "ds_messages", "options", "query", to="| `esatls_veiw_host`"), "ds_messages: no macro esatls_veiw_host"),
    "no such command": (_set("dataSources", "ds_versions", "options", "query", to="| stast count"), "ds_versions: command stast"),
    "no such column": (
        _set("visualizations", "viz_versions", "options", "x", to='> primary | seriesByName("tls_vresion")'),
        "viz_versions names the column tls_vresion",
    ),
    "drill-down from no column": (
        _set("visualizations", "viz_failures", "eventHandlers", 0, "options", "url", to="/app/esatls/esatls_partners?form.partner=$row.partnr.value|u$"),
        "viz_failures names the column partnr",
    ),
    "event handler": (_set("visualizations", "viz_failures", "eventHandlers", 0, "type", to="drilldown.gone"), "no event handler drilldown.gone"),
    "link to no view": (_set("visualizations", "viz_failures", "eventHandlers", 0, "options", "url", to="/app/esatls/esatls_gone"), "no view of the app"),
    "link to another place": (
        _set("visualizations", "viz_failures", "eventHandlers", 0, "options", "url", to="https://example.com/app/esatls/esatls_partners"),
        "no view of the app",
    ),
    "link with no such token": (
        _set("visualizations", "viz_failures", "eventHandlers", 0, "options", "url", to="/app/esatls/esatls_partners?form.patner=x"),
        "hands over form.patner",
    ),
    "link that is not encoded": (
        _set("visualizations", "viz_failures", "eventHandlers", 0, "options", "url", to="/app/esatls/esatls_partners?form.partner=$row.partner.value$"),
        "is not encoded with |u",
    ),
}


@pytest.mark.parametrize("name", sorted(SPOILED))
def test_own_checks_find_what_is_wrong(name: str, verdict: dict[str, Any], week: spl.Search) -> None:
    """Each kind of fault that Splunk's validator lets pass is found by the own checks."""
    change, words = SPOILED[name]
    definitions = checks.all_definitions()
    change(definitions["esatls_overview"])
    found = checks.problems("esatls_overview", definitions, verdict["schema"], week)
    assert [problem for problem in found if words in problem], found


def test_splunks_validator_is_awake(validate: Any) -> None:
    """What Splunk's validator is there for, it does find."""
    spoiled = {name: views.definition("esatls_overview") for name in ("type", "enum", "layout", "token")}
    spoiled["type"]["visualizations"]["viz_versions"]["type"] = "splunk.barr"
    spoiled["enum"]["visualizations"]["viz_time_in"]["options"]["stackMode"] = "stakced"
    spoiled["layout"]["layout"]["structure"][0]["item"] = "viz_gone"
    spoiled["token"]["inputs"]["input_flow"]["options"]["token"] = "esa_host"  # noqa: S105 - a dashboard token
    assert {name for name, errors in validate(spoiled)["errors"].items() if errors} == set(spoiled)
