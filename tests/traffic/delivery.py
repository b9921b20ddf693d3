"""Delivery: queues by destination, and connections that open, use TLS or not, and deliver, delay or bounce."""

from __future__ import annotations

from time import asctime, gmtime
from typing import TYPE_CHECKING

from . import names
from .gateway import APART, Destination, Job, Mail, Stage
from .lineage import Lineage
from .names import pick
from .truth import HANDSHAKE, OTHER, SOCKET, VERIFICATION, Connection

if TYPE_CHECKING:
    import random

    from .world import Answer, Process


class Delivery(Lineage):
    """The part of an appliance that delivers messages."""

    def __init__(self, stage: Stage, host: str, rng: random.Random, bases: tuple[int, int, int]) -> None:
        super().__init__(stage, host, rng, bases)
        self.destinations: dict[str, Destination] = {}

    def destination(self, domain: str) -> Destination:
        """Return the host that accepts mail for a domain."""
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
        self.sign(mail, f"MID {mail.message.mid} queued for delivery")
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
        """Start a delivery connection."""
        destination.clients += 1
        destination.ready += 1
        self.world.start(self.deliver(destination), self.rng.random())

    def retry(self, job: Job, destination: Destination) -> Process:
        """Try again later, over another connection."""
        yield self.wait(30)
        self.hand_over(job, destination)

    def fate(self, destination: Destination) -> str:
        """Choose what happens on a delivery connection."""
        tries = destination.queue[0].tries if destination.queue else 0
        draw = self.rng.random()
        if tries:
            return "encrypted" if draw < 0.5 else "clear" if draw < 0.7 else "unexpected" if draw < 0.85 else "handshake"
        draw /= max(self.profile.rare, 1e-9)
        for fate, chance in (
            ("unexpected", 0.005),
            ("handshake", 0.002),
            ("required", 0.003),
            ("unsupported", 0.003),
            ("unsupported_required", 0.001),
            ("error", 0.006),
            ("unused", 0.001),
            ("verification", 0.002),
            ("verification_passed", 0.001),
            ("success_required", 0.001),
            ("success_error", 0.001),
            ("success_verification", 0.001),
        ):
            draw -= chance
            if draw < 0:
                # the domain in an error line is none of the recipients' if the destination is a quarantine
                return "encrypted" if destination.offbox and fate == "success_error" else fate
        return "encrypted" if destination.speaks_tls else "clear"

    def deliver(self, destination: Destination) -> Process:
        """Simulate one delivery connection, from its opening to its end."""
        rng = self.rng
        era = self.era()
        self.dcid += 1
        number = self.dcid
        connection = Connection(self.host, "delivery", number, destination.address)
        port = "" if era == 0 and self.odds(0.5) else " port 25"
        interface = self.address if rng.random() < 0.97 else "Data 1"
        if self.say(f"New SMTP DCID {number} interface {interface} address {destination.address}{port}"):
            connection.saw_open(
                self.time,
                peer_port=25 if port else None,
                interface=interface if interface != self.address else None,
                interface_ip=interface if interface == self.address else None,
            )
        yield rng.random()
        fate = self.fate(destination)
        carries = True
        if fate == "encrypted":
            self.deliver_success(connection, era, destination)
            yield rng.random() * 0.5
        elif fate in ("clear", "unused"):
            carries = fate == "clear"
        else:
            if fate.startswith("success_"):
                # TLS came up, but then the appliance logs that it may not be used
                self.deliver_success(connection, era, destination)
                yield APART if self.odds(0.7) else 0.0
                fate = fate[len("success_") :]
            carries = self.deliver_failure(connection, era, destination, fate)
            # delivery may continue within the same second
            yield APART if self.odds(0.7) else 0.0
        destination.ready -= 1
        if carries:
            yield from self.serve(connection, era, destination)
        elif fate != "unused" and destination.queue:
            self.put_off(destination.queue.popleft(), connection, era, destination)
        self.close_client(connection, destination)

    def close_client(self, connection: Connection, destination: Destination) -> None:
        """Log the end of a delivery connection, and open another if jobs are still waiting."""
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
        self.stage.end_connection(connection)
        destination.clients -= 1
        if len(destination.queue) > destination.ready and destination.clients < 4:
            self.open_client(destination)

    def deliver_success(self, connection: Connection, era: int, destination: Destination) -> None:
        """Log that TLS came up on a delivery connection."""
        number = connection.id
        version, cipher = self.cipher(era, destination.domain)
        domain = "example.com" if destination.offbox else destination.domain
        name = f"mx1.{domain}"
        prefix = f"DCID {number} TLS success"
        connection.up = (self.time, version, cipher) if era else (self.time, None, None)
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
        """Log that TLS did not come up on a delivery connection; return whether delivery continues in clear text."""
        number, rng = connection.id, self.rng
        required = "TLS was required but could not be successfully negotiated"
        if fate == "unexpected":
            where = f" IP {destination.address}" if self.odds(0.3) else ""
            if self.say(f"DCID {number}{where} TLS failed: STARTTLS unexpected response"):
                peer = destination.address if where else None
                connection.saw_failure(self.time, "failed", "STARTTLS unexpected response", peer)
            return True
        if fate in ("handshake", "verification", "verification_passed"):
            words = HANDSHAKE if fate == "handshake" else VERIFICATION
            reason = pick(rng, names.VERIFICATION_ERRORS)
            connection.up = (self.time, None, None)  # not known
            if words == HANDSHAKE:
                reason = pick(rng, names.CERTIFICATE_ALERTS if self.odds(0.3) else names.HANDSHAKE_ERRORS)
            if self.say(f"DCID {number} TLS failed: {reason}"):
                connection.saw_failure(self.time, "failed", reason, words=words)
            return fate == "verification_passed"
        if fate in ("unsupported", "unsupported_required"):
            if self.say(f"DCID {number} STARTTLS command not supported."):
                connection.saw_failure(self.time, "not_offered", "STARTTLS command not supported")
            if fate == "unsupported":
                return True
        if fate in ("required", "unsupported_required"):
            if self.say(f"DCID {number} IP {destination.address} {required}"):
                reason = required.rpartition(" was required but ")[2]
                connection.saw_failure(self.time, "required", reason, destination.address)
            return False
        self.connection_error(connection, era, destination)
        return False

    def connection_error(self, connection: Connection, era: int, destination: Destination) -> None:
        """Log that the connection failed, in words that are about TLS, may be about it, or are not."""
        number, rng, address = connection.id, self.rng, destination.address
        domain = "example.com" if destination.offbox else destination.domain
        if era == 0 and self.odds(0.3):
            if self.say(f"Connection Error: connection timed out DCID: {number} IP: {address}"):
                connection.saw_error(self.time, OTHER, "connection timed out", peer_ip=address)
            return
        words = rng.choice((HANDSHAKE, SOCKET, OTHER))
        details, reason = rng.choice({HANDSHAKE: names.ERRORS_OF_TLS, SOCKET: names.ERRORS_OF_ANYTHING, OTHER: names.ERRORS_OF_OTHER}[words])
        if self.odds(self.profile.spoof * 0.2):
            words, (details, reason) = OTHER, names.SPOOFED_REPLY
        old = era == 0 and self.odds(0.5)
        where = f"DCID: {number} IP: {address}" if old else f"DCID {number} domain: {domain} IP: {address} port: 25"
        if self.say(f"Connection Error: {where} details: {details} interface: {self.address} reason: {reason}"):
            connection.saw_error(
                self.time, words, reason, details, peer_ip=address, peer_port=None if old else 25, tls_domain=None if old else domain, interface_ip=self.address
            )

    def serve(self, connection: Connection, era: int, destination: Destination) -> Process:
        """Deliver the queued jobs, wait a little for more, and stop."""
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
        """Delay recipients, or bounce them if they were tried often enough."""
        if job.tries < 2:
            for rid in job.rids:
                self.delay_line(job.mail, rid, connection, era, "4.1.0 - Unknown address error ('000', ['TLS'])")
            self.world.start(self.retry(Job(job.mail, job.rids, job.tries + 1), destination))
            return
        for rid in job.rids:
            self.bounce_line(job.mail, rid, None, era, names.EXPIRED)
        self.settle(job.mail, job.rids)

    def delay_line(self, mail: Mail, rid: int, connection: Connection, era: int, why: str) -> None:
        """Log that a recipient is delayed."""
        message, mid = mail.message, mail.message.mid
        headers = self.own_headers()
        text = f"Delayed: DCID {connection.id} MID {mid} to RID {rid} - {why}{headers}"
        if era == 0 and self.odds(0.5):
            text = f"Delayed: DCID: {connection.id} Message {mid} to {rid} - {why}{headers}"
        if self.say(text):
            message.saw_attempt(self.time, connection, [rid], "delayed", why)
        if self.seldom(0.05):
            pending = f"pending till {asctime(gmtime(self.time + 600))}"
            if self.say(f"Message {mid} to RID [{rid}] {pending}"):
                message.saw_attempt(self.time, None, [rid], "delayed", pending)

    def bounce_line(self, mail: Mail, rid: int, connection: Connection | None, era: int, why: str) -> None:
        """Log that a recipient is bounced."""
        message, mid = mail.message, mail.message.mid
        address = mail.recipients[rid]
        why = why.format(address=address, domain=address.rpartition("@")[2])
        number = 0 if connection is None else connection.id
        headers = self.own_headers()
        text = f"Bounced: DCID {number} MID {mid} to RID {rid} - {why}{headers}"
        if era == 0 and self.odds(0.5):
            text = f"Bounced: DCID: {number} Message {mid} to {rid} - {why}{headers}"
        told = self.say(text)
        if told:
            message.saw_attempt(self.time, connection, [rid], "bounced", why)
        if not mail.sender and self.odds(0.5) and self.say(f"Double bounce: MID {mid} to {rid} - {why}"):
            told = True
            message.saw_attempt(self.time, None, [rid], "bounced", why)
        if mail.own_lines and self.seldom(0.02):
            self.bounce_log(mail, rid, connection, told=told)
        mail.bounced.append(rid)

    def own_headers(self) -> str:
        """Return the list of logged headers after the other side's reply: mostly empty; it is text of the message, not of the reply."""
        return f" [('subject', '{self.free('Hello')}')]" if self.odds(0.05) else " []"

    def bounce_log(self, mail: Mail, rid: int, connection: Connection | None, *, told: bool) -> None:
        """Log a bounce in the bounce log, in one of its two forms; `told` if the mail log shows it."""
        message, mid = mail.message, mail.message.mid
        addresses = f"From:<{mail.sender}> To:<{mail.recipients[rid]}>"
        if self.odds(0.5) and connection is not None:
            reason = "5.1.0 - Unknown address error ('550', ['5.1.1 The account does not exist'])"
            if self.say(f"Bounced: DCID {connection.id} MID {mid} {addresses} RID {rid} - {reason}", log="bounce_logs"):
                message.saw_attempt(self.time, connection, [rid], "bounced", reason)
                message.saw_addresses(self.time, mail.sender, rid, mail.recipients[rid])
        else:
            reason = "Reason: \"5.1.0 - Unknown address error\" Response: \"('550', ['There is no such account.'])\""
            if self.say(f"Bounced: {mid}:{rid} {addresses} {reason}", log="bounce_logs"):
                if not told:
                    message.saw_attempt(self.time, None, [rid], "bounced", reason)
                message.saw_addresses(self.time, mail.sender, rid, mail.recipients[rid])

    def settle(self, mail: Mail, rids: list[int]) -> None:
        """Remove recipients from a message, and end it if none is left."""
        for rid in rids:
            mail.pending.pop(rid, None)
        if mail.pending:
            return
        if mail.bounced:
            self.state(mail, "BOUNCED", None, mail.bounced)
        self.finish(mail)
        if mail.bounced:
            self.bounce(mail)

    def attempt(self, connection: Connection, era: int, destination: Destination, job: Job) -> Answer:
        """Deliver one message to some of its recipients; return whether the connection stays open."""
        rng = self.rng
        mail, rids, message = job.mail, job.rids, job.mail.message
        mid, number = message.mid, connection.id
        to = f"RID {rids}" if era or self.odds(0.5) else f"{rids}"
        where = " to offbox IronPort Spam Quarantine" if destination.offbox else ""
        if self.say(f"Delivery start DCID {number} MID {mid} to {to}{where}"):
            if destination.offbox:
                message.saw_move(self.time, connection)
            else:
                message.saw_attempt(self.time, connection, rids, None)
        yield 0.1 + rng.random() * 0.8
        if destination.offbox:
            if self.say(f"Message done DCID {number} MID {mid} to RID {rids} (external quarantine) "):
                message.saw_move(self.time, connection)
            self.say(f"MID {mid} RID {rids} Response 'ok:  Message {rng.randrange(10**7, 10**8)} accepted'")
            self.finish(mail)
            if self.odds(0.3):
                self.world.start(self.released(mail))
            return True
        if self.seldom(0.002):
            # the connection was lost after the data: delivery is uncertain
            if self.say(f"Possible Delivery: DCID: {number} MID {mid} to {rids}"):
                message.saw_attempt(self.time, connection, rids, "delayed", "Possible Delivery")
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
            self.state(mail, "DELIVERED", connection, done)
        self.settle(mail, [rid for rid in rids if rid not in later])
        return True

    def header_list(self, mail: Mail) -> str:
        """Return the logged headers after a `Message done`: text that the sender chose."""
        form = self.rng.randrange(3)
        if form == 0:
            return " [('X-SBRS', 'None')]"
        if form == 1:
            return f" [('from', 'User <{mail.sender}>'), ('to', 'user2@example.com,\\r\\n\\tuser3@example.com')]"
        return f" [('subject', \"{self.free('Hello [0] it is me')}\"), ('reply-to', '')]"
