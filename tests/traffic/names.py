"""Invented names, addresses and texts. Names are example.*, addresses RFC 5737 and RFC 3849."""

# ruff: noqa: E501 (whole log lines are not broken)

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

WORDS = (
    "alder", "amber", "anchor", "aspen", "basil", "beacon", "birch", "bridge", "cedar", "cobalt", "copper", "coral",
    "delta", "ember", "falcon", "fjord", "garnet", "granite", "harbor", "hazel", "indigo", "iris", "juniper", "lagoon",
    "linden", "lotus", "maple", "meadow", "nimbus", "onyx", "opal", "orchid", "pebble", "pine", "quartz", "raven",
    "river", "saffron", "sage", "summit", "thistle", "timber", "tulip", "umber", "velvet", "walnut", "willow", "zephyr",
)  # fmt: skip
TOPICS = (
    "Invoice", "Order", "Meeting", "Minutes", "Report", "Offer", "Reminder", "Newsletter", "Delivery", "Contract",
    "Timetable", "Question", "Agenda", "Summary", "Statement", "Budget", "Survey", "Invitation", "Welcome", "Update",
)  # fmt: skip
FILES = ("scan.pdf", "plan.xlsx", "photo.jpg", "minutes.docx", "image001.png", "list.csv", "drawing 2.pdf", "notes.txt")

# the server of the last one does not support TLS; the others occur more often
LOCAL_DOMAINS = ("example.com",) * 4 + ("example.org",) * 3 + ("sales.example.com",)

# (weight, protocol, ciphers) by the age of the software on both sides
TLS_OLD = ((1.0, "TLSv1/SSLv3", ("DHE-RSA-AES256-SHA", "RC4-SHA", "DES-CBC3-SHA")),)
TLS_MIDDLE = ((1.0, "TLSv1", ("AES128-SHA", "RC4-SHA", "RC4-MD5", "DHE-RSA-AES256-SHA")),)
TLS_NEW = (
    (0.70, "TLSv1.2", ("ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-SHA384")),
    (0.24, "TLSv1.3", ("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256")),
    (0.05, "TLSv1", ("AES128-SHA", "DHE-RSA-AES256-SHA", "ECDHE-RSA-AES256-SHA")),
    (0.01, "TLSv1.1", ("ECDHE-RSA-AES256-SHA", "AES256-SHA")),
)

HANDSHAKE_ERRORS = (
    "(336109761, 'error:1408A0C1:SSL routines:SSL3_GET_CLIENT_HELLO:no shared cipher')",
    "(336130315, 'error:1408F10B:SSL routines:SSL3_GET_RECORD:wrong version number')",
    "(336151568, 'error:14094410:SSL routines:SSL3_READ_BYTES:sslv3 alert handshake failure')",
    "(336027900, 'error:140760FC:SSL routines:SSL23_GET_CLIENT_HELLO:unknown protocol')",
)
# the certificate is not accepted, on this side or the other
CERTIFICATE_ALERTS = (
    "(336151570, 'error:14094412:SSL routines:SSL3_READ_BYTES:sslv3 alert bad certificate')",
    "(336151576, 'error:14094418:SSL routines:SSL3_READ_BYTES:tlsv1 alert unknown ca')",
)
VERIFICATION_ERRORS = (
    "(336134278, 'error:14090086:SSL routines:SSL3_GET_SERVER_CERTIFICATE:certificate verify failed')",
    "certificate verification failed",
    "verify error: hostname mismatch",
    "DANE verification failed",
)
# details and reason of connection errors: those that may have been a handshake, may have been anything, or were no handshake
ERRORS_OF_TLS = (("[Errno 0] Error", "network error"), ("(336130315, 'error:1408F10B:SSL routines:SSL3_GET_RECORD:wrong version number')", "network error"))
ERRORS_OF_ANYTHING = (("EOF", "network error"), ("[Errno 54] Connection reset by peer", "network error"))
ERRORS_OF_OTHER = (
    ("[Errno 61] Connection refused", "network error"),
    ("[Errno 60] Operation timed out", "network error"),
    ("timeout", "network error"),
    ("421-'4.3.2 Service not available'", "unexpected SMTP response"),
    ("554-'5.7.1 No mail from here'", "unexpected SMTP response"),
    ("454-'4.7.0 TLS not available due to a temporary reason'", "unexpected SMTP response"),
)
# an SMTP reply is a stranger's text
SPOOFED_REPLY = ("554-'5.0.0 [Errno 0] Error error:14094410:SSL routines:SSL3_READ_BYTES:sslv3 alert handshake failure'", "unexpected SMTP response")
SOCKET_ERRORS = ("[Errno 54] Connection reset by peer", "[Errno 32] Broken pipe", "[Errno 60] Operation timed out")

