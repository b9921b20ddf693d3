"""What was read is judged in one place, or every process judges what it alone has seen, and one what several have seen a part of."""

from __future__ import annotations

import itertools
from typing import IO, TYPE_CHECKING, Any, Callable, TypeVar, Union

from esatls import compiled
from esatls.extraction.stream import Counts
from esatls.parallel.gathering import dealt, dealt_to_fit, gather_on_disk, gather_share, gather_shares, is_too_much
from esatls.parallel.parts import Problems, noting, read, tell
from esatls.parallel.processes import receive, send, threads, workers
from esatls.verdicts.hosts import appliances

if TYPE_CHECKING:
    from esatls.lines import sources
    from esatls.lines.sources import Source
    from esatls.native import NativeFacts
    from esatls.parallel.on_disk import Parts
    from esatls.parallel.partition import Portion
    from esatls.parallel.parts import Options, Part
    from esatls.parallel.processes import Progress
    from esatls.verdicts.contradictions import Contradictions
    from esatls.verdicts.records import Whole

Judging = Union["NativeFacts", "Whole", "Parts", "Portion"]
"""What is to be judged: all that was read (by the core, one appliance at a time, or from a file), or a portion of it."""
_One = TypeVar("_One")

# for a quick start, the compiled core and the modules that judge messages are loaded only when needed


def _as_it_is(made: Any) -> Any:
    return made


def whole(found: list[Source], options: Options, warn: sources.Warn, progress: Progress) -> tuple[NativeFacts | Whole | Parts, set[str], Counts]:
    """Return all that was read, to be judged in this process, the names of the appliances, and the line counts."""
    return _by_core(found, options, warn, progress) or _by_python(dealt_to_fit(found, options), options, warn, progress)


def judge(
    found: list[Source],
    options: Options,
    warn: sources.Warn,
    progress: Progress,
    contradictions: Contradictions,
    work: Callable[[Judging], _One],
    pack: Callable[[_One], Any] = _as_it_is,
    unpack: Callable[[Any], _One] = _as_it_is,
) -> tuple[list[_One], set[str], Counts]:
    """Return what `work` makes of all that was read, portion by portion, in any order; the names of the appliances, and the line counts.

    If several processes read, each works on what it can judge alone, and one also on what several have seen a part of. `work` adds to `contradictions`.
    `pack` turns a result into plain values that can be sent to another process, and `unpack` turns these back.
    """
    by_core = _by_core(found, options, warn, progress)
    shares = [] if by_core else dealt_to_fit(found, options)
    if len(shares) > 1:
        return _judge_shares(shares, options, warn, progress, contradictions, work, pack, unpack)
    judging, names, counts = by_core or _by_python(shares, options, warn, progress)
    return [work(judging)], names, counts


def _judge_shares(
    shares: list[list[Part]],
    options: Options,
    warn: sources.Warn,
    progress: Progress,
    contradictions: Contradictions,
    work: Callable[[Judging], _One],
    pack: Callable[[_One], Any],
    unpack: Callable[[Any], _One],
) -> tuple[list[_One], set[str], Counts]:
    from esatls.parallel.partition import Share, seen_twice, together_of
    from esatls.verdicts.contradictions import Taken

    def work_on(job: int, out: IO[bytes], told: IO[bytes]) -> None:
        facts, mine, problems = gather_share(shares[job + 1], options, progress.meter(job + 1))
        send(out, [problems, mine, [*facts.hosts]])
        progress.show = None
        progress.kept = share = Share(facts.settled(receive(told)))
        send(out, share.ids())
        common = share.common(receive(told))
        send(out, common)
        made = work(share.own(common))
        send(out, [pack(made), [(host, [*map(tuple, ids)]) for host, ids in contradictions.taken.items()]])

    with workers(len(shares) - 1, work_on) as pipes:
        facts, mine, problems = gather_share(shares[0], options, progress.meter(0))
        counts = Counts.of_list(mine)
        keys = [*facts.hosts]
        for pipe in pipes:
            told, theirs, hosts = receive(pipe.reading, progress)
            problems += told
            counts.add(Counts.of_list(theirs))
            keys += hosts
        for pipe in pipes:
            send(pipe.writing, keys)
        progress.kept = share = Share(facts.settled(keys))
        shared = seen_twice([share.ids(), *(receive(pipe.reading, progress) for pipe in pipes)])
        for pipe in pipes:
            send(pipe.writing, shared)
        own = share.common(shared)
        common = together_of([own, *(receive(pipe.reading, progress) for pipe in pipes)])
        made = [work(share.own(own)), work(common)]
        for pipe in pipes:
            theirs, taken = receive(pipe.reading, progress)
            made.append(unpack(theirs))
            for host, ids in taken:
                contradictions.add(host, itertools.starmap(Taken, ids))
    tell(problems, warn)
    return made, {*appliances(keys).values()}, counts


def _by_python(shares: list[list[Part]], options: Options, warn: sources.Warn, progress: Progress) -> tuple[Whole | Parts, set[str], Counts]:
    from esatls.verdicts.records import Whole

    if options.memory is None or len(shares) > 1:
        facts, counts = gather_shares(shares, options, warn, progress)
        return Whole(facts), {*appliances(facts.hosts).values()}, counts
    known, counts = gather_on_disk(shares[0], options.memory, options, warn, progress)
    return known.parts() or Whole(known), {*appliances(known.hosts).values()}, counts


def _by_core(found: list[Source], options: Options, warn: sources.Warn, progress: Progress) -> tuple[NativeFacts, set[str], Counts] | None:
    """Return all facts, kept in the core; None if there is no core, or if others do better.

    The core does not judge witnesses. If there are any, and several processes or a file of facts can be used, these do better.
    """
    if compiled.module() is None:
        return None
    from esatls import native

    shares = dealt(found, options)
    leaves_witnesses = len(shares) > 1 or is_too_much(found, options)
    limit = None if options.memory is None else options.memory // len(shares)
    told = [(native.NativeFacts(limit), Counts(), Problems()) for _ in shares]
    given_up: list[bool] = []

    def work(job: int) -> None:
        meter = progress.meter(job)
        facts, counts, problems = told[job]
        for part in shares[job]:
            for _ in read(part, facts, options, noting(problems, part), counts, meter):
                if facts.has_witnesses and leaves_witnesses:
                    given_up.append(True)
                if given_up:
                    return

    # the core releases the interpreter's lock while it reads
    with threads(len(shares) - 1, work):
        work(0)
    if given_up:
        return None
    (known, counts, problems), *others = told
    for facts, more, theirs in others:
        known.absorb(facts)
        counts.add(more)
        problems += theirs
    tell(problems, warn)
    progress.kept = known
    return known, {*appliances([*known.hosts, *known.keys]).values()}, counts
