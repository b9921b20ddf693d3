"""Reading many lines at once, if the result is the same as line by line: all of them must have whole envelopes."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Callable, NamedTuple, cast

from esatls.extraction.heads import is_whole
from esatls.extraction.match import START
from esatls.extraction.stream import ODD, RECORD, Counts, Stream
from esatls.extraction.wrapped import SHORTEST_CUT, is_unprintable, may_be_cut
from esatls.lines import envelope, records

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from esatls.extraction.heads import Head
    from esatls.lines.clock import Time

TakeUsual = Callable[["Mapping[str, list[str]]", "Mapping[str, Head]", int], int]

LINES_AT_ONCE = 500
"""Lines per chunk; once a line has no whole envelope, the rest of its chunk is read line by line."""


class BlockStream(Stream):
    """Reads one log in blocks of whole lines."""

    def feed(self, block: bytes) -> None:
        """Take a block of whole lines as bytes; those that are not UTF-8 become escapes in what is read."""
        try:
            text = block.decode("utf-8")
        except UnicodeDecodeError:
            lines = block.decode("utf-8", "surrogateescape").split("\n")
            if not lines[-1]:
                lines.pop()
            for line in lines:
                self.line(line)
        else:
            self.block(text)

    def block(self, text: str) -> None:
        """Take a block of whole lines: at once as long as every line has a whole envelope, else line by line."""
        if self._heads.length and self._document is None and self._cut is None and text[-1:] == "\n":
            text = text[self._skim(text) :]
        plain = is_plain(text)
        lines = text.split("\n")
        if not lines[-1]:
            lines.pop()
        for at in range(0, len(lines), LINES_AT_ONCE):
            some = lines[at : at + LINES_AT_ONCE]
            done = 0 if self._document is not None else self._records(some) if _is_record(some[0]) else self._fast(some) if plain else 0
            for line in some[done:]:
                self.line(line)

    def sift(self, block: bytes, word: str, rare: str) -> None:
        """Take a block for a consumer that wants only events with `word` or `rare` in their line; other lines are skipped.

        This works only if all lines have whole envelopes and none has `rare`; otherwise all lines are read.
        """
        lines = block.count(b"\n")
        picked = self._pick(block, word, rare) if self._heads.length and lines > 1 and block[-1:] == b"\n" and self._cut is None else None
        if picked is None:
            self.feed(block)
            return
        found, heads, last = picked
        # skipped lines count as ignored
        self._give(found, heads, lines - 1)
        self.feed(block[last:])

    def _pick(self, block: bytes, word: str, rare: str) -> tuple[list[str], HeadsInARow, int] | None:
        """Return the lines with a word, their heads, and where the last line of the block begins.

        None if any line has the rare word, is not ASCII, may hold another line, has no whole envelope or may have been cut by a relay: it may be wrapped.
        """
        try:
            text = block.decode("ascii")
        except UnicodeDecodeError:
            return None
        if not is_plain(text) or rare in text:
            return None
        last = text.rfind("\n", 0, -1) + 1
        lines = text[:-1].split("\n")
        if len(self._before_cut(lines)) < len(lines):
            return None
        length = self._heads.length
        unknown = {prefix for prefix, head in self._known({*map(itemgetter(slice(length)), lines)}).items() if head is None}
        odd = [line for line in lines if line[:length] in unknown] if unknown else []
        if len(self._heads_of(odd).heads) < len(odd):
            return None
        found = [line for line in lines[:-1] if word in line]
        heads = self._heads_of(found)
        return (found, heads, last) if len(heads.heads) == len(found) else None

    def _skim(self, text: str) -> int:
        """Take all lines but the last at once, the usual ones without looking at each; return where the last line begins.

        Return 0 and take nothing if the consumer cannot do so, or if any line has no whole envelope or may have been cut by a relay.
        """
        take_usual: TakeUsual | None = getattr(self.consumer, "take_usual", None)
        last = text.rfind("\n", 0, -1) + 1
        if take_usual is None or not last or _is_odd(text):
            return 0
        lines = text[: last - 1].split("\n")
        if len(self._before_cut(lines)) < len(lines):
            return 0
        alike, length, heads = self._alike(lines, text[:last])
        usual, others, end = defaultdict[str, list[str]](list), list[str](), length + START
        if None in heads.values():
            for line, shown in zip(lines, alike):
                if heads[shown[:length]] is None:
                    others.append(line)
                else:
                    usual[shown[length:end]].append(shown)
        else:
            for shown in alike:
                usual[shown[length:end]].append(shown)
        if RECORD in usual or any(RECORD in line for line in others):
            return 0
        # the last line too, because it may be the rest of the one before
        found = self._heads_of([*others, text[last:-1]])
        if len(found.heads) <= len(others):
            return 0
        found.heads.pop()
        found.elsewhere.pop(len(others), None)
        before = self._heads.length
        self._give(others, found, len(others))
        if 2 * len(others) < len(lines):
            self._heads.length = before
        taken = take_usual(usual, {header: head for header, head in heads.items() if head is not None}, length)
        self.counts.lines += len(lines) - len(others)
        self.counts.events += taken
        self.counts.ignored += len(lines) - len(others) - taken
        return last

    def _alike(self, lines: list[str], text: str) -> tuple[list[str], int, dict[str, Head | None]]:
        """Return the lines of a text without the part in front that differs in nearly every line, the length of their headers, and the known heads.

        If there is such a part, a line that does not begin with one becomes empty.
        """
        free, length = self._heads.hour and self._heads.hour.free, self._heads.length
        if not free:
            return lines, length, self._known(dict.fromkeys([line[:length] for line in lines]))
        behind, length = _behind(free.form).findall(text), free.length
        headers = dict.fromkeys([line[:length] for line in behind])
        return behind, length, dict(zip(headers, self._known([free.sample + header for header in headers]).values()))

    def _known(self, prefixes: Iterable[str]) -> dict[str, Head | None]:
        """Return the heads of envelopes that are known or of the latest hour; None for others."""
        heads, naming = self._heads, self._neighbours.naming
        return {prefix: heads.whole.get(prefix) or heads.same_hour(prefix, naming) for prefix in prefixes}

    def _fast(self, lines: list[str]) -> int:
        """Take lines up to the first one that has no whole envelope or that a relay may have cut; return how many.

        The line before that one is left too, because what follows may be its rest.
        """
        lines = self._before_cut(lines)
        if not lines:
            return 0
        self._look_at(lines[0])
        found = self._heads_of(lines)
        done = len(found.heads) - 1
        if done < 1:
            return 0
        found.heads.pop()
        found.elsewhere.pop(done, None)
        self._give(lines, found, done)
        return done

    def _before_cut(self, lines: list[str]) -> list[str]:
        """Return the lines before the first one that a relay may have cut; the others are read line by line."""
        if self._cut is not None:
            return []
        if max(map(len, lines)) < (SHORTEST_CUT if "".join(lines).isascii() else SHORTEST_CUT // 4):
            return lines
        return lines[: next((at for at, line in enumerate(lines) if may_be_cut(line)), len(lines))]

    def _look_at(self, line: str) -> None:
        """Learn the length of envelopes from a line, unless it is known."""
        if not self._heads.length and envelope.bare(line) == line:
            env = self._neighbours.parse(line)
            self._neighbours.changed = None  # there are no heads yet that it could change
            if is_whole(env, line):
                self._heads.of(env, line)

    def _records(self, lines: list[str]) -> int:
        """Take consecutive JSON records that hold one whole line each; return how many. No line continues in another record."""
        if self._heads.length or self._rank != envelope.BARE:
            return 0
        found: list[records.Record] = []
        for line in lines:
            inner = records.unwrap(line) if _is_record(line) else []
            if len(inner) != 1 or len(inner[0].lines) > 1:
                break
            record = inner[0]
            if found:
                # one that differs from those before it may change what later ones mean, so it is read in its turn
                if not self._neighbours.have_alike(record):
                    break
            elif not is_whole(envelope.parse(record.lines[0]), record.lines[0]) or self._neighbours.is_split_record(record):
                break
            found.append(record)
        if found:
            self._settle()
        done = 0
        for (_, _, _, day), some in itertools.groupby(found, self._like):
            alike = list(some)
            part = cast("BlockStream", self._reader(alike[0]))
            texts = [inner.lines[0] for inner in alike]
            counts = part.whole_lines(texts, day)
            self.counts.add(counts)
            done += counts.lines
            if counts.lines < len(texts):
                break
        return done

    def _like(self, inner: records.Record) -> tuple[str | None, str | None, str | None, Time | None]:
        """Return what records that are read together have in common: who wrote them, and the day."""
        return inner.host, inner.log, inner.level, self.clock.end_of_day(inner.time) if inner.time else None

    def _new_reader(self, host: str | None, log: str | None, level: str | None) -> BlockStream:
        return BlockStream(self.consumer, self.clock, host, log, level)

    def whole_lines(self, lines: list[str], day: Time | None) -> Counts:
        """Take lines of records of one day that do not continue in others, as long as each has a whole envelope; return what became of them."""
        self.counts = Counts()
        self._heads.set_day(day)
        lines = self._before_cut(lines)
        text = "\n".join(lines)
        if lines and is_plain(text) and not is_unprintable(text):
            self._look_at(lines[0])
            found = self._heads_of(lines)
            if found.heads:
                self._had_header = True
                self._give(lines[: len(found.heads)], found, len(found.heads))
        return self.counts

    def _give(self, lines: list[str], found: HeadsInARow, read: int) -> None:
        """Give lines and their heads to the consumer, and count `read` lines: these and those that were skipped."""
        lines = [*map(str.rstrip, lines)]
        self.end()
        self._rank = envelope.STAMPED
        heads, length = found.heads, self._heads.length
        for number, start in found.elsewhere.items():
            # all texts must start at the same place; what is in front of them has been read
            lines[number] = lines[number][start - length :] if start > length else " " * (length - start) + lines[number]
        taken = self.consumer.take_all(zip(lines, heads), length)
        self.counts.lines += read
        self.counts.events += taken
        self.counts.ignored += read - taken
        if 2 * len(found.elsewhere) > len(heads):
            self._heads.length = start

    def _heads_of(self, lines: list[str]) -> HeadsInARow:
        """Return the heads of lines up to the first one without a whole envelope."""
        known_heads = self._heads
        length, hour, naming = known_heads.length, known_heads.hour, self._neighbours.naming
        prefixes = [line[:length] for line in lines]
        known = self._known(dict.fromkeys(prefixes))
        heads, elsewhere = [known[prefix] for prefix in prefixes], dict[int, int]()
        if None in known.values():
            for number, prefix in enumerate(prefixes):
                head = heads[number] = known[prefix]
                if head is not None:
                    continue
                begun = known_heads.beginning(lines[number], naming)
                if begun is not None:
                    heads[number], elsewhere[number] = begun
                    continue
                if envelope.bare(lines[number]) != lines[number]:
                    del heads[number:]
                    break
                env = self._neighbours.parse(lines[number])
                if self._neighbours.changed or not is_whole(env, lines[number]):
                    self._neighbours.take_back()
                    del heads[number:]
                    break
                heads[number] = known_heads.of(env, lines[number])
                if env.end == length:
                    known[prefix], hour = heads[number], known_heads.hour
                else:
                    elsewhere[number] = env.end
                known_heads.length, known_heads.hour = length, hour
        return HeadsInARow(heads, elsewhere)  # type: ignore[arg-type]


@lru_cache(maxsize=16)
def _behind(form: str) -> re.Pattern[str]:
    """Return an expression for whole lines; its group is what follows a form at the start, or empty if the line has none."""
    return re.compile(rf"(?:{form}(.*)|.*)\n", re.ASCII)


def is_plain(text: str) -> bool:
    """Tell whether a text has nothing that must be read line by line: odd characters, records."""
    return RECORD not in text and not _is_odd(text)


def _is_odd(text: str) -> bool:
    return any(character in text for character in ODD)


def _is_record(line: str) -> bool:
    return line[:1] == "{" or records.is_listed(line) or records.in_front(line) is not None


class HeadsInARow(NamedTuple):
    """The heads of consecutive lines."""

    heads: list[Head]
    elsewhere: dict[int, int]
    """By index of a line: where its text starts, if not where most do, for example because of another level."""