# HAT matches with their scores: for ACCEPT here, then for RELAY, then for REJECT
MATCHES = (
    "sbrs[-2.0:10.0] SBRS 3.4",
    "sbrs[-0.5:10.0] SBRS 5.6",
    "sbrs[0.0:10.0] SBRS 4.1",
    "sbrs[none] SBRS None",
    "ALL SBRS None",
    "ALL SBRS not enabled",
    "192.0.2.0/24 SBRS 2.5",
    "198.51.100.0-63 SBRS unable to retrieve",
    ".example.com SBRS 3.5",
    "nx.domain SBRS None",
    "dnslist[list.example.org] SBRS 1.0",
    "etf-source: feed one SBRS None",
    " SBRS None",
    "SBRS None",
    "ipr[none] ipr not enabled",
)
RELAY_MATCHES = ("192.0.2.0/24 SBRS rfc1918", "203.0.113.8 SBRS rfc1918", "ALL SBRS not enabled", ".example.com SBRS None")
REJECT_MATCHES = ("sbrs[-10.0:-2.5] SBRS -9.5", "sbrs[-10.0:-2.5] SBRS -2.8", "sbrs[-10.0:-3.0] SBRS -7.6", "dnslist[list.example.org] SBRS -4.0")
COUNTRIES = ("United States", "Germany", "France", "Japan", "not enabled", "Brazil", "United Kingdom")

RESPONSES = (
    "2.0.0 Ok: queued as {token}",
    "2.6.0 <{token}@mail.example.net> [InternalId={number}] Queued mail for delivery",
    "ok:  Message {number} accepted",
    "2.0.0 {token} Message accepted for delivery",
    "Ok {number} - gsmtp",
)
DELAYS = (
    "4.1.0 - Unknown address error ('451', ['4.7.1 Greylisting in action, please come back later'])",
    "4.3.2 - Not accepting messages at this time ('421', ['4.3.2 Service not available'])",
    "4.2.2 - Mailbox full ('452', ['4.2.2 The mailbox is over its quota'])",
)
BOUNCES = (
    "5.1.0 - Unknown address error ('550', ['5.1.1 <{address}>: Recipient address rejected: User unknown'])",
    "5.1.2 - Bad destination host ('000', ['DNS Hard Error looking up {domain} (MX):  NXDomain'])",
    "5.3.0 - Other mail system problem ('554', ['5.7.1 Message rejected', \"5.7.1 it's policy\"])",
)
EXPIRED = "5.4.7 - Delivery expired (message too old) ('000', ['timeout'])"

# who rewrites a message, and whether that changes the recipients
REWRITERS = (
    ("antispam", False),
    ("add-footer filter 'footer'", False),
    ("url-reputation-rewrite filter 'links'", False),
    ("LDAP rewrite", True),
    ("alt-rcpt-to-filter filter 'reroute'", True),
    ("redirect filter 'reroute'", True),
)

# Texts that strangers choose, in the form of lines that would change a verdict. {i}, {d} and {m} are ids in use.
SPOOFS = (
    "ICID {i} TLS success",
    "Re: ICID {i} TLS success protocol TLSv1.2 cipher ECDHE-RSA-AES256-GCM-SHA384",
    "Info: ICID {i} TLS success",
    "DCID {d} TLS success protocol TLSv1.2 cipher AES128-SHA for example.com",
    "Tue Mar  5 10:00:00 2024 Info: DCID {d} TLS success protocol TLSv1.2 cipher AES128-SHA",
    "ICID {i} TLS failed",
    "DCID {d} TLS failed: STARTTLS unexpected response",
    "DCID {d} IP 192.0.2.2 TLS was required but could not be successfully negotiated",
    "ICID {i} TLS was required but remote host did not initiate it",
    "DCID {d} STARTTLS command not supported.",
    "Message done DCID {d} MID {m} to RID [0]",
    "' Message done DCID {d} MID {m} to RID [0] ",
    "Bounced: DCID {d} MID {m} to RID 0 - 5.1.0 - Unknown address error",
    "MID {m} rewritten to MID {m} by antispam",
    "New SMTP ICID {i} interface Data 1 (192.0.2.1) address 192.0.2.2 reverse dns host x verified yes",
    "Start MID {m} ICID {i}",
    "\\r\\n\\tICID {i} TLS success\\r\\n",
    '" TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384',
    "CrtMID {m} CrtICID {i} CrtDCID {d} TLS",
    "=cmd|' /C TLS'!A0 <script>alert('ICID {i} TLS success')</script>",
)
SPOOFED_HOST = "icid-{i}-tls-success.example.net"

