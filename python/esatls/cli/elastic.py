"""The commands ``esatls elastic``: set up a server, load records, join events."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Callable

import click

from esatls.cli.groups import Group
from esatls.elastic import load as loading
from esatls.elastic import setup as setting_up
from esatls.elastic.batches import batches
from esatls.elastic.client import Client


@click.group(cls=Group)
def elastic() -> None:
    """Work with Elasticsearch and Kibana.

    The API key is read from --api-key-file or from the variable ESATLS_ELASTIC_API_KEY, so that it does not show in the process list.
    """


def _server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for the server's address and credentials."""
    for option in (
        click.option("--insecure", is_flag=True, help="Do not verify the server's certificate."),
        click.option("--ca-cert", metavar="FILE", help="PEM file with the CA that signed the server's certificate."),
        click.option("--api-key-file", metavar="FILE", help="File with the encoded API key."),
        click.option("--api-key", envvar="ESATLS_ELASTIC_API_KEY", show_envvar=True, help="Encoded API key; the variable or --api-key-file is safer."),
        click.option("--url", required=True, envvar="ESATLS_ELASTIC_URL", show_envvar=True, help="Address of Elasticsearch."),
    ):
        command = option(command)
    return command


def _client(url: str, api_key: str | None, api_key_file: str | None, ca_cert: str | None, *, insecure: bool) -> Client:
    if api_key_file:
        api_key = Path(api_key_file).read_text(encoding="utf-8").strip()
    return Client(url, api_key, ca_cert=ca_cert, verify=not insecure)


@elastic.command()
@_server_options
@click.option("--kibana-url", envvar="ESATLS_KIBANA_URL", show_envvar=True, help="Address of Kibana. Without it, dashboards are not loaded.")
@click.option("--space", default="", help="Kibana space for the dashboards. Default: the default space.")
@click.option("--timezone", default="UTC", show_default=True, help="Time zone of timestamps without one, such as Europe/Berlin.")
@click.option("--retention", type=click.IntRange(min=1), default=365, show_default=True, help="Days to keep documents.")
@click.option("--dry-run", is_flag=True, help="Only check the servers and show what would be loaded.")
def setup(
    url: str,
    api_key: str | None,
    api_key_file: str | None,
    ca_cert: str | None,
    kibana_url: str | None,
    space: str,
    timezone: str,
    retention: int,
    *,
    insecure: bool,
    dry_run: bool,
) -> None:
    """Load index templates, lifecycle policies, ingest pipelines and dashboards. Safe to run again."""
    server = _client(url, api_key, api_key_file, ca_cert, insecure=insecure)
    kibana = _client(kibana_url, api_key, api_key_file, ca_cert, insecure=insecure) if kibana_url else None
    known = setting_up.capabilities(server)
    if kibana and dry_run:
        setting_up.kibana_answers(kibana)
    if not known.has_lifecycle:
        click.echo("this server does not support index lifecycle policies, so they are not loaded", err=True)
    steps = list(setting_up.server_steps(known, timezone=timezone, retention_days=retention))
    steps += setting_up.kibana_steps(space) if kibana else []
    for step in steps:
        target = kibana if kibana and step.kibana else server
        told = f"would send {step.method} {target.url}{step.path}" if dry_run else setting_up.perform(step, target)
        click.echo(f"{step.name}: {told}")
    if not kibana:
        click.echo("dashboards, searches and data views: skipped; use --kibana-url to load them")


@elastic.command()
@_server_options
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=loading.PATIENCE,
    show_default=True,
    metavar="SECONDS",
    help="How long to retry when the server is busy or does not answer.",
)
@click.argument("file", default="-")
def load(url: str, api_key: str | None, api_key_file: str | None, ca_cert: str | None, file: str, patience: float, *, insecure: bool) -> None:
    """Load records that `esatls connections`, `messages` or `follow` wrote as JSON Lines, from FILE or standard input.

    Records are sent in batches; none waits longer than two seconds.
    """
    server = _client(url, api_key, api_key_file, ca_cert, insecure=insecure)
    with click.open_file(file, "rb") as stream:
        written = loading.load(server, batches(stream), patience=patience, tell=_tell)
    click.echo(f"{written.documents:,} documents written")
    if written.refused:
        sys.exit(1)


@elastic.command()
@_server_options
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True),
    default=2,
    show_default=True,
    help="Write connections and messages that began in this many past days.",
)
@click.option("--context", type=click.FloatRange(min=0), default=2, show_default=True, help="Number of earlier days to read as well, for context.")
@click.option("--all", "everything", is_flag=True, help="Use all events on the server.")
def join(
    url: str, api_key: str | None, api_key_file: str | None, ca_cert: str | None, days: float, context: float, *, insecure: bool, everything: bool
) -> None:
    """Create connection and message documents from event documents. Run it every few minutes."""
    server = _client(url, api_key, api_key_file, ca_cert, insecure=insecure)
    done = loading.join(server, days=None if everything else days, context_days=context, tell=_tell)
    click.echo(f"{done.events:,} events: {done.connections:,} connections, {done.messages:,} messages written, {done.deleted:,} stale documents deleted")
    if not done.events and not everything:
        click.echo(f"no events in the last {days + context:g} days: use a larger --days, or --all", err=True)
    if done.refused:
        sys.exit(1)


def _tell(line: str) -> None:
    """Report what a server rejects, or why the command waits for it."""
    click.echo(f"esatls: {line}", err=True)
