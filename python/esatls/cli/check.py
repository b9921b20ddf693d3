"""The command `esatls check`."""

from __future__ import annotations

import sys
from itertools import chain, islice
from typing import Any

import click
from click.core import ParameterSource

from esatls.cli.completion import files
from esatls.cli.filters import domains_of
from esatls.cli.formats import by_name, writing
from esatls.cli.inputs import Input, reading
from esatls.cli.records import appliances_of, messages_of
from esatls.cli.tell import tell
from esatls.errors import ANTICIPATED, UsageError, in_words
from esatls.extraction.stream import UNRECOGNIZED
from esatls.report import must_encrypt
from esatls.report.evidence import Digests, evidence
from esatls.report.must_encrypt_formats import BY_ENDING, FORMATS, write
from esatls.verdicts.partners import partner_name
from esatls.verdicts.words import UNKNOWN

_KEPT, _BROKEN, _CANNOT_TELL = 0, 1, 3
"""Exit codes; 2 is a usage error, as with every command."""


@click.command()
@reading
@click.option("--partners", metavar="LIST", shell_complete=files, help="CSV file with the columns domain, direction (receiving, delivery, both) and owner.")
@click.option(
    "--domain",
    "domains",
    multiple=True,
    metavar="DOMAIN",
    callback=domains_of,
    help="Check this domain and its subdomains, in place of LIST (repeatable).",
)
@writing(FORMATS, "chosen by the name of FILE (.json, .csv, .xml), else table")
def check(partners: str | None, domains: tuple[str, ...], form: str | None, output: str | None, **options: Any) -> None:
    """Check that mail with listed partners was encrypted.

    LIST is the file that the Splunk app uses as its lookup. Its domains may contain *, as in *.example.com, and mail counts for every row that fits. The
    partner of incoming mail is the sender's domain, that of outgoing mail each recipient's domain: a message to several domains counts once for each.
    Where the log does not show the mail flow, both count as partners.

    The exit code is 0 if no message with a listed partner was in clear text, 1 if at least one was, 2 for a usage error or an invalid LIST, and 3 if
    the log has no message, does not show enough, does not cover the time range or could not be read. With --format json, the result names the files
    that were read and their hashes.
    """
    form = by_name(form, output, BY_ENDING)
    if domains and click.get_current_context().get_parameter_source("partners") is ParameterSource.COMMANDLINE:
        # the list of the configuration is another matter: --domain takes its place
        raise UsageError("--domain is in place of --partners: use one of them")
    if domains:
        rules = [must_encrypt.Rule(f"{prefix}{partner_name(domain)}", "both") for domain in domains for prefix in ("", "*.")]
    elif partners is not None:
        rules = must_encrypt.read_rules(partners)
    else:
        raise UsageError("no partners to check: use --partners LIST or --domain DOMAIN")
    try:
        code = _checked(rules, form, output, options)
    except (UsageError, BrokenPipeError):
        raise
    except ANTICIPATED as error:
        tell(in_words(error))
        code = _CANNOT_TELL
    sys.exit(code)


def _checked(rules: list[must_encrypt.Rule], form: str, output: str | None, options: dict[str, Any]) -> int:
    source = Input(options)
    digests = Digests(source.found)
    appliances, counts = appliances_of(source)
    messages = messages_of(appliances, source)
    first = [*islice(messages, 1)]
    found = must_encrypt.check(rules, chain(first, messages))
    uncovered, made_from = source.uncovered(counts), None
    if form == "json":
        made_from = evidence(digests, counts, source.told_problems(), source.told(), uncovered)
        del made_from["title"]
    with source.output(output) as file:
        write(found, form, file, made_from)
    if not source.quiet:
        source.tell_contradictions()
        click.echo(str(counts), err=True)
        for sentence in uncovered:
            tell(sentence)
    verdict = must_encrypt.overall(found)
    if verdict == must_encrypt.BROKEN:
        return _BROKEN
    if not first and not source.quiet:
        tell("no messages in the log, or none in the time range" if counts.events else UNRECOGNIZED)
    return _CANNOT_TELL if verdict == UNKNOWN or source.failed or uncovered or not first else _KEPT
