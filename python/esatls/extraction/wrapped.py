"""Text that was wrapped or pasted: which lines are the rest of the one before, and how they read together."""

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
"""Lines that one wrapped line may stand on; what comes after them until the next stamp is ignored."""

_CUTS = (1024, 2048, 4096, 8096, 8192)
"""Bytes of a message at which relays cut it: RFC 3164's bound, RFC 5424's, and those that rsyslog and syslog-ng come with."""
_REWRITTEN = 64
"""Bytes of its header that a relay may leave out when it writes the message: the priority, the end of a host's name."""
SHORTEST_CUT = _CUTS[0] - _REWRITTEN
"""Bytes of a line that a relay may have cut, at least; a character has four at most."""

_OWN_FIELD = re.compile(r" ESA(?:MID|ICID|DCID|TLS(?:In|Out)(?:Cipher|ConnStatus|Protocol))=[\w.-]{1,64}\Z", re.ASCII)
_ESCAPING = re.compile(r"CEF:0\|Cisco\|[^|]{1,80}\|(?:1[4-9]|[2-9]\d)\.[^|]{1,40}\|ESA_CONSOLIDATED_LOG_EVENT\|")
"""A consolidated event that escapes what a stranger wrote: one that ends with a field of its own was cut within no stranger's text."""
_WRAP_COLUMN = 100  # no page that wraps within words is narrower
_SEPARATOR = "--"
"""Stands between the lines that grep shows around one match and those around the next."""
_UNPRINTABLE = re.compile("[\0\ud800-\udfff]")
_IN_ADDRESS = re.compile(r" (?:From|To): ?<[^<>\s\"]*\Z")
"""The end of a line that was wrapped within an address: none holds a space outside of quotes."""
_LINE_NUMBER = re.compile(r"\d{1,4}\s*", re.ASCII)
# The command line's prompts and answers to its questions: the log line in front of one is finished.
_PROMPT = re.compile(r"(?:\([\w -]{1,64} [\w.-]{1,255}\)|[\w.-]{1,255})> ?.*|\[[^\]]{0,64}\]> ?.*|\^C.*|\d{1,20} match(?:es)? found\.?", re.ASCII)
_REFUSED = re.compile(r"MID \d{1,18} ICID \d{1,18} (?:RID \d{1,18} )?To:.{0,700}> ?Rejected by [^>]{0,200}", re.ASCII)
"""A recipient that was refused."""
_ANY_WORDS = "tls_other"
"""The kind that takes whatever words stand behind the id."""
# Kinds whose text no stranger writes: a line that says less than its neighbours may stand on its own after them.
_CLOSED_KINDS = ("connection_", "hat_", "tls_", "message_started", "message_finished", "message_lineage", "message_quarantined")