# Lines that contain TLS words or ids, or look like an event, but are none: (log, level, text)
LOOKALIKES = (
    ("gui_logs", "Warning", "SSL error with client 192.0.2.1:37222 - (336027804, 'error:1407609C:SSL routines:SSL23_GET_CLIENT_HELLO:http request')"),
    ("gui_logs", "Info", "Error in https connection from host 192.0.2.1 port 37224 - [Errno 54] Connection reset by peer"),
    ("reportd_logs", "Info", "TLS connection failed because of an unsupported protocol issue. Alert message is sent in plain text to user1@example.com"),
    ("mail_logs", "Info", "SMTP Auth (ICID {i}) was required but remote host did not initiate it"),
    ("mail_logs", "Info", "SMTP Auth: (ICID {i}) succeeded for user: user1 using AUTH mechanism: LOGIN with profile: local"),
    ("mail_logs", "Info", "Internal SMTP system successfully sent a message to alerts@example.com with subject 'Warning <System> esa.example.com: Your \"Sophos Anti-Virus\" key will expire in under 60 day(s)....'."),
    ("mail_logs", "Critical", 'Error while sending alert: Unable to send System/Warning alert to admin@example.com with subject "Warning <System> esa.example.com: Your "IronPort Email Encryption" key will expire in under 60...".'),
    ("mail_logs", "Warning", "Internal SMTP Error: Failed to send message to host 192.0.2.4:25 for recipient admin@example.com: Unexpected SMTP response \"553\", expecting code starting with \"2\", response was ['#5.1.8 Domain of sender address <a@example.com> does not exist']."),
    ("authentication", "Info", "The user admin successfully logged on from 192.0.2.1 using an HTTPS connection."),
    ("mail_logs", "Info", "TLS connection established: protocol TLSv1.2, cipher ECDHE-RSA-AES256-GCM-SHA384."),
    ("mail_logs", "Info", "TLS connection succeeded example.org."),
    ("mail_logs", "Info", "SenderBase upload: 734 hosts totaling 201887 bytes"),
    ("mail_logs", "Info", "CASE cache status: hits = 117, misses = 2203, expires = 11, adds = 2203, seconds saved = 3.41, total seconds = 412.10"),
    ("mail_logs", "Trace", "GRAYMAIL: shouldn't scan?"),
    ("mail_logs", "Trace", "Data will be sent to ECS client only when there is cloud license, urlscanning is enabled and retro service is enabled"),
)  # fmt: skip
STATUS = (
    "Status: CPULd 21 DskIO 0 RAMUtil 8 QKUsd 287990 QKFre 8100618 CrtMID {m} CrtICID {i} CrtDCID {d} InjMsg 67015298 "
    "InjRcp 94130749 GenBncRcp 2925136 RejRcp 24251370 DrpMsg 4034522 SftBncEvnt 4579222 CmpRcp 95660053 ActvRcp 191 "
    "UnatmptRcp 66 AtmptRcp 125 CrtCncIn 2 CrtCncOut 2 DnsReq 411694067 NetReq 42609825"
)


CEF_HEAD = "CEF:0|Cisco|C100V Secure Email Gateway Virtual|15.0.0-104|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|"


def serial(host: str) -> str:
    """Return the serial number of an appliance."""
    number = int("".join(filter(str.isdigit, host)) or 0)
    return f"{number:04X}1111AAAA1111-1111AAAA{number:04X}"


def escaped(text: str) -> str:
    """Return a text as CEF escapes it in a value."""
    return text.replace("\\", "\\\\").replace("=", "\\=")


def ipv4(rng: random.Random) -> str:
    """Return an IPv4 address for documentation."""
    return f"{rng.choice(('192.0.2', '198.51.100', '203.0.113'))}.{rng.randrange(1, 255)}"


def ipv6(rng: random.Random) -> str:
    """Return an IPv6 address for documentation."""
    return f"2001:db8:{rng.randrange(1, 0xFFFF):x}::{rng.randrange(1, 0xFFFF):x}"


def person(rng: random.Random) -> str:
    """Return the local part of an address."""
    return f"{WORDS[int(rng.random() * len(WORDS))]}.{WORDS[int(rng.random() * len(WORDS))]}"


def token(rng: random.Random) -> str:
    """Return a queue id like those of mail servers."""
    return f"{rng.getrandbits(48):012X}"


def pick(rng: random.Random, of: Sequence[str]) -> str:
    """Return a random item of a sequence, faster than `choice`."""
    return of[int(rng.random() * len(of))]


def partner_domains(rng: random.Random, count: int) -> list[str]:
    """Return names of domains with which mail is exchanged."""
    return [f"{rng.choice(WORDS)}{number}.example.{rng.choice(('net', 'com', 'org'))}" for number in range(count)]
