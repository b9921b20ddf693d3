"""The numbers by which Python and the compiled core understand each other, for Rust."""

from __future__ import annotations

import pathlib

from esatls.extraction.fact_types import DELIVERY, MESSAGES, RECEIVING
from esatls.extraction.match import LONGEST_NUMBER, START
from esatls.native import told
from esatls.native.shapes import example, templates
from esatls.report import shared_fields

HEAD = """//! Numbers that Python knows too (`native/told.py`, `native/shapes/templates.py`, `report/shared_fields.py`).
//!
//! Made by python/generate; do not edit.
"""
USIZE = {
    "START": START,
    "LONGEST_NUMBER": LONGEST_NUMBER,
    "STORES": len((RECEIVING, DELIVERY, MESSAGES)),
    "MESSAGES": MESSAGES,
    "RECEIVED_PART": templates.RECEIVED_PART,
    "ENVELOPE_PART": templates.ENVELOPE_PART,
    "TRY_PART": templates.TRY_PART,
    "LINK_PART": templates.LINK_PART,
    "FIRST": templates.FIRST - templates.FIRST_OWN,
    "LAST": templates.LAST - templates.FIRST_OWN,
    "DOMAIN": templates.DOMAIN - templates.FIRST_OWN,
    "TRY_DOMAIN": example.TRY_DOMAIN,
    "MOST_TOLD": told.MOST_TOLD,
    **{name: getattr(shared_fields, name) for name in ("LINKS", "HALVES", "WHOLE", "TRIES")},
}
U32 = {name: getattr(told, name) for name in ("KIND", "NO_PART", "ODD_PART", "GIVEN_UP", "BEGUN")}
U8 = {name: getattr(told, name) for name in ("LOOK", "LITERAL")}


def files() -> dict[pathlib.Path, str]:
    """Return the generated file, by its path from the top."""
    flags = {flag.name: flag.value for flag in told.Flag}
    numbers = (("usize", USIZE), ("u64", {"SENDER": templates.SENDER}), ("u32", U32), ("u8", U8), ("u32", flags))
    lines = [f"pub const {name}: {kind} = {number};\n" for kind, some in numbers for name, number in some.items()]
    return {pathlib.Path("python/core/src/told.rs"): HEAD + "".join(lines)}
