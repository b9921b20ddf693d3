"""Reading logs from a program: files, folders and globs -> records, as on the command line."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Any, SupportsIndex, Union

from esatls import parallel
from esatls.errors import InputError, UsageError, WrongTypeError
from esatls.extraction.fields import CONNECTION_FIELDS, DELIVERY_FIELDS, MESSAGE_FIELDS
from esatls.extraction.probe import common_zone, probe_all
from esatls.lines import sources
from esatls.lines.clock import YEARS, zone
from esatls.output import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import tzinfo

    from esatls.extraction.fields import Field
    from esatls.extraction.stream import Counts
    from esatls.lines.sources import Source
    from esatls.verdicts.facts import Facts
    from esatls.verdicts.record_types import ConnectionRecord, MessageRecord

Paths = Union[str, "os.PathLike[str]", "Iterable[str | os.PathLike[str]]"]

_FIELDS = {"connections": CONNECTION_FIELDS, "messages": MESSAGE_FIELDS}


class Log:
    """What was read from some files: the records of connections and messages, counts, and problems."""

    def __init__(self, facts: Facts, counts: Counts, problems: list[str]) -> None:
        self.facts = facts
        """All facts; `Facts.merge` adds those of other logs."""
        self.counts = counts
        """How many lines were read, and how many of them were events, ignored or unreadable."""
        self.problems = problems
        """What could not be read or was not recognized, one line of text each."""

    def connections(self) -> Iterator[ConnectionRecord]:
        """Yield a record per connection, as `esatls connections` writes it."""
        from esatls.verdicts import records

        return records.connections(self.facts)

    def messages(self) -> Iterator[MessageRecord]:
        """Yield a record per message, as `esatls messages` writes it."""
        from esatls.verdicts import records

        return records.messages(self.facts)

    def rows(self, what: str) -> list[dict[str, Any]]:
        """Return `messages` or `connections` as rows of a table: all have the same fields, None if there is no value, and times as `datetime` in UTC.

        `pandas.DataFrame(log.rows("messages"))`, `polars.DataFrame(...)` and `pyarrow.Table.from_pylist(...)` accept them. Deliveries remain
        lists of dicts. Raises `UsageError` for any other name, and `WrongTypeError` for what is not text.
        """
        if not isinstance(what, str):
            raise WrongTypeError(f"rows() takes a name, not {type(what).__name__}; possible are {', '.join(_FIELDS)}")
        if what not in _FIELDS:
            raise UsageError(f"no such records: {what!r}; possible are {', '.join(_FIELDS)}")
        found: Iterator[Mapping[str, Any]] = self.messages() if what == "messages" else self.connections()
        return [_row(record, _FIELDS[what]) for record in found]


def read(
    paths: Paths,
    *,
    timezone: str | tzinfo | None = None,
    year: int | None = None,
    host: str | None = None,
    jobs: int = 1,
) -> Log:
    """Read logs as the command line does: any number of files, plain or compressed, folders and globs, in any order.

    `timezone` is the time zone of the log (`Europe/Berlin`, or a `tzinfo`); by default, what the head of the file says, else UTC. `year` is the year of
    the first line, if timestamps have none; `host` names the appliance of lines that do not name it; `jobs` is the number of processes.

    If a file cannot be read, or no line in it is recognized, reading continues and the file is listed in `problems`. Raises `InputError` if there is
    nothing to read at all, `UsageError` for an unknown time zone, a wrong year or one `host` for the files of several appliances, and `WrongTypeError` for an
    argument of another type.
    """
    names: list[Any] = [paths] if isinstance(paths, (str, os.PathLike)) or hasattr(paths, "read") or not hasattr(paths, "__iter__") else [*paths]
    if not all(isinstance(name, (str, os.PathLike)) for name in names):
        raise WrongTypeError("read() takes a path or several, not open files: esatls.events() takes lines")
    if not names:
        raise InputError("nothing to read")  # only the command line reads standard input then; here that is "-"
    for name, value, kind in (("year", year, SupportsIndex), ("host", host, str), ("jobs", jobs, SupportsIndex)):
        if not isinstance(value, kind) and (value is not None or name == "jobs"):
            raise WrongTypeError(f"{name} is {'a name' if kind is str else 'a whole number'}, not {type(value).__name__}")
    if year is not None and not YEARS[0] <= year <= YEARS[1]:
        raise UsageError(f"not a year from {YEARS[0]} to {YEARS[1]}: {year}")
    problems: list[str] = []
    try:
        found = sources.find(tuple(os.fspath(name) for name in names), problems.append)
    except InputError as error:
        raise InputError(f"{error}: {printable(problems[0])}") from error
    where = zone(timezone) if isinstance(timezone, str) else timezone
    options, notes = prepare(found, where, year, host, jobs)
    facts, counts = parallel.gather(found, options, problems.append, parallel.Progress())
    return Log(facts, counts, [*notes, *problems])


def prepare(
    found: Sequence[Source], where: tzinfo | None, year: int | None, host: str | None, jobs: int, names: Mapping[str, str] | None = None
) -> tuple[parallel.Options, list[str]]:
    """Return the options for reading these sources, from the caller's arguments and the sources themselves, and notes about them for the user.

    `names` has the names of appliances by serial number. Raises `UsageError` if `host` would be the name of several appliances.
    """
    probes = probe_all(found, dated=year is not None)
    notes: list[str] = []
    names = {} if names is None else {serial.lower(): name for serial, name in names.items()}
    serials = {path: told.serial for path, told in probes.items() if told.serial is not None}
    hosts = {path: printable(names[serial.lower()]) for path, serial in serials.items() if serial.lower() in names}
    several = sorted(set(serials.values()))
    unnamed = [serial for serial in several if serial.lower() not in names]
    if unnamed and len(unnamed) + len(set(hosts.values())) > 1:
        are = f"files of {len(several)} appliances, identified by their serial numbers ({', '.join(several)})"
        if host is not None and len(unnamed) > 1:
            raise UsageError(f"{are}: name each, as in --host {unnamed[0]}={host}")
        if host is None:
            hosts.update((path, serial) for path, serial in serials.items() if path not in hosts)
            named = {path for path, told in probes.items() if told.serial is not None or told.is_named}
            untold = [source.name for source in found if source.path not in named]
            rest = f"; no serial number in {', '.join(untold)}: read such files separately, with --host NAME" if untold else ""
            notes.append(f"{are}; --host {unnamed[0]}=NAME names one{rest}")
    common = common_zone(probes) if where is None else None
    return parallel.Options(where, year, host and printable(host), min(jobs, parallel.MOST_JOBS), common, hosts, probes), notes


def _row(record: Mapping[str, Any], fields: Sequence[Field]) -> dict[str, Any]:
    return {field.name: _value(record.get(field.name), field) for field in fields}


def _value(value: Any, field: Field) -> Any:
    if value is None:
        return None
    if field.type == "date":
        return datetime.fromisoformat(value[:-1] + "+00:00")
    if field.type == "objects":
        return [_row(attempt, DELIVERY_FIELDS) for attempt in value]
    return value
