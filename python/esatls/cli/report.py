"""The command `esatls report`."""

from __future__ import annotations

import io
from datetime import datetime, timezone
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, cast

import click

from esatls import parallel
from esatls.cli.completion import files, folders
from esatls.cli.filters import domains_of
from esatls.cli.formats import by_name
from esatls.cli.inputs import Input, reading
from esatls.cli.records import briefs_of, by_whom, in_time, messages_of
from esatls.report.build import report_on
from esatls.report.count import count_records
from esatls.report.counts import Alike, ReportCounts
from esatls.report.evidence import Digests, evidence
from esatls.verdicts.facts import Facts
from esatls.verdicts.records import Whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from esatls.extraction.stream import Counts
    from esatls.parallel import Judging
    from esatls.report.count import Counted
    from esatls.report.report_types import Report
    from esatls.verdicts.record_types import MessageRecord

_BY_ENDING = {"": "table", ".txt": "table", ".json": "json", ".html": "html", ".htm": "html"}
_WITH_NAMES = ("json", "table")
"""Formats that show each name of a partner."""
_OF_THE_REPORT = ("title", "organisation")


@click.command()
@reading
@click.option(
    "--format",
    "-f",
    "form",
    type=click.Choice(("table", "text", "json", "html")),
    help="text is meant for email. Default: chosen by the name of FILE (.json, .html), else table.",
)
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    shell_complete=files,
    help="Write to FILE, which appears only once it is complete. {date}, {week} and {month} in its name stand for those of --since, or of today.",
)
@click.option("--csv-dir", metavar="FOLDER", shell_complete=folders, help="Also write each table as a CSV file to FOLDER, which is created if needed.")
@click.option("--title", metavar="TEXT", help="Title of the report.")
@click.option("--organisation", metavar="NAME", help="Organisation that the report is about.")
@click.option(
    "--own-domain",
    "own_domains",
    multiple=True,
    metavar="DOMAIN",
    callback=domains_of,
    help="One of your own domains, listed separately from partners (repeatable).",
)
def report(form: str | None, output: str | None, csv_dir: str | None, own_domains: tuple[str, ...], **options: Any) -> None:
    """Write a report on TLS: percentages, protocols, ciphers and the partners with problems."""
    form = by_name(form, output, _BY_ENDING)
    source = Input(options)
    output = _dated(output, source)
    digests = Digests(source.found)
    found, counts = _count(source, own_domains, digests)
    built = report_on(found, source.contradictions, names=form in _WITH_NAMES)
    settings = {**{name: options[name] for name in _OF_THE_REPORT}, **source.told(), "own_domains": [*own_domains]}
    built["evidence"] = evidence(digests, counts, source.told_problems(), settings, source.uncovered(counts))
    if csv_dir is not None:
        from esatls.report.tables import write_folder

        write_folder(built, csv_dir, source.output)
    with source.output(output) as file:
        _write(built, form, file)
    source.end(counts, source.none(built["totals"]["connections"] + built["totals"]["messages"], filtered=False))


def _count(source: Input, own_domains: tuple[str, ...], digests: Digests) -> tuple[ReportCounts, Counts]:
    """Count the connections and messages of all inputs that touch the requested time range; return the line counts too."""

    def work(judging: Judging) -> ReportCounts:
        if isinstance(judging, Facts) and source.options.jobs > 1:
            digests.start()  # all has been read, and this process judges it all
        return count_records(_counted(by_whom(judging), source), own_domains)

    read = source.found, source.options, source.warn, source.progress(), source.contradictions
    (first, *others), names, counts = parallel.judge(*read, work, ReportCounts.plain, ReportCounts.of_plain)
    source.read()
    source.tell_names(names)
    for one in others:
        first.add(one)
    return first, counts


def _counted(judging: Judging, source: Input) -> Iterable[Counted]:
    if isinstance(judging, Facts):
        from esatls import native

        both = native.counted(judging, source.contradictions, source.since, source.until, source.options.jobs)
        # the core has checked the times of all but these messages
        return (one for one in both if isinstance(one, Alike) or "esa_direction" in one or in_time(cast("MessageRecord", one), source))
    if isinstance(judging, Whole):
        judging.keep()
    return chain(briefs_of(judging, source), messages_of(judging, source))


def _dated(output: str | None, source: Input) -> str | None:
    """Return a file name with {date}, {week} and {month} replaced by those of --since, or of today."""
    if output is None or "{" not in output:
        return output
    zone = source.options.zone or timezone.utc
    day = datetime.now(zone) if source.since is None else datetime.fromtimestamp(source.since, zone)
    for name, form in (("{date}", "%Y-%m-%d"), ("{week}", "%G-W%V"), ("{month}", "%Y-%m")):
        output = output.replace(name, day.strftime(form))
    return output


def _write(built: Report, form: str, file: IO[bytes]) -> None:
    if form == "json":
        from esatls.output.json_lines import dumps

        file.write(dumps(built) + b"\n")
    elif form == "html":
        from esatls.report.page import page

        file.write(page(built).encode("utf-8"))
    elif form == "text":
        from esatls.report.mail import mail

        file.write(mail(built).encode("utf-8", "replace"))
    else:
        from esatls.output.console import Console
        from esatls.report.text import render

        text = io.TextIOWrapper(file, encoding="utf-8", write_through=True)
        render(built, Console(text))
        text.detach()
