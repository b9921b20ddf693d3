"""Records of the weeks before the scenario's present, for the screenshot of the dashboard over months.

Judging the lines of so many weeks would take too long. So these records are made directly, without randomness, and only with the words that the index
counts: one record for every five of a site of this size. The tests of the dashboards use records that the searches themselves write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tests.splunk.terms import compiled, words_of

from . import scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from . import spl

DAYS = 40
HOUR = 3600
SCALE = 5
# Shares of a working day's mail, hour by hour in UTC; a day of a weekend has a fifth of it.
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


# One partner goes from TLS 1.2 to 1.3, one gives up TLS 1.0, one begins to use TLS, and one has a bad certificate for three days.
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


def words(kind: Traffic) -> Iterator[str]:
    """Yield the words of the records of a connection and of its message; a failed delivery has a waiting message, a failed reception none."""
    flow = "incoming" if kind.direction == "receiving" else "outgoing"
    reason = kind.reason.replace(" ", "_")
    yield (
        f"kind=c {{}} mail_flow={flow} esa_direction={kind.direction} tls_verdict={kind.verdict} tls_version={kind.tls[0]} tls_cipher={kind.tls[1]} "
        f"tls_reason={reason} partner={kind.partner} mail=-"
    )
    verdict = {"failed": "none"}.get(kind.verdict, kind.verdict)
    if kind.direction == "delivery" or kind.verdict in {"encrypted", "cleartext"}:
        nothing = "esa_direction=- tls_verdict=- tls_version=- tls_cipher=- tls_reason=- partner=-"
        yield f"kind=m {{}} mail_flow={flow} {nothing} mail={kind.direction}:{verdict}:{kind.partner}"


def records() -> list[spl.Row]:
    """Return the rows of the summary index, hour by hour."""
    end = int(scenario.NOW.timestamp()) // HOUR * HOUR
    rows: list[spl.Row] = []
    for hour in range(24 * DAYS):
        at = end - (24 * DAYS - hour) * HOUR
        day, of_day = divmod(at // HOUR, 24)
        run = f"level=hour window={at} run={at}"
        # 1970 began on a Thursday
        share = _CURVE[of_day] / sum(_CURVE) * (0.2 if (day + 3) % 7 > 4 else 1) / SCALE
        for order, kind in enumerate(PLAN):
            if kind.first <= hour // 24 < kind.last:
                # no two days are exactly the same
                number = kind.number * share * (0.85 + (day * 7 + order * 5) % 11 * 0.03)
                for turn, host in enumerate(scenario.HOSTS):
                    texts = [text.format(f"{run} esa_host={host}") for text in words(kind)]
                    rows += [{"_time": at, "_raw": f"x {text} {{}}"} for text in texts for _ in range(int(number / 2 + (turn + of_day % 3) / 3))]
        rows.append({"_time": at, "_raw": f"x kind=w {run} facts=0 asof={at}"})
    rows.append({"_time": end - 1, "_raw": f"x kind=ow level=open window={end - HOUR} run={end} asof={end}"})
    return rows


class Months:
    """A summary index with only these records, in which nothing is open."""

    def __init__(self) -> None:
        """Make the records."""
        self.rows = records()

    def events(self, terms: str, earliest: float, latest: float) -> list[spl.Row]:
        """Return the records of a time range that match the terms."""
        wanted = compiled(terms)
        return [row for row in self.rows if earliest <= float(str(row["_time"])) < latest and wanted(*words_of(str(row["_raw"])))]

    def command(self, *_: object) -> list[spl.Row]:
        """Return no rows."""
        return []
