"""The commands ``esatls elastic``: set up a server, load records, join events, load rules and the list of partners."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any, Callable

import click

from esatls.cli.completion import files
from esatls.cli.groups import Group
from esatls.cli.tell import tell
from esatls.elastic import join as joining
from esatls.elastic import load as loading
from esatls.elastic import must_encrypt as listing
from esatls.elastic import setup as setting_up
from esatls.elastic.batches import batches
from esatls.elastic.client import Client
from esatls.elastic.kibana import OLDEST_FOR_RULES, check_kibana, load_alerts, load_dashboards, load_detections
from esatls.elastic.retry import PATIENCE
from esatls.elastic.streams import EVENTS
from esatls.errors import UsageError
from esatls.report.must_encrypt import read_rules


@click.group(cls=Group)
def elastic() -> None:
    """Work with Elasticsearch and Kibana.

    Pass credentials in files or environment variables, so that they do not show in the process list: an API key from --api-key-file or
    ESATLS_ELASTIC_API_KEY, or a user from --user or ESATLS_ELASTIC_USER and a password from --password-file or ESATLS_ELASTIC_PASSWORD.
    """


Connect = Callable[[str], Client]
"""Makes a client for the server at an address."""


def _server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for Elasticsearch's address and credentials; the command gets ``url``, and ``connect``, which makes a client."""
    address = click.option("--url", required=True, envvar="ESATLS_ELASTIC_URL", show_envvar=True, help="Address of Elasticsearch.")
    return address(_credentials(command))


