"""The parts of a report (`build` explains them). A key without a value is absent."""

from __future__ import annotations

from typing import Literal, TypedDict

IssueName = Literal["cleartext", "deprecated", "weak", "failed"]


class Span(TypedDict, total=False):
    """The first and the last time of the records."""

    first: str
    last: str


class ApplianceRow(TypedDict):
    """The number of connections and messages of one appliance."""

    esa_host: str
    connections: int
    messages: int


class Totals(TypedDict):
    """The number of connections and messages."""

    connections: int
    messages: int


class Tally(TypedDict):
    """Counts by verdict, and percentages of the verdicts that say whether TLS was used."""

    total: int
    counted: int
    verdicts: dict[str, int]
    percent: dict[str, float]


class ConnectionsTally(Tally, total=False):
    """A tally of connections, with how many attempted or required TLS, and how many used outdated protocols or ciphers."""

    attempted: int
    attempted_percent: float
    attempted_encrypted: float
    fallback: int
    required: int
    required_failed: int
    required_cleartext: int
    deprecated: int
    weak: int
    no_forward_secrecy: int


class VersionRow(TypedDict, total=False):
    """One protocol."""

    version: str
    connections: int
    percent: float
    messages: int
    deprecated: bool


class CipherRow(TypedDict, total=False):
    """One cipher, with its weaknesses."""

    cipher: str
    connections: int
    percent: float
    messages: int
    weak: list[str]
    no_forward_secrecy: bool


class ReasonRow(TypedDict):
    """One reason for which TLS failed."""

    reason: str
    connections: int
    failed: int
    cleartext: int
    partners: int
    certificate: bool


class OtherReasonRow(TypedDict):
    """One reason of errors on connections that no percentage counts."""

    reason: str
    connections: int
    unused: int
    unknown: int


class ConnectionsOfReason(TypedDict):
    """How often TLS with one partner failed for a reason."""

    reason: str
    connections: int


class FailureRow(TypedDict):
    """One partner with whom TLS failed."""

    partner: str
    connections: int
    failed: int
    cleartext: int
    required: int
    certificate: int
    reasons: list[ConnectionsOfReason]


class OutdatedRow(TypedDict):
    """One partner that used a deprecated protocol or a weak cipher."""

    partner: str
    connections: int
    versions: list[str]
    ciphers: list[str]


class PartnerRow(TypedDict):
    """One partner, by the name in the log."""

    partner: str
    connections: ConnectionsTally
    messages: Tally


class Moment(TypedDict):
    """One hour or day."""

    time: str
    verdicts: dict[str, int]


class Series(TypedDict):
    """Counts by hour or day."""

    unit: str
    connections: list[Moment]
    messages: list[Moment]
    undated: Totals


class Part(TypedDict, total=False):
    """One direction and mail flow."""

    connections: ConnectionsTally
    messages: Tally
    recipients: Tally
    versions: list[VersionRow]
    ciphers: list[CipherRow]
    reasons: list[ReasonRow]
    other_reasons: list[OtherReasonRow]
    failures: list[FailureRow]
    outdated: list[OutdatedRow]
    partners: list[PartnerRow]
    over_time: Series


class BothSides(TypedDict):
    """Messages by how they were received and delivered."""

    received: str
    delivered: str
    messages: int


class Reason(TypedDict):
    """A reason, and how often it was given; 0 for a protocol or cipher that connections of the same partner did not have."""

    reason: str
    count: int


class Example(TypedDict, total=False):
    """A message or connection to look for in the log."""

    time: str
    esa_host: str
    mid: int
    icid: int
    dcid: int


class IssueRow(TypedDict, total=False):
    """One kind of problem with a partner."""

    messages: int
    connections: int
    first: str
    last: str
    reasons: list[Reason]
    examples: list[Example]


class PartnerDay(TypedDict):
    """The connections with an organisation that began on one day: by verdict, and those over TLS by protocol."""

    day: str
    connections: dict[str, int]
    versions: dict[str, int]


class Organisation(TypedDict, total=False):
    """One organisation in one direction, with all names that were counted under it, and the issues that it had."""

    partner: str
    direction: str
    own: bool
    names: list[str]
    connections: dict[str, int]
    messages: dict[str, int]
    versions: dict[str, int]
    days: list[PartnerDay]
    last_tls: str
    cleartext: IssueRow
    deprecated: IssueRow
    weak: IssueRow
    failed: IssueRow


class FileRow(TypedDict, total=False):
    """One file that was read."""

    name: str
    size: int
    sha256: str
    first: str
    last: str
    lines: int
    events: int
    ignored: int
    unreadable: int


class Lines(TypedDict):
    """The number of lines, by what they were."""

    lines: int
    events: int
    ignored: int
    unreadable: int


class Evidence(TypedDict, total=False):
    """The inputs and settings of a report (`evidence`)."""

    title: str
    organisation: str
    made: str
    version: str
    timezone: str
    host: str
    since: str
    until: str
    own_domains: list[str]
    lines: Lines
    files: list[FileRow]
    problems: list[str]
    incomplete: list[str]


class Report(TypedDict, total=False):
    """The whole report. Each direction has a part for all mail and one per mail flow."""

    span: Span
    appliances: list[ApplianceRow]
    totals: Totals
    receiving: dict[str, Part]
    delivery: dict[str, Part]
    both_sides: list[BothSides]
    organisations: list[Organisation]
    evidence: Evidence
    notes: dict[str, str]
