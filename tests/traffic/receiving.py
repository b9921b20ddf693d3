"""Receiving: connections that come in, are refused or not, use TLS or not, and bring messages."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

from . import names
from .gateway import APART, Mail, Stage
from .names import pick
from .scanning import Scanning
from .truth import HANDSHAKE, SOCKET, Connection, Message

if TYPE_CHECKING:
    import random

    from .world import Process

QUOTES = "\"'"
INTERFACES = ("Data 1", "Management", "IncomingMail", "mail.example.com", "Data-2")


class Appliance(Scanning):
    """A whole appliance; this class adds the part that receives to the other parts."""

    def __init__(self, stage: Stage, host: str, rng: random.Random, bases: tuple[int, int, int]) -> None:
        super().__init__(stage, host, rng, bases)
        self.lookalikes = cycle(names.LOOKALIKES)

    def arrivals(self) -> Process:
        """Start connections from outside until all messages have come."""
        rng, profile, world = self.rng, self.profile, self.world
        per_connection = 1 / (1 - profile.more_messages)
        while self.stage.wanted > 0:
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
            if self.seldom(profile.twins) and world.logged >= world.hidden:
                world.start(self.twins())

    def background(self) -> Process:
        """Log lines that belong to no message."""
        yield self.rng.random() * 60
        while self.stage.wanted > 0:
            self.say(names.STATUS.format(i=self.icid, d=self.dcid, m=self.mid))
            if self.seldom(0.15):
                log, level, text = next(self.lookalikes)
                self.say(text.replace("{i}", str(self.icid)), level, log)
            yield 60.0

    def twins(self) -> Process:
        """Simulate two connections with one id: another peer's begins seconds after the end of the first."""
        era = self.era()
        self.icid += 1
        number, first = self.icid, ""
        for _ in range(2):
            connection = self.open(era, self.partner(), number, other_than=first)
            first = connection.address
            yield from self.session(era, connection, "example.net")
            yield APART

    def session(self, era: int, connection: Connection, domain: str) -> Process:
        """Simulate a short connection, which may fail, or bring one message in clear text or over TLS."""
        rng = self.rng
        yield rng.random()
        draw = rng.random()
        if draw < 0.2:
            self.receive_failure(connection, era)
        elif draw < 0.6:
            self.receive_success(connection, era, domain)
        yield rng.random()
        if draw >= 0.2 and draw < 0.9 and self.stage.wanted > 0:
            self.stage.wanted -= 1
            yield from self.transaction(connection, era, domain, outgoing=False, read=False)
        yield rng.random()
        self.close(connection)

    def open(self, era: int, domain: str, number: int | None = None, *, other_than: str = "") -> Connection:
        """Log the opening line of a receiving connection, with a new id or a given one; its peer has another address than `other_than`."""
        rng = self.rng
        if number is None:
            self.icid += 1
            number = self.icid
        peer = names.ipv6(rng) if era == 2 and self.seldom(0.02) else names.ipv4(rng)
        while peer == other_than:
            peer = names.ipv4(rng)
        name: str | None = f"mx{rng.randrange(1, 9)}.{domain}"
        if self.odds(0.08):
            name = None
        elif self.odds(self.profile.spoof):
            name = names.SPOOFED_HOST.format(**self.ids())
        verified = "yes" if name is not None and rng.random() < 0.8 else "no"
        interface = f"{INTERFACES[0] if rng.random() < 0.9 else pick(rng, INTERFACES)} ({self.address})"
        text = f"New SMTP ICID {number} interface {interface} address {peer} reverse dns host {name or 'unknown'} verified {verified}"
        if era == 0:
            form = rng.randrange(5)
            if form == 0:
                name = None
                text = f"New SMTP ICID {number} interface private address {peer}"
            elif form == 1:
                text = text.replace("New SMTP", "New smtp")
            elif form == 2:
                text = text.replace(" interface ", " Interface ", 1)
            elif form == 3:
                spaces = "reverse dns  host " if self.odds(0.5) else "reverse dns host  "
                text = text.replace("reverse dns host ", spaces)
        connection = Connection(self.host, "receiving", number, peer, name)
        if self.say(text):
            private = text.endswith(f"interface private address {peer}")
            connection.saw_open(self.time, interface="private" if private else interface.rpartition(" (")[0], interface_ip=None if private else self.address)
        return connection

    def hat(self, connection: Connection, era: int, action: str) -> None:
        """Log the decision of the host access table (HAT)."""
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
        if match.endswith("ipr not enabled"):
            country = None  # never seen in one line
        tail = "" if country is None else f" country {country}"
        if self.say(f"ICID {connection.id} {action} SG {group} match {match}{tail}"):
            connection.saw_hat(self.time, action, None if group == "None" else group, country)

    def close(self, connection: Connection, *, abrupt: bool = False) -> None:
        """Log the end of a receiving connection."""
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
        self.stage.end_connection(connection)

    def refuse(self) -> Process:
        """Simulate a connection that the HAT refuses."""
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
                connection.saw_close(self.time)
            self.close(connection)
            return
        action = "TCPREFUSE" if self.seldom(0.05) else "REJECT"
        self.hat(connection, era, action)
        if action == "REJECT" and self.seldom(0.04):
            yield 1 + rng.random()
            address = connection.address
            if self.say(f"ICID {connection.id} Delayed HAT REJECT continuing session for recipient logging ({address})"):
                connection.saw_hat(self.time, "REJECT")
                connection.saw(self.time, peer_ip=address)
            yield rng.random()
            self.close(connection, abrupt=True)
            return
        if rng.random() < 0.3:
            yield rng.random()
        self.close(connection)

    def lost_before_mail(self) -> Process:
        """Simulate a connection that ends without mail: a probe, a failed handshake, or required TLS that was not used."""
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
                connection.saw_failure(self.time, "required", text.rpartition(" was required but ")[2])
        else:
            self.receive_success(connection, era, "probe")
        yield rng.random()
        self.close(connection, abrupt=self.odds(0.5))

    def receive_failure(self, connection: Connection, era: int) -> None:
        """Log a failed handshake on a receiving connection."""
        if era == 0 and self.odds(0.7):
            if self.say(f"ICID {connection.id} TLS failed"):
                connection.saw_failure(self.time, "failed", None)
            return
        self.failed(connection, SOCKET if self.odds(0.3) else HANDSHAKE)

    def failed(self, connection: Connection, words: str) -> None:
        """Log that TLS failed, in words of the handshake or of the socket."""
        reason = pick(self.rng, names.SOCKET_ERRORS if words == SOCKET else names.HANDSHAKE_ERRORS)
        if self.say(f"ICID {connection.id} TLS failed: {reason}"):
            connection.saw_failure(self.time, "failed", reason, words=words)

    def receive_success(self, connection: Connection, era: int, peer: str) -> None:
        """Log that TLS came up on a receiving connection."""
        connection.up = (self.time, None, None)
        if era == 0 and self.odds(0.5):
            if self.say(f"ICID {connection.id} TLS success"):
                connection.saw_success(self.time)
            return
        version, cipher = self.cipher(era, peer)
        connection.up = (self.time, version, cipher)
        if self.say(f"ICID {connection.id} TLS success protocol {version} cipher {cipher}"):
            connection.saw_success(self.time, version, cipher)

    def receive(self) -> Process:
        """Simulate a connection that brings mail."""
        rng, profile = self.rng, self.profile
        if self.stage.wanted <= 0:
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
            # the handshake fails, and the peer continues in clear text
            if self.odds(0.7):
                self.receive_failure(connection, era)
                yield APART
            else:
                # the message may start within the second of the failure
                self.failed(connection, HANDSHAKE)
        elif self.odds(profile.receive_tls):
            self.receive_success(connection, era, domain)
            encrypted = True
            yield rng.random()
        debug = self.odds(profile.debug)
        changes = not encrypted and self.seldom(profile.late)
        while self.stage.wanted > 0:
            self.stage.wanted -= 1
            read = debug and encrypted
            yield from self.transaction(connection, era, domain, outgoing=outgoing, read=read)
            if changes and self.odds(0.6):
                # STARTTLS comes after a message; it may fail, and another message may go in clear text
                yield APART
                if self.odds(0.3):
                    self.failed(connection, HANDSHAKE)
                    yield APART
                    continue
                self.receive_success(connection, era, domain)
                changes, encrypted = False, True
                if self.odds(0.8):
                    yield APART if self.odds(0.5) else 0.0
                    continue
            if not self.odds(profile.more_messages):
                break
            yield rng.random()
        if self.seldom(0.004):
            # an error at the end of a session, long after its message was accepted
            yield APART
            self.failed(connection, SOCKET if self.odds(0.8) else HANDSHAKE)
            yield rng.random()
            self.close(connection, abrupt=True)
            return
        yield rng.random() * 2
        self.close(connection, abrupt=rng.random() < 0.05)

    def transaction(self, connection: Connection, era: int, domain: str, *, outgoing: bool, read: bool) -> Process:
        """Simulate one message on a receiving connection."""
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
        mail.connection, mail.started = connection, self.time
        connection.carried.append(message)
        if self.say(f"Start MID {mid} ICID {icid}"):
            message.saw_on(self.time, connection, start=True)
        if self.say(f"MID {mid} ICID {icid} From: <{sender}>"):
            message.saw_on(self.time, connection)
            message.saw_sender(sender)
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
        refused = self.seldom(0.004)
        rid = 0
        while not refused:
            target = self.partner() if outgoing else pick(rng, names.LOCAL_DOMAINS)
            address = f"{names.person(rng)}@{target}"
            if not outgoing and self.seldom(0.004):
                rid += self.reject(mail, connection, rid, address)
                refused = not mail.recipients and self.odds(0.3)
            else:
                if self.say(f"MID {mid} ICID {icid} RID {rid} To: <{address}>"):
                    message.saw_on(self.time, connection)
                    message.saw_recipient(self.time, rid, address)
                mail.recipients[rid] = address
                rid += 1
            if mail.recipients and (rid > 20 or rng.random() >= profile.more_recipients):
                break
        mail.pending = dict(mail.recipients)
        if read and self.say(f"MID {mid} ICID {icid} TLS read {mail.size} bytes (0.0 seconds)", "Debug"):
            message.saw_on(self.time, connection)
            connection.saw_read(self.time, message)
        if refused:
            yield rng.random()
            self.give_up(mail, connection)
            return
        yield rng.random()
        self.identity_lines(mail, domain)
        self.sign(mail, f"MID {mid} ready {mail.size} bytes from <{sender}>")
        self.world.start(self.scan(mail, era), rng.random() * 0.5)

    def identity_lines(self, mail: Mail, domain: str) -> None:
        """Log Message-ID and subject, which the sender chose."""
        rng, message, mid = self.rng, mail.message, mail.message.mid
        message_id = f"<{self.free(names.token(rng))}@mail.{domain}>"
        mail.message_id = message_id
        if self.say(f"MID {mid} Message-ID '{message_id}'"):
            message.saw_identity(self.time, message_id=message_id)
        # quotes at the ends of a subject could be the log's
        subject = self.free(f"{pick(rng, names.TOPICS)} {pick(rng, names.WORDS)}").strip(QUOTES + " ")
        form = rng.random()
        if form < 0.9:
            text = f"'{subject}'"
        elif form < 0.95:
            text = f'"{subject}"'
        else:
            text = subject = f"{subject}\\r\\n | x"
        mail.subject = subject
        if self.say(f"MID {mid} Subject {text}"):
            message.saw_identity(self.time, subject=subject)

    def reject(self, mail: Mail, connection: Connection, rid: int, address: str) -> int:
        """Log that a recipient is refused; return how many recipient ids this uses up."""
        mid, icid = mail.message.mid, connection.id
        if not self.odds(self.profile.refused_rids):
            self.say(f"MID {mid} ICID {icid} To: <{address}> Rejected by RAT")
            return 0
        self.say(f"MID {mid} ICID {icid} RID {rid} To: <{address}> Rejected by {pick(self.rng, ('LDAPACCEPT', 'RAT'))}")
        return int(self.odds(0.5))

    def give_up(self, mail: Mail, connection: Connection) -> None:
        """Log, in one of several ways, that a message is refused or given up before it is accepted."""
        icid = connection.id
        form = self.rng.randrange(7)
        if form == 0:
            self.refuse_mail(mail, "Receiving aborted by sender")
        elif form == 1:
            self.refuse_mail(mail, "Receiving aborted")
        elif form == 2:
            self.refuse_mail(mail, "Injection aborted")
        elif form == 3:
            self.refuse_mail(mail, None)
        elif form == 4:
            self.refuse_mail(mail, "Receiving aborted by sender", finish=False)
        elif form == 5:
            # a peer that hangs up
            if self.say(f"ICID {icid} lost"):
                connection.saw_close(self.time)
            self.refuse_mail(mail, "Receiving aborted by sender")
        else:
            self.say(f"ICID {icid} Address: <{mail.sender}> sender rejected, envelope sender domain could not be resolved")
            self.refuse_mail(mail, None)
