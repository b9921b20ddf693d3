"""The gateway: connections that open, speak TLS or not, and carry messages; messages that are scanned and delivered.

Shapes of lines are those of the catalogue (rows I1 to I12, D1 to D13, X1 to X11 and its section 4). Everything that
a reader could tell from the order of lines alone (an attempt before or after a message) is kept two seconds apart,
so that lines of one second may be shuffled and the truth stays.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from itertools import cycle
from time import asctime, gmtime
from typing import TYPE_CHECKING, NamedTuple

from . import names
from .names import pick
from .truth import Connection, Message, Record
from .world import Answer, Line, Process, World

if TYPE_CHECKING:
    from collections.abc import Iterator

START = 1709632800  # 2024-03-05 10:00:00 UTC
APART = 2.1  # seconds between two lines whose order decides a verdict
UNOPENED = Connection("", "delivery", 0, "")  # DCID 0: the attempt that reached no host


@dataclass(frozen=True)
class Profile:
    """How often things happen. `rare` scales everything unusual: 0 is never, 1 is as on a real gateway."""

    eras: tuple[float, float, float] = (0.0, 0.15, 0.85)  # share of old (to 5.x), middle (7 to 9), new lines
    rare: float = 1.0
    spoof: float = 0.01  # share of texts chosen by strangers that try to forge a line
    debug: float = 0.01  # share of connections with Debug and Trace lines
    receive_tls: float = 0.82
    deliver_tls: float = 0.88  # share of destinations that speak TLS
    relay: float = 0.3  # share of mail that goes out
    rejects: float = 0.2  # refused connections per connection with mail
    more_messages: float = 0.06
    more_recipients: float = 0.22
    spam: float = 0.12
    copies: float = 0.03
    sdr: float = 0.02
    attachments: float = 0.22
    rate: float = 1.7  # messages per second and appliance
    longest_wait: float = 4 * 3600.0  # in a quarantine, or before a retry
    idle: int = 1  # seconds that a delivering connection waits for more
    partners: int = 400


PROFILES: dict[str, Profile] = {
    # a realistic mix, for agreement at scale
    "realistic": Profile(),
    # what a benchmark reads: nothing odd, and the proportions of a real gateway's log
    "plain": Profile(rare=0.1, spoof=0.0, debug=0.0, eras=(0.0, 0.0, 1.0), longest_wait=3600.0),
    # every shape within a few hundred messages
    "rare": Profile(
        eras=(0.3, 0.3, 0.4),
        rare=12.0,
        spoof=0.25,
        debug=0.25,
        more_messages=0.3,
        more_recipients=0.5,
        copies=0.12,
        relay=0.5,
        sdr=0.5,
        longest_wait=2 * 86400.0,
        partners=30,
    ),
}


class Mail:
    """A message as the gateway has it: who, to whom, and what is still to be delivered."""

    __slots__ = ("bounced", "message", "outgoing", "pending", "recipients", "sender", "size", "tries")

    def __init__(self, message: Message, sender: str, *, outgoing: bool, size: int) -> None:
        self.message = message
        self.sender = sender
        self.outgoing = outgoing
        self.size = size
        self.recipients: dict[int, str] = {}
        self.pending: dict[int, str] = {}
        self.bounced: list[int] = []


class Job(NamedTuple):
    """Recipients of one message that share a destination."""

    mail: Mail
    rids: list[int]
    tries: int


class Destination:
    """A host that mail is delivered to: its queue and the connections that serve it."""

    __slots__ = ("address", "clients", "domain", "offbox", "queue", "ready", "speaks_tls")

    def __init__(self, domain: str, address: str, *, speaks_tls: bool, offbox: bool = False) -> None:
        self.domain = domain
        self.address = address
        self.speaks_tls = speaks_tls
        self.offbox = offbox
        self.queue: deque[Job] = deque()
        self.clients = 0
        self.ready = 0  # connections that are opening or idle


class Appliance:
    """One gateway with its own counters."""

    def __init__(self, simulation: Simulation, host: str, rng: random.Random, bases: tuple[int, int, int]) -> None:
        self.simulation = simulation
        self.world = simulation.world
        self.profile = simulation.profile
        self.host = host
        self.rng = rng
        self.bases = bases
        self.icid, self.mid, self.dcid = bases
        self.partners = names.partner_domains(rng, self.profile.partners)
        self.address = names.ipv4(rng)
        self.interfaces = ("Data 1", "Management", "IncomingMail", "mail.example.com", "Data-2")
        self.destinations: dict[str, Destination] = {}
        self.cache: dict[str, str] = {}
        self.lookalikes = cycle(names.LOOKALIKES)

    # -- small things ---------------------------------------------------------------------------------------------

    def say(self, text: str, level: str = "Info", log: str = "mail_logs") -> bool:
        """Log a line; answers whether it is in view."""
        return self.world.show(self.host, text, level, log)

    @property
    def time(self) -> int:
        """The second that a line is stamped with."""
        return int(self.world.now)

    def odds(self, chance: float) -> bool:
        """True so often."""
        return self.rng.random() < chance

    def seldom(self, chance: float) -> bool:
        """True so often, scaled by how odd the profile is."""
        return self.rng.random() < chance * self.profile.rare

    def era(self) -> int:
        """0 old, 1 middle, 2 new."""
        old, middle, _ = self.profile.eras
        draw = self.rng.random()
        return 0 if draw < old else 1 if draw < old + middle else 2

    def wait(self, shortest: float) -> float:
        """A long wait, mostly a short one."""
        longest = self.profile.longest_wait
        return shortest + (longest - shortest) * self.rng.random() ** 6 if longest > shortest else shortest

    def partner(self) -> str:
        """A domain of the outside, some far more often than others."""
        return self.partners[int(len(self.partners) * self.rng.random() ** 2)]

    def free(self, text: str) -> str:
        """A text that a stranger chose: harmless, or shaped like a line about ids in use."""
        if self.rng.random() >= self.profile.spoof:
            return text
        return pick(self.rng, names.SPOOFS).format(**self.ids())

    def ids(self) -> dict[str, int]:
        """Ids that are or were in use."""
        back = self.rng.randrange(40)
        return {"i": self.icid - back, "d": self.dcid - back, "m": self.mid - back}

    def cipher(self, era: int, peer: str) -> tuple[str, str]:
        """Protocol and cipher that a peer agrees on, mostly the same ones."""
        chosen = self.cache.get(peer)
        if chosen is None or era < 2 or self.odds(0.02):
            table = (names.TLS_OLD, names.TLS_MIDDLE, names.TLS_NEW)[era]
            draw = self.rng.random()
            at = 0
            while at + 1 < len(table) and draw >= table[at][0]:
                draw -= table[at][0]
                at += 1
            chosen = f"{table[at][1]} {pick(self.rng, table[at][2])}"
            if era == 2:
                self.cache[peer] = chosen
        version, _, cipher = chosen.partition(" ")
        return version, cipher

    # -- receiving ------------------------------------------------------------------------------------------------

    def arrivals(self) -> Process:
        """Connections from outside, until all messages have come."""
        rng, profile, world = self.rng, self.profile, self.world
        per_connection = 1 / (1 - profile.more_messages)
        while self.simulation.wanted > 0:
            yield rng.expovariate(profile.rate / per_connection)
            world.start(self.receive())
            refused = profile.rejects
            while refused > 0:
                if rng.random() < refused:
                    world.start(self.refuse(), rng.random() * 2)
                refused -= 1
            if self.seldom(0.01):
                world.start(self.lost_before_mail(), rng.random() * 2)
            if self.seldom(0.004):
                world.start(self.notify())

    def background(self) -> Process:
        """Lines that belong to no message."""
        yield self.rng.random() * 60
        while self.simulation.wanted > 0:
            self.say(names.STATUS.format(i=self.icid, d=self.dcid, m=self.mid))
            if self.seldom(0.15):
                log, level, text = next(self.lookalikes)
                self.say(text.replace("{i}", str(self.icid)), level, log)
            yield 60.0

    def open(self, era: int, domain: str) -> Connection:
        """Log the opening line of a receiving connection."""
        rng = self.rng
        self.icid += 1
        peer = names.ipv6(rng) if era == 2 and self.seldom(0.02) else names.ipv4(rng)
        name: str | None = f"mx{rng.randrange(1, 9)}.{domain}"
        if self.odds(0.08):
            name = None
        elif self.odds(self.profile.spoof):
            name = names.SPOOFED_HOST.format(**self.ids())
        verified = "yes" if name is not None and rng.random() < 0.8 else "no"
        interface = f"{self.interfaces[0] if rng.random() < 0.9 else pick(rng, self.interfaces)} ({self.address})"
        text = (
            f"New SMTP ICID {self.icid} interface {interface} address {peer} "
            f"reverse dns host {name or 'unknown'} verified {verified}"
        )
        if era == 0:
            form = rng.randrange(5)
            if form == 0:
                name = None
                text = f"New SMTP ICID {self.icid} interface private address {peer}"
            elif form == 1:
                text = text.replace("New SMTP", "New smtp")
            elif form == 2:
                text = text.replace(" interface ", " Interface ", 1)
            elif form == 3:
                text = text.replace("reverse dns host", "reverse dns  host")
        connection = Connection(self.host, "receiving", self.icid, peer, name)
        if self.say(text):
            connection.saw_open(self.time)
        return connection

    def hat(self, connection: Connection, era: int, action: str) -> None:
        """Log what the host access table decided."""
        rng = self.rng
        if era == 0 and action == "ACCEPT" and self.odds(0.4):
            if self.say(f"ICID {connection.id} SBRS None"):
                connection.saw(self.time)
            return
        if action == "ACCEPT":
            usual = rng.random() < 0.9 and era == 2
            group = "UNKNOWNLIST" if usual else rng.choice(("ACCEPTLIST", "None", "SUSPECTLIST", "WHITE_LIST"))
            match = pick(rng, names.MATCHES[:3] if usual else names.MATCHES)
        elif action == "RELAY":
            group, match = "RELAYLIST", pick(rng, names.RELAY_MATCHES)
        else:
            group, match = "BLACKLIST", pick(rng, names.REJECT_MATCHES)
        country = pick(rng, names.COUNTRIES) if era == 2 and rng.random() < 0.5 else None
        tail = "" if country is None else f" country {country}"
        if self.say(f"ICID {connection.id} {action} SG {group} match {match}{tail}"):
            connection.saw_hat(self.time, action, group, country)

    def close(self, connection: Connection, *, abrupt: bool = False) -> None:
        """Log the end of a receiving connection, in one of its wordings."""
        number, rng = connection.id, self.rng
        texts = [f"ICID {number} close"]
        if self.seldom(0.01):
            address = connection.address
            unusual = (
                f"ICID {number} disconnected address {address}",
                f"ICID {number} Connection from {address} lost after 139 seconds",
                f"SMTP server connection killed ICID: {number}",
                f"ICID {number} Receiving Failed: Connection lost",
            )
            texts = [pick(rng, unusual)]
            if self.odds(0.7):
                texts.append(f"ICID {number} close")
        elif abrupt:
            texts.insert(0, f"ICID {number} lost")
        for text in texts:
            if self.say(text):
                connection.saw_close(self.time)
        self.simulation.end_connection(connection)

    def refuse(self) -> Process:
        """A connection that the HAT refuses."""
        era, rng = self.era(), self.rng
        if self.seldom(0.01):
            # ICID 0 is no connection
            self.say(f"ICID 0 TCPREFUSE SG BLACKLIST match {pick(rng, names.REJECT_MATCHES)}")
            return
        connection = self.open(era, self.partner())
        if self.seldom(0.02):
            yield rng.random()
            self.hat(connection, era, "ACCEPT")
            yield rng.random()
            if self.say(
                "Dropping connection due to potential Directory Harvest Attack from "
                f"host=('{connection.address}', '{connection.name or 'unknown'}'), "
                f"dhap_limit=25, sender_group=UNKNOWNLIST, listener=Data 1, reverse_dns=unknown, ICID {connection.id}"
            ):
                connection.saw(self.time)
            self.close(connection)
            return
        self.hat(connection, era, "TCPREFUSE" if self.seldom(0.05) else "REJECT")
        if self.seldom(0.04):
            yield 1 + rng.random()
            address = connection.address
            if self.say(
                f"ICID {connection.id} Delayed HAT REJECT continuing session for recipient logging ({address})"
            ):
                connection.saw(self.time)
            yield rng.random()
            self.close(connection, abrupt=True)
            return
        if rng.random() < 0.3:
            yield rng.random()
        self.close(connection)

    def lost_before_mail(self) -> Process:
        """A connection that ends without mail: a probe, a handshake that fails, TLS that was required."""
        era, rng = self.era(), self.rng
        connection = self.open(era, self.partner())
        yield rng.random()
        self.hat(connection, era, "ACCEPT" if self.odds(0.8) else "RELAY")
        yield rng.random()
        draw = rng.random()
        if draw < 0.35:
            pass
        elif draw < 0.7:
            self.receive_failure(connection, era)
        elif draw < 0.9:
            text = f"ICID {connection.id} TLS was required but remote host did not initiate it"
            if self.say(text):
                connection.saw_failure(self.time, text.split(" ", 2)[2], required=True)
        else:
            self.receive_success(connection, era, "probe")
        yield rng.random()
        self.close(connection, abrupt=self.odds(0.5))

    def receive_failure(self, connection: Connection, era: int) -> None:
        """Log a handshake that failed on a receiving connection."""
        if era == 0 and self.odds(0.7):
            if self.say(f"ICID {connection.id} TLS failed"):
                connection.saw_failure(self.time, None)
            return
        reason = pick(self.rng, names.SOCKET_ERRORS if self.odds(0.3) else names.HANDSHAKE_ERRORS)
        if self.say(f"ICID {connection.id} TLS failed: {reason}"):
            connection.saw_failure(self.time, reason)

    def receive_success(self, connection: Connection, era: int, peer: str) -> None:
        """Log that TLS came up on a receiving connection."""
        if era == 0 and self.odds(0.5):
            if self.say(f"ICID {connection.id} TLS success"):
                connection.saw_success(self.time)
            return
        version, cipher = self.cipher(era, peer)
        if self.say(f"ICID {connection.id} TLS success protocol {version} cipher {cipher}"):
            connection.saw_success(self.time, version, cipher)

    def receive(self) -> Process:
        """A connection that brings mail."""
        rng, profile = self.rng, self.profile
        if self.simulation.wanted <= 0:
            return
        era = self.era()
        outgoing = self.odds(profile.relay)
        domain = pick(rng, names.LOCAL_DOMAINS) if outgoing else self.partner()
        connection = self.open(era, domain)
        if rng.random() < 0.5:
            yield rng.random() * 0.5
        self.hat(connection, era, "RELAY" if outgoing else "ACCEPT")
        encrypted = False
        yield rng.random() * 1.5
        if self.seldom(0.003):
            # the handshake fails and the peer goes on in clear text
            self.receive_failure(connection, era)
            yield APART
        elif self.odds(profile.receive_tls):
            self.receive_success(connection, era, domain)
            encrypted = True
            yield rng.random()
        debug = self.odds(profile.debug)
        while self.simulation.wanted > 0:
            self.simulation.wanted -= 1
            yield from self.transaction(connection, era, domain, outgoing=outgoing, read=debug and encrypted)
            if not self.odds(profile.more_messages):
                break
            yield rng.random()
        if self.seldom(0.004):
            # the end of a session, long after its message was accepted
            yield APART
            reason = pick(rng, names.SOCKET_ERRORS)
            if self.say(f"ICID {connection.id} TLS failed: {reason}"):
                connection.saw_failure(self.time, reason)
            yield rng.random()
            self.close(connection, abrupt=True)
            return
        yield rng.random() * 2
        self.close(connection, abrupt=rng.random() < 0.05)

    def transaction(self, connection: Connection, era: int, domain: str, *, outgoing: bool, read: bool) -> Process:
        """One message on a receiving connection."""
        rng, profile = self.rng, self.profile
        self.mid += 1
        message = Message(self.host, self.mid)
        mid, icid = self.mid, connection.id
        sender = f"{names.person(rng)}@{domain}"
        if self.odds(profile.spoof * 0.5):
            sender = f'"{pick(rng, names.SPOOFS[:1]).format(**self.ids())}"@{domain}'
        elif rng.random() < 0.02:
            sender = ""
        mail = Mail(message, sender, outgoing=outgoing, size=int(rng.lognormvariate(9.5, 1.2)) + 400)
        if self.say(f"Start MID {mid} ICID {icid}"):
            message.saw_on(self.time, connection)
        if self.say(f"MID {mid} ICID {icid} From: <{sender}>"):
            message.saw_on(self.time, connection)
            message.sender = sender or None
        if era == 2 and rng.random() < profile.sdr:
            helo = connection.name or "Not Present"
            self.say(
                f"MID {mid} SDR: Domains for which SDR is requested: reverse DNS host: {helo}, helo: {helo}, "
                f"env-from: {domain}, header-from: Not Present, reply-to: Not Present"
            )
            self.say(
                f"MID {mid} SDR: Consolidated Sender Threat Level: Neutral, Threat Category: N/A, Suspected Domain(s) "
                f": N/A (other reasons for verdict). Sender Maturity: 30 days (or greater) for domain: {domain}"
            )
        yield rng.random() * 0.7
        rid = 0
        while True:
            target = self.partner() if outgoing else pick(rng, names.LOCAL_DOMAINS)
            address = f"{names.person(rng)}@{target}"
            if not outgoing and self.seldom(0.004):
                self.say(f"MID {mid} ICID {icid} To: <{address}> Rejected by RAT")
            else:
                if self.say(f"MID {mid} ICID {icid} RID {rid} To: <{address}>"):
                    message.saw_on(self.time, connection)
                    message.saw_recipient(self.time, rid, address)
                mail.recipients[rid] = address
                rid += 1
            if rid > 0 and (rid > 20 or rng.random() >= profile.more_recipients):
                break
        mail.pending = dict(mail.recipients)
        if read and self.say(f"MID {mid} ICID {icid} TLS read {mail.size} bytes (0.0 seconds)", "Debug"):
            message.saw_on(self.time, connection)
            connection.saw_read(self.time)
        if self.seldom(0.004):
            yield rng.random()
            self.abort(mail, "Receiving aborted by sender", "aborted")
            return
        yield rng.random()
        self.say(f"MID {mid} Message-ID '<{self.free(names.token(rng))}@mail.{domain}>'")
        subject = self.free(f"{pick(rng, names.TOPICS)} {pick(rng, names.WORDS)}")
        form = rng.random()
        if form < 0.9:
            self.say(f"MID {mid} Subject '{subject}'")
        else:
            self.say(f'MID {mid} Subject "{subject}"' if form < 0.95 else f"MID {mid} Subject {subject}\\r\\n | x")
        self.say(f"MID {mid} ready {mail.size} bytes from <{sender}>")
        self.world.start(self.scan(mail, era), rng.random() * 0.5)

    # -- scanning and lineage -------------------------------------------------------------------------------------

    def abort(self, mail: Mail, why: str, end: str) -> None:
        """Drop a message."""
        message, mid = mail.message, mail.message.mid
        texts = [f"Message aborted MID {mid} {why}", f"Message finished MID {mid} {end}"]
        if self.seldom(0.02):
            texts.reverse()
        for text in texts:
            if self.say(text):
                message.saw(self.time)
        self.simulation.end_message(message)

    def finish(self, mail: Mail, end: str = "done") -> None:
        """End a message."""
        if self.say(f"Message finished MID {mail.message.mid} {end}"):
            mail.message.saw(self.time)
            mail.message.finished = self.time
        self.simulation.end_message(mail.message)

    def child(self, parent: Mail, rids: list[int]) -> Mail:
        """A new message that carries the content of another to some of its recipients; their ids restart at 0."""
        self.mid += 1
        mail = Mail(Message(self.host, self.mid), parent.sender, outgoing=parent.outgoing, size=parent.size + 26)
        mail.recipients = dict(enumerate(parent.recipients[rid] for rid in rids))
        mail.pending = dict(mail.recipients)
        return mail

    def envelope_lines(self, mail: Mail, *, start: bool, note: str = "") -> None:
        """Log the first lines of a message that came over no connection."""
        message, mid = mail.message, mail.message.mid
        if start and self.say(f"Start MID {mid} ICID 0{note}"):
            message.saw_on(self.time, None)
            message.internal = bool(note)
        if not note and start:
            return
        self.address_lines(mail)

    def address_lines(self, mail: Mail) -> None:
        """Log sender and recipients of a message that came over no connection."""
        message, mid = mail.message, mail.message.mid
        if self.say(f"MID {mid} ICID 0 From: <{mail.sender}>"):
            message.saw_on(self.time, None)
            message.sender = mail.sender or None
        for rid, address in mail.recipients.items():
            if self.say(f"MID {mid} ICID 0 RID {rid} To: <{address}>"):
                message.saw_on(self.time, None)
                message.saw_recipient(self.time, rid, address)

    def lineage(self, text: str, child: Mail, parent: Mail, relation: str) -> None:
        """Log the line that ties a message to the one it came from."""
        if self.say(text):
            child.message.saw_lineage(self.time, parent.message, relation)

    def rewrite(self, mail: Mail, era: int) -> Mail:
        """Replace a message by one with a new MID."""
        rng = self.rng
        new = self.child(mail, list(mail.pending))
        old, mid = mail.message.mid, new.message.mid
        why = rng.choice(
            (
                "LDAP rewrite",
                "antispam",
                "add-footer filter 'footer'",
                "alt-rcpt-to-filter filter 'reroute'",
                "url-reputation-rewrite filter 'links'",
            )
        )
        text = f"MID {old} rewritten to MID {mid} by {why}"
        if era == 0 and self.odds(0.5):
            text = f"MID {old} rewritten to {mid} by {rng.choice(('antispam', 'System Quarantine'))}"
        late = self.odds(0.3)
        if late:
            # the line may come after lines that use the new MID
            self.address_lines(new)
        self.lineage(text, new, mail, "rewritten")
        if not late:
            self.address_lines(new)
        self.finish(mail)
        return new

    def split(self, mail: Mail) -> list[Mail]:
        """Part a message by its recipients; the parts have no `Start MID` line."""
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
            self.address_lines(part)
            parts.append(part)
        if whole:
            self.finish(mail)
        else:
            mail.pending = {rid: mail.pending[rid] for rid in groups[0]}
            parts.append(mail)
        return parts

    def copy(self, mail: Mail) -> None:
        """Send a copy to somebody else."""
        copy = self.child(mail, [])
        copy.recipients = {0: "archive@archive.example.org"}
        copy.pending = dict(copy.recipients)
        self.envelope_lines(copy, start=True)
        was = "" if self.seldom(0.02) else "was "
        old, mid = mail.message.mid, copy.message.mid
        self.lineage(f"MID {mid} {was}generated based on MID {old} by bcc filter 'Archive'", copy, mail, "copy")
        self.address_lines(copy)
        if self.odds(0.5):
            self.say(f"MID {mid} DKIM: cannot sign - no profile matches {mail.sender}")
        self.say(f"MID {mid} ready {copy.size} bytes from <{mail.sender}>")
        self.queue(copy)
        if self.seldom(0.02):
            self.notify_of(mail)

    def notify_of(self, mail: Mail) -> None:
        """Tell somebody about a message: the notice is the appliance's own."""
        notice = self.child(mail, [])
        notice.sender = "postmaster@example.com"
        notice.recipients = {0: "security@example.com"}
        notice.pending = dict(notice.recipients)
        old, mid = mail.message.mid, notice.message.mid
        self.envelope_lines(notice, start=True)
        who = "notify filter 'Tell'" if self.odds(0.7) else "antivirus"
        self.lineage(f"MID {mid} was generated based on MID {old} by {who}", notice, mail, "notification")
        self.address_lines(notice)
        self.queue(notice)

    def notify(self) -> Process:
        """A digest of the spam quarantine: the appliance's own message."""
        self.mid += 1
        notice = Mail(Message(self.host, self.mid), "quarantine@example.com", outgoing=False, size=2300)
        notice.recipients = {0: f"{names.person(self.rng)}@example.com"}
        notice.pending = dict(notice.recipients)
        self.envelope_lines(notice, start=True, note=" (ISQ Notification)")
        yield self.rng.random()
        self.queue(notice)

    def bounce(self, mail: Mail) -> None:
        """Tell the sender that recipients were not reached."""
        if not mail.sender or '"' in mail.sender:
            return
        self.mid += 1
        notice = Mail(Message(self.host, self.mid), "", outgoing=not mail.outgoing, size=4100)
        notice.recipients = {0: mail.sender}
        notice.pending = dict(notice.recipients)
        self.envelope_lines(notice, start=True)
        was = "was " if self.odds(0.9) else ""
        text = f"MID {notice.message.mid} {was}generated for bounce of MID {mail.message.mid}"
        self.lineage(text, notice, mail, "bounce")
        self.address_lines(notice)
        self.queue(notice)

    def scan(self, mail: Mail, era: int) -> Process:
        """What the gateway does with a message between receiving and delivery."""
        rng = self.rng
        mid = mail.message.mid
        table = "outbound" if mail.outgoing else "inbound"
        yield rng.random()
        policy = "DEFAULT" if rng.random() < 0.9 else "Partners"
        if self.say(f"MID {mid} matched all recipients for per-recipient policy {policy} in the {table} table"):
            mail.message.saw(self.time)
            mail.message.flow = "outgoing" if mail.outgoing else "incoming"
        parts = [mail]
        if len(mail.pending) > 1 and self.seldom(0.03):
            parts = self.split(mail)
        for part in parts:
            self.world.start(self.scan_part(part, era), rng.random())

    def scan_part(self, mail: Mail, era: int) -> Process:
        """Spam, virus and content scanning of one message."""
        rng, profile = self.rng, self.profile
        mid = mail.message.mid
        yield rng.random() * 2
        if not mail.outgoing:
            draw = rng.random()
            if draw < profile.spam:
                self.say(f"MID {mid} interim verdict using engine: CASE spam positive")
                self.say(f"MID {mid} using engine: CASE spam positive")
                why = "Dropped by CASE"
                if self.seldom(0.05):
                    why = rng.choice(
                        (
                            "Dropped by filter 'drop'",
                            "Dropped by content filter 'drop' in the inbound table",
                            "Dropped by antivirus",
                            "Dropped by amp",
                        )
                    )
                self.abort(mail, why, "done")
                return
            verdict = "spam negative"
            if self.seldom(0.02):
                yield from self.spam_quarantine(mail, era)
                return
            self.say(f"MID {mid} interim verdict using engine: CASE {verdict}")
            self.say(f"MID {mid} using engine: CASE {verdict}")
            if rng.random() < 0.15:
                self.say(f"MID {mid} using engine: GRAYMAIL negative")
            yield rng.random()
        self.say(f"MID {mid} interim AV verdict using Sophos CLEAN")
        self.say(f"MID {mid} antivirus negative" if era == 2 else f"MID {mid} antivirus negative ")
        if era == 2 and rng.random() < 0.3:
            self.say(f"MID {mid} AMP file reputation verdict : UNSCANNABLE")
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
            self.say(f"MID {mid} Outbreak Filters: verdict negative")
        if rng.random() < 0.2:
            self.say(f"MID {mid} DKIM: cannot sign - no profile matches {mail.sender}")
        if self.seldom(0.006):
            kept = yield from self.policy_quarantine(mail)
            if not kept:
                return
        self.queue(mail)

    def quarantine_line(self, mail: Mail, text: str) -> None:
        """Log a quarantine line of a message."""
        if self.say(text):
            mail.message.saw(self.time)

    def policy_quarantine(self, mail: Mail) -> Answer:
        """Hold a message; answers whether it is released and goes on."""
        rng, mid = self.rng, mail.message.mid
        name = rng.choice(("Policy", "Outbreak", "Virus"))
        if self.odds(0.15):
            self.quarantine_line(
                mail, f'MID {mid} enqueued for transfer to centralized quarantine "{name}" (content filter: hold)'
            )
            yield rng.random()
            self.finish(mail)
            return False
        self.quarantine_line(mail, f'MID {mid} quarantined to "{name}" (content filter: hold)')
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
        self.say(f"MID {mid} interim verdict using engine: CASE spam suspect")
        self.say(f"MID {mid} using engine: CASE spam suspect")
        self.quarantine_line(mail, f"{word}: Tagging MID {mid} for quarantine")
        yield rng.random()
        self.say(f"MID {mid} antivirus negative")
        self.say(f"MID {mid} queued for delivery")
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
            new = self.child(mail, list(mail.recipients))
            self.lineage(f"{word}: Reinjected MID {mid} as MID {new.message.mid}", new, mail, "released")
            self.address_lines(new)
            self.queue(new)

    def released(self, mail: Mail) -> Process:
        """A message comes back from the quarantine of a management appliance."""
        yield self.wait(120)
        new = self.child(mail, list(mail.recipients))
        old, mid = mail.message.mid, new.message.mid
        self.envelope_lines(new, start=True)
        self.lineage(
            f"MID {mid} received from the SMA 192.0.2.80 (MID originally {old}) "
            "on release from quarantine IronPort Spam Quarantine",
            new,
            mail,
            "released",
        )
        self.address_lines(new)
        self.queue(new)

    # -- delivery -------------------------------------------------------------------------------------------------

    def destination(self, domain: str) -> Destination:
        """The host that takes mail for a domain."""
        found = self.destinations.get(domain)
        if found is None:
            speaks_tls = self.odds(self.profile.deliver_tls)
            if domain in names.LOCAL_DOMAINS:
                speaks_tls = domain != names.LOCAL_DOMAINS[-1]
            address = names.ipv4(self.rng)
            found = Destination(domain, address, speaks_tls=speaks_tls, offbox=domain == "#quarantine")
            self.destinations[domain] = found
        return found

    def queue(self, mail: Mail) -> None:
        """Queue a message for all its recipients, by destination."""
        self.say(f"MID {mail.message.mid} queued for delivery")
        groups: dict[str, list[int]] = {}
        for rid, address in mail.pending.items():
            groups.setdefault(address.rpartition("@")[2], []).append(rid)
        for domain, rids in groups.items():
            self.hand_over(Job(mail, rids, 0), self.destination(domain))

    def hand_over(self, job: Job, destination: Destination) -> None:
        """Queue recipients, and open a connection if none is free."""
        destination.queue.append(job)
        if len(destination.queue) > destination.ready and destination.clients < 4:
            self.open_client(destination)

    def open_client(self, destination: Destination) -> None:
        """Start a delivering connection."""
        destination.clients += 1
        destination.ready += 1
        self.world.start(self.deliver(destination), self.rng.random())

    def retry(self, job: Job, destination: Destination) -> Process:
        """Try again later, over another connection."""
        yield self.wait(30)
        self.hand_over(job, destination)

    def fate(self, destination: Destination) -> str:
        """How a delivering connection turns out."""
        tries = destination.queue[0].tries if destination.queue else 0
        draw = self.rng.random()
        if tries:
            return (
                "encrypted" if draw < 0.5 else "clear" if draw < 0.7 else "unexpected" if draw < 0.85 else "handshake"
            )
        draw /= max(self.profile.rare, 1e-9)
        for fate, chance in (
            ("unexpected", 0.005),
            ("handshake", 0.002),
            ("required", 0.003),
            ("unsupported", 0.003),
            ("unsupported_required", 0.001),
            ("error", 0.003),
            ("unused", 0.001),
        ):
            draw -= chance
            if draw < 0:
                return fate
        return "encrypted" if destination.speaks_tls else "clear"

    def deliver(self, destination: Destination) -> Process:
        """One delivering connection, from its opening to its end."""
        rng = self.rng
        era = self.era()
        self.dcid += 1
        number = self.dcid
        connection = Connection(self.host, "delivery", number, destination.address)
        port = "" if era == 0 and self.odds(0.5) else " port 25"
        interface = self.address if rng.random() < 0.97 else "Data 1"
        if self.say(f"New SMTP DCID {number} interface {interface} address {destination.address}{port}"):
            connection.saw_open(self.time)
        yield rng.random()
        fate = self.fate(destination)
        carries = True
        if fate == "encrypted":
            self.deliver_success(connection, era, destination)
            yield rng.random() * 0.5
        elif fate in ("clear", "unused"):
            carries = fate == "clear"
        else:
            carries = self.deliver_failure(connection, era, destination, fate)
            yield APART
        destination.ready -= 1
        if carries:
            yield from self.serve(connection, era, destination)
        elif fate != "unused" and destination.queue:
            self.put_off(destination.queue.popleft(), connection, era, destination)
        self.close_client(connection, destination)

    def close_client(self, connection: Connection, destination: Destination) -> None:
        """Log the end of a delivering connection, and open another for what still waits."""
        number = connection.id
        text = f"DCID {number} close"
        if self.seldom(0.01):
            text = self.rng.choice(
                (
                    f"SMTP client connection killed DCID: {number}",
                    f"Mail delivery client with DCID {number} exited due to the maximum concurrency configuration.",
                )
            )
        if self.say(text):
            connection.saw_close(self.time)
        self.simulation.end_connection(connection)
        destination.clients -= 1
        if len(destination.queue) > destination.ready and destination.clients < 4:
            self.open_client(destination)

    def deliver_success(self, connection: Connection, era: int, destination: Destination) -> None:
        """Log that TLS came up on a delivering connection."""
        number = connection.id
        version, cipher = self.cipher(era, destination.domain)
        domain = "example.com" if destination.offbox else destination.domain
        name = f"mx1.{domain}"
        prefix = f"DCID {number} TLS success"
        if era == 0:
            form = self.rng.randrange(4)
            if form == 0:
                name = "Messaging Gateway Appliance Demo Cert"
            elif self.odds(self.profile.spoof):
                name = f"ICID {self.icid} TLS success" if form == 1 else "*.tls-failed.example.net"
            if form < 2:
                if self.say(f"{prefix} CN: <{name}>"):
                    connection.saw_success(self.time, cn=name)
            elif form == 2:
                if self.say(f"{prefix} CN={name}"):
                    connection.saw_success(self.time, cn=name)
            elif self.say(f"{prefix} protocol {version} cipher {cipher} CN={name}"):
                connection.saw_success(self.time, version, cipher, cn=name)
        elif era == 1 and self.odds(0.6):
            if self.say(f"{prefix} protocol {version} cipher {cipher} "):
                connection.saw_success(self.time, version, cipher)
        elif self.odds(0.3):
            if self.say(f"{prefix} protocol {version} cipher {cipher} for {domain}"):
                connection.saw_success(self.time, version, cipher, domain=domain)
        elif self.say(f"{prefix} protocol {version} cipher {cipher}"):
            connection.saw_success(self.time, version, cipher)

    def deliver_failure(self, connection: Connection, era: int, destination: Destination, fate: str) -> bool:
        """Log that TLS did not come up on a delivering connection; answers whether mail goes on in clear text."""
        number, rng = connection.id, self.rng
        required = "TLS was required but could not be successfully negotiated"
        if fate == "unexpected":
            where = f" IP {destination.address}" if self.odds(0.3) else ""
            if self.say(f"DCID {number}{where} TLS failed: STARTTLS unexpected response"):
                connection.saw_failure(self.time, "STARTTLS unexpected response")
            return True
        if fate == "handshake":
            reason = pick(rng, names.HANDSHAKE_ERRORS)
            if self.say(f"DCID {number} TLS failed: {reason}"):
                connection.saw_failure(self.time, reason)
            return False
        if fate in ("unsupported", "unsupported_required"):
            if self.say(f"DCID {number} STARTTLS command not supported."):
                connection.saw_failure(self.time, "STARTTLS command not supported.")
            if fate == "unsupported":
                return True
        if fate in ("required", "unsupported_required"):
            if self.say(f"DCID {number} IP {destination.address} {required}"):
                connection.saw_failure(self.time, required, required=True)
            return False
        domain = "example.com" if destination.offbox else destination.domain
        form = rng.randrange(3) if era == 0 else 0
        details = "details: [Errno 0] Error" if self.odds(0.5) else "details: EOF"
        text = (
            f"Connection Error: DCID {number} domain: {domain} IP: {destination.address} port: 25 "
            f"{details} interface: {self.address} reason: network error"
        )
        if form == 1:
            text = (
                f"Connection Error: DCID: {number} IP: {destination.address} details: EOF "
                f"interface: {self.address} reason: network error"
            )
        elif form == 2:
            text = (
                f"Connection Error: connection timed out DCID: {number} IP: {destination.address} "
                f"interface: {self.address} reason: connection timed out"
            )
        if self.say(text):
            connection.saw_error(self.time, text.rpartition("reason: ")[2])
        return False

    def serve(self, connection: Connection, era: int, destination: Destination) -> Process:
        """Deliver what is queued, wait a little for more, and stop."""
        queue, rng = destination.queue, self.rng
        idle = 0
        while True:
            if queue:
                idle = 0
                alive = yield from self.attempt(connection, era, destination, queue.popleft())
                if not alive:
                    return
            elif idle == self.profile.idle:
                return
            else:
                idle += 1
                destination.ready += 1
                yield 1.0 + rng.random() * 0.2
                destination.ready -= 1

    def put_off(self, job: Job, connection: Connection, era: int, destination: Destination) -> None:
        """Delay recipients, or bounce them when they were tried often enough."""
        if job.tries < 2:
            for rid in job.rids:
                self.delay_line(job.mail, rid, connection, era, "4.1.0 - Unknown address error ('000', ['TLS']) []")
            self.world.start(self.retry(Job(job.mail, job.rids, job.tries + 1), destination))
            return
        for rid in job.rids:
            self.bounce_line(job.mail, rid, UNOPENED, era, names.EXPIRED)
        self.settle(job.mail, job.rids)

    def delay_line(self, mail: Mail, rid: int, connection: Connection, era: int, why: str) -> None:
        """Log that a recipient is put off."""
        message, mid = mail.message, mail.message.mid
        text = f"Delayed: DCID {connection.id} MID {mid} to RID {rid} - {why}"
        if era == 0 and self.odds(0.5):
            text = f"Delayed: DCID: {connection.id} Message {mid} to {rid} - {why}"
        if self.say(text):
            message.saw_attempt(self.time, connection, [rid], "delayed")
        if self.seldom(0.05):
            self.say(f"Message {mid} to RID [{rid}] pending till {asctime(gmtime(self.time + 600))}")

    def bounce_line(self, mail: Mail, rid: int, connection: Connection, era: int, why: str) -> None:
        """Log that a recipient is given up."""
        message, mid = mail.message, mail.message.mid
        address = mail.recipients[rid]
        why = why.format(address=address, domain=address.rpartition("@")[2])
        text = f"Bounced: DCID {connection.id} MID {mid} to RID {rid} - {why}"
        if era == 0 and self.odds(0.5):
            text = f"Bounced: DCID: {connection.id} Message {mid} to {rid} - {why}"
        if self.say(text):
            message.saw_attempt(self.time, connection, [rid], "bounced")
        if not mail.sender and self.odds(0.5):
            self.say(f"Double bounce: MID {mid} to {rid} - {why}")
        if self.seldom(0.02):
            self.bounce_log(mail, rid, connection)
        mail.bounced.append(rid)

    def bounce_log(self, mail: Mail, rid: int, connection: Connection) -> None:
        """Log the same in the bounce log, in one of its two forms."""
        message, mid = mail.message, mail.message.mid
        addresses = f"From:<{mail.sender}> To:<{mail.recipients[rid]}>"
        if self.odds(0.5) and connection.id:
            reason = "5.1.0 - Unknown address error ('550', ['5.1.1 The account does not exist'])"
            if self.say(f"Bounced: DCID {connection.id} MID {mid} {addresses} RID {rid} - {reason}", log="bounce_logs"):
                message.saw_attempt(self.time, connection, [rid], "bounced")
        else:
            reason = "Reason: \"5.1.0 - Unknown address error\" Response: \"('550', ['There is no such account.'])\""
            if self.say(f"Bounced: {mid}:{rid} {addresses} {reason}", log="bounce_logs"):
                message.saw_attempt(self.time, UNOPENED, [rid], "bounced")

    def settle(self, mail: Mail, rids: list[int]) -> None:
        """Take recipients off a message, and end it when none is left."""
        for rid in rids:
            mail.pending.pop(rid, None)
        if mail.pending:
            return
        self.finish(mail)
        if mail.bounced:
            self.bounce(mail)

    def attempt(self, connection: Connection, era: int, destination: Destination, job: Job) -> Answer:
        """Deliver one message to some of its recipients; answers whether the connection lives on."""
        rng = self.rng
        mail, rids, message = job.mail, job.rids, job.mail.message
        mid, number = message.mid, connection.id
        to = f"RID {rids}" if era or self.odds(0.5) else f"{rids}"
        where = " to offbox IronPort Spam Quarantine" if destination.offbox else ""
        if self.say(f"Delivery start DCID {number} MID {mid} to {to}{where}"):
            message.saw_attempt(self.time, connection, rids, None)
        yield 0.1 + rng.random() * 0.8
        if destination.offbox:
            if self.say(f"Message done DCID {number} MID {mid} to RID {rids} (external quarantine) "):
                message.saw_attempt(self.time, connection, rids, "quarantined")
            self.say(f"MID {mid} RID {rids} Response 'ok:  Message {rng.randrange(10**7, 10**8)} accepted'")
            self.finish(mail)
            if self.odds(0.3):
                self.world.start(self.released(mail))
            return True
        if self.seldom(0.002):
            # the connection went away after the data: nobody knows
            if self.say(f"Possible Delivery: DCID: {number} MID {mid} to {rids}"):
                message.saw_attempt(self.time, connection, rids, "delayed")
            self.world.start(self.retry(Job(mail, rids, job.tries + 1), destination))
            return False
        done, later = list(rids), []
        if self.seldom(0.01):
            rid = done.pop(rng.randrange(len(done)))
            if job.tries < 3 and self.odds(0.5):
                self.delay_line(mail, rid, connection, era, pick(rng, names.DELAYS))
                later.append(rid)
            else:
                self.bounce_line(mail, rid, connection, era, pick(rng, names.BOUNCES))
        if later:
            self.world.start(self.retry(Job(mail, later, job.tries + 1), destination))
        if done:
            headers = " " if era == 1 and self.odds(0.8) else ""
            if self.seldom(0.02) or self.odds(self.profile.spoof * 0.3):
                headers = self.header_list(mail)
            if self.say(f"Message done DCID {number} MID {mid} to RID {done}{headers}"):
                message.saw_attempt(self.time, connection, done, "done")
            answer = pick(rng, names.RESPONSES).format(token=names.token(rng), number=rng.randrange(10**7, 10**8))
            answer = self.free(answer)
            quoted = answer if era == 0 and self.odds(0.5) else f"'{answer}'"
            self.say(f"MID {mid} RID {done} Response {quoted}")
        self.settle(mail, [rid for rid in rids if rid not in later])
        return True

    def header_list(self, mail: Mail) -> str:
        """The logged headers behind a `Message done`: text that the sender chose."""
        form = self.rng.randrange(3)
        if form == 0:
            return " [('X-SBRS', 'None')]"
        if form == 1:
            return f" [('from', 'User <{mail.sender}>'), ('to', 'user2@example.com,\\r\\n\\tuser3@example.com')]"
        return f" [('subject', \"{self.free('Hello [0] it is me')}\"), ('reply-to', '')]"


