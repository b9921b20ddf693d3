"""Scanning: what an appliance does with a message between receiving and delivery, including quarantines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import names
from .delivery import Delivery
from .gateway import Job, Mail
from .names import pick

if TYPE_CHECKING:
    from .world import Answer, Process


class Scanning(Delivery):
    """The part of an appliance that scans and holds messages."""

    def scan(self, mail: Mail, era: int) -> Process:
        """Process a message between receiving and delivery."""
        rng = self.rng
        mid = mail.message.mid
        table = "outbound" if mail.outgoing else "inbound"
        yield rng.random()
        policy = "DEFAULT" if rng.random() < 0.9 else "Partners"
        if self.say(f"MID {mid} matched all recipients for per-recipient policy {policy} in the {table} table"):
            mail.message.saw(self.time, accepted=True)
            mail.message.flow = "outgoing" if mail.outgoing else "incoming"
        parts = [mail]
        if len(mail.pending) > 1 and self.seldom(0.03):
            parts = self.split(mail)
        for part in parts:
            self.world.start(self.scan_part(part, era), rng.random())

    def scan_part(self, mail: Mail, era: int) -> Process:  # noqa: C901 - one branch per scanner
        """Scan one message for spam, viruses and content."""
        rng, profile = self.rng, self.profile
        mid = mail.message.mid
        yield rng.random() * 2
        if not mail.outgoing:
            draw = rng.random()
            if draw < profile.spam:
                self.sign(mail, f"MID {mid} interim verdict using engine: CASE spam positive")
                self.sign(mail, f"MID {mid} using engine: CASE spam positive")
                why = "Dropped by CASE"
                if self.seldom(0.05):
                    why = rng.choice(
                        (
                            "Dropped by filter 'drop'",
                            "Dropped by content filter 'drop' in the inbound table",
                            "Dropped by antivirus",
                            "Dropped by amp",
                            "Bounced by content filter 'return' in the inbound table",
                        )
                    )
                self.abort(mail, why, "aborted" if self.odds(0.2) else "done")
                return
            verdict = "spam negative"
            if self.seldom(0.02):
                yield from self.spam_quarantine(mail, era)
                return
            self.sign(mail, f"MID {mid} interim verdict using engine: CASE {verdict}")
            self.sign(mail, f"MID {mid} using engine: CASE {verdict}")
            if rng.random() < 0.15:
                self.sign(mail, f"MID {mid} using engine: GRAYMAIL negative")
            yield rng.random()
        self.sign(mail, f"MID {mid} interim AV verdict using Sophos CLEAN")
        self.sign(mail, f"MID {mid} antivirus negative" if era == 2 else f"MID {mid} antivirus negative ")
        if era == 2 and rng.random() < 0.3:
            self.sign(mail, f"MID {mid} AMP file reputation verdict : UNSCANNABLE")
        while rng.random() < profile.attachments:
            self.say(f"MID {mid} attachment '{self.free(pick(rng, names.FILES))}'")
        if self.odds(profile.spoof):
            self.say(f"MID {mid} Custom Log Entry: {self.free('Mail Not DKIM Signed')}")
        if self.seldom(0.004):
            self.say(f"MID {mid} antivirus encrypted")
        if self.odds(profile.debug):
            self.say(f"MID {mid}: Skip AMP Engine check", "Trace")
        yield rng.random()
        if self.odds(profile.copies):
            self.copy(mail)
        if self.seldom(0.02):
            mail = self.rewrite(mail, era)
            if self.seldom(0.02):
                mail = self.rewrite(mail, era)
            mid = mail.message.mid
            if self.odds(profile.copies):
                self.copy(mail)
        if rng.random() < 0.6:
            self.sign(mail, f"MID {mid} Outbreak Filters: verdict negative")
        if rng.random() < 0.2:
            self.say(f"MID {mid} DKIM: cannot sign - no profile matches {mail.sender}")
        if self.seldom(0.006):
            kept = yield from self.policy_quarantine(mail)
            if not kept:
                return
        if self.seldom(0.002):
            # aborted after it was accepted
            if self.odds(0.5):
                self.sign(mail, f"MID {mid} queued for delivery")
            self.finish(mail, "aborted")
            return
        if self.seldom(0.02):
            # held for a while in the delay quarantine
            self.state(mail, "DQ", None, list(mail.recipients))
            yield 2 + rng.random() * 60
            self.state(mail, "QUEUED")
        self.queue(mail)

    def quarantine_line(self, mail: Mail, text: str) -> None:
        """Log a quarantine line of a message."""
        if self.say(text):
            mail.message.saw(self.time, accepted=True)

    def policy_quarantine(self, mail: Mail) -> Answer:
        """Hold a message; return whether it is released and processed further."""
        rng, mid = self.rng, mail.message.mid
        name = rng.choice(("Policy", "Outbreak", "Virus"))
        if self.odds(0.15):
            self.quarantine_line(mail, f'MID {mid} enqueued for transfer to centralized quarantine "{name}" (content filter: hold)')
            yield rng.random()
            self.finish(mail)
            return False
        self.quarantine_line(mail, f'MID {mid} quarantined to "{name}" (content filter: hold)')
        self.state(mail, "QUARANTINED", None, list(mail.recipients))
        waited = self.wait(60)
        yield waited
        if self.odds(0.2):
            self.quarantine_line(mail, f'MID {mid} deleted from quarantine "{name}" (expired)')
            self.quarantine_line(mail, f"MID {mid} deleted from all quarantines")
            self.finish(mail)
            return False
        self.quarantine_line(mail, f'MID {mid} released from quarantine "{name}" (manual) t={int(waited)}')
        self.quarantine_line(mail, f"MID {mid} released from all quarantines")
        return True

    def spam_quarantine(self, mail: Mail, era: int) -> Process:
        """Move a message to the spam quarantine, here or on a management appliance, and perhaps bring it back."""
        rng, mid = self.rng, mail.message.mid
        word = "EUQ" if era == 0 else "ISQ"
        self.sign(mail, f"MID {mid} interim verdict using engine: CASE spam suspect")
        self.sign(mail, f"MID {mid} using engine: CASE spam suspect")
        self.quarantine_line(mail, f"{word}: Tagging MID {mid} for quarantine")
        yield rng.random()
        self.sign(mail, f"MID {mid} antivirus negative")
        self.sign(mail, f"MID {mid} queued for delivery")
        if self.odds(0.6):
            self.hand_over(Job(mail, list(mail.pending), 0), self.destination("#quarantine"))
            return
        rcid = self.dcid % 100000
        yield rng.random() * 2
        self.quarantine_line(mail, f"RPC Delivery start RCID {rcid} MID {mid} to local IronPort Spam Quarantine")
        yield rng.random()
        self.quarantine_line(mail, f"{word}: Quarantined MID {mid}")
        self.quarantine_line(mail, f"RPC Message done RCID {rcid} MID {mid}")
        self.finish(mail)
        if self.odds(0.4):
            yield self.wait(120)
            own = self.own_lines()
            new = self.child(mail, list(mail.recipients), same=not own)
            self.lineage(f"{word}: Reinjected MID {mid} as MID {new.message.mid}", new, mail, "released")
            self.address_lines(new, recipients=own)
            self.queue(new)
