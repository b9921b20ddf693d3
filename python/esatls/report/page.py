"""A report as one HTML page that needs nothing else: it fetches no address, and its charts are inline SVG.

Everything from the log is text: every child of an element is escaped unless it is `Markup` made here. The page's Content-Security-Policy allows only its own
style and script, by their hashes. Without the script, the page still shows everything.
"""

from __future__ import annotations

import binascii
import hashlib
from pkgutil import get_data
from typing import TYPE_CHECKING, Any

from esatls.report.bars import NOTE, NOTE_OF_PROTOCOLS, Bars
from esatls.report.build import MESSAGE_VERDICTS, RECIPIENT_VERDICTS
from esatls.report.charts import bar, over_time, stacked_bar, time_axis
from esatls.report.evidence import TITLE
from esatls.report.findings import findings
from esatls.report.html import Column, Markup, key, more, number, of_verdicts, share, table, tag, together
from esatls.report.lists import all_partners, issues
from esatls.report.notes import DIRECTION_WORDS, DIRECTIONS, FLOW_WORDS, FLOWS, GLANCE, WHAT, not_counted, second, word
from esatls.report.reasons import split_reason
from esatls.verdicts.words import CONNECTION_VERDICTS, VERDICTS, WORDS, counted, uncounted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from esatls.report.report_types import Report, Tally

SECTIONS = {
    "glance": "At a glance",
    "cleartext": "Clear text",
    "verdicts": "Verdicts",
    "time": "Over time",
    "protocols": "Protocols and ciphers",
    "failures": "Failures",
    "partners": "Partners",
    "appliances": "Appliances",
    "evidence": "Evidence",
}
"""The title of each section. The last two are not in every page."""
MOST_REASONS = 25
MOST_CIPHERS = 50
MOST_APPLIANCES = 100
"""Rows shown of tables that grow with the log; the page says how many more there are."""


def _section(name: str, *children: str | None) -> Markup:
    return tag("section", tag("h2", SECTIONS[name]), *children, id=name)


def _notes(report: Report, *names: str) -> list[Markup]:
    return [tag("p", report["notes"][name], class_="note") for name in names]


def _with_share(count: int, value: float | None) -> Markup:
    return together([number(count), tag("br"), tag("small", share(value))])


def _tile(title: str, tally: Tally, what: str) -> Markup:
    whole = tally["counted"]
    left = not_counted(tally) or ("All are in the percentage" if tally["total"] else f"No {what} in this log")
    return tag(
        "div",
        tag("h3", title),
        tag("p", share(tally["percent"].get("encrypted")), class_="big"),
        stacked_bar(tally),
        tag("p", number(tally["verdicts"]["encrypted"]), " of ", number(whole), f" {word(whole, what)} over TLS"),
        tag("p", left, class_="dim"),
        class_="tile",
    )


def _glance(report: Report) -> Markup:
    return _section(
        "glance",
        tag("div", *(_tile(title, report[direction]["all"][what], what) for title, direction, what in GLANCE), class_="tiles"),
        *_notes(report, "both", *(["contradictions"] if "contradictions" in report["notes"] else [])),
        _findings(report),
    )


def _plural(count: int, what: str) -> Markup:
    return together([number(count), " ", word(count, what)])


def _findings(report: Report) -> Markup | None:
    """Return the sentences about what somebody should look at, each with a link to the list that has the details."""
    items = [tag("li", tag("a", sentence, href=f"#{target}")) for target, sentence in findings(report)]
    return tag("div", tag("h3", "To look at"), tag("ul", *items), class_="findings") if items else None


def _verdict_table(caption: str, flows: Mapping[str, Any], what: str, verdicts: Sequence[str], *, attempts: bool) -> Markup:
    shown, aside = counted(verdicts), uncounted(verdicts)
    columns = [Column("Mail flow"), Column("Shares", "bar"), *of_verdicts(shown)]
    if attempts:
        columns += [Column(label, "number") for label in ("TLS attempted", "Over TLS of attempts", "Fallback", "Required, no TLS")]
    columns += [*of_verdicts(aside), Column("Total", "number")]
    rows = []
    for flow in ("all", *FLOWS):
        tally = flows[flow][what]
        if flow != "all" and not tally["total"]:
            continue
        row: list[str] = [FLOW_WORDS[flow].capitalize(), stacked_bar(tally)]
        row += [_with_share(tally["verdicts"][verdict], tally["percent"].get(verdict)) for verdict in shown]
        if attempts:
            row += [_with_share(tally["attempted"], tally.get("attempted_percent")), share(tally.get("attempted_encrypted"))]
            row += [number(tally["fallback"]), number(tally["required"])]
        row += [number(tally["verdicts"][verdict]) for verdict in aside]
        row.append(number(tally["total"]))
        rows.append(row)
    return table(caption, columns, rows)


