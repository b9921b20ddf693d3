"""Which messages a user asked for."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Callable

import click

from esatls.errors import UsageError
from esatls.verdicts.message import domain_of
from esatls.verdicts.words import DELIVERED_VERDICTS, RECEIVED_VERDICTS

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Wanted:
    """What the record of a message must be like; nothing given is everything."""

    received: tuple[str, ...] = ()
    delivered: tuple[str, ...] = ()
    flow: str | None = None
    domain: str | None = None
    """Domain of the sender or of a recipient; subdomains count."""
    address: str | None = None
    """Sender or recipient."""
    mids: tuple[int, ...] = ()

    def __call__(self, record: Record) -> bool:
        """Tell whether a record is wanted."""
        return (
            (not self.received or record["received"] in self.received)
            and (not self.delivered or record["delivered"] in self.delivered)
            and (self.flow is None or record.get("mail_flow") == self.flow)
            and (not self.mids or record["mid"] in self.mids)
            and (self.address is None or self.address.lower() in (person.lower() for person in _people(record)))
            and (self.domain is None or any(within(domain_of(person), self.domain) for person in _people(record)))
        )


def _domain(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    domain = None if value is None else value.strip().lstrip("@").strip(".")
    if value is not None and (not domain or "@" in domain):
        raise UsageError(f"--domain: no domain: {value!r}")
    return domain


def domain_option(meaning: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return the option `--domain`; `UsageError` where its value is no domain."""
    return click.option("--domain", callback=_domain, help=f"{meaning}; subdomains count.")


def filters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command of click the options that say which messages are wanted; it takes them as one argument, `wanted`."""

    @functools.wraps(command)
    def filtered(**options: Any) -> None:
        command(wanted=Wanted(**{field.name: options.pop(field.name) for field in fields(Wanted)}), **options)

    for option in reversed(
        (
            click.option("--received", multiple=True, type=click.Choice(RECEIVED_VERDICTS), help="Only messages received so, may be repeated."),
            click.option(
                "--delivered",
                multiple=True,
                type=click.Choice(DELIVERED_VERDICTS),
                help="Only messages delivered so to everybody that they reached (mixed: to some so, to others so), may be repeated.",
            ),
            click.option("--flow", type=click.Choice(("incoming", "outgoing")), help="Only this mail flow."),
            domain_option("Only messages with a sender or recipient of this domain, delivered to it or not, whoever else got them"),
            click.option("--address", help="Only messages with this sender or recipient."),
            click.option("--mid", "mids", type=int, multiple=True, help="Only this message, may be repeated."),
        )
    ):
        option(filtered)
    return filtered


def _people(record: Record) -> list[str]:
    return [*record.get("recipients", ()), *([record["sender"]] if "sender" in record else [])]


def within(name: str | None, domain: str) -> bool:
    """Tell whether a host or domain is a domain or lies in it."""
    domain = domain.lower().strip(".")
    return name is not None and (name.lower() == domain or name.lower().endswith("." + domain))


@functools.lru_cache(maxsize=10_000)
def address(text: str) -> str | None:
    """Return an IP address in its one canonical spelling, one of IPv4 that is written as IPv6 as IPv4; None for any other text."""
    import ipaddress

    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return str(getattr(found, "ipv4_mapped", None) or found)
