"""The filters for messages and connections."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

import click

from esatls.errors import UsageError
from esatls.extraction.ciphers import is_deprecated, weaknesses
from esatls.verdicts.dns_names import is_within
from esatls.verdicts.message import domain_of
from esatls.verdicts.words import CONNECTION_VERDICTS, DELIVERED_VERDICTS, OVER_TLS, RECEIVED_VERDICTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from esatls.verdicts.record_types import ConnectionRecord, MessageRecord

Texts = tuple[str, ...]
"""The values of a repeatable option. A record passes if any of them matches, or if there are none."""
Numbers = tuple[int, ...]
_LONGEST_DECODED = 1000
"""Characters of a subject in which encoded words are decoded."""


class MessageFilter(NamedTuple):
    """Which message records to keep; without any condition, all."""

    received: Texts = ()
    delivered: Texts = ()
    flow: Texts = ()
    domain: Texts = ()
    """Domain of the sender or of a recipient; subdomains count."""
    sender_domain: Texts = ()
    recipient_domain: Texts = ()
    address: Texts = ()
    """Sender or recipient."""
    message_id: Texts = ()
    """Message-ID, with or without its angle brackets."""
    subject: Texts = ()
    """Part of the subject, as logged or decoded, ignoring case."""
    mids: Numbers = ()
    icids: Numbers = ()
    dcids: Numbers = ()
    peer: Texts = ()
    """Address of the other side, on either side of the message."""
    version: Texts = ()
    cipher: Texts = ()
    weak: bool = False
    """Whether it went over a deprecated protocol or a weak cipher, on either side."""
    reason: Texts = ()
    """Part of the reason, ignoring case."""
    appliance: Texts = ()

    def passes(self, record: MessageRecord) -> bool:
        """Tell whether a record is wanted."""
        sender = [record["sender"]] if "sender" in record else []
        recipients = record.get("recipients", [])
        return (
            (not self.received or record["received"] in self.received)
            and (not self.delivered or record["delivered"] in self.delivered)
            and (not self.flow or record.get("mail_flow") in self.flow)
            and (not self.mids or record["mid"] in self.mids)
            and (not self.address or _any_is(self.address, [*recipients, *sender]))
            and (not self.domain or _any_within(map(domain_of, [*recipients, *sender]), self.domain))
            and (not self.sender_domain or _any_within(map(domain_of, sender), self.sender_domain))
            and (not self.recipient_domain or _any_within(map(domain_of, recipients), self.recipient_domain))
            and (not self.message_id or ("message_id" in record and _bare(record["message_id"]) in map(_bare, self.message_id)))
            and (not self.subject or any(_any_in(self.subject, text) for text in _readings(record.get("subject", ""))))
            and (not self.icids or record.get("icid") in self.icids)
            and (not self.dcids or any(one.get("dcid") in self.dcids for one in record["deliveries"]))
            and (not self.appliance or _any_is(self.appliance, [record.get("esa_host")]))
            and (not (self.peer or self.version or self.cipher or self.weak or self.reason) or self._passes_by_sides(record))
        )

    def _passes_by_sides(self, record: MessageRecord) -> bool:
        """Tell the same from how the message was received, and each attempt to deliver it."""
        received = {name: record.get(f"received_{name}") for name in _OF_A_SIDE}
        tried: list[Mapping[str, Any]] = [received, *record["deliveries"]]
        passed: list[Mapping[str, Any]] = [received, *(one for one in record["deliveries"] if one.get("outcome") == "done")]
        return (
            (not self.peer or any(address(one.get("peer_ip") or "") in self.peer for one in tried))
            and (not self.version or _any_version(self.version, passed))
            and (not self.cipher or _any_is(self.cipher, [one.get("tls_cipher") for one in passed]))
            and (not self.weak or any(map(_is_weak, passed)))
            and (not self.reason or any(_any_in(self.reason, one.get("reason") or "") for one in tried))
        )


_OF_A_SIDE = ("tls_version", "tls_cipher", "peer_ip", "reason")
"""What a message has of how it was received, as each delivery has it."""


class ConnectionFilter(NamedTuple):
    """Which connection records to keep; without any condition, all."""

    verdict: Texts = ()
    direction: Texts = ()
    mail_flow: Texts = ()
    domain: Texts = ()
    """Domain of the partner or of the other side's host name; subdomains count."""
    peer: Texts = ()
    """Address of the other side."""
    sender_group: Texts = ()
    interface: Texts = ()
    """Name or address of the listener or interface."""
    version: Texts = ()
    """Protocol, with or without TLSv in front of its number."""
    cipher: Texts = ()
    weak: bool = False
    """Whether it used a deprecated protocol or a weak cipher."""
    reason: Texts = ()
    """Part of the reason, ignoring case."""
    icids: Numbers = ()
    dcids: Numbers = ()
    """With both, connections of either kind."""
    appliance: Texts = ()

    def passes(self, record: ConnectionRecord) -> bool:
        """Tell whether a record is wanted."""
        return (
            (not self.verdict or record["tls_verdict"] in self.verdict)
            and (not self.direction or record["esa_direction"] in self.direction)
            and (not self.mail_flow or record.get("mail_flow") in self.mail_flow)
            and (not self.domain or _any_within((record.get("domain"), record.get("peer_host")), self.domain))
            and (not self.peer or address(record.get("peer_ip", "")) in self.peer)
            and (not self.sender_group or _any_is(self.sender_group, [record.get("sender_group")]))
            and (not self.interface or _any_is(self.interface, [record.get("interface"), record.get("interface_ip")]))
            and (not self.version or _any_version(self.version, [record]))
            and (not self.cipher or _any_is(self.cipher, [record.get("tls_cipher")]))
            and (not self.weak or (record["tls_verdict"] in OVER_TLS and _is_weak(record)))
            and (not self.reason or _any_in(self.reason, record.get("tls_reason", "")))
            and (not (self.icids or self.dcids) or record.get("icid") in self.icids or record.get("dcid") in self.dcids)
            and (not self.appliance or _any_is(self.appliance, [record.get("esa_host")]))
        )


