"""Checks of dashboards for faults that Splunk's own validator does not find."""

from __future__ import annotations

import json
import re
import urllib.parse
from typing import TYPE_CHECKING, Any

from . import spl, views

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Definition = dict[str, Any]

_TOKEN = re.compile(r"\$((?:[\w-]+:)?[\w.][\w. -]*?)((?:\|\w+)*)\$")
_CONTEXT_CALL = re.compile(r"matchValue\((\w+)\)|rangeValue\((\w+)\)|formatByType\((\w+)\)|prepend\((\w+)\)")
_SERIES = re.compile(r"(?:seriesByName|frameBySeriesNames)\(([^)]*)\)")
# Names that the preset's own expressions use.
_DSL = {"primary", "table", "frame", "statics", "label", "value", "themes"}


def strings(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text in a definition, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from strings(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from strings(inner, f"{path}[{number}]")


def input_tokens(definition: Definition) -> set[str]:
    """Return the tokens that the inputs set; a time input sets two."""
    out = set()
    for item in definition.get("inputs", {}).values():
        token = item["options"]["token"]
        out |= {f"{token}.earliest", f"{token}.latest"} if item["type"] == "input.timerange" else {token}
    return out


def known_tokens(definition: Definition) -> set[str]:
    """Return the tokens that inputs, defaults or clicks set."""
    defaults = definition.get("defaults", {}).get("tokens", {}).get("default", {})
    clicked = {
        token["token"]
        for item in definition.get("visualizations", {}).values()
        for handler in item.get("eventHandlers", [])
        for token in handler.get("options", {}).get("tokens", [])
        if handler["type"] == "drilldown.setToken"
    }
    return input_tokens(definition) | set(defaults) | clicked


def unknown_options(kind: str, options: Mapping[str, Any], schema: Any) -> list[str]:
    """Find options that the component does not have, including nested ones."""
    out = []
    for name, value in options.items():
        known = (schema or {}).get(name)
        if known is None:
            out.append(f"{kind} has no option {name}")
            continue
        if name == "columnFormat" and isinstance(value, dict):
            properties = next(iter(known["patternProperties"].values()))["properties"]
            out += [f"{kind} has no option columnFormat.*.{key}" for column in value.values() for key in column if key not in properties]
        elif isinstance(value, dict) and known.get("additionalProperties") is False:
            out += [f"{kind} has no option {name}.{key}" for key in value if key not in known.get("properties", {})]
    return out


def source_problems(definition: Definition, schema: Mapping[str, Any]) -> list[str]:
    """Find faults of data sources: in references, chains and options."""
    out = []
    sources: dict[str, Any] = definition.get("dataSources", {})
    used = set()
    for section in ("visualizations", "inputs"):
        for name, item in definition.get(section, {}).items():
            for reference in item.get("dataSources", {}).values():
                used.add(reference)
                if reference not in sources:
                    out.append(f"{name} takes its data from {reference}, which does not exist")
    for name, source in sources.items():
        options = dict(source.get("options", {}))
        base = options.pop("extend", None)
        if base is not None:
            used.add(base)
        if source["type"] == "ds.chain":
            if base is None:
                out.append(f"{name} is a chain without extend")
            elif base not in sources:
                out.append(f"{name} extends {base}, which does not exist")
            elif sources[base]["type"] not in schema["chains"]:
                out.append(f"{name} extends {base}, which cannot be extended")
            elif chain_is_endless(sources, name):
                out.append(f"{name} extends itself")
            if "queryParameters" in options:
                out.append(f"{name} is a chain with a time range of its own")
        elif base is not None:
            out.append(f"{name} is no chain but has extend")
        out += [f"{name}: {problem}" for problem in unknown_options(source["type"], options, schema["dataSources"].get(source["type"]))]
        if source["type"] == "ds.search" and set(options.get("queryParameters", {})) != {"earliest", "latest"}:
            out.append(f"{name} has no time range")
    out += [f"{name} is used by nothing" for name in sources if name not in used]
    return out


def chain_is_endless(sources: Mapping[str, Any], name: str) -> bool:
    """Return whether a chain extends itself."""
    seen = set()
    at: Any = name
    while at in sources and at not in seen:
        seen.add(at)
        at = sources[at].get("options", {}).get("extend")
    return at in seen


def option_problems(definition: Definition, schema: Mapping[str, Any]) -> list[str]:
    """Find faults in options of visualizations and inputs, names in their expressions, and types of event handlers."""
    out = []
    for section in ("visualizations", "inputs"):
        for name, item in definition.get(section, {}).items():
            options = item.get("options", {})
            out += [f"{name}: {problem}" for problem in unknown_options(item["type"], options, schema[section].get(item["type"]))]
            context = set(item.get("context", {})) | _DSL
            for path, text in [*strings(options, "options"), *strings(item.get("context", {}), "context")]:
                for groups in _CONTEXT_CALL.findall(text):
                    out += [f"{name}: {path} names {word}, which its context lacks" for word in groups if word and word not in context]
            for handler in item.get("eventHandlers", []):
                if handler["type"] not in schema["eventHandlers"]:
                    out.append(f"{name}: no event handler {handler['type']}")
    return out


def token_problems(view: str, definition: Definition, others: Mapping[str, Definition]) -> list[str]:
    """Find faults of tokens and links: tokens must be known, quoted in searches and encoded in addresses; links must name existing views and tokens."""
    out = []
    known = known_tokens(definition)
    handed = known | {"name", "value"}
    for path, text in strings(definition):
        in_handler = ".eventHandlers" in path
        for token, filters in _TOKEN.findall(text):
            row = in_handler and re.fullmatch(r"row\.[^.]+\.value", token)
            if not row and token not in (handed if in_handler else known):
                out.append(f"{path}: unknown token {token}")
            if filters not in ("", "|s", "|u"):
                out.append(f"{path}: unknown filter {filters}")
            if path.endswith(".query") and filters != "|s":
                out.append(f"{path}: ${token}$ is not quoted with |s")
            if path.endswith(".url") and filters != "|u":
                out.append(f"{path}: ${token}$ is not encoded with |u")
    for name, item in definition.get("visualizations", {}).items():
        for handler in item.get("eventHandlers", []):
            options = handler.get("options", {})
            out += [
                f"{name} sets {token['token']} from {token.get('key')}"
                for token in options.get("tokens", [])
                if not re.fullmatch(r"row\.[^.]+\.value", token.get("key", ""))
            ]
            if "url" in options:
                out += [f"{view}: {name} {problem}" for problem in link_problems(options["url"], others)]
    return out


def link_problems(url: str, others: Mapping[str, Definition]) -> list[str]:
    """Find faults of a link: it must lead to a view of this app, and hand over only tokens of that view."""
    parts = urllib.parse.urlsplit(url)
    match = re.fullmatch(r"/app/esatls/(\w+)", parts.path)
    if parts.netloc or not match or match[1] not in others:
        return [f"links to {parts.netloc + parts.path}, which is no view of the app"]
    known = {f"form.{token}" for token in known_tokens(others[match[1]])}
    return [f"hands over {name}, which {match[1]} does not have" for name, _ in urllib.parse.parse_qsl(parts.query) if name not in known]


def queries(definition: Definition) -> dict[str, str]:
    """Return the complete search of each data source; that of a chain begins with the search that it extends."""
    sources: dict[str, Any] = definition.get("dataSources", {})

    def whole(name: str) -> str:
        options = sources[name]["options"]
        base = options.get("extend")
        return f"{whole(base)} {options['query']}" if base else str(options["query"])

    return {name: whole(name) for name in sources}


def default_tokens(definition: Definition) -> dict[str, str]:
    """Return the tokens as they are when the view opens, without the time; `-` for a token that only a click sets."""
    out = {name: item["value"] for name, item in definition.get("defaults", {}).get("tokens", {}).get("default", {}).items()}
    for item in definition.get("inputs", {}).values():
        if item["type"] != "input.timerange":
            out[item["options"]["token"]] = item["options"].get("defaultValue", "nothing")
    return {**dict.fromkeys(known_tokens(definition), "-"), **out}


def fill(query: str, tokens: Mapping[str, str]) -> str:
    """Return a search with its tokens filled in, each quoted as `|s` does (with JSON.stringify)."""
    return _TOKEN.sub(lambda match: json.dumps(tokens[match[1]]), query)


_ROWS: dict[tuple[int, str], list[spl.Row]] = {}


def rows_of(name: str, definition: Definition, tokens: Mapping[str, str], search: spl.Search) -> list[spl.Row]:
    """Return the rows of a data source; a chain starts with the rows that it extends. They are computed once per source of events and text."""
    options = definition["dataSources"][name]["options"]
    key = id(search.source), fill(queries(definition)[name], tokens)
    if key not in _ROWS:
        before = rows_of(options["extend"], definition, tokens, search) if "extend" in options else None
        _ROWS[key] = spl.run(fill(options["query"], tokens), search, before)
    return [dict(row) for row in _ROWS[key]]


def search_problems(definition: Definition, search: spl.Search) -> list[str]:
    """Find searches that cannot run, and columns that a panel names but its search does not return."""
    out = []
    columns: dict[str, set[str]] = {}
    tokens = default_tokens(definition)
    for name, source in definition["dataSources"].items():
        try:
            columns[name] = set(spl.columns(fill(source["options"]["query"], tokens), rows_of(name, definition, tokens, search), search))
        except (spl.SplError, KeyError) as error:  # noqa: PERF203 - one search may fail without the others
            out.append(f"{name}: {error}")
    for section in ("visualizations", "inputs"):
        for name, item in definition.get(section, {}).items():
            given = columns.get(item.get("dataSources", {}).get("primary", ""), set())
            wanted = {
                word.strip().strip('"')
                for _, text in strings([item.get("options", {}), item.get("context", {})])
                for call in _SERIES.findall(text)
                for word in call.split(",")
            }
            wanted |= set(item.get("options", {}).get("columnFormat", {}))
            for handler in item.get("eventHandlers", []):
                for _, text in strings(handler):
                    wanted |= set(re.findall(r"row\.([^.]+)\.value", text))
            out += [f"{name} names the column {word}, which its search does not give" for word in sorted(wanted - given)]
    return out


def problems(view: str, definitions: Mapping[str, Definition], schema: Mapping[str, Any], search: spl.Search) -> list[str]:
    """Return all faults of one view."""
    definition = definitions[view]
    return [
        *source_problems(definition, schema),
        *option_problems(definition, schema),
        *token_problems(view, definition, definitions),
        *(search_problems(definition, search) if not source_problems(definition, schema) else []),
    ]


def all_definitions() -> dict[str, Definition]:
    """Return the definitions of all views."""
    return {name: views.definition(name) for name in views.names()}
