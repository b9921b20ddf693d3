"""Which messages a user asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Record = dict[str, Any]


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
            and (self.domain is None or any(within(person.rpartition("@")[2], self.domain) for person in _people(record)))
        )


def _people(record: Record) -> list[str]:
    return [*record.get("recipients", ()), *([record["sender"]] if "sender" in record else [])]


def within(name: str | None, domain: str) -> bool:
    """Tell whether a host or domain is a domain or lies in it."""
    domain = domain.lower().strip(".")
    return name is not None and (name.lower() == domain or name.lower().endswith("." + domain))