def _any_is(wanted: Texts, values: Iterable[str | None]) -> bool:
    """Tell whether a value is one of the wanted texts, ignoring case."""
    return not {text.lower() for text in wanted}.isdisjoint(value.lower() for value in values if value is not None)


def _any_in(wanted: Texts, value: str) -> bool:
    """Tell whether a value contains one of the wanted texts, ignoring case."""
    value = value.lower()
    return any(text.lower() in value for text in wanted)


def _readings(subject: str) -> Iterable[str]:
    """Yield a subject as it is logged, and with its encoded words (RFC 2047) decoded."""
    yield subject
    if "=?" in subject:
        from email.errors import HeaderParseError
        from email.header import decode_header, make_header

        # a stranger's text: what is longer takes the decoder long
        with contextlib.suppress(HeaderParseError, LookupError, ValueError):
            yield str(make_header(decode_header(subject[:_LONGEST_DECODED])))


def _any_version(wanted: Texts, sides: Iterable[Mapping[str, Any]]) -> bool:
    return not {_bare_version(text) for text in wanted}.isdisjoint(_bare_version(one["tls_version"]) for one in sides if one.get("tls_version"))


def _is_weak(side: Mapping[str, Any]) -> bool:
    """Tell whether a connection, or one side of a message, used a deprecated protocol or a weak cipher."""
    return is_deprecated(side.get("tls_version") or "") or bool(weaknesses(side.get("tls_cipher") or ""))


def _any_within(names: Iterable[str | None], domains: Texts) -> bool:
    return any(name is not None and is_within(name, domain) for name in names for domain in domains)


def _bare(text: str) -> str:
    """Return a Message-ID or an address without angle brackets."""
    return text.strip().strip("<>")


def _bare_version(version: str) -> str:
    return version.lower().removeprefix("tlsv")


def domains_of(_context: click.Context, option: click.Parameter, values: Texts) -> Texts:
    """Return the domains that an option names. Raises `UsageError` for what is not a domain."""
    domains = tuple(value.strip().lstrip("@").strip(".") for value in values)
    for value, domain in zip(values, domains):
        if not domain or "@" in domain:
            raise UsageError(f"{option.opts[0]}: not a domain: {value!r}")
        if "*" in domain:
            raise UsageError(f"{option.opts[0]}: not a domain: {value!r}; subdomains are included without *")
    return domains


def _addresses(_context: click.Context, option: click.Parameter, values: Texts) -> Texts:
    addresses = tuple(address(value) for value in values)
    for value, found in zip(values, addresses):
        if found is None:
            raise UsageError(f"{option.opts[0]}: not an IP address: {value!r}; use --domain for names")
    return tuple(filter(None, addresses))


def _bare_addresses(_context: click.Context, _option: click.Parameter, values: Texts) -> Texts:
    return tuple(map(_bare, values))