def _verdicts(report: Report) -> Markup:
    meanings = [tag("div", tag("dt", key(verdict), verdict.capitalize()), tag("dd", report["notes"][verdict])) for verdict in WORDS]
    about = {"connections": ("connections", "attempted", "required", "mail_flow"), "messages": ("messages",), "recipients": ("recipients",)}
    tables: list[str] = []
    for what, names in about.items():
        tables += [tag("h3", what.capitalize()), *_notes(report, *names)]
        for direction in DIRECTIONS:
            title, verb = DIRECTION_WORDS[direction]
            verdicts = {"connections": CONNECTION_VERDICTS, "messages": MESSAGE_VERDICTS[direction], "recipients": RECIPIENT_VERDICTS[direction]}[what]
            caption = f"{title} connections" if what == "connections" else f"Recipients of messages {verb}" if what == "recipients" else f"Messages {verb}"
            tables.append(_verdict_table(caption, report[direction], what, verdicts, attempts=what == "connections"))
    return _section(
        "verdicts",
        tag("dl", *meanings, class_="meanings"),
        *_notes(report, "percent"),
        *tables,
        _both_sides(report["both_sides"]),
    )


def _both_sides(rows: Sequence[Mapping[str, Any]]) -> Markup | None:
    if not rows:
        return None
    counts = {(row["received"], row["delivered"]): row["messages"] for row in rows}
    across = [verdict for verdict in WORDS if any(delivered == verdict for _, delivered in counts)]
    down = [verdict for verdict in WORDS if any(received == verdict for received, _ in counts)]
    return table(
        "Messages by both sides: received (rows) and delivered (columns)",
        [Column("Received"), *of_verdicts(across, "number")],
        [[together([key(received), received.capitalize()]), *(number(counts.get((received, delivered), 0)) for delivered in across)] for received in down],
    )


def _present(tally: Mapping[str, Any]) -> list[str]:
    return [verdict for verdict in WORDS if tally["verdicts"].get(verdict)]


def _times(report: Report) -> Markup:
    axis = time_axis([report[direction]["all"]["over_time"] for direction in DIRECTIONS])
    charts = []
    for direction in DIRECTIONS:
        title, verb = DIRECTION_WORDS[direction]
        series = report[direction]["all"]["over_time"]
        charts.append(over_time(series, "messages", f"Messages {verb}", axis))
        charts.append(over_time(series, "connections", f"{title} connections", axis))
    seen = {verdict for direction in DIRECTIONS for what in WHAT for verdict in _present(report[direction]["all"][what])}
    legend = [tag("li", key(verdict), verdict.capitalize()) for verdict in WORDS if verdict in seen]
    return _section(
        "time",
        *_notes(report, "over_time"),
        tag("ul", *legend, class_="legend"),
        tag("div", *charts, class_="pair"),
    )


def _marks(*marks: tuple[str, str]) -> Markup:
    return together(tag("span", word, class_=f"mark {kind}") for word, kind in marks)


def _shares(flows: Mapping[str, Any], name: str, caption: str) -> Markup:
    """Return the table of protocols or ciphers of one direction."""
    by_flow = {flow: {row[name]: row["connections"] for row in flows[flow][name + "s"]} for flow in FLOWS}
    present = [flow for flow in FLOWS if by_flow[flow]]
    rows = []
    for row in flows["all"][name + "s"][:MOST_CIPHERS]:
        marks = [("deprecated", "bad")] if row.get("deprecated") else [(word, "bad") for word in row.get("weak", ())]
        if row.get("no_forward_secrecy"):
            marks.append(("no forward secrecy", "mild"))
        value = row.get("percent")
        kind = "v-failed" if marks and marks[0][1] == "bad" else "v-encrypted"
        rows.append(
            [
                together([tag("code", row[name]), " ", _marks(*marks)]),
                bar(value, kind, "not in the percentage" if value is None else f"{value:.1f} %"),
                share(value),
                number(row["connections"]),
                *(number(by_flow[flow].get(row[name], 0)) for flow in present),
                number(row["messages"]),
            ]
        )
    if not rows:
        return tag("div", tag("p", caption + ": nothing encrypted in this log.", class_="more"))
    columns = [Column(name.capitalize().replace("Version", "Protocol")), Column("Share", "bar"), Column("Percent", "number")]
    columns += [Column("Connections", "number")]
    columns += [Column(flow.capitalize() if flow != "unknown" else "Flow unknown", "number") for flow in present]
    return table(caption, [*columns, Column("Messages", "number")], rows, more(flows["all"][name + "s"], MOST_CIPHERS, name + "s"))


