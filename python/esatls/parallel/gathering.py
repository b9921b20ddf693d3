"""Facts: every process reads its share of the parts, and one merges what they found."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, Callable

from esatls import compiled
from esatls.extraction.stream import Counts
from esatls.lines import sources
from esatls.parallel.parts import Options, Part, Problems, is_for_one, noting, parts_of, read, tell
from esatls.parallel.processes import Progress, receive, send, workers
from esatls.verdicts.facts import Facts

if TYPE_CHECKING:
    from esatls.lines.sources import Source
    from esatls.parallel.on_disk import FactsOnDisk

_FACTS_OF_A_BYTE = 4
"""Bytes of memory that the facts in one byte of log take."""
_PACKED = 10
"""How many times larger the text of a compressed log is."""


def gather(found: list[Source], options: Options, warn: sources.Warn, progress: Progress) -> tuple[Facts, Counts]:
    """Return the facts of all sources."""
    return gather_shares(dealt(found, options), options, warn, progress)


def gather_shares(shares: list[list[Part]], options: Options, warn: sources.Warn, progress: Progress) -> tuple[Facts, Counts]:
    """Return the facts of all shares: this process reads the first one, and others read one each."""
    counts, meter = Counts(), progress.meter(0)
    if len(shares) == 1:
        facts = _new_facts()
        for part in shares[0]:
            for _ in read(part, facts, options, warn, counts, meter):
                pass
        progress.kept = facts = _drained(facts)
        return facts, counts
    facts = Facts()

    def work(job: int, out: IO[bytes], _: IO[bytes]) -> None:
        theirs, mine, problems = gather_share(shares[job + 1], options, progress.meter(job + 1))
        send(out, [problems, mine, theirs.hosts, theirs.has_witnesses])

    with workers(len(shares) - 1, work) as pipes:
        own, mine, problems = gather_share(shares[0], options, meter)
        facts.merge(own)
        counts.add(Counts.of_list(mine))
        for pipe in pipes:
            told, theirs, hosts, has_witnesses = receive(pipe.reading, progress)
            problems += told
            counts.add(Counts.of_list(theirs))
            other = Facts()
            other.hosts, other.has_witnesses = hosts, has_witnesses
            facts.merge(other)
    tell(problems, warn)
    progress.kept = facts
    return facts, counts


def gather_on_disk(parts: list[Part], limit: int, options: Options, warn: sources.Warn, progress: Progress) -> tuple[FactsOnDisk, Counts]:
    """Return the facts of all sources; those that do not fit into memory are in a file."""
    from esatls.parallel.on_disk import FactsOnDisk

    progress.kept = known = FactsOnDisk(limit)
    counts, meter = Counts(), progress.meter(0)
    for part in parts:
        for _ in read(part, known, options, warn, counts, meter):
            known.relieve()
    return known, counts


def dealt(found: list[Source], options: Options) -> list[list[Part]]:
    """Return a share of the sources for each process; a single share if one process is to read them all."""
    parts = parts_of(found, options, None)
    return [parts] if is_for_one(parts, options) else _shares(parts, options.jobs)


def dealt_to_fit(found: list[Source], options: Options) -> list[list[Part]]:
    """Return the same, but a single share if its facts may have to go to a file."""
    return [parts_of(found, options, None)] if is_too_much(found, options) else dealt(found, options)


def is_too_much(found: list[Source], options: Options) -> bool:
    """Tell whether the facts of some sources will need more memory than they may have: then one process reads them all."""
    if options.memory is None:
        return False
    fits = options.memory // _FACTS_OF_A_BYTE
    if sum(source.size for source in found) * _PACKED <= fits:
        return False  # even if all are compressed, so none need be opened
    return sum(source.size if sources.is_plain(source) else source.size * _PACKED for source in found) > fits


def _shares(parts: list[Part], jobs: int) -> list[list[Part]]:
    """Deal the parts to processes: the largest first, each to the process with the least to do."""
    shares: list[list[Part]] = [[] for _ in range(min(jobs, len(parts)))]
    sizes = [0] * len(shares)
    for part in sorted(parts, key=lambda p: -_size(p)):
        least = sizes.index(min(sizes))
        shares[least].append(part)
        sizes[least] += _size(part)
    return shares


def _size(part: Part) -> int:
    return (part.source.size if part.end is None else part.end) - part.start


def gather_share(parts: list[Part], options: Options, note: Callable[[int], None]) -> tuple[Facts, list[Any], Problems]:
    """Return the facts of some parts, the line counts as plain values, and the problems."""
    facts, counts, problems = _new_facts(), Counts(), Problems()
    for part in parts:
        for _ in read(part, facts, options, noting(problems, part), counts, note):
            pass
    return _drained(facts), counts.as_list(), problems


def _new_facts() -> Facts:
    if compiled.module() is None:
        return Facts()
    from esatls import native

    return native.facts()


def _drained(facts: Facts) -> Facts:
    if compiled.module() is None:
        return facts
    from esatls import native

    return native.drained(facts)
