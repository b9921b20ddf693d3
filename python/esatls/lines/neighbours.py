"""What the headers of one log have in common: a line that says less than its neighbours may be the rest of another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from esatls.lines import envelope

if TYPE_CHECKING:
    from esatls.lines.records import Record

_MOST_FORMS = 100
"""Forms of headers that are known to hold a log name."""


class Neighbours:
    """What the lines of a log so far have had in front of their text."""

    __slots__ = ("changed", "fields", "lead", "named")

    def __init__(self) -> None:
        self.lead: str | None = None
        """What stands in front of the header of the log's first line; None before that."""
        self.named: dict[str, int] = {}
        """How headers of a form have named their log: one that does not may stand in front of the rest of a line that a relay has split."""
        self.changed: tuple[str, int] | None = None
        """The form of a header that has named its log better than those before it, and how these did: one that was accepted may be the rest of a line now."""
        self.fields: dict[str, tuple[bool, bool]] = {}
        """Whether the lines in a field of records have come with a level, with a log name."""

    @property
    def naming(self) -> int:
        """How the best of the headers so far has named its log (`envelope.naming`)."""
        return max(self.named.values(), default=0)

    def parse(self, line: str) -> envelope.Envelope:
        """Return the envelope of the next line; a bare one where a tool would have put something in front of this line and of no other.

        In front of a line that a stranger wrote may stand anything, white space above all: what a mail system folds begins with it.
        """
        env = envelope.parse(line)
        if env.rank < envelope.STAMPED and self.lead and not env.lead:
            # `mail-esa1` is no host where `mail:` stands in front of other lines
            inner = envelope.without_marks(line, self.lead)
            if len(inner) < len(line):
                at = len(line) - len(inner)
                env = envelope.parse(inner)
                env = env._replace(end=env.end + at, lead=line[:at]) if env.rank == envelope.UNSTAMPED and not env.lead else envelope.NONE
        if env.rank == envelope.BARE:
            return env
        if env.rank == envelope.STAMPED and env.level and env.host and self._is_split(env, line):
            return envelope.NONE
        if self.lead is None:
            self.lead = env.lead
        return env if not env.lead or envelope.alike(env.lead, self.lead) else envelope.NONE

    def _is_split(self, env: envelope.Envelope, line: str) -> bool:
        """Tell whether a line may be the rest of one that a relay has split: a host and no log name, where headers of its form have one."""
        form, naming = envelope.form(line), envelope.naming(env, line)
        known = self.named.get(form, 0)
        if naming > known and (known or len(self.named) < _MOST_FORMS):
            self.changed = form, known
            self.named[form] = naming
        return naming < known

    def take_back(self) -> None:
        """Forget what the latest header has changed."""
        if self.changed is not None:
            form, known = self.changed
            self.changed = None
            if known:
                self.named[form] = known
            else:
                del self.named[form]

    def is_split_record(self, record: Record) -> bool:
        """Tell whether a record may hold the rest of a line: no level or no log name, where others with the same field have one."""
        before = self.fields.get(record.field)
        if before is None:
            if len(self.fields) < _MOST_FORMS:
                self.fields[record.field] = record.header
            return False
        level, log = record.header
        if before[0] > level or before[1] > log:
            return True
        if before != record.header:
            self.fields[record.field] = record.header
        return False

    @property
    def have_marks(self) -> bool:
        """Whether a tool has put more than white space in front of the lines."""
        return self.lead is not None and bool(self.lead.strip())

    def without_marks(self, line: str, first: str) -> str:
        """Return a line that goes on another one, which begins with the line `first`, without what a tool has put in front of both."""
        rest = envelope.without_marks(line, envelope.parse(first).lead or self.lead or "")
        return line if envelope.parse(rest).rank == envelope.STAMPED else rest

    def state(self) -> dict[str, Any]:
        """Return what is known, as JSON has it."""
        return {"lead": self.lead, "named": self.named, "headers": self.fields}

    def restore(self, state: dict[str, Any]) -> None:
        """Take what `state` returned. `ValueError`, `TypeError` or `LookupError` if it is no such thing."""
        self.lead = None if state["lead"] is None else str(state["lead"])
        self.named = {str(form): int(naming) for form, naming in dict(state["named"]).items()}
        self.fields = {str(name): (bool(level), bool(log)) for name, (level, log) in dict(state["headers"]).items()}
