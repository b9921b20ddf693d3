"""Reads the app's dashboards and macros from splunk_app, for the tests."""

from __future__ import annotations

import functools
import json
import pathlib
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from tests.splunk import conf

from . import spl

if TYPE_CHECKING:
    from collections.abc import Collection

REPOSITORY = pathlib.Path(__file__).resolve().parents[4]
APP = REPOSITORY / "splunk_app"
VIEWS = APP / "default" / "data" / "ui" / "views"
NAVIGATION = APP / "default" / "data" / "ui" / "nav" / "default.xml"


def names() -> list[str]:
    """Return the names of the app's views."""
    return sorted(path.stem for path in VIEWS.glob("*.xml"))


@functools.cache
def _definition_text(view: str) -> str:
    root = ET.fromstring((VIEWS / f"{view}.xml").read_text(encoding="utf-8"))  # noqa: S314 - our own file
    text = root.findtext("definition")
    if root.tag != "dashboard" or root.get("version") != "2" or not text:
        raise ValueError(f"{view} is no Dashboard Studio view")
    return text


def definition(view: str) -> dict[str, Any]:
    """Return the JSON definition of a view, a fresh copy."""
    parsed = json.loads(_definition_text(view))
    assert isinstance(parsed, dict)
    return parsed


def with_panels(view: str, panels: Collection[str]) -> dict[str, Any]:
    """Return the definition of a view with some of its panels, each in its place; with none named, with all."""
    found = definition(view)
    if panels:
        found["visualizations"] = {name: panel for name, panel in found["visualizations"].items() if name in panels}
        found["layout"]["structure"] = [item for item in found["layout"]["structure"] if item["item"] in panels]
    return found


def height(view: str) -> int:
    """Return the height of a page that shows the whole view, in pixels."""
    items = definition(view)["layout"]["structure"]
    return max(int(item["position"]["y"] + item["position"]["h"]) for item in items) + 160


@functools.cache
def macros() -> dict[str, spl.Macro]:
    """Return the app's macros by name, for example `esatls_percent(2)`."""
    out = {}
    for name, keys in conf.read(APP / "default" / "macros.conf").items():
        args = tuple(arg.strip() for arg in keys.get("args", "").split(",") if arg.strip())
        out[name] = spl.Macro(args, keys["definition"], keys.get("iseval") == "1")
    return out
