"""Which appliance a line is of: names without regard to case, and serial numbers where several appliances share a name.

Consolidated events carry the serial number of their appliance. While facts are gathered, those of each serial number are kept apart, under the
host's name and the number. Only all of them together tell whether the number matters: where a host, or no host, has several, each is an
appliance of its own; a single one is the host's. So neither the order of the lines nor who reads them decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_APART = "\0"
"""Between a host's name and a serial number; no name holds it."""


def key_of(host: str | None, serial: str | None = None) -> str:
    """Return the key under which facts are gathered."""
    name = (host or "").lower()
    return f"{name}{_APART}{serial}" if serial else name


def host_and_serial(key: str) -> tuple[str, str]:
    """Return what a key was made of, "" for what it lacks."""
    host, _, serial = key.partition(_APART)
    return host, serial


def appliances(keys: Iterable[str]) -> dict[str, str]:
    """Return the name of the appliance for each key, which all keys together tell."""
    keys = [*keys]
    found: dict[str, dict[str, str]] = {}
    for key in sorted(keys):
        host, serial = host_and_serial(key)
        if serial:
            found.setdefault(host, {}).setdefault(serial.lower(), serial)
    numbers = {number: serial for serials in found.values() if len(serials) > 1 for number, serial in serials.items()}
    names = {}
    for key in keys:
        host, serial = host_and_serial(key)
        apart = serial and len(found[host]) > 1
        # a log whose head tells its serial number may have it for a name
        names[key] = numbers[serial.lower()] if apart else numbers.get(host, host)
    return names


def short_and_full(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the pairs of names that may be one host's: one is the first label of the other."""
    known = set(names)
    labels = ((name.partition(".")[0], name) for name in known if not name.replace(".", "").isdigit())
    return sorted((label, name) for label, name in labels if label != name and label in known and label)
