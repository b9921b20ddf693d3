"""The envelope of a line: all that comes before the message text (tests/cases/envelope.json has every known form, by its number)."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from esatls.lines.header import ENVELOPE, STAMP, USUAL

BARE, UNSTAMPED, STAMPED = 0, 1, 2
"""Ranks of envelopes: how much they say. A line that says less than its neighbours may be the rest of a wrapped one."""

LONGEST = 1200
"""No envelope is longer, because every part of the pattern is bounded."""

_USUAL = re.compile(USUAL, re.ASCII)
_ADDRESS = r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{1,45})"
_KNOWN_LEAD = re.compile(rf"(?:\d{{1,6}} (?=<))?(?:{_ADDRESS} (?=<))?(?:<\d{{1,3}}>(?:1 )?)?|(?:n|on|e|ue|d|ed|u|hu|i|ri|t|at|un) ", re.ASCII)
"""What collectors, but no strangers, can put in front of the first stamp: a priority, perhaps behind an octet count and a relay's address. Also the
rest of a weekday, if a log was cut at the left (W20)."""
_NO_WEEKDAY = re.compile(r"[A-Z][a-z]{2} {1,2}\d.* \d{4}", re.ASCII)
_COLOR = re.compile(r"\x1b\[[0-9;]{0,20}[mK]", re.ASCII)
_CELL = re.compile(r'"([^"]*(?:""[^"]*)*)"([,;\t|]|\Z)')
"""A quoted cell of CSV, with the mark behind it."""
_PADDING = re.compile(r"\A\s+(?=\d)", re.ASCII)
"""White space that pads a column of numbers."""
_LINE_NUMBER = re.compile(r"(?:^\d+[:\t-]|:\d+:|-\d+-)$", re.ASCII)
_WORD = re.compile(r"[^\s:>|]+")
_OLDER_FILE = re.compile(r"-\d[\d.T_-]{0,30}(?:\.\w{1,8}){0,2}[:-]", re.ASCII)
_NAMED = re.compile(r"[\w.@-](?:\[\d{1,10}\]|:nopid)? ?:[ \t]{1,4}[A-Za-z]{4,8}: ?\Z", re.ASCII)
_ANY_WORD = re.compile(r"\w+", re.ASCII)
_BLANKS = re.compile(r"\s+")
_PRIORITY = re.compile(r"(?:\b\d{1,6} )?<\d{1,3}>(?:1 )?\Z", re.ASCII)
_MARKS = re.compile(r"(?P<name>.*?)(?P<number>(?:(?<![^:\s-])\d{1,9})?)(?P<end>[:\t-]?)(?P<quotes>[ \t>]*)")


class Envelope(NamedTuple):
    """What an envelope says, as text; `end` is where the message text starts."""

    rank: int
    end: int
    stamp: str | None = None
    host: str | None = None
    log: str | None = None
    level: str | None = None
    lead: str = ""
    """What a tool put in front of the header of every line: white space, quotes, a file name, a number."""
    outer: str | None = None
    """The stamp that a relay put in front of the appliance's own, where that may have no year."""


CUT = "..."
"""The `lead` of a line that lacks a part of its weekday: the first line of a log may be cut at the left (W20), any other may be wrapped text."""

NONE = Envelope(BARE, 0)
"""The envelope of a line that has none."""


# compiled only when needed: few logs need them, and compiling takes longer than reading a small log


@functools.cache
def _envelope() -> re.Pattern[str]:
    return re.compile(ENVELOPE, re.ASCII)


@functools.cache
def _first_stamp() -> re.Pattern[str]:
    return re.compile(STAMP, re.ASCII)


@functools.cache
def _start() -> re.Pattern[str]:
    """Return an expression for a priority or a first stamp."""
    return re.compile(rf"(?:{_ADDRESS} (?=<))?(?:<\d{{1,3}}>(?:1 )?(?:{STAMP} )?|{STAMP} )", re.ASCII)


def clean(line: str) -> str:
    """Return a line without a carriage return at its end and the mark that Windows programs write at the start of a file.

    If it has a header then, also without a terminal's colors, and, if only they hide the header, without the spaces that pages do not break.
    """
    line = line.rstrip("\r").removeprefix("\ufeff")
    plain = _COLOR.sub("", line) if "\x1b" in line else line
    if "\xa0" in plain[:LONGEST] and parse(plain).rank == BARE:
        plain = plain.replace("\xa0", " ")
    return line if plain == line or parse(plain).rank == BARE else plain


def bare(line: str) -> str:
    """Return a clean line; of a row of CSV without names of columns, only what goes up to the end of its quoted cell."""
    line = clean(line)
    return _unquoted(line) if '"' in line[:LONGEST] else line


def opens_cell(header: str) -> bool:
    """Tell whether the text behind a header is in a cell of CSV whose quotes the header opens."""
    return header.count('"') % 2 > 0 and header[header.rindex('"') - 1 :][:1] in (",", ";", "\t", "|")


def _unquoted(line: str) -> str:
    """Return a row of CSV up to the end of the quoted cell with the text, without its quotes; any other line as it is."""
    env = parse(line)
    if env.rank < STAMPED or not opens_cell(line[: env.end]):
        return line
    at = line.rindex('"', 0, env.end)
    cell = _CELL.match(line, at)
    return line if cell is None or cell[2] not in ("", line[at - 1]) else line[:at] + cell[1].replace('""', '"')


