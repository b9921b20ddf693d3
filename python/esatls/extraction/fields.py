"""The one table of fields: name, type, meaning, and what ECS and CIM call it.

The Logstash rename, the index template, the ingest pipeline, the Splunk field list and the field
reference are all generated from it. Names are flat because pygrok drops dotted ones.
"""

from __future__ import annotations

from typing import NamedTuple


class Field(NamedTuple):
    """One field of an event, a connection or a message.

    `type` is `date`, `keyword`, `integer`, `ip`, `boolean`, `integers` or `keywords` (lists) or
    `objects`. `ecs` has one name, or two: for the receiving and the delivery side. `cim` is empty if
    the Common Information Model has no such field.
    """

    name: str
    type: str
    description: str
    ecs: tuple[str, ...] = ()
    cim: str = ""


FIELDS: tuple[Field, ...] = (
    Field("time", "date", "Timestamp of the line, in UTC (RFC 3339)", ("@timestamp",), "_time"),
    Field("esa_host", "keyword", "Appliance that wrote the line", ("observer.hostname",), "dvc"),
    Field("esa_log", "keyword", "Log subscription, such as mail_logs", ("esatls.log",)),
    Field("esa_level", "keyword", "Info, Warning, Critical, Debug or Trace", ("log.level",)),
    Field("esa_event", "keyword", "Kind of event", ("event.action",), "signature"),
    Field(
        "esa_direction",
        "keyword",
        "Side of the connection: receiving (ICID) or delivery (DCID)",
        ("network.direction",),
    ),
    Field("icid", "integer", "Injection connection id", ("esatls.icid",)),
    Field("dcid", "integer", "Delivery connection id", ("esatls.dcid",)),
    Field("mid", "integer", "Message id on the appliance", ("email.local_id",), "internal_message_id"),
    Field("rid", "integers", "Recipient ids within the message", ("esatls.rid",)),
    Field(
        "tls_result",
        "keyword",
        "What the TLS line says: success, failed, required or not_offered",
        ("esatls.tls_result",),
    ),
    Field("tls_version", "keyword", "Protocol as logged, such as TLSv1.2", ("tls.version",), "ssl_version"),
    Field("tls_cipher", "keyword", "Cipher as logged", ("tls.cipher",)),
    Field("tls_reason", "keyword", "Why TLS failed, as logged; or the text of a TLS line with unknown wording", ("event.reason",), "reason"),
    Field("tls_verify", "keyword", "failed if the certificate was not accepted; the handshake itself succeeded", ("esatls.tls_verify",)),
    Field(
        "tls_peer_cn",
        "keyword",
        "Common name of the peer's certificate",
        ("tls.server.x509.subject.common_name",),
        "ssl_subject_common_name",
    ),
    Field("tls_domain", "keyword", "Destination domain named by the line", ("destination.domain",)),
    Field("peer_ip", "ip", "Address of the other side", ("source.ip", "destination.ip"), "src_ip"),
    Field("peer_host", "keyword", "Reverse DNS name of the other side", ("source.domain", "destination.address"), "src_host"),
    Field("peer_port", "integer", "Port of the other side", ("source.port", "destination.port")),
    Field(
        "interface",
        "keyword",
        "Listener or interface of the appliance",
        ("observer.ingress.interface.name", "observer.egress.interface.name"),
    ),
    Field("interface_ip", "ip", "Address of the listener or interface", ("observer.ip",), "dvc_ip"),
    Field("hat_action", "keyword", "Action of the host access table: ACCEPT, RELAY, REJECT, TCPREFUSE", ("esatls.hat.action",)),
    Field("sender_group", "keyword", "Sender group of the host access table", ("esatls.hat.sender_group",)),
    Field("hat_match", "keyword", "Entry of the sender group that matched", ("esatls.hat.match",)),
    Field("sbrs", "keyword", "Reputation score as logged", ("esatls.hat.sbrs",)),
    Field("country", "keyword", "Country of the sender's address", ("esatls.hat.country",), "src_user_country"),
    Field("sender", "keyword", "Envelope sender", ("email.from.address",), "src_user"),
    Field("recipient", "keyword", "Envelope recipient", ("email.to.address",), "recipient"),
    Field("message_id", "keyword", "Message-ID of the mail, as logged, without the quotes", ("email.message_id",), "message_id"),
    Field("subject", "keyword", "Subject of the mail, as logged, without the quotes", ("email.subject",), "subject"),
    Field("size", "integer", "Size of the mail in bytes", ("esatls.size",), "size"),
    Field("delivery_outcome", "keyword", "done, bounced or delayed", ("esatls.delivery.outcome",)),
    Field("delivery_response", "keyword", "SMTP reply of the other side", ("esatls.delivery.response",)),
    Field("parent_mid", "integer", "Message that this one was made from", ("esatls.parent_mid",)),
    Field(
        "mid_relation",
        "keyword",
        "How it was made: rewritten, split, copy, released, notification or bounce",
        ("esatls.mid_relation",),
    ),
    Field("mid_agent", "keyword", "What rewrote or split it, as logged", ("esatls.mid_agent",)),
    Field("mail_flow", "keyword", "incoming or outgoing", ("email.direction",)),
    Field("close_reason", "keyword", "How the connection ended: close, lost, killed", ("esatls.close_reason",)),
    Field("error_details", "keyword", "Details of a connection error", ("esatls.error_details",)),
    Field("start_note", "keyword", "Why the appliance made the message, such as ISQ Notification", ("esatls.start_note",)),
    Field("message_end", "keyword", "How the message was finished: done or aborted", ("esatls.message_end",)),
    Field("abort_reason", "keyword", "Why the message was aborted", ("esatls.abort_reason",)),
    Field("quarantine", "keyword", "Quarantine that the message went to or left", ("esatls.quarantine",)),
    Field("utc_offset", "integer", "Seconds that the appliance's clock is ahead of UTC", ("esatls.utc_offset",)),
    Field("tls_in_result", "keyword", "Receiving side on a consolidated event: success or failed", ("esatls.in.result",)),
    Field("tls_in_version", "keyword", "Its protocol", ("esatls.in.version",)),
    Field("tls_in_cipher", "keyword", "Its cipher", ("esatls.in.cipher",)),
    Field("tls_out_result", "keyword", "Delivery side on a consolidated event: success or failed", ("esatls.out.result",)),
    Field("tls_out_version", "keyword", "Its protocol", ("esatls.out.version",)),
    Field("tls_out_cipher", "keyword", "Its cipher", ("esatls.out.cipher",)),
    Field("dane_status", "keyword", "DANE on a consolidated event: success or failure", ("esatls.dane.status",)),
    Field("dane_host", "keyword", "Domain that DANE was tried for", ("esatls.dane.host",)),
    # not event.action, which is the kind of event
    Field("action", "keyword", "Final action on a consolidated event, such as DELIVERED", ("esatls.action",)),
    Field("serial", "keyword", "Serial number of the appliance, on a consolidated event", ("observer.serial_number",)),
    Field("ended", "keyword", "End of the message's processing on a consolidated event, in the appliance's own time", ("esatls.ended",)),
    Field("witness", "keyword", "Source of the event, if it is not the text log: cef or tracking", ("esatls.witness",)),
)

