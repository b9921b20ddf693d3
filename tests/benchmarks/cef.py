"""Speed of reading consolidated events: `python tests/benchmarks/cef.py [--records N]`.

These read the same invented records of about 1.3 kB, in one run; processor time counts, the best of several rounds:

* `plain`: one regular expression for `key=value` and a dictionary of all values, which believes every subject;
* `plain, typed`: the same, reduced to the fields of esatls, with their names and types;
* `esatls`: `esatls.extraction.cef.parse`, from a record to an event, as all of esatls reads consolidated events;
* `esatls, unknown`: the same if the order of the keys is not known yet, as for the first records of a log;
* `esatls, lines`: from lines with a syslog envelope to events with time and host, through a `BlockStream`, as a file is read.

Compare the ratios, and the records per second of processor time. The last figures are for hostile records: a record four times
as long must not cost more per character.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

from esatls.extraction import cef
from esatls.extraction.blocks import BlockStream
from esatls.extraction.event_stream import Events

if TYPE_CHECKING:
    from collections.abc import Callable

GOAL = 150_000
ROUNDS = 5
PLAIN = re.compile(r"(\w+)=(.*?)(?=\s+\w+=|$)")

_HEADER = "CEF:0|Cisco|C600V Email Security Virtual Appliance|{version}|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|"
_IN = "ESATLSInCipher=ECDHE-RSA-AES256-GCM-SHA384 ESATLSInConnStatus=Success ESATLSInProtocol=TLSv1.2 "
_OUT = "ESATLSOutCipher=ECDHE-RSA-AES256-GCM-SHA384 ESATLSOutConnStatus=Success ESATLSOutProtocol=TLSv1.2 "
_BODY = (
    "deviceExternalId=0123456789AB-EXAMPLE0001 ESAMID={n} ESAICID={icid} ESADCID={dcid} {end}=Mon Jun  2 14:01:31 2025 "
    "ESADKIMVerdict=pass ESADLPVerdict=NOT_EVALUATED dvc=192.0.2.4 {attachments}"
    "ESAFriendlyFrom=Ann Example <ann{n}@example.org> ESAGMVerdict=NEGATIVE {start}=Mon Jun  2 14:01:27 2025 "
    "deviceInboundInterface=IncomingMail deviceDirection=0 ESAMailFlowPolicy=ACCEPT suser=ann{n}@example.org "
    "cs1Label=MailPolicy cs1=DEFAULT cs2Label=SenderCountry cs2=United States ESAMFVerdict=MATCH act=DELIVERED "
    "cs4Label=ExternalMsgID cs4='<{n}.1b3f5a77@mail.example.org>' ESAMsgSize=30{n} ESAOFVerdict=NEGATIVE "
    "duser=bob@example.com;carol{n}@example.com ESAHeloDomain=mail.example.org ESAHeloIP=198.51.100.9 cfp1Label=SBRSScore "
    "cfp1=3.4 ESASDRDomainAge=30 days (or greater) cs3Label=SDRThreatCategory cs3=N/A cs6Label=SDRRepScore cs6=Neutral "
    "ESASPFVerdict={{'mailfrom': {{'result': 'Pass', 'sender': 'ann{n}@example.org'}}}} {host}=mail.example.org "
    "ESASenderGroup=ACCEPTLIST {address}=198.51.100.9 msg='{subject}' {tls}"
    "ESAAMPVerdict=SKIPPED ESAASVerdict=NEGATIVE ESAAVVerdict=NOT_EVALUATED ESACFVerdict=NO_MATCH"
)
_OLD = {"version": "14.3.0-032", "start": "startTime", "end": "endTime", "host": "sourceHostName", "address": "sourceAddress"}
_NEW = {"version": "15.0.0-104", "start": "start", "end": "end", "host": "shost", "address": "src"}
_ATTACHMENT = "ESAAttachmentDetails={{'report {n}.pdf': {{'AMP': {{'Verdict': 'FILE UNKNOWN', 'fileHash': '7f84'}}, 'BodyScanner': {{}}}}}} "
_TLS = (_IN + _OUT, _IN + _OUT, _IN, _OUT, "")
_SUBJECTS = ("The figures of quarter {n}", "\\=?UTF-8?Q?Re: n\\=C3\\=A4chste Woche?\\=", "Lunch on day {n} | canteen")


def records(count: int) -> list[str]:
    """Return records with old or new names, TLS on both sides, one or none, and an attachment in every fourth."""
    made = []
    for n in range(count):
        names = (_OLD, _NEW)[n % 2]
        made.append(
            (_HEADER + _BODY).format(
                n=n,
                icid=7 * n + 100_000,
                dcid=3 * n + 200_000,
                attachments=_ATTACHMENT.format(n=n) if n % 4 == 0 else "",
                subject=_SUBJECTS[n % 3].format(n=n),
                tls=_TLS[n % 5],
                **names,
            ),
        )
    return made


def plain(record: str) -> dict[str, str]:
    """Read a record as a simple script does."""
    return dict(PLAIN.findall(record.split("|", 7)[7]))


_RESULTS = {"Success": "success", "Failure": "failed"}
_PLAIN_NAMES = {
    "act": "action", "suser": "sender", "duser": "recipient", "src": "peer_ip", "sourceAddress": "peer_ip", "shost": "peer_host",
    "sourceHostName": "peer_host", "end": "ended", "endTime": "ended", "ESASenderGroup": "sender_group", "ESAMailFlowPolicy": "hat_action",
    "ESATLSInProtocol": "tls_in_version", "ESATLSInCipher": "tls_in_cipher", "ESATLSOutProtocol": "tls_out_version",
    "ESATLSOutCipher": "tls_out_cipher", "ESADaneStatus": "dane_status", "ESADaneHost": "dane_host", "deviceExternalId": "serial",
}  # fmt: skip


def plain_typed(record: str) -> dict[str, Any]:
    """Read a record in the same way, and return the event that esatls returns."""
    fields = plain(record)
    event: dict[str, Any] = {"esa_event": "consolidated_event", "witness": "cef"}
    for key, name in (("ESAMID", "mid"), ("ESAICID", "icid"), ("ESADCID", "dcid")):
        if key in fields:
            event[name] = int(fields[key])
    for key, name in (("ESATLSInConnStatus", "tls_in_result"), ("ESATLSOutConnStatus", "tls_out_result")):
        if key in fields:
            event[name] = _RESULTS[fields[key]]
    if "deviceDirection" in fields:
        event["mail_flow"] = "outgoing" if fields["deviceDirection"] == "1" else "incoming"
    for key, name in _PLAIN_NAMES.items():
        if key in fields:
            event[name] = fields[key]
    return event


def rounds(read: Callable[[], object]) -> float:
    """Return the least processor time of a round, in seconds."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        read()
        times.append(time.process_time() - start)
    return min(times)