def _option(*names: str, meaning: str, **settings: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return an option that may be repeated."""
    return click.option(*names, multiple=True, help=f"{meaning} (repeatable).", **settings)


_FLOWS = click.Choice(("incoming", "outgoing"))
_OF_MESSAGES = (
    _option("--received", type=click.Choice(RECEIVED_VERDICTS), meaning="Only messages with this receiving verdict"),
    _option(
        "--delivered",
        type=click.Choice(DELIVERED_VERDICTS),
        meaning="Only messages with this delivery verdict; mixed: over TLS to some recipients only",
    ),
    _option("--mail-flow", "--flow", "flow", type=_FLOWS, meaning="Only this mail flow"),
    _option(
        "--domain",
        callback=domains_of,
        meaning="Only messages with a sender or at least one recipient in this domain or a subdomain, delivered or not",
    ),
    _option("--sender-domain", metavar="DOMAIN", callback=domains_of, meaning="Only messages with a sender in this domain or a subdomain"),
    _option("--recipient-domain", metavar="DOMAIN", callback=domains_of, meaning="Only messages with a recipient in this domain or a subdomain"),
    _option("--address", callback=_bare_addresses, meaning="Only messages with this sender or recipient"),
    _option("--message-id", metavar="ID", meaning="Only messages with this Message-ID"),
    _option("--subject", metavar="TEXT", meaning="Only messages with this text in the subject, as logged or decoded; case is ignored"),
    _option("--mid", "mids", type=int, meaning="Only messages with this MID"),
    _option("--icid", "icids", type=int, meaning="Only messages received over the connection with this ICID"),
    _option("--dcid", "dcids", type=int, meaning="Only messages for which the connection with this DCID was tried"),
    _option("--peer", metavar="ADDRESS", callback=_addresses, meaning="Only messages with this IP address on the other side, when received or delivered"),
    _option("--version", metavar="PROTOCOL", meaning="Only messages received or delivered with this protocol, such as TLSv1.2"),
    _option("--cipher", metavar="NAME", meaning="Only messages received or delivered with this cipher"),
    click.option("--weak", is_flag=True, help="Only messages received or delivered with a deprecated protocol or a weak cipher."),
    _option("--reason", metavar="TEXT", meaning="Only messages with this text in a reason; case is ignored"),
    _option("--appliance", metavar="NAME", meaning="Only messages of this appliance (esa_host)"),
)
_OF_CONNECTIONS = (
    _option("--verdict", type=click.Choice(CONNECTION_VERDICTS), meaning="Only connections with this verdict"),
    _option("--direction", type=click.Choice(("receiving", "delivery")), meaning="Only connections in this direction"),
    _option("--mail-flow", type=_FLOWS, meaning="Only this mail flow"),
    _option("--domain", callback=domains_of, meaning="Only connections with a partner in this domain or a subdomain"),
    _option("--peer", metavar="ADDRESS", callback=_addresses, meaning="Only connections with this IP address on the other side"),
    _option("--sender-group", metavar="NAME", meaning="Only connections in this sender group"),
    _option("--interface", metavar="NAME", meaning="Only connections over this listener or interface (name or address)"),
    _option("--version", metavar="PROTOCOL", meaning="Only connections with this protocol, such as TLSv1.2"),
    _option("--cipher", metavar="NAME", meaning="Only connections with this cipher"),
    click.option("--weak", is_flag=True, help="Only connections with a deprecated protocol or a weak cipher."),
    _option("--reason", metavar="TEXT", meaning="Only connections with this text in the reason; case is ignored"),
    _option("--icid", "icids", type=int, meaning="Only connections with this ICID"),
    _option("--dcid", "dcids", type=int, meaning="Only connections with this DCID"),
    _option("--appliance", metavar="NAME", meaning="Only connections of this appliance (esa_host)"),
)


def message_filters(command: Callable[..., None]) -> Callable[..., None]:
    """Add the message filters to a click command, which gets them as one argument, `wanted`."""
    return _filtered(command, MessageFilter, _OF_MESSAGES)


def connection_filters(command: Callable[..., None]) -> Callable[..., None]:
    """Add the connection filters to a click command, which gets them as one argument, `wanted`."""
    return _filtered(command, ConnectionFilter, _OF_CONNECTIONS)


def _filtered(
    command: Callable[..., None],
    make: type[MessageFilter | ConnectionFilter],
    options: Sequence[Callable[[Callable[..., None]], Callable[..., None]]],
) -> Callable[..., None]:
    names = make._fields

    @functools.wraps(command)
    def filtered(**given: Any) -> None:
        command(wanted=make(**{name: given.pop(name) for name in names}), **given)

    for option in reversed(options):
        option(filtered)
    return filtered


@functools.lru_cache(maxsize=10_000)
def address(text: str) -> str | None:
    """Return an IP address in its canonical form, an IPv4 address that is written as IPv6 as IPv4; None for any other text."""
    import ipaddress

    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return str(getattr(found, "ipv4_mapped", None) or found)