INTEGERS: frozenset[str] = frozenset(field.name for field in FIELDS if field.type == "integer")
"""Fields of events that are numbers."""

CONNECTION_FIELDS: tuple[Field, ...] = (
    Field("esa_host", "keyword", "Appliance"),
    Field("esa_direction", "keyword", "receiving or delivery"),
    Field("icid", "integer", "Injection connection id"),
    Field("dcid", "integer", "Delivery connection id"),
    Field("opened", "date", "When it was opened, if the log shows it"),
    Field("closed", "date", "When it was first closed, if the log shows it"),
    Field("peer_ip", "ip", "Address of the other side"),
    Field("peer_host", "keyword", "Reverse DNS name of the other side"),
    Field("peer_port", "integer", "Port of the other side"),
    Field("interface", "keyword", "Listener or interface"),
    Field("interface_ip", "ip", "Its address"),
    Field("hat_action", "keyword", "Action of the host access table"),
    Field("sender_group", "keyword", "Sender group"),
    Field("country", "keyword", "Country of the sender's address"),
    Field("tls_verdict", "keyword", "encrypted, mixed (only some of its messages), cleartext, failed, unused or unknown"),
    Field("tls_version", "keyword", "Protocol as logged"),
    Field("tls_cipher", "keyword", "Cipher as logged"),
    Field("tls_reason", "keyword", "Why TLS failed, was not used or is not known"),
    Field("tls_peer_cn", "keyword", "Common name of the peer's certificate"),
    Field("tls_domain", "keyword", "Destination domain named by the log"),
    Field("tls_required", "boolean", "True if the log says that TLS was required"),
    Field("conflict", "keyword", "What another source says to the contrary, such as 'text: cleartext, cef: encrypted'"),
    Field("witness", "keywords", "Sources of the verdict, if it is not the text log alone: cef, text, tracking"),
    Field("domain", "keyword", "Partner: the destination's domain, or the senders' if all share one"),
    Field("mail_flow", "keyword", "incoming or outgoing"),
    Field("messages", "integer", "Messages started or delivered on it, except those given up"),
)

