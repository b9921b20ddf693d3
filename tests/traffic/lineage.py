"""Messages made from other messages: rewritten, split, copied, notified of, bounced, released."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import names
from .gateway import Gateway, Mail
from .names import person, pick
from .truth import Message

if TYPE_CHECKING:
    from .world import Process


class Lineage(Gateway):
    """The part of an appliance that creates messages itself."""

    def child(self, parent: Mail, rids: list[int], *, same: bool = False) -> Mail:
        """Return a new message that carries the content of another to some of its recipients.

        Their ids restart at 0, or stay the `same` if only the parent's lines say who they are.
        """
        self.mid += 1
        mail = Mail(Message(self.host, self.mid), parent.sender, outgoing=parent.outgoing, size=parent.size + 26)
        mail.recipients = {rid if same else number: parent.recipients[rid] for number, rid in enumerate(rids)}
        mail.pending = dict(mail.recipients)
        mail.own_lines = not same
        mail.message_id, mail.subject = parent.message_id, parent.subject
        return mail

    def own_lines(self) -> bool:
        """Choose whether a message that replaces another has its own lines for sender and recipients."""
        return self.odds(0.6)

    def first_lines(self, mail: Mail, note: str = "") -> None:
        """Log the first lines of a message that came over no connection."""
        message = mail.message
        if self.say(f"Start MID {message.mid} ICID 0{note}"):
            message.saw_on(self.time, None, start=True)
            message.noted = bool(note)
        if note:
            self.address_lines(mail)

    def address_lines(self, mail: Mail, *, recipients: bool = True) -> None:
        """Log sender and recipients of a message that came over no connection; without `recipients`, at most the sender."""
        message, mid = mail.message, mail.message.mid
        if not recipients and self.odds(0.6):
            return
        if self.say(f"MID {mid} ICID 0 From: <{mail.sender}>"):
            message.saw_on(self.time, None)
            message.saw_sender(mail.sender)
        for rid, address in mail.recipients.items() if recipients else ():
            if self.say(f"MID {mid} ICID 0 RID {rid} To: <{address}>"):
                message.saw_on(self.time, None)
                message.saw_recipient(self.time, rid, address)

    def lineage(self, text: str, child: Mail, parent: Mail, relation: str, *, new_recipients: bool = False) -> None:
        """Log the line that links a message to the one it came from."""
        if self.say(text):
            child.message.saw_lineage(self.time, parent.message, relation, new_recipients=new_recipients)

    def rewrite(self, mail: Mail, era: int) -> Mail:
        """Replace a message by one with a new MID, and return it."""
        rng = self.rng
        own = self.own_lines()
        new = self.child(mail, list(mail.pending), same=not own)
        old, mid = mail.message.mid, new.message.mid
        why, changes = rng.choice(names.REWRITERS)
        if changes:
            new.recipients = {rid: f"desk@{pick(rng, names.LOCAL_DOMAINS)}" for rid in new.recipients}
            new.pending = dict(new.recipients)
        text = f"MID {old} rewritten to MID {mid} by {why}"
        if era == 0 and not changes and self.odds(0.5):
            text = f"MID {old} rewritten to {mid} by {rng.choice(('antispam', 'System Quarantine'))}"
        late = self.odds(0.3)
        if late:
            # the line may come after lines that use the new MID
            self.address_lines(new, recipients=own)
        self.lineage(text, new, mail, "rewritten", new_recipients=changes)
        if not late:
            self.address_lines(new, recipients=own)
        if own and self.odds(0.2):
            subject = f"[External] {pick(rng, names.TOPICS)}"
            new.subject = subject
            if self.say(f"MID {mid} Subject '{subject}'"):
                new.message.saw_identity(self.time, subject=subject)
        self.finish(mail)
        return new

    def split(self, mail: Mail) -> list[Mail]:
        """Split a message by its recipients, and return the parts; they have no `Start MID` line."""
        rng = self.rng
        rids = list(mail.pending)
        cut = rng.randrange(1, len(rids))
        groups = [rids[:cut], rids[cut:]]
        table = "outbound" if mail.outgoing else "inbound"
        listed = self.odds(0.5)
        whole = listed or self.odds(0.5)
        parts = []
        for group in groups if whole else groups[1:]:
            part = self.child(mail, group)
            why = f"per-recipient policy Partners in the {table} table"
            if listed:
                addresses = ", ".join(part.recipients.values())
                why = f"SL/BL configuration for following recipients: {addresses}"
            text = f"MID {mail.message.mid} was split creating MID {part.message.mid} due to a {why}"
            self.lineage(text, part, mail, "split")
            if part.message.parent is not None and listed:
                part.message.listed = dict(part.recipients)
            if listed and self.odds(0.5):
                # only the list names the recipients
                if self.say(f"MID {part.message.mid} ICID 0 From: <{part.sender}>"):
                    part.message.saw_on(self.time, None)
                    part.message.saw_sender(part.sender)
            else:
                self.address_lines(part)
            parts.append(part)
        if whole:
            self.finish(mail)
        else:
            mail.pending = {rid: mail.pending[rid] for rid in groups[0]}
            parts.append(mail)
        return parts

    def copy(self, mail: Mail) -> None:
        """Send a copy to another recipient."""
        copy = self.child(mail, [])
        copy.recipients = {0: "archive@archive.example.org"}
        copy.pending = dict(copy.recipients)
        self.first_lines(copy)
        was = "" if self.seldom(0.02) else "was "
        old, mid = mail.message.mid, copy.message.mid
        self.lineage(f"MID {mid} {was}generated based on MID {old} by bcc filter 'Archive'", copy, mail, "copy")
        self.address_lines(copy)
        if self.odds(0.5):
            self.say(f"MID {mid} DKIM: cannot sign - no profile matches {mail.sender}")
        self.sign(copy, f"MID {mid} ready {copy.size} bytes from <{mail.sender}>")
        self.queue(copy)
        if self.seldom(0.02):
            self.notify_of(mail)

    def notify_of(self, mail: Mail) -> None:
        """Notify somebody about a message; the appliance itself writes the notice."""
        notice = self.child(mail, [])
        notice.message_id = notice.subject = None
        notice.sender = "postmaster@example.com"
        notice.recipients = {0: "security@example.com"}
        notice.pending = dict(notice.recipients)
        old, mid = mail.message.mid, notice.message.mid
        self.first_lines(notice)
        who = "notify filter 'Tell'" if self.odds(0.7) else "antivirus"
        self.lineage(f"MID {mid} was generated based on MID {old} by {who}", notice, mail, "notification")
        self.address_lines(notice)
        self.queue(notice)

    def notify(self) -> Process:
        """Simulate a message that came over no connection and from no other message.

        A digest of the spam quarantine is from the appliance itself. If the sender is from outside, nobody can say.
        """
        rng = self.rng
        self.mid += 1
        outside = self.odds(0.4)
        sender = f"{person(rng)}@{self.partner()}" if outside else "quarantine@example.com"
        notice = Mail(Message(self.host, self.mid), sender, outgoing=False, size=2300)
        notice.recipients = {0: f"{person(rng)}@example.com"}
        notice.pending = dict(notice.recipients)
        if outside:
            self.first_lines(notice)
            self.address_lines(notice)
        else:
            self.first_lines(notice, " (ISQ Notification)")
        yield rng.random()
        self.queue(notice)

    def bounce(self, mail: Mail) -> None:
        """Send a bounce message to the sender."""
        if not mail.sender or '"' in mail.sender:
            return
        self.mid += 1
        notice = Mail(Message(self.host, self.mid), "", outgoing=not mail.outgoing, size=4100)
        notice.recipients = {0: mail.sender}
        notice.pending = dict(notice.recipients)
        self.first_lines(notice)
        was = "was " if self.odds(0.9) else ""
        text = f"MID {notice.message.mid} {was}generated for bounce of MID {mail.message.mid}"
        self.lineage(text, notice, mail, "bounce")
        self.address_lines(notice)
        self.queue(notice)

    def released(self, mail: Mail) -> Process:
        """Simulate the release of a message from the quarantine of a management appliance."""
        yield self.wait(120)
        own = self.own_lines()
        new = self.child(mail, list(mail.recipients), same=not own)
        old, mid = mail.message.mid, new.message.mid
        if self.say(f"Start MID {mid} ICID 0"):
            new.message.saw_on(self.time, None, start=True)
        self.lineage(
            f"MID {mid} received from the SMA 192.0.2.80 (MID originally {old}) on release from quarantine IronPort Spam Quarantine", new, mail, "released"
        )
        self.address_lines(new, recipients=own)
        self.queue(new)