def _credentials(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for credentials; the command gets ``connect``, which makes a client."""

    @functools.wraps(command)
    def connected(
        *,
        api_key: str | None,
        api_key_file: str | None,
        user: str | None,
        password: str | None,
        password_file: str | None,
        ca_cert: str | None,
        insecure: bool,
        **others: Any,
    ) -> Any:
        if api_key_file:
            api_key = _secret(api_key_file)
        if password_file:
            password = _secret(password_file)
        if (user is None) != (password is None):
            raise UsageError("a user needs a password, and a password a user")
        known = None if user is None or password is None else (user, password)
        return command(connect=functools.partial(Client, api_key=api_key, user=known, ca_cert=ca_cert, verify=not insecure), **others)

    for option in (
        click.option("--insecure", is_flag=True, help="Do not verify the server's certificate."),
        click.option("--ca-cert", metavar="FILE", shell_complete=files, help="PEM file with the CA that signed the server's certificate."),
        click.option("--password-file", metavar="FILE", shell_complete=files, help="File with the user's password."),
        click.option("--password", envvar="ESATLS_ELASTIC_PASSWORD", hidden=True),
        click.option("--user", envvar="ESATLS_ELASTIC_USER", show_envvar=True, help="User name, instead of an API key."),
        click.option("--api-key-file", metavar="FILE", shell_complete=files, help="File with the encoded API key."),
        click.option("--api-key", envvar="ESATLS_ELASTIC_API_KEY", show_envvar=True, help="Encoded API key; the variable or --api-key-file is safer."),
    ):
        connected = option(connected)
    return connected


def _secret(path: str) -> str:
    try:
        secret = Path(path).read_text(encoding="utf-8-sig").strip()
    except UnicodeError as error:
        raise UsageError(f"{path}: is not text in UTF-8") from error
    if not secret:
        raise UsageError(f"{path}: is empty")
    return secret


_patience_option = click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=PATIENCE,
    show_default=True,
    metavar="SECONDS",
    help="How long to retry when the server is busy or does not answer.",
)


@elastic.command()
@_server_options
@click.option("--kibana-url", envvar="ESATLS_KIBANA_URL", show_envvar=True, help="Address of Kibana. Without it, dashboards are not loaded.")
@click.option("--space", default="", help="Kibana space for the dashboards. Default: the default space.")
@click.option("--timezone", help="Time zone of timestamps that have none, such as Europe/Berlin. Default: as in the last setup, else UTC.")
@click.option(
    "--retention", type=click.IntRange(min=1), help="Days to keep documents after the rollover of their index. Default: as in the last setup, else 365."
)
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
def setup(connect: Connect, url: str, kibana_url: str | None, space: str, timezone: str | None, retention: int | None, *, dry_run: bool) -> None:
    """Load index templates, lifecycle policies, ingest pipelines and dashboards. What is already up to date is not touched."""
    server = connect(url)
    kibana = connect(kibana_url) if kibana_url else None
    known = setting_up.capabilities(server)
    if kibana:
        check_kibana(kibana)
    if timezone:
        setting_up.check_time_zone(server, timezone)
    if not known.has_lifecycle:
        click.echo("this server does not support index lifecycle policies, so they are not loaded", err=True)
    rollovers = []
    for step in setting_up.server_steps(known, timezone=timezone, retention_days=retention):
        change = setting_up.change(step, server)
        click.echo(f"{step.name}: {change.in_words(will='would be ' if dry_run else '')}")
        if dry_run:
            for line in change.difference:
                click.echo(f"  {line}")
        elif change.is_needed:
            setting_up.perform(step, server)
        if change.difference:
            rollovers += setting_up.rollovers(step, server)
    if rollovers:
        click.echo(f"a changed index template applies to data streams that exist from their next rollover; to roll over now: {', '.join(rollovers)}", err=True)
    if not kibana:
        click.echo("dashboards, searches and data views: skipped; use --kibana-url to load them")
    elif dry_run:
        click.echo("dashboards, searches and data views: would be loaded")
    else:
        click.echo(f"dashboards, searches and data views: loaded {load_dashboards(kibana, space)} objects")


@elastic.command()
@_server_options
@_patience_option
@click.argument("file", default="-", shell_complete=files)
def load(connect: Connect, url: str, file: str, patience: float) -> None:
    """Load records that `esatls connections`, `messages` or `follow` wrote as JSON Lines, from FILE or standard input.

    Records are sent in batches; none waits longer than two seconds.
    """
    server = connect(url)
    with click.open_file(file, "rb") as stream:
        written = loading.load(server, batches(stream), patience=patience, tell=tell)
    click.echo(f"{written.documents:,} documents written")
    if written.refused:
        sys.exit(1)


@elastic.command()
@_server_options
@click.option("--events", multiple=True, default=(EVENTS,), show_default=True, metavar="PATTERN", help="Data streams with the lines (repeatable).")
@click.option("--all", "everything", is_flag=True, help="Read all events again, not only those that came in since the last run.")
@_patience_option
def join(connect: Connect, url: str, events: tuple[str, ...], patience: float, *, everything: bool) -> None:
    """Create connection and message documents from event documents. Run it every few minutes.

    Each run reads the events that have arrived since the last one, with everything that belongs to them, and writes the documents that have changed.
    """
    server = connect(url)
    done = joining.join(server, everything=everything, events=events, patience=patience, tell=tell)
    click.echo(
        f"{done.events:,} events: {done.connections:,} connections, {done.messages:,} messages written, {done.unchanged:,} unchanged, "
        f"{done.deleted:,} stale documents deleted"
    )
    if done.refused:
        sys.exit(1)


@elastic.command()
@_credentials
@click.option("--kibana-url", required=True, envvar="ESATLS_KIBANA_URL", show_envvar=True, help="Address of Kibana.")
@click.option("--space", default="", help="Kibana space for the rules. Default: the default space.")
@click.option("--detections/--no-detections", default=True, help="Whether to load the rules for Elastic Security too.")
def rules(connect: Connect, kibana_url: str, space: str, *, detections: bool) -> None:
    """Load alert rules and detection rules into Kibana 8.14 or later, disabled. Rules that already exist are not changed."""
    kibana = connect(kibana_url)
    check_kibana(kibana, OLDEST_FOR_RULES)
    done = [("alert rules", load_alerts(kibana, space))]
    if detections:
        done.append(("detection rules", load_detections(kibana, space)))
    for name, loaded in done:
        click.echo(f"{name}: {loaded.created} created, {loaded.present} unchanged")


@elastic.command("must-encrypt")
@_server_options
@click.argument("file", shell_complete=files)
def must_encrypt(connect: Connect, url: str, file: str) -> None:
    """Load the list of partners that must use TLS, which the dashboard and the alert look up: the CSV of `esatls check`.

    The list replaces the previous one. Rows with `*` are left out, because the server compares whole names.
    """
    found = read_rules(file)
    known = [rule for rule in found if "*" not in rule.domain]
    sides = {side: [rule.domain for rule in known if rule.covers(side)] for side in ("receiving", "delivery")}
    receiving, delivery = listing.put(connect(url), sides["receiving"], sides["delivery"])
    click.echo(f"{receiving:,} partners for incoming mail, {delivery:,} for outgoing mail")
    if len(known) < len(found):
        tell(f"rows with * were left out, because the server compares whole names: {len(found) - len(known):,}")
