"""The page's lists of partners, each complete, with a row per organisation and direction."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from esatls.extraction.ciphers import is_deprecated
from esatls.report.bars import Bars, over_tls, with_version
from esatls.report.build import percent
from esatls.report.html import Column, Markup, listing, share, tag, together
from esatls.report.notes import DIRECTIONS, MOST_NAMED, TITLES, counted_by, examples, in_percentages, times_of, whole
from esatls.report.reasons import in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from esatls.report.report_types import IssueName, IssueRow, PartnerDay, Report

    Row = Mapping[str, Any]

MOST_NAMES = 5
"""Names shown in one cell; the report as JSON has all."""


def issues(report: Report, issue: IssueName) -> list[Markup]:
    """Return the tables of organisations with an issue, partners first; no table if there are none."""
    what = counted_by(issue)
    partners, own, reasons = TITLES[issue]
    label = "Messages in clear text" if issue == "cleartext" else "Connections"
    columns = [Column("Partner"), Column("Direction"), Column(label, "number"), Column("Of", "number")]
    columns += map(Column, ("First", "Last", "Last over TLS", reasons, "Examples"))
    rows = [row for row in report["organisations"] if issue in row]
    if issue != "cleartext":  # by which all are sorted
        rows.sort(key=lambda row: (-row[issue][what], row["partner"], row["direction"]))
    found: list[Markup] = []
    for caption, is_own in ((partners, False), (own, True)):
        cells = [_issue(row, row[issue], issue, report) for row in rows if row["own"] == is_own]
        if cells:
            # links to clear text lead to its section, all others to the first table of their list
            found.append(listing(caption, columns, cells, "issue", issue if issue != "cleartext" and not found else None))
    return found


def _issue(row: Row, told: IssueRow, issue: IssueName, report: Report) -> list[str | int]:
    count = told[counted_by(issue)]
    return [
        _name(row["partner"], row["names"] if len(report["organisations"]) <= MOST_NAMED else ()),
        "in" if row["direction"] == "receiving" else "out",
        count,
        whole(row, issue),
        *times_of(row, told),
        _lines(in_words(told["reasons"], count)),
        _examples(told, report),
    ]


def all_partners(report: Report) -> list[Markup]:
    """Return the tables of all organisations, partners first: one of mail, then one of connections, each with both directions in one row."""
    mail = [Column("Partner")]
    for verb in ("Received", "Delivered"):
        mail += [Column(f"{verb}{label}", "number") for label in ("", " over TLS", " in clear text", " unknown")]
    bars = Bars.of(report["span"])
    connections = [Column("Partner"), *(Column(label, "number") for label in ("Connections", "Over TLS", "Failed"))]
    connections += [Column("Over time", "text")] if bars else []
    connections.append(Column("Protocols"))
    found: list[Markup] = []
    for captions, own in ((("All partners", "Connections with partners"), False), (("Own domains", "Connections with own domains"), True)):
        partners: dict[str, dict[str, Row]] = {}
        for row in report["organisations"]:
            if row["own"] == own:
                partners.setdefault(row["partner"], {})[row["direction"]] = row
        if partners:
            everybody = sorted(partners.items(), key=_by_mail)
            found.append(listing(captions[0], mail, [_mail_with(partner, sides) for partner, sides in everybody], "mail"))
            found.append(listing(captions[1], connections, [_connections_with(partner, sides, bars) for partner, sides in everybody], "over"))
    return found


def _by_mail(item: tuple[str, Mapping[str, Row]]) -> tuple[int, int, str]:
    """Return the key by which rows are sorted: the most mail first, then the most connections."""
    partner, sides = item
    return -sum(sum(row["messages"].values()) for row in sides.values()), -sum(sum(row["connections"].values()) for row in sides.values()), partner


def _mail_with(partner: str, sides: Mapping[str, Row]) -> list[str | int]:
    cells: list[str | int] = []
    for direction in DIRECTIONS:
        row = sides.get(direction)
        if row is None:
            cells += ["", "", "", ""]
        else:
            mail = row["messages"]
            cells += [sum(mail.values()), _share(mail), mail["cleartext"] + mail["mixed"], mail["unknown"]]
    return [_name(partner, sorted({name for row in sides.values() for name in row["names"]})), *cells]


def _connections_with(partner: str, sides: Mapping[str, Row], bars: Bars | None) -> list[str | int]:
    over: Counter[str] = Counter()
    versions: Counter[str] = Counter()
    days: list[PartnerDay] = []
    for row in sides.values():
        over.update(row["connections"])
        versions.update(row["versions"])
        days += row["days"]
    marks = [Markup(f"<b>{name}</b> ") for name in ("deprecated", "weak") if any(name in row for row in sides.values())]
    drawn = [bars.draw(days, over_tls)] if bars else []
    return [together([partner]), sum(over.values()), together([*marks, _share(over)]), over["failed"], *drawn, _protocols(versions, days, bars)]


def _name(partner: str, counted: Iterable[str]) -> Markup:
    """Return an organisation, and below it the names that were counted under it."""
    names = [name for name in counted if name != partner]
    if not names:
        return together([partner])
    shown = names[:MOST_NAMES]
    left = len(names) - len(shown)
    return together([partner, tag("br"), tag("small", ", ".join(shown) + (f" and {left:,} more" if left else ""))])


def _share(counts: Mapping[str, int]) -> Markup:
    value = percent(counts["encrypted"], in_percentages(counts))
    return share(None) if value is None else Markup(f"{value:.1f}\N{NO-BREAK SPACE}%")


def _examples(issue: Mapping[str, Any], report: Report) -> Markup:
    """Return the ids of the examples by kind."""
    found: dict[str, list[str]] = {}
    for kind, number in examples(issue, report):
        found.setdefault(kind, []).append(number)
    return _lines([f"{kind} {', '.join(ids)}" for kind, ids in found.items()])


def _protocols(versions: Mapping[str, int], days: Sequence[PartnerDay], bars: Bars | None) -> Markup:
    """Return the number of connections by protocol; if there are several protocols, with the share of each over time."""
    pieces: list[str] = []
    for version, count in sorted(versions.items()):
        if pieces:
            pieces.append(tag("br"))
        pieces += [version, f" {count:,}", Markup(" <b>deprecated</b>") if is_deprecated(version) else ""]
        if bars and len(versions) > 1:
            pieces += [" ", bars.draw(days, with_version(version))]
    return together(pieces)


def _lines(items: Iterable[str]) -> Markup:
    return together(piece for at, item in enumerate(items) for piece in (tag("br") if at else "", item))
