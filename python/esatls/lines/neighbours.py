"""What the headers of a log have in common: a line that says less than its neighbours may be the rest of another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from esatls.lines import envelope

if TYPE_CHECKING:
    from esatls.lines.records import Record

_MOST_FORMS = 100
"""Maximum forms of headers, and fields of records, that are remembered."""
_BESIDE_CONSOLIDATED = (True, False)
"""What lines have at least in records with the same field as a consolidated event: a level, but perhaps no log name."""


class Neighbours:
    """What the lines of a log have had in front of their texts so far."""

    __slots__ = ("changed", "fields", "lead", "named")

    def __init__(self) -> None:
        self.lead: str | None = None
        """The text in front of the header of the log's first line; None before that line."""
        self.named: dict[str, int] = {}
        """By form of header: how it named its log at best. A header that does so less well may belong to the rest of a line that a relay split."""
        self.changed: tuple[str, int] | None = None
        """If the latest header named its log better than earlier ones of its form: the form, and how well those did. They may be rests of lines after all."""
        self.fields: dict[str, tuple[bool, bool]] = {}
        """By field of a record: whether its lines came with a level, and with a log name."""

    @property
    def naming(self) -> int:
        """The best way in which a header has named its log so far (`envelope.naming`)."""
        return max(self.named.values(), default=0)

    def parse(self, line: str) -> envelope.Envelope:
        """Return the envelope of the next line; a bare one if the line may be the rest of another, for example because of what stands in front of it.

        Only text that is in front of the log's first line too was put there by a tool. In front of a line that a stranger wrote there may be anything,
        mostly white space: mail systems begin folded lines with it.
        """
        env = envelope.parse(line)
        if env.rank < envelope.STAMPED and self.lead and not env.lead:
            # `mail-esa1` is not a host if other lines begin with `mail:`
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
        """Tell whether a line with a host may be the rest of one that a relay split: other headers of its form name their log better."""
        form, naming = envelope.form(line), envelope.naming(env, line)
        known = self.named.get(form, 0)
        if naming > known and (known or len(self.named) < _MOST_FORMS):
            self.changed = form, known
            self.named[form] = naming
        return naming < known

    def take_back(self) -> None:
        """Undo what the latest header changed."""
        if self.changed is not None:
            form, known = self.changed
            self.changed = None
            if known:
                self.named[form] = known
            else:
                del self.named[form]

    def is_split_record(self, record: Record) -> bool:
        """Tell whether a record may hold the rest of a line: it lacks a level or a log name that others with the same field have. If not, note which it has.

        A consolidated event is never such a rest. Beside it, lines need a level, but no log name, which the files of an appliance do not have.
        """
        before = self.fields.get(record.field)
        if before is None:
            if len(self.fields) < _MOST_FORMS:
                self.fields[record.field] = record.header or _BESIDE_CONSOLIDATED
            return False
        if record.header is None:
            return False
        level, log = record.header
        if before[0] > level or before[1] > log:
            return True
        if before != record.header:
            self.fields[record.field] = record.header
        return False

    def have_alike(self, record: Record) -> bool:
        """Tell whether earlier records with the same field were like this one, so that it is not split and changes nothing."""
        known = self.fields.get(record.field)
        return known is not None and record.header in (known, None)

    @property
    def have_marks(self) -> bool:
        """Whether a tool put more than white space in front of the lines."""
        return self.lead is not None and bool(self.lead.strip())

    def without_marks(self, line: str, first: str) -> str:
        """Return a line that continues another, whose first line is `first`, without what a tool put in front of both."""
        rest = envelope.without_marks(line, envelope.parse(first).lead or self.lead or "")
        return line if envelope.parse(rest).rank == envelope.STAMPED else rest

    def state(self) -> dict[str, Any]:
        """Return what is known, as JSON values."""
        return {"lead": self.lead, "named": self.named, "headers": self.fields}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned. Raises `ValueError`, `TypeError` or `LookupError` for anything else."""
        self.lead = None if state["lead"] is None else str(state["lead"])
        self.named = {str(form): int(naming) for form, naming in dict(state["named"]).items()}
        self.fields = {str(name): (bool(level), bool(log)) for name, (level, log) in dict(state["headers"]).items()}
