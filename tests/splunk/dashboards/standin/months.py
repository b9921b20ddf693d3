"""What the summary searches wrote in the weeks before the scenario's present, for the picture of the dashboard over months.

To run the searches for each hour of so many weeks would take too long, so these rows are made as the searches write them, without chance.
The tests of the dashboards look at what the searches themselves write.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

from . import scenario

if TYPE_CHECKING:
    from . import spl

DAYS = 40
HOUR = 3600
# Shares of a working day's mail, hour by hour in UTC; a weekend has a fifth of it.
_CURVE = (1, 1, 1, 1, 2, 3, 5, 8, 10, 10, 9, 8, 7, 8, 8, 7, 5, 4, 3, 2, 2, 2, 1, 1)


class Traffic(NamedTuple):
    """`number` connections with one partner on a working day, from day `first` up to day `last` of `DAYS`."""

    number: int
    direction: str
    partner: str
    verdict: str
    tls: tuple[str, str] = ("-", "-")
    reason: str = "-"
    first: int = 0
    last: int = DAYS


# One partner goes from TLS 1.2 to 1.3, one gives up TLS 1.0, one begins to speak TLS, and one has a bad certificate for three days.
PLAN = (
    Traffic(900, "receiving", "partner.example.net", "encrypted", scenario.USUAL, last=24),
    Traffic(900, "receiving", "partner.example.net", "encrypted", scenario.STRONG, first=24),
    Traffic(700, "receiving", "bank.example.org", "encrypted", scenario.STRONG),
    Traffic(560, "receiving", "supplier.example.com", "encrypted", scenario.USUAL),
    Traffic(240, "receiving", "old.example.net", "encrypted", scenario.OLD, last=30),
    Traffic(240, "receiving", "old.example.net", "encrypted", scenario.USUAL, first=30),
    Traffic(300, "receiving", "plain.example.org", "cleartext", last=20),
    Traffic(300, "receiving", "plain.example.org", "encrypted", scenario.USUAL, first=20),
    Traffic(90, "receiving", "news.example.org", "cleartext"),
    Traffic(60, "receiving", "mx.broken.example.net", "failed", reason=scenario.NO_CIPHER),
    Traffic(150, "receiving", "scanner.example.net", "unused"),
    Traffic(620, "delivery", "partner.example.net", "encrypted", scenario.USUAL, last=24),
    Traffic(620, "delivery", "partner.example.net", "encrypted", scenario.STRONG, first=24),
    Traffic(480, "delivery", "bank.example.org", "encrypted", scenario.STRONG, last=26),
    Traffic(480, "delivery", "bank.example.org", "failed", reason="verify error", first=26, last=29),
    Traffic(480, "delivery", "bank.example.org", "encrypted", scenario.STRONG, first=29),
    Traffic(390, "delivery", "supplier.example.com", "encrypted", scenario.USUAL),
    Traffic(120, "delivery", "old.example.net", "encrypted", scenario.OLD, last=30),
    Traffic(120, "delivery", "old.example.net", "encrypted", scenario.USUAL, first=30),
    Traffic(210, "delivery", "plain.example.org", "cleartext", last=20),
    Traffic(210, "delivery", "plain.example.org", "encrypted", scenario.USUAL, first=20),
    Traffic(80, "delivery", "fallback.example.org", "cleartext", reason=scenario.STARTTLS),
)


def connections(kind: Traffic, at: int, host: str, number: int) -> spl.Row:
    """Return a row of the summary of connections."""
    flow = "incoming" if kind.direction == "receiving" else "outgoing"
    return {
        "_time": at,
        "esa_host": host,
        "mail_flow": flow,
        "esa_direction": kind.direction,
        "tls_verdict": kind.verdict,
        "tls_version": kind.tls[0],
        "tls_cipher": kind.tls[1],
        "tls_reason": kind.reason,
        "partner": kind.partner,
        "connections": number,
    }


def messages(kind: Traffic, at: int, host: str, number: int) -> spl.Row | None:
    """Return a row of the summary of messages: one for each connection; what was not delivered waits, what was not received is none."""
    verdict = {"failed": "none"}.get(kind.verdict, kind.verdict)
    if kind.direction == "receiving":
        if kind.verdict not in {"encrypted", "cleartext"}:
            return None
        flow, received, delivered, version = "incoming", verdict, "encrypted", kind.tls[0]
    else:
        flow, received, delivered, version = "outgoing", "encrypted", verdict, scenario.USUAL[0]
    return {
        "_time": at,
        "esa_host": host,
        "mail_flow": flow,
        "partner_direction": kind.direction,
        "partner": kind.partner,
        "partner_verdict": verdict,
        "received": received,
        "received_tls_version": version,
        "delivered": delivered,
        "messages": number,
    }


@functools.cache
def summary(name: str) -> list[spl.Row]:
    """Return what a saved search has written, hour by hour; the newest hour is three hours old."""
    row_of = {"esatls summary of connections": connections, "esatls summary of messages": messages}[name]
    end = int(scenario.NOW.timestamp()) // HOUR * HOUR - 3 * HOUR
    rows = []
    for hour in range(24 * DAYS):
        at = end - (24 * DAYS - hour) * HOUR
        day, of_day = divmod(at // HOUR, 24)
        # 1970 began on a Thursday
        share = _CURVE[of_day] / sum(_CURVE) * (0.2 if (day + 3) % 7 > 4 else 1)
        for order, kind in enumerate(PLAN):
            if not kind.first <= hour // 24 < kind.last:
                continue
            # no two days are quite the same
            number = kind.number * share * (0.85 + (day * 7 + order * 5) % 11 * 0.03)
            for turn, host in enumerate(scenario.HOSTS):
                whole = int(number / 2 + turn / 2)
                row = row_of(kind, at, host, whole) if whole else None
                if row is not None:
                    rows.append(row)
    return rows


class Months:
    """Answers the summaries from here, and every other search from another source."""

    def __init__(self, other: spl.Source) -> None:
        """`other` answers what is not of the summary."""
        self.other = other

    def __call__(self, command: str, earliest: float, latest: float) -> list[spl.Row]:
        """Return the rows of a time range."""
        if not command.startswith("esatls "):
            return self.other(command, earliest, latest)
        return [row for row in summary(command) if earliest <= float(str(row["_time"])) < latest]
