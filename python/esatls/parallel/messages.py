"""The records of all messages in order, whichever process judges them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from esatls.parallel.judging import judge
from esatls.verdicts.facts import Facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from esatls.extraction.stream import Counts
    from esatls.lines import sources
    from esatls.lines.sources import Source
    from esatls.parallel.judging import Judging
    from esatls.parallel.parts import Options
    from esatls.parallel.processes import Progress
    from esatls.verdicts.contradictions import Contradictions
    from esatls.verdicts.record_types import MessageRecord

_One = TypeVar("_One")
_WRITTEN_AT_ONCE = 10_000
_DUMPED_AT_ONCE = 100
"""Records that are turned into lines at once; with more, the first would have left the processor's cache."""
Lines = dict[str, tuple[list[str], list[bytes]]]
"""By appliance: MIDs in order, and the line of each."""


def write_messages(
    found: list[Source],
    dump: Callable[[Sequence[Mapping[str, Any]]], bytes],
    write: Callable[[bytes], object],
    options: Options,
    warn: sources.Warn,
    progress: Progress,
    contradictions: Contradictions,
) -> tuple[set[str], Counts]:
    """Write the record of every message in order (appliance, MID): `dump` turns records into lines. Return the names of the appliances, and the line counts.

    Contradictions that the records show are added to `contradictions`.
    """
    from esatls.parallel.partition import Portion
    from esatls.verdicts import records

    def work(judging: Judging) -> Lines:
        if isinstance(judging, Portion):
            return {appliance.host: _lines(records.messages_of(appliance, mids), dump) for appliance, mids in judging.messages(contradictions)}
        if isinstance(judging, Facts):
            from esatls import native

            for block in native.message_lines(judging, lambda record: dump([record])[:-1], contradictions, options.jobs):
                write(block)
            return {}
        for appliance, mids in judging.messages(contradictions):
            for some in _some(records.messages_of(appliance, mids)):
                write(dump([record for _, record in some]))
        return {}

    made, names, counts = judge(found, options, warn, progress, contradictions, work)
    for host in sorted({host for part in made for host in part}):
        mids: list[str] = []
        texts: list[bytes] = []
        for part in made:
            theirs_mids, theirs_texts = part.get(host, ((), ()))
            mids += theirs_mids
            texts += theirs_texts
        order = sorted(range(len(mids)), key=lambda at: (int(mids[at]), mids[at]))  # as `in_order`
        for start in range(0, len(order), _WRITTEN_AT_ONCE):
            write(b"".join([texts[i] for i in order[start : start + _WRITTEN_AT_ONCE]]))
    return names, counts


def _lines(records: Iterable[tuple[str, MessageRecord]], dump: Callable[[Sequence[Mapping[str, Any]]], bytes]) -> tuple[list[str], list[bytes]]:
    mids: list[str] = []
    texts: list[bytes] = []
    for some in _some(records):
        mids += [mid for mid, _ in some]
        # a line has no other line break than the one at its end
        texts += dump([record for _, record in some]).splitlines(keepends=True)
    return mids, texts


def _some(records: Iterable[_One]) -> Iterator[list[_One]]:
    """Yield all records, some at a time."""
    them = iter(records)
    while some := [*itertools.islice(them, _DUMPED_AT_ONCE)]:
        yield some
