"""What all parts of an appliance use, and the things that they hand to each other."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from . import names
from .names import pick
from .truth import Message, Stated

if TYPE_CHECKING:
    import random

    from .profile import Profile
    from .truth import Connection, Record
    from .world import World

APART = 2.1  # seconds between two lines whose order decides a verdict


class Mail:
    """A message inside the gateway: sender, recipients, and what is still to be delivered."""

    __slots__ = (
        "bounced",
        "connection",
        "message",
        "message_id",
        "outgoing",
        "own_lines",
        "pending",
        "recipients",
        "sender",
        "size",
        "started",
        "subject",
        "tries",
    )

    def __init__(self, message: Message, sender: str, *, outgoing: bool, size: int) -> None:
        self.message = message
        self.sender = sender
        self.outgoing = outgoing
        self.size = size
        self.recipients: dict[int, str] = {}
        self.pending: dict[int, str] = {}
        self.bounced: list[int] = []
        self.own_lines = True  # the log has lines for sender and recipients
        self.connection: Connection | None = None  # over which the message itself came
        self.started = 0
        self.message_id: str | None = None
        self.subject: str | None = None


class Job(NamedTuple):
    """Recipients of one message that share a destination."""

    mail: Mail
    rids: list[int]
    tries: int


class Destination:
    """A host to which mail is delivered: its queue and the connections that serve it."""

    __slots__ = ("address", "clients", "domain", "offbox", "queue", "ready", "speaks_tls")

    def __init__(self, domain: str, address: str, *, speaks_tls: bool, offbox: bool = False) -> None:
        self.domain = domain
        self.address = address
        self.speaks_tls = speaks_tls
        self.offbox = offbox
        self.queue: deque[Job] = deque()
        self.clients = 0
        self.ready = 0  # connections that are opening or idle


class Stage:
    """What all appliances of one simulation share: the clock, the settings, and the truth handed out so far."""

    def __init__(self, world: World, profile: Profile) -> None:
        self.world = world
        self.profile = profile
        self.wanted = 0  # messages that are still to come
        self.connections: list[Record] = []
        self.messages: list[Record] = []
        # connections and messages that are over, but whose records depend on others that are not: on how many, and who waits for whom
        self._waits: dict[Connection | Message, int] = {}
        self._awaited: dict[Connection | Message, list[Connection | Message]] = {}

    def end_connection(self, connection: Connection) -> None:
        """Note that a connection is over; its record depends on its messages, and waits for them."""
        connection.over = True
        self._await(connection, {message for message in (*connection.uses, *connection.carried) if not message.over})
        self._release(connection)

    def end_message(self, message: Message) -> None:
        """Note that a message is over; its record depends on its connections and the message it came from, and waits for them."""
        message.over = True
        source = message.source
        self._await(message, {other for other in (*message.concerns(), *(() if source in (None, message) else (source,))) if not other.over})
        self._release(message)

    def _await(self, one: Connection | Message, others: set[Message] | set[Connection] | set[Connection | Message]) -> None:
        if not others:
            if one.view:
                self.hand_out(one)
            return
        self._waits[one] = len(others)
        for other in others:
            self._awaited.setdefault(other, []).append(one)

    def _release(self, other: Connection | Message) -> None:
        for one in self._awaited.pop(other, ()):
            self._waits[one] -= 1
            if not self._waits[one]:
                del self._waits[one]
                if one.view:
                    self.hand_out(one)

    def hand_out(self, one: Connection | Message) -> None:
        """Hand out the truth about a connection or a message that is complete."""
        if isinstance(one, Message):
            self.messages.append(one.record())
        else:
            self.connections.append(one.record())


class Gateway:
    """What every part of an appliance needs: counters, random choices, the log, and ways to end a message."""

    def __init__(self, stage: Stage, host: str, rng: random.Random, bases: tuple[int, int, int]) -> None:
        self.stage = stage
        self.world = stage.world
        self.profile = stage.profile
        self.host = host
        self.rng = rng
        self.bases = bases
        self.icid, self.mid, self.dcid = bases
        self.partners = names.partner_domains(rng, self.profile.partners)
        self.address = names.ipv4(rng)
        self.cache: dict[str, str] = {}

    def say(self, text: str, level: str = "Info", log: str = "mail_logs") -> bool:
        """Log a line; return whether it is in view."""
        return self.profile.text and self.world.show(self.host, text, level, log)

    def state(self, mail: Mail, act: str, connection: Connection | None = None, rids: list[int] | None = None) -> None:
        """Log a consolidated event of a message: one statement, now, about at most one delivery connection."""
        if not self.profile.cef or not self.odds(self.profile.cef):
            return
        message = mail.message
        own = mail.connection
        recipients = list(dict.fromkeys(mail.recipients[rid] for rid in rids)) if rids else []
        incoming = self.tls_of(own, mail) if act not in ("ABORTED", "QUEUED") else None
        outgoing = self.tls_of(connection, mail)
        keys = [f"deviceExternalId={names.serial(self.host)}", f"ESAMID={message.mid}"]
        if act == "QUEUED":
            if self.world.show(self.host, f"{names.CEF_HEAD}{' '.join([*keys, 'ESAStatus=QUEUED'])}", "", "consolidated_event"):
                message.saw(self.time, accepted=True)
            return
        if own is not None:
            keys.append(f"ESAICID={own.id}")
        if connection is not None:
            keys.append(f"ESADCID={connection.id}")
        flow = ("incoming", "outgoing")[mail.outgoing]
        keys.append(f"deviceDirection={int(mail.outgoing)}")
        if mail.sender and '"' not in mail.sender:
            keys.append(f"suser={mail.sender}")
        if mail.message_id and mail.subject:
            keys.append(f"cs4Label=ExternalMsgID cs4='{mail.message_id}' msg='{names.escaped(mail.subject)}'")
        keys.append(f"act={act}")
        if recipients:
            keys.append(f"duser={';'.join(recipients)}")
        for side, tls in (("In", incoming), ("Out", outgoing)):
            if tls is not None and tls.verdict == "encrypted":
                keys.append(f"ESATLS{side}Cipher={tls.cipher} ESATLS{side}ConnStatus=Success ESATLS{side}Protocol={tls.version}")
            elif tls is not None:
                keys.append(f"ESATLS{side}ConnStatus=Failure")
        if self.world.show(self.host, f"{names.CEF_HEAD}{' '.join(keys)}", "", "consolidated_event"):
            sender = mail.sender if '"' not in mail.sender else ""
            message.saw_statement(self.time, act, sender, recipients, flow, mail.message_id, mail.subject)
            self.see_stated(message, own, incoming)
            self.see_stated(message, connection, outgoing)
            if connection is not None:
                connection.delivered_to.setdefault(message, []).extend(recipients)
                message.saw_attempt(self.time, connection, [], "done")
            elif act == "BOUNCED":
                message.saw_attempt(self.time, None, [], "bounced")
                message.bounced_to += recipients

    def see_stated(self, message: Message, connection: Connection | None, tls: Stated | None) -> None:
        """Note what a consolidated event states about a message on one of its connections."""
        if connection is not None:
            if connection.side == "receiving":
                message.connection = connection
            connection.saw_stated(self.time, message, *(tls or (None, None, None)))

    def tls_of(self, connection: Connection | None, mail: Mail) -> Stated | None:
        """Return what the appliance knows about TLS on a connection at a message's time; None: the event has no keys for it."""
        if connection is None:
            return None
        since, version, cipher = connection.up or (self.time + 1, None, None)
        if (connection.side == "receiving" and since > mail.started) or connection.up is None:
            # without TLS the keys may be absent
            return Stated("cleartext", None, None) if self.odds(0.5) else None
        return Stated("encrypted", version, cipher) if cipher else None

    @property
    def time(self) -> int:
        """The second that is stamped on a line."""
        return int(self.world.now)

    def odds(self, chance: float) -> bool:
        """Return True with this probability."""
        return self.rng.random() < chance

    def seldom(self, chance: float) -> bool:
        """Return True with this probability, scaled by the profile's `rare`."""
        return self.rng.random() < chance * self.profile.rare

    def era(self) -> int:
        """Choose an era of lines: 0 old, 1 middle, 2 new."""
        old, middle, _ = self.profile.eras
        draw = self.rng.random()
        return 0 if draw < old else 1 if draw < old + middle else 2

    def wait(self, shortest: float) -> float:
        """Return a time to wait in seconds, mostly a short one, sometimes a long one."""
        longest = self.profile.longest_wait
        return shortest + (longest - shortest) * self.rng.random() ** 6 if longest > shortest else shortest

    def partner(self) -> str:
        """Choose an outside domain, some far more often than others."""
        return self.partners[int(len(self.partners) * self.rng.random() ** 2)]

    def free(self, text: str) -> str:
        """Return a text that a stranger chose: this harmless one, or one that looks like a line about ids in use."""
        if self.rng.random() >= self.profile.spoof:
            return text
        return pick(self.rng, names.SPOOFS).format(**self.ids())

    def ids(self) -> dict[str, int]:
        """Return ids that are or were in use."""
        back = self.rng.randrange(40)
        return {"i": self.icid - back, "d": self.dcid - back, "m": self.mid - back}

    def cipher(self, era: int, peer: str) -> tuple[str, str]:
        """Return the protocol and cipher that are negotiated with a peer, mostly the same ones."""
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

    def abort(self, mail: Mail, why: str, end: str = "done") -> None:
        """Abort a message that was accepted."""
        message, mid = mail.message, mail.message.mid
        texts = [f"Message aborted MID {mid} {why}", f"Message finished MID {mid} {end}"]
        if self.seldom(0.02):
            texts.reverse()
        for text in texts:
            if self.say(text):
                if text.startswith("Message finished"):
                    message.saw_end(self.time, aborted=end == "aborted")
                else:
                    message.saw(self.time, accepted=True)
        self.state(mail, "DROPPED", None, list(mail.recipients))
        self.stage.end_message(message)

    def refuse_mail(self, mail: Mail, why: str | None, *, finish: bool = True) -> None:
        """Give up a message before it is accepted."""
        message, mid = mail.message, mail.message.mid
        if why and self.say(f"Message aborted MID {mid} {why}"):
            message.saw_refusal(self.time)
        if finish and self.say(f"Message finished MID {mid} aborted"):
            message.saw_end(self.time, aborted=True)
        self.state(mail, "ABORTED")
        self.stage.end_message(message)

    def finish(self, mail: Mail, end: str = "done") -> None:
        """End a message."""
        if self.say(f"Message finished MID {mail.message.mid} {end}"):
            mail.message.saw_end(self.time, aborted=end == "aborted")
        self.stage.end_message(mail.message)

    def sign(self, mail: Mail, text: str) -> None:
        """Log a line that shows that a message was accepted, but is no event itself."""
        if self.say(text):
            mail.message.accepted = True

    def queue(self, mail: Mail) -> None:
        """Queue a message for all its recipients; `Delivery` implements it."""
        raise NotImplementedError