def _protocols(report: Report) -> Markup:
    tables = [
        _shares(report[direction], name, f"{DIRECTION_WORDS[direction][0]}: encrypted connections and messages by {what}")
        for name, what in (("version", "protocol"), ("cipher", "cipher"))
        for direction in DIRECTIONS
    ]
    return _section(
        "protocols",
        *_notes(report, "deprecated", "weak", "no_forward_secrecy"),
        *tables,
        *issues(report, "deprecated"),
        *issues(report, "weak"),
    )


def _reason(reason: str) -> Markup:
    before, words, after = split_reason(reason)
    return tag("span", tag("span", before, class_="dim") if before else None, words, tag("span", after, class_="dim") if after else None)


def _failure_reasons(rows: Sequence[Mapping[str, Any]], title: str) -> Markup:
    return table(
        f"{title}: why TLS did not come up",
        [Column("Reason"), *of_verdicts(("failed", "cleartext")), Column("Partners", "number")],
        [
            [
                together([_reason(row["reason"]), " ", _marks(("certificate", "mild")) if row["certificate"] else ""]),
                *(number(row[name]) for name in ("failed", "cleartext", "partners")),
            ]
            for row in rows[:MOST_REASONS]
        ],
        more(rows, MOST_REASONS, "reasons"),
    )


def _other_reasons(rows: Sequence[Mapping[str, Any]], title: str) -> Markup:
    names = uncounted(CONNECTION_VERDICTS)
    return table(
        f"{title}: errors that do not count as TLS failures",
        [Column("Reason"), *of_verdicts(names)],
        [[_reason(row["reason"]), *(number(row[verdict]) for verdict in names)] for row in rows[:MOST_REASONS]],
        more(rows, MOST_REASONS, "reasons"),
    )


def _failures(report: Report) -> Markup:
    tables: list[Markup] = []
    for direction in DIRECTIONS:
        part, title = report[direction]["all"], DIRECTION_WORDS[direction][0]
        if part["reasons"]:
            tables.append(_failure_reasons(part["reasons"], title))
        else:
            tables.append(tag("p", f"{title}: no failure in this log.", class_="more"))
    tables += issues(report, "failed")
    others = [(report[direction]["all"]["other_reasons"], DIRECTION_WORDS[direction][0]) for direction in DIRECTIONS]
    if any(rows for rows, _ in others):
        tables += _notes(report, "other_reasons")
        tables += [_other_reasons(rows, title) for rows, title in others if rows]
    return _section("failures", *_notes(report, "failures", "reasons", "certificate"), *tables)


def _cleartext(report: Report) -> Markup:
    found = issues(report, "cleartext")
    if not any("cleartext" in row and not row["own"] for row in report["organisations"]):
        found.insert(0, tag("p", "No mail with partners in clear text in this log.", class_="more"))
    return _section("cleartext", *_notes(report, "organisations"), *found)


def _partners(report: Report) -> Markup:
    bars = Bars.of(report["span"])
    notes = [report["notes"]["partners"], *([f"{NOTE} {NOTE_OF_PROTOCOLS} Each bar stands for {bars.dates()}."] if bars else [])]
    return _section("partners", *(tag("p", note, class_="note") for note in notes), *all_partners(report))


def _appliances(report: Report) -> Markup | None:
    rows = report["appliances"]
    if len(rows) < 2:  # the heading names a single appliance
        return None
    return _section(
        "appliances",
        table(
            "Connections and messages by appliance",
            [Column("Appliance"), Column("Connections", "number"), Column("Messages", "number")],
            [[row["esa_host"], number(row["connections"]), number(row["messages"])] for row in rows[:MOST_APPLIANCES]],
            more(rows, MOST_APPLIANCES, "appliances"),
        ),
    )


_SETTINGS = {
    "timezone": "Time zone of the log, as given",
    "host": "Appliance, as given",
    "since": "From",
    "until": "Until",
    "version": "Version of esatls",
}