@dataclass
class Traffic:
    """Lines and the truth about them."""

    lines: list[Line] = field(default_factory=list)
    truth_connections: list[Record] = field(default_factory=list)
    truth_messages: list[Record] = field(default_factory=list)


class Simulation:
    """Appliances and their traffic; lines and truth are handed out while it runs."""

    def __init__(
        self,
        seed: int = 1,
        messages: int = 100,
        hosts: int = 1,
        profile: str = "realistic",
        *,
        skip: int = 0,
        keep: int | None = None,
        resets: int = 0,
    ) -> None:
        self.profile = PROFILES[profile]
        self.messages = messages
        self.resets = resets
        self.wanted = 0
        self.world = World(START, skip, keep)
        self.connections: list[Record] = []
        self.truths: list[Record] = []
        bases = (60140290, 24611490, 6565540)
        rng = random.Random(seed)
        self.appliances = [
            # ids of several appliances overlap, so that a join without the host goes wrong
            Appliance(self, f"esa{number}.example.com", random.Random(rng.random()), bases)
            for number in range(1, hosts + 1)
        ]

    def end_connection(self, connection: Connection) -> None:
        """Hand out the truth about a connection that is over."""
        if connection.view:
            self.connections.append(connection.record())

    def end_message(self, message: Message) -> None:
        """Hand out the truth about a message that is over."""
        if message.view:
            self.truths.append(message.record())

    def lines(self) -> Iterator[Line]:
        """Run it all; after each reset the ids start again, hours later."""
        lives = self.resets + 1
        for life in range(lives):
            self.wanted = self.messages // lives + (1 if life < self.messages % lives else 0)
            for appliance in self.appliances:
                appliance.icid, appliance.mid, appliance.dcid = appliance.bases
                self.world.start(appliance.arrivals(), appliance.rng.random())
                self.world.start(appliance.background())
            yield from self.world.run()
            # ids come again after a time in which no message of the old life can have waited
            self.world.now += max(86400.0, 3 * self.profile.longest_wait)


def generate(
    seed: int = 1,
    messages: int = 100,
    hosts: int = 1,
    profile: str = "realistic",
    *,
    skip: int = 0,
    keep: int | None = None,
    resets: int = 0,
) -> Traffic:
    """Lines and truth of a whole run, in memory.

    `messages` counts those received; copies, parts and notices come on top. `skip` cuts so many lines at the head,
    `keep` ends the log after so many more; the truth is what the rest shows. `resets` starts all ids again so often.
    """
    simulation = Simulation(seed, messages, hosts, profile, skip=skip, keep=keep, resets=resets)
    lines = list(simulation.lines())
    return Traffic(lines, simulation.connections, simulation.truths)