class Pending:
    """A line that may go on in the next ones."""

    __slots__ = ("_event", "env", "head", "is_doubtful", "lines", "number", "spaced")

    def __init__(self, env: envelope.Envelope, head: Head, line: str) -> None:
        self.env = env
        self.head = head
        self.lines = [line]
        self.number = 0
        """That of its first line."""
        self.is_doubtful = False
        """Whether it may be the rest of a line that a relay has cut, however much it looks like one of its own."""
        self.spaced = False
        """Whether blank lines stand between its lines: pages that do so wrap in mid-word (W17)."""
        self._event: Matched | bool | None = False  # False: not yet looked at

    def look(self) -> Matched | None:
        """Return what the joined text matches; a seam may be a lost space or nothing at all."""
        if not isinstance(self._event, bool):
            return self._event
        first = self.lines[0][self.env.end :]
        if len(self.lines) == 1:
            self._event = _match(first)
        else:
            ways = () if self._is_refused() else filter(None, map(_match, _joined(first, self.lines, at_column=self.spaced)))
            # where a word was cut, what stands behind it is lost to the wrong way
            self._event = max(ways, key=_values_told, default=None)
        return self._event

    def settled(self) -> tuple[Matched | None, int]:
        """Return the event, and on how many of the lines it stands."""
        event = self.look()
        if self.is_doubtful or (event is None and self._is_refused()):
            return None, 0
        if len(self.lines) > 1 and (event is None or event.spec.kind == _ANY_WORDS):
            # lines of another program, without a stamp of their own
            first = _match(self.lines[0][self.env.end :])
            if first is not None and not _is_open(first.found.string) and not _goes_on(first, event):
                return first, 1
        return event, 0 if event is None else len(self.lines)

    def may_be_rest_of(self, cut: Head) -> bool:
        """Tell whether this line may be what a relay has cut off the line with a head."""
        return self.head.host == cut.host and (self.head.time is None or cut.time is None or 0 <= self.head.time - cut.time <= 1)

    def add(self, line: str) -> None:
        """Take a line as the rest of this one."""
        self.lines.append(line)
        self._event = False

    def is_ended_by(self, line: str) -> bool:
        """Tell whether a line can be no rest of this one: a tool's or a prompt's, one with a header, one that cannot be read."""
        if line == _SEPARATOR or envelope.starts_anew(line) or is_unprintable(line):
            return True
        return _PROMPT.fullmatch(line) is not None and not _is_open(self.lines[-1])

    def is_completed_by(self, number: str) -> bool:
        """Tell whether a number is the rest of an id that was wrapped, and no line number.

        It is where it makes an event of this line, or where pages wrap at a column.
        """
        if self.look() is not None:
            return self.spaced and len(self.lines[-1]) >= _WRAP_COLUMN
        return self._with(number) is not None

    def stands_before(self, env: envelope.Envelope, line: str) -> bool:
        """Tell whether this line is finished, and the next one an event of its own though it says less."""
        event = self.look()
        if event is None or not event.spec.kind.startswith(_CLOSED_KINDS) or _is_open(event.found.string):
            return False
        return match(line[env.end :].rstrip()) is not None or not _goes_on(event, self._with(line))

    def _is_refused(self) -> bool:
        """Tell whether the next lines take back the recipient that the first one states."""
        first = self.lines[0][self.env.end :]
        return len(self.lines) > 1 and any(map(_REFUSED.fullmatch, _joined(first, self.lines, at_column=self.spaced)))

    def _with(self, line: str) -> Matched | None:
        """Return what the text would match with one line more."""
        event = self._event
        self.add(line)
        joined = self.look()
        self.lines.pop()
        self._event = event
        return joined


def _goes_on(event: Matched, joined: Matched | None) -> bool:
    """Tell whether what a text matches with its rest may be the whole of what it matches without: not where any words would do."""
    return joined is not None and (joined.spec.kind != _ANY_WORDS or event.spec.kind == _ANY_WORDS)


def may_be_cut(line: str) -> bool:
    """Tell whether a line is as long as what relays leave of one that they cut."""
    if len(line) < SHORTEST_CUT // 4:
        return False
    size = len(line) if line.isascii() else len(line.encode("utf-8", "surrogateescape"))
    if not any(cut - _REWRITTEN <= size <= cut for cut in _CUTS):
        return False
    return _OWN_FIELD.search(line, max(0, len(line) - 100)) is None or _ESCAPING.search(line, 0, envelope.LONGEST) is None


def is_number(line: str) -> bool:
    """Tell whether a line may be the number that a page gives a line (W18)."""
    return _LINE_NUMBER.fullmatch(line) is not None


def is_unprintable(text: str) -> bool:
    """Tell whether a text holds a zero or a byte that is not UTF-8."""
    return "\0" in text if text.isascii() else _UNPRINTABLE.search(text) is not None


def _match(text: str) -> Matched | None:
    if is_unprintable(text):
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return match(text.rstrip())


def _values_told(event: Matched) -> int:
    return sum(map(bool, event.found.groups()))


def _joined(first: str, lines: list[str], *, at_column: bool) -> Iterable[str]:
    """Yield the ways in which a text that was wrapped may have read, the likelier first: at a word, or at a column."""
    for seam in ("", " ") if at_column or _IN_ADDRESS.search(lines[0]) else (" ", ""):
        parts = [first]
        for line in lines[1:]:
            if parts[-1][-1:] not in (" ", "\t") and line[:1] not in (" ", "\t"):
                # AsyncOS's None is a whole word
                parts.append(" " if parts[-1].endswith(" None") or line.partition(" ")[0] == "None" else seam)
            parts.append(line)
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
