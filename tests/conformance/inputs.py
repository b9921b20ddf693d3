"""The right answers for each log of users' reports, stated once for all engines. The logs themselves are beside the clone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "inputs"
YEAR = 2026
"""Year of stamps without one."""

Record = dict[str, Any]
Told = tuple[Any, ...]


class Right(NamedTuple):
    """The right answers for a log."""

    events: list[Told]
    """Appliance, time, kind, ICID, DCID and MID of each event, in the order of the lines."""
    connections: list[Told]
    """Appliance, side, id and verdict of each connection."""
    messages: list[Told]
    """Appliance, MID, received, delivered, recipients and attempts (DCID, outcome, verdict, time) of each message."""


def _at(time: str) -> str:
    return f"{YEAR}-03-03T{time}Z"


def _whole(host: str | None) -> Right:
    """Return the answers for the ten lines of one message, received over TLS and delivered in clear text."""
    told = (
        ("connection_opened", 41, None, None),
        ("hat_policy", 41, None, None),
        ("tls_success", 41, None, None),
        ("message_started", 41, None, 51),
        ("message_sender", 41, None, 51),
        ("message_recipient", 41, None, 51),
        ("connection_opened", None, 61, None),
        ("delivery_started", None, 61, 51),
        ("delivery_done", None, 61, 51),
        ("message_finished", None, None, 51),
    )
    return Right(
        [(host, _at(f"10:00:0{second}"), *one) for second, one in enumerate(told)],
        [(host, "receiving", 41, "encrypted"), (host, "delivery", 61, "cleartext")],
        [(host, 51, "encrypted", "cleartext", ["bob@example.com"], [(61, "done", "cleartext", _at("10:00:08"))])],
    )


def _successes(*hosts: str | None) -> Right:
    """Return the answers for lines with one success of one ICID each; a line without an appliance is in another time zone."""
    events = [(host, _at("10:00:02" if host else "09:00:02"), "tls_success", 41, None, None) for host in hosts]
    return Right(events, [(host, "receiving", 41, "encrypted") for host in sorted({*hosts}, key=str)], [])


A, B = "AAAA1111AAAA1111-1111AAAA1111", "BBBB2222BBBB2222-2222BBBB2222"
ESA1 = ("esa1",)
CEF = "consolidated_event"

RIGHT: dict[str, Right] = {
    "01_cef_delay_quarantine_then_delivered": Right(
        [("esa1", _at("10:00:05"), CEF, 601, None, 5001), ("esa1", _at("10:12:31"), CEF, 601, 702, 5001)],
        [("esa1", "receiving", 601, "encrypted"), ("esa1", "delivery", 702, "encrypted")],
        [("esa1", 5001, "encrypted", "encrypted", ["bob@example.com"], [(702, "done", "encrypted", _at("10:12:31"))])],
    ),
    "02_cef_two_records_two_dcids": Right(
        [("esa1", _at("10:00:05"), CEF, 602, 703, 5002), ("esa1", _at("10:00:07"), CEF, 602, 704, 5002)],
        [("esa1", "receiving", 602, "unknown"), ("esa1", "delivery", 703, "encrypted"), ("esa1", "delivery", 704, "cleartext")],
        [
            (
                "esa1",
                5002,
                "unknown",
                "mixed",
                ["ann@a.example", "ben@b.example"],
                [(703, "done", "encrypted", _at("10:00:05")), (704, "done", "cleartext", _at("10:00:07"))],
            )
        ],
    ),
    "04_cef_two_appliances_one_collector": Right(
        [(None, _at("10:00:05"), CEF, 801, 901, 7001), (None, _at("10:00:09"), CEF, 801, 901, 7001)],
        [(A, "receiving", 801, "encrypted"), (A, "delivery", 901, "encrypted"), (B, "receiving", 801, "cleartext"), (B, "delivery", 901, "cleartext")],
        [
            (A, 7001, "encrypted", "encrypted", ["bob@example.com"], [(901, "done", "encrypted", _at("10:00:05"))]),
            (B, 7001, "cleartext", "cleartext", ["carl@example.com"], [(901, "done", "cleartext", _at("10:00:09"))]),
        ],
    ),
    "06_starttls_after_the_message": Right(
        [
            (None, _at("09:00:00"), "connection_opened", 15, None, None),
            (None, _at("09:00:02"), "message_started", 15, None, 504),
            (None, _at("09:00:02"), "message_sender", 15, None, 504),
            (None, _at("09:00:09"), "message_accepted", None, None, 504),
            (None, _at("09:01:09"), "tls_success", 15, None, None),
            (None, _at("09:01:12"), "message_started", 15, None, 505),
        ],
        [(None, "receiving", 15, "mixed")],
        [(None, 504, "cleartext", "none", [], []), (None, 505, "encrypted", "none", [], [])],
    ),
    "07_grep_with_file_names": _whole(None),
    "07_grep_with_line_numbers": _whole(None),
    "08_indented_paste": Right(
        [
            (None, None, "connection_opened", 700, None, None),
            (None, None, "hat_policy", 700, None, None),
            (None, None, "tls_success", 700, None, None),
            (None, None, "message_started", 700, None, 900),
        ],
        [(None, "receiving", 700, "encrypted")],
        [(None, 900, "encrypted", "none", [], [])],
    ),
    "09_cef_stamp_and_colon": Right(
        [("esa7", "2026-08-10T10:00:00Z", CEF, 81, 91, 9001)],
        [("esa7", "receiving", 81, "unknown"), ("esa7", "delivery", 91, "encrypted")],
        [("esa7", 9001, "unknown", "encrypted", ["a@example.net"], [(91, "done", "encrypted", "2026-08-10T10:00:00Z")])],
    ),
    "10_rsyslog_json_leading_space": _whole("esa1"),
    "11_vector_json_timestamp": _whole("esa1"),
    "13_hits_one_per_line": _whole("esa1"),
    "13_json_array": _whole("esa1"),
    "13_search_export": _whole("esa1"),
    "14_collectors_fields": _successes(*ESA1 * 2, "relay", *ESA1 * 5),
    "15_headers": _successes(*ESA1 * 3, "192.0.2.77", "192.0.2.10", *ESA1 * 5, None, "esa1"),
    "16_recipient_rejected": Right(
        [(None, _at("10:00:00"), "message_started", 44, None, 55)], [(None, "receiving", 44, "unknown")], [(None, 55, "unknown", "none", [], [])]
    ),
    "20_cef_appliance_stamp": Right(
        [(None, "2025-02-06T08:12:40Z", CEF, 720, 722, 7200)],
        [(None, "receiving", 720, "encrypted"), (None, "delivery", 722, "encrypted")],
        [(None, 7200, "encrypted", "encrypted", ["a@partner.example"], [(722, "done", "encrypted", "2025-02-06T08:12:40Z")])],
    ),
    "21_relayed_twice": Right(
        [
            ("esa3", _at("10:00:00"), "connection_opened", 41, None, None),
            ("esa3", _at("10:00:01"), "tls_success", 41, None, None),
            ("esa3", _at("10:00:02"), "message_started", 41, None, 51),
        ],
        [("esa3", "receiving", 41, "encrypted")],
        [("esa3", 51, "encrypted", "none", [], [])],
    ),
}


def text(name: str) -> str:
    """Return a log."""
    return (FOLDER / f"{name}.log").read_text(encoding="utf-8")


# ---- answers of engines, in the form of the table ----


def event(one: Record) -> Told:
    """Return an event of the package in the form of the table."""
    return tuple(one.get(name) for name in ("esa_host", "time", "esa_event", "icid", "dcid", "mid"))


def connection(record: Record) -> Told:
    """Return a connection's record in the form of the table."""
    side = record["esa_direction"]
    return record.get("esa_host"), side, record["icid" if side == "receiving" else "dcid"], record["tls_verdict"]


def message(record: Record) -> Told:
    """Return a message's record in the form of the table."""
    attempts = [(one["dcid"], one["outcome"], one["verdict"], one.get("time")) for one in record["deliveries"]]
    return record.get("esa_host"), record["mid"], record["received"], record["delivered"], record.get("recipients", []), attempts


def in_order(told: list[Told]) -> list[Told]:
    """Return answers in an order that does not depend on the engine."""
    return sorted(told, key=str)
