"""Wrapped or pasted text: which lines are the rest of the one before, and how they are joined."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from esatls.extraction.match import match
from esatls.lines import envelope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from esatls.extraction.heads import Head
    from esatls.extraction.match import Matched

LONGEST_WRAP = 64
"""Maximum lines that one wrapped line may span; further lines are ignored until the next stamp."""

_CUTS = (1024, 2048, 4096, 8096, 8192)
"""Lengths, in bytes, at which relays cut a message: the limits of RFC 3164 and RFC 5424, and the defaults of rsyslog and syslog-ng."""
_REWRITTEN = 64
"""Bytes of its header that a relay may drop when it writes the message: the priority, the end of a host's name."""
SHORTEST_CUT = _CUTS[0] - _REWRITTEN
"""Minimum bytes of a line that a relay may have cut; a character has at most four."""

_OWN_FIELD = re.compile(r" ESA(?:MID|ICID|DCID|TLS(?:In|Out)(?:Cipher|ConnStatus|Protocol))=[\w.-]{1,64}\Z", re.ASCII)
_ESCAPING = re.compile(r"CEF:0\|Cisco\|[^|]{1,80}\|(?:1[4-9]|[2-9]\d)\.[^|]{1,40}\|ESA_CONSOLIDATED_LOG_EVENT\|")
"""A consolidated event that escapes strangers' text: if it ends with a field of the appliance's own, it was not cut within such text."""
_WRAP_COLUMN = 100  # pages that wrap within words are at least this wide
_SEPARATOR = "--"
"""Stands between the context of two matches of grep."""
_UNPRINTABLE = re.compile("[\0\ud800-\udfff]")
_IN_ADDRESS = re.compile(r" (?:From|To): ?<[^<>\s\"]*\Z")
"""The end of a line that was wrapped within an address, which has no space outside quotes."""
_LINE_NUMBER = re.compile(r"\d{1,4}\s*", re.ASCII)
# Prompts of the appliance's command line, and answers to its questions: the log line before one is complete.
_PROMPT = re.compile(r"(?:\([\w -]{1,64} [\w.-]{1,255}\)|[\w.-]{1,255})> ?.*|\[[^\]]{0,64}\]> ?.*|\^C.*|\d{1,20} match(?:es)? found\.?", re.ASCII)
_REFUSED = re.compile(r"MID \d{1,18} ICID \d{1,18} (?:RID \d{1,18} )?To:.{0,700}> ?Rejected by [^>]{0,200}", re.ASCII)
"""A refused recipient."""
_ANY_WORDS = "tls_other"
"""The kind of event with any words behind the id."""
# Kinds whose text no stranger writes: a line after them that says less than its neighbours may be an event by itself.
_CLOSED_KINDS = ("connection_", "hat_", "tls_", "message_started", "message_finished", "message_lineage", "message_quarantined")