def best(read: Callable[[str], object], texts: list[str]) -> float:
    """Return the least processor time of a round over all records, in seconds."""

    def one() -> None:
        for text in texts:
            read(text)

    return rounds(one)


def unknown(text: str) -> object:
    """Read a record like the first one of a log."""
    cef._LAYOUTS.known.clear()  # noqa: SLF001  (forget the layouts that this process knows)
    return cef.parse(text)


def streamed(texts: list[str]) -> float:
    """Return the least processor time of a round over lines, in seconds; a hundred lines have the same second, and so the same envelope."""
    lines = (f"<22>Jun  2 {n // 360_000:02}:{n // 6000 % 60:02}:{n // 100 % 60:02} esa1 consolidated_event: {text}\n" for n, text in enumerate(texts))
    block = "".join(lines)

    def one() -> None:
        consumer = Events(frozenset({"consolidated_event"}))
        stream = BlockStream(consumer)
        stream.block(block)
        stream.end()
        if len(consumer.found) != len(texts):
            raise AssertionError

    return rounds(one)


PIECES = ["'", '"', "\\", "{", "{'", " ", "a", " a", " a=", " msg='", ' cs4=\\"', " ESAA={'", " suser=a@", "a@b;", " ESATLSInCipher=a", ";a=", "=", "|"]


def hostile(start: str) -> tuple[float, str]:
    """Return the worst ratio of the cost per character of a long hostile record to that of a short one, and the piece of which they consist."""
    found = []
    for piece in PIECES:
        costs = []
        for size in (15_000, 60_000):
            text = start + piece * (size // len(piece))
            costs.append(rounds(lambda text=text: [cef.parse(text) for _ in range(480_000 // len(text))]) / (480_000 // len(text) * len(text)))  # type: ignore[misc]
        found.append((costs[1] / costs[0], piece))
    return max(found)


def main() -> int:
    """Measure and print; fail if the readers return different events."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    texts = records(parser.parse_args().records)
    for text in texts:
        if cef.parse(text) != plain_typed(text):
            sys.stderr.write(f"the readers differ on: {text}\n")
            return 1
    took = {"plain": best(plain, texts), "plain, typed": best(plain_typed, texts), "esatls": best(cef.parse, texts)}
    took["esatls, unknown"] = best(unknown, texts)
    for text in texts:
        cef.parse(text)
    took["esatls, lines"] = streamed(texts)
    size = sum(map(len, texts)) / len(texts)
    sys.stdout.write(f"{len(texts):,} records of {size:,.0f} characters, Python {sys.version.split()[0]}\n")
    for name, seconds in took.items():
        sys.stdout.write(f"{name:15}  {len(texts) / seconds:9,.0f} records per second  {took['plain'] / seconds:5.2f} times plain\n")
    sys.stdout.write(f"goal: esatls {GOAL:,} records per second\n")
    for record in (texts[0], texts[0].replace("14.3.0", "13.0.0")):
        growth, piece = hostile(record[: record.index("ESAICID")])
        sys.stdout.write(f"hostile records, a character of 60,000 beside one of 15,000: at worst {growth:.2f} times ({piece!r}); linear is 1\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
