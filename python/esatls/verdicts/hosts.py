"""Which appliance a line belongs to: by its name, ignoring case, and by serial number if several appliances share a name.

Consolidated events carry the serial number of their appliance. While facts are gathered, those of each serial number are kept apart, under the
host's name and the number. Only all of them together show whether the number matters: if a host, or no host, has several, each is a separate
appliance; a single one is the host's. The number of a log without a host, from its head, is the name of its appliance; events that name no host are
of that appliance if they carry its number. So the result depends neither on the order of the lines nor on who reads them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_APART = "\0"
"""Between a host's name and a serial number; no name contains it."""


def key_of(host: str | None, serial: str | None = None) -> str:
    """Return the key under which facts are gathered."""
    name = (host or "").lower()
    return f"{name}{_APART}{serial}" if serial else name


def host_and_serial(key: str) -> tuple[str, str]:
    """Return the host and the serial number of a key, "" for one that it lacks."""
    host, _, serial = key.partition(_APART)
    return host, serial


def appliances(keys: Iterable[str]) -> dict[str, str]:
    """Return the name of the appliance for each key; it depends on all keys together."""
    keys = [*keys]
    told: set[str] = set()
    found: dict[str, dict[str, str]] = {}
    for key in sorted(keys):
        host, serial = host_and_serial(key)
        if serial:
            found.setdefault(host, {}).setdefault(serial.lower(), serial)
        else:
            told.add(host)
    apart = {host: {number for number in serials if len(serials) > 1 or (not host and number in told)} for host, serials in found.items()}
    numbers = {number: found[host][number] for host, those in apart.items() for number in those}
    names = {}
    for key in keys:
        host, serial = host_and_serial(key)
        number = serial.lower()
        # the name of a log without a host may be the serial number in its head
        names[key] = numbers[number] if serial and number in apart[host] else numbers.get(host, host)
    return names


def under_two_names(names: Iterable[str]) -> list[str]:
    """Return a sentence for each two names that may belong to one appliance, whose records would be split: one is the first label of the other."""
    known = set(names)
    labels = ((name.partition(".")[0], name) for name in known if not name.replace(".", "").isdigit())
    pairs = sorted((label, name) for label, name in labels if label != name and label in known and label)
    return [f"{short} and {full} may be one appliance under two names; they are treated as two" for short, full in pairs]