class Pending:
    """A line that may continue in the next ones."""

    __slots__ = ("_event", "env", "head", "is_doubtful", "lines", "number", "spaced")

    def __init__(self, env: envelope.Envelope, head: Head, line: str) -> None:
        self.env = env
        self.head = head
        self.lines = [line]
        self.number = 0
        """Number of its first line in the log."""
        self.is_doubtful = False
        """Whether it may be the rest of a line that a relay cut, even if it looks complete."""
        self.spaced = False
        """Whether there are blank lines between its lines: pages with them wrap in mid-word (W17)."""
        self._event: Matched | bool | None = False  # False: not looked at yet

    def look(self) -> Matched | None:
        """Return what the joined lines match; at a seam, a space may have been lost, or nothing."""
        if not isinstance(self._event, bool):
            return self._event
        first = self.lines[0][self.env.end :]
        if len(self.lines) == 1:
            self._event = _match(first)
        else:
            ways = () if self._is_refused() else filter(None, map(_match, _joined(first, self.lines, at_column=self.spaced)))
            # joined the wrong way, the values behind a cut word are lost
            self._event = max(ways, key=_values_told, default=None)
        return self._event

    def settled(self) -> tuple[Matched | None, int]:
        """Return the event, and how many of the lines it takes."""
        event = self.look()
        if self.is_doubtful or (event is None and self._is_refused()):
            return None, 0
        if len(self.lines) > 1 and (event is None or event.spec.kind == _ANY_WORDS):
            # the others may be lines of another program, without stamps
            first = _match(self.lines[0][self.env.end :])
            if first is not None and not _is_open(first.found.string) and not _goes_on(first, event):
                return first, 1
        return event, 0 if event is None else len(self.lines)

    def may_be_rest_of(self, cut: Head) -> bool:
        """Tell whether this line may be what a relay cut off the line with this head."""
        return self.head.host == cut.host and (self.head.time is None or cut.time is None or 0 <= self.head.time - cut.time <= 1)

    def add(self, line: str) -> None:
        """Add a line as the rest of this one."""
        self.lines.append(line)
        self._event = False

    def is_ended_by(self, line: str) -> bool:
        """Tell whether a line cannot be the rest of this one: grep's separator, a prompt, a line with a header, an unreadable one."""
        if line == _SEPARATOR or envelope.starts_anew(line) or is_unprintable(line):
            return True
        return _PROMPT.fullmatch(line) is not None and not _is_open(self.lines[-1])

    def is_completed_by(self, number: str) -> bool:
        """Tell whether a number is the rest of a wrapped id, not a line number.

        It is if it completes an event, or if this line is an event already, on a page that wraps at a column.
        """
        if self.look() is not None:
            return self.spaced and len(self.lines[-1]) >= _WRAP_COLUMN
        return self._with(number) is not None

    def stands_before(self, env: envelope.Envelope, line: str) -> bool:
        """Tell whether this line is complete and the next one is not its rest, although it says less."""
        event = self.look()
        if event is None or not event.spec.kind.startswith(_CLOSED_KINDS) or _is_open(event.found.string):
            return False
        return match(line[env.end :].rstrip()) is not None or not _goes_on(event, self._with(line))

    def _is_refused(self) -> bool:
        """Tell whether the next lines refuse the recipient that the first one states."""
        first = self.lines[0][self.env.end :]
        return len(self.lines) > 1 and any(map(_REFUSED.fullmatch, _joined(first, self.lines, at_column=self.spaced)))

    def _with(self, line: str) -> Matched | None:
        """Return what the text would match with one more line."""
        event = self._event
        self.add(line)
        joined = self.look()
        self.lines.pop()
        self._event = event
        return joined


def _goes_on(event: Matched, joined: Matched | None) -> bool:
    """Tell whether an event may include the text joined to it: not if both do not match, or only as a different kind that allows any words."""
    return joined is not None and (joined.spec.kind != _ANY_WORDS or event.spec.kind == _ANY_WORDS)


def may_be_cut(line: str) -> bool:
    """Tell whether, by its length, a relay may have cut a line; False if the line ends with the appliance's own text."""
    if len(line) < SHORTEST_CUT // 4:
        return False
    size = len(line) if line.isascii() else len(line.encode("utf-8", "surrogateescape"))
    if not any(cut - _REWRITTEN <= size <= cut for cut in _CUTS):
        return False
    return _OWN_FIELD.search(line, max(0, len(line) - 100)) is None or _ESCAPING.search(line, 0, envelope.LONGEST) is None


def is_number(line: str) -> bool:
    """Tell whether a line may be a line number from a page (W18)."""
    return _LINE_NUMBER.fullmatch(line) is not None


def is_unprintable(text: str) -> bool:
    """Tell whether a text has a null character or a byte that is not UTF-8."""
    return "\0" in text if text.isascii() else _UNPRINTABLE.search(text) is not None


def _match(text: str) -> Matched | None:
    if is_unprintable(text):
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return match(text.rstrip())


def _values_told(event: Matched) -> int:
    return sum(map(bool, event.found.groups()))


def _joined(first: str, lines: list[str], *, at_column: bool) -> Iterable[str]:
    """Yield the texts that may have been wrapped, the likelier first: at a space, or at a column."""
    for seam in ("", " ") if at_column or _IN_ADDRESS.search(lines[0]) else (" ", ""):
        parts = [first]
        for line in lines[1:]:
            rest = line.lstrip(" \t")  # a page may indent what it wrapped
            if parts[-1][-1:] not in (" ", "\t"):
                # AsyncOS's None is always a whole word
                is_whole = len(rest) < len(line) or parts[-1].endswith(" None") or rest.partition(" ")[0] == "None"
                parts.append(" " if is_whole else seam)
            parts.append(rest)
        yield "".join(parts)


def _is_open(text: str) -> bool:
    """Tell whether a quote or bracket is left open, so that more of the text must follow."""
    return (
        text.count("(") > text.count(")")
        or text.count("[") > text.count("]")
        or text.count("<") > text.count(">")
        or text.count('"') % 2 == 1
        or text.count("'") % 2 == 1
    )