def _evidence(report: Report) -> Markup | None:
    if "evidence" not in report:
        return None
    told: Mapping[str, Any] = report["evidence"]
    lines = told["lines"]
    pairs = [("Lines", f"{lines['lines']:,}: {lines['events']:,} events, {lines['ignored']:,} ignored, {lines['unreadable']:,} unreadable")]
    pairs += [(label, told[name]) for name, label in _SETTINGS.items() if name in told]
    if "own_domains" in told:
        pairs.append(("Own domains", ", ".join(told["own_domains"])))
    numbers = ("size", "lines", "events", "ignored", "unreadable")
    rows = [
        [
            together([one["name"], tag("br"), tag("small", f"SHA-256 {one['sha256']}")]) if "sha256" in one else one["name"],
            *(second(one.get(end, "")) for end in ("first", "last")),
            *(number(one[name]) if name in one else share(None) for name in numbers),
        ]
        for one in told["files"]
    ]
    columns = [Column("File"), Column("First line"), Column("Last line"), Column("Bytes", "number")]
    columns += [Column(name.capitalize(), "number") for name in numbers[1:]]
    return _section(
        "evidence",
        *_notes(report, "evidence"),
        tag("dl", *(tag("div", tag("dt", label), tag("dd", value)) for label, value in pairs), class_="meanings"),
        *([tag("h3", "Problems"), tag("ul", *(tag("li", problem) for problem in told["problems"]))] if told["problems"] else []),
        table("Files", columns, rows),
    )


def _header(report: Report) -> Markup:
    told = report.get("evidence", {})
    span, totals, hosts = report["span"], report["totals"], report["appliances"]
    pieces: list[Markup] = [tag("p", told["organisation"], class_="whose")] if "organisation" in told else []
    if span:
        first, last = (tag("time", second(time), datetime=time) for time in (span["first"], span["last"]))
        pieces.append(tag("p", first, " to ", last, " UTC"))
    appliance = "no appliance" if not hosts else f"{len(hosts):,} appliances" if len(hosts) > 1 else ""
    if not appliance:
        appliance = "appliance not named in the log" if hosts[0]["esa_host"] == "unknown" else f"appliance {hosts[0]['esa_host']}"
    counts = [piece for what in WHAT for piece in (_plural(totals[what], what), ", ")]
    pieces.append(tag("p", *counts, appliance))
    if "made" in told:
        pieces.append(tag("p", "Made ", tag("time", second(told["made"]), datetime=told["made"]), f" UTC from {_files(told['files'])}"))
    if told.get("incomplete"):
        pieces.append(tag("p", tag("b", "Incomplete evidence. "), " ".join(told["incomplete"]), class_="incomplete", role="alert"))
    left_out = {*(["appliances"] if len(hosts) < 2 else []), *([] if told else ["evidence"])}
    links = [tag("li", tag("a", title, href=f"#{name}")) for name, title in SECTIONS.items() if name not in left_out]
    return tag("header", tag("h1", told.get("title", TITLE)), *pieces, tag("nav", tag("ul", *links), aria_label="Sections"))


def _files(files: Sequence[Mapping[str, Any]]) -> str:
    return files[0]["name"] if len(files) == 1 else f"{len(files):,} files"


def stylesheet() -> str:
    """Return the page's style: page.css, and the colours of the verdicts."""
    light, dark = (";".join(f"--{verdict.word}: {getattr(verdict, ground)}" for verdict in VERDICTS) for ground in ("light", "dark"))
    words = "".join(f".v-{word} {{ fill: var(--{word}) }}\n.k-{word} {{ background: var(--{word}) }}\n" for word in WORDS)
    colours = f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n{words}"
    return colours + _file("page.css")


def _hash(text: str) -> str:
    return f"'sha256-{binascii.b2a_base64(hashlib.sha256(text.encode()).digest(), newline=False).decode()}'"


def _file(name: str) -> str:
    """Return the text of a file in this package, which may be in a zip."""
    return (get_data("esatls.report", name) or b"").decode()


def page(report: Report) -> str:
    """Return the whole page for a report of `report.build`, to be written as UTF-8."""
    style, script = stylesheet(), _file("page.js")
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", report.get("evidence", {}).get("title", TITLE)),
        tag("style", Markup(style)),
        tag("script", Markup(script)),
    )
    body = tag(
        "body",
        _header(report),
        tag(
            "main",
            _glance(report),
            _cleartext(report),
            _verdicts(report),
            _times(report),
            _protocols(report),
            _failures(report),
            _partners(report),
            _appliances(report),
            _evidence(report),
        ),
        tag("footer", tag("p", "Made by esatls from the log only.")),
    )
    text = f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"
    return text.encode("utf-8", "replace").decode("utf-8")