DELIVERY_FIELDS: tuple[Field, ...] = (
    Field("dcid", "integer", "Delivery connection id"),
    Field("rid", "integers", "Recipient ids of the attempt"),
    Field("outcome", "keyword", "done, bounced or delayed; absent if the log shows only the start"),
    Field("time", "date", "When it was delivered, bounced or delayed; when it was started, if the log shows only that"),
    Field("verdict", "keyword", "The connection's verdict at that time"),
    Field("tls_version", "keyword", "Protocol as logged"),
    Field("tls_cipher", "keyword", "Cipher as logged"),
    Field("peer_ip", "ip", "Address of the other side"),
    Field("peer_host", "keyword", "Name of the other side in DNS, never from a certificate"),
    Field("domain", "keyword", "Domain that the TLS line names, else the domain that all known recipients of the attempt share"),
    Field("reason", "keyword", "Why TLS failed or was not used"),
    Field("response", "keyword", "SMTP reply of a bounce or delay"),
    Field("conflict", "keyword", "What another source says to the contrary"),
    Field("witness", "keywords", "Sources of the verdict, if it is not the text log alone"),
)

MESSAGE_FIELDS: tuple[Field, ...] = (
    Field("esa_host", "keyword", "Appliance"),
    Field("mid", "integer", "Message id"),
    Field("icid", "integer", "Injection connection over which it arrived"),
    Field("received", "keyword", "encrypted, cleartext, unknown, internal, or none (refused or given up before it was accepted)"),
    Field("received_tls_version", "keyword", "Protocol as logged"),
    Field("received_tls_cipher", "keyword", "Cipher as logged"),
    Field("received_reason", "keyword", "Why it was not received over TLS"),
    Field("received_peer_ip", "ip", "Address that sent it"),
    Field("received_peer_host", "keyword", "Name of that address"),
    Field("received_conflict", "keyword", "What another source says to the contrary"),
    Field("received_witness", "keywords", "Sources of the verdict, if it is not the text log alone: cef, text, tracking"),
    Field("received_from_mid", "integer", "Message whose connection gives the receiving verdict, if not its own"),
    Field("mail_flow", "keyword", "incoming or outgoing"),
    Field("sender", "keyword", "Envelope sender"),
    Field("recipients", "keywords", "Envelope recipients"),
    Field("parent_mid", "integer", "Message that this one was made from"),
    Field("mid_relation", "keyword", "How this one was made from it"),
    Field("delivered", "keyword", "encrypted, mixed, cleartext, none or unknown"),
    Field("deliveries", "objects", "All delivery attempts"),
    Field("first_seen", "date", "First line about it; ready, queued, scanners' verdicts, Response, TLS read and messages made from it do not count"),
    Field("last_seen", "date", "Last line about it; the same do not count"),
    Field("finished", "boolean", "True when the log says that the appliance is done with it"),
    Field("message_id", "keyword", "Its Message-ID, as logged"),
    Field("subject", "keyword", "Its subject, as logged"),
)