def parse(line: str) -> Envelope:
    """Return the envelope of a line that is not JSON; a bare one if none is found."""
    m = _USUAL.match(line)
    if m is None:
        return parse_unusual(line)
    native, syslog, host, log, inner, level = m.groups()
    return Envelope(STAMPED, m.end(), native or inner or syslog, host, log, level.capitalize())


# a line in a record is parsed twice: to find it there, and to read it
@functools.lru_cache(maxsize=2)
def parse_unusual(line: str) -> Envelope:
    """Return the same as `parse`, which is faster for the usual headers."""
    if line.startswith('{"'):
        return NONE  # no text in front of a header begins like this
    start = line[:LONGEST]
    m = _envelope().match(start)
    if m is None:
        return NONE
    lead_host, outer_stamp, outer_host, outer_log, inner_stamp, inner_host, inner_log, bare_host, bare_log, level = m.groups()
    if level is not None:
        level = level.capitalize()
    if outer_stamp is None:
        lead = start[: min(at for at in (m.start("bare_host"), m.start("bare_log"), m.start("esa_level"), m.end()) if at >= 0)]
        rank = UNSTAMPED if level or bare_log else BARE
        return Envelope(rank, m.end(), None, bare_host, bare_log, level, "" if _KNOWN_LEAD.fullmatch(lead) else lead)
    lead = start[: m.start("outer_stamp")]
    if lead and _KNOWN_LEAD.fullmatch(lead):
        lead = "" if lead[-1] != " " or lead[0].isdigit() or "<" in lead else CUT
    host, log = inner_host or outer_host or lead_host, inner_log or outer_log
    if not (lead or host or log or inner_stamp) and _NO_WEEKDAY.fullmatch(outer_stamp):
        lead = CUT
    outer = None if inner_stamp is None or _NO_WEEKDAY.fullmatch(inner_stamp) else outer_stamp
    return Envelope(STAMPED, m.end(), inner_stamp or outer_stamp, host, log, level, lead, outer)


def alike(lead: str, first: str) -> bool:
    """Tell whether the lead of a line has the same form as that of the log's first line.

    The file name and the number may differ, and there may be less white space. Anything more may be a stranger's text that was wrapped.
    """
    if not lead.strip():
        return not first.strip() and len(lead) <= len(first)
    return _form(lead) == _form(first) and not _holds_more(lead, first)


def _holds_more(lead: str, first: str) -> bool:
    """Tell whether `FILE-`, as in grep's context lines, may continue with a name that a stranger wrote; `FILE-20240303:` is an older file."""
    name = first.rstrip(":-")
    if not lead.startswith(f"{name}-") or lead == f"{name}-":
        return False
    return first.endswith("-") or _OLDER_FILE.fullmatch(lead, len(name)) is None


def _form(lead: str) -> str:
    named = _LINE_NUMBER.sub("|", _PADDING.sub("", lead))
    return _WORD.sub("w", named.removesuffix("-").removesuffix(":"))


def form(line: str) -> str:
    """Return the form of a header up to three characters behind its first stamp, with each word or number as `w`; empty without a stamp."""
    m = _first_stamp().search(line, 0, LONGEST)
    return "" if m is None else _BLANKS.sub(" ", _ANY_WORD.sub("w", line[: m.end() + 3]))


def naming(env: Envelope, line: str) -> int:
    """Return how a header names its log: 2 with a colon right in front of the level, 1 in another way, 0 not at all."""
    if env.log is None:
        return 0
    return 2 if _NAMED.search(line, max(0, env.end - 160), env.end) else 1


def without_marks(line: str, lead: str) -> str:
    """Return the rest of a wrapped line without what a tool put in front of it, as it put `lead` in front of the line's beginning.

    That is the same file name, any number, as many quotes. White space alone stays, and so does a line that begins differently.
    """
    marks = _marks_like(lead)
    m = None if marks is None else marks.match(line)
    return line if m is None else line[m.end() :]


@functools.lru_cache(maxsize=64)
def _marks_like(lead: str) -> re.Pattern[str] | None:
    m = _MARKS.fullmatch(_PRIORITY.sub("", lead))
    if m is None or not (m["number"] or m["end"] or (">" in m["quotes"] and not m["name"].strip())):
        return None
    name = m["name"]
    like = r"\s*" if not name.strip() else re.escape(name[:-1]) + "[:-]" if m["number"] and name[-1] in ":-" else re.escape(name)
    like += r"\d{1,9}" if m["number"] else ""
    like += "[:-]" if m["end"] in (":", "-") and m["end"] else m["end"]
    return re.compile(like + r"[ \t]{0,80}>" * m["quotes"].count(">"), re.ASCII)


def starts_anew(line: str) -> bool:
    """Tell whether a line begins with a priority, or with a stamp and two words: it is not the rest of another line, no matter who wrote it.

    A stamp alone may be the end of wrapped text.
    """
    start = line[:LONGEST]
    m = _start().match(start)
    return m is not None and (start.startswith("<", m.start()) or "<" in m[0] or " " in start[m.end() :].strip())
