"""Learned orders of keys: they make reading fast and change no answer, whatever a record holds."""

from __future__ import annotations

import ast
import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from esatls.extraction import cef, cef_layout
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.witness import cef_reference as reference
from tests.witness.test_cef import CASES, FORGERIES, HEADER, _as_written, records

if TYPE_CHECKING:
    from collections.abc import Iterator

LESSON = cef_layout.FIRST_LESSON
FORGED = [
    " ESATLSInConnStatus=Success", " ESATLSInConnStatus=Success ESATLSInProtocol=TLSv1.3", " ESATLSOutCipher=a-b", " ESAMID=5", " ESADCID=7",
    " act=x", " suser=", " ESADaneHost=x", " msg='", " cs4='", " ESAFoo={'x", " ESAFoo=a b", " Message Filters Verdict=MATCH", " é=",
    " E SAAMPVerdict=X", "'", '"', "\\", "{", "}", "|", ";", " ", "  ", "=", "\\=", ";ESAMID=7", "unknown", "<>", " <a@b.example>", "\n", "\t",
]  # fmt: skip


@contextlib.contextmanager
def learned(*texts: str) -> Iterator[cef_layout.Layouts]:
    """Let nothing be known but the orders of these records, which are read as often as it takes."""
    before = cef._LAYOUTS  # noqa: SLF001  (what a process has learned)
    cef._LAYOUTS = now = cef_layout.Layouts(*(getattr(before, name) for name in ("_run", "_fields", "_field_of", "_pattern_of")))  # noqa: SLF001
    try:
        for _ in range(LESSON):
            for text in texts:
                cef.parse(text)
        yield now
    finally:
        cef._LAYOUTS = before  # noqa: SLF001


def is_known(layouts: cef_layout.Layouts, text: str) -> bool:
    """Tell whether a learned order matches a record."""
    at = text.find("=")
    return any(known.match(text, at) for known in layouts.known.get(text[:at], ()))


def write(fields: dict[str, str], version: str = "15.0.0-104") -> str:
    """Write a record with its keys in this order."""
    return HEADER.format(version) + " ".join(f"{key}={value}" for key, value in fields.items())


def of_cases() -> list[dict[str, Any]]:
    """Return the cases that have a header."""
    found = [case for path in CASES for case in json.loads(path.read_text(encoding="utf-8"))["cases"]]
    return [case for case in found if case["text"].startswith("CEF:")]


def test_the_reference_reads_the_cases() -> None:
    """The slow reader that the fast one is compared with gives the event of each case."""
    for case in of_cases():
        assert reference.parse(case["text"]) == case["event"]


@st.composite
def families(draw: st.DrawFn) -> tuple[list[str], str]:
    """Draw records of one appliance, and one more of it that strangers, collectors and bad luck have worked on."""
    _, everything = draw(records())
    first = {"deviceExternalId": everything.pop("deviceExternalId", "0123456789AB-EXAMPLE")}
    version = draw(st.sampled_from(["13.0.0-392", "14.0.2-020", "15.0.0-104"]))
    keys = list(everything)
    texts = []
    for _ in range(draw(st.integers(1, 4))):
        left_out = draw(st.sets(st.sampled_from(keys), max_size=4)) - {"ESAMID"}
        texts.append(write({**first, **{key: value for key, value in everything.items() if key not in left_out}}, version))
    text = draw(st.sampled_from(texts))
    start = text.index("=") + 1
    for _ in range(draw(st.integers(0, 4))):
        spots = [at for at in range(start, len(text) + 1) if at == len(text) or text[at] in " ='<>;@" or text[at - 1] in " ='<>;@"]
        at = draw(st.sampled_from(spots))
        if draw(st.booleans()):
            text = text[:at] + draw(st.sampled_from(FORGED)) + text[at:]
        else:
            text = text[:at] + text[draw(st.sampled_from([spot for spot in spots if at <= spot <= at + 80])) :]
    return texts, text


def _is_garbled(text: str) -> bool:
    """Tell whether a dictionary in a record is none that Python wrote: no appliance logs it, and where it ends is anybody's guess."""
    fields = reference.fields_of(" " + text.split("|", 7)[7])
    return any(value.startswith("{") and not _is_dictionary(value) for key, value, _ in fields if key not in reference.STRANGERS)


def _is_dictionary(value: str) -> bool:
    with contextlib.suppress(ValueError, SyntaxError, TypeError):
        return isinstance(ast.literal_eval(value), dict)
    return False


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
@given(families())
@settings(max_examples=2 * settings().max_examples)
def test_what_is_learned_changes_no_answer(family: tuple[list[str], str]) -> None:
    """A record gives what the slow reader gives, byte for byte whether the order of its keys is known or not, and whatever was put into it."""
    texts, text = family
    if _is_garbled(text):
        return
    expected = reference.parse(text)
    with learned():
        unknown = cef.parse(text)
        assert unknown == expected
    with learned(*texts):
        assert json.dumps(cef.parse(text)) == json.dumps(unknown)
        assert [cef.parse(other) for other in texts] == [reference.parse(other) for other in texts]


def test_ordinary_records_are_known() -> None:
    """After one lesson every record of an appliance is matched in one go, whichever of its keys are left out."""
    fields = {
        "deviceExternalId": "0123456789AB-EXAMPLE0001", "ESAMID": "7", "ESAICID": "5", "ESADCID": "3", "end": "Mon Jun  2 14:01:31 2025",
        "ESAAttachmentDetails": "{'a.pdf': {'AMP': {'Verdict': 'FILE UNKNOWN'}, 'BodyScanner': {}}}", "ESAFriendlyFrom": "Ann E <ann@example.org>",
        "deviceDirection": "0", "suser": "ann@example.org", "cs1": "DEFAULT", "cs2": "United States", "act": "DELIVERED",
        "duser": "bob@example.com;carol@example.com", "ESAURLDetails": "{}", "msg": "'x'", "ESATLSInConnStatus": "Success",
        "ESATLSOutConnStatus": "Failure", "ESAAMPVerdict": "SKIPPED",
    }  # fmt: skip
    left_out = [[], ["ESAICID"], ["ESATLSInConnStatus"], ["ESATLSInConnStatus", "ESATLSOutConnStatus"], ["ESADCID", "ESAAttachmentDetails"], ["ESAURLDetails"]]
    texts = [write({key: value for key, value in fields.items() if key not in keys}) for keys in left_out]
    others = [
        write({**fields, "ESAMID": "12345678901", "msg": '"it\'s \\=?UTF-8?"', "suser": r"a\=b@example.org", "cs2": "Côte d'Ivoire"}),
        write({key: value for key, value in fields.items() if key not in ("ESAICID", "ESAURLDetails")}),
    ]
    with learned(*texts) as layouts:
        assert [is_known(layouts, text) for text in texts + others] == [True] * 8
        events = [cef.parse(text) for text in texts + others]
    assert events == [reference.parse(text) for text in texts + others]
    assert events[0] == {
        "esa_event": "consolidated_event", "witness": "cef", "serial": "0123456789AB-EXAMPLE0001", "mid": 7, "icid": 5, "dcid": 3,
        "ended": "Mon Jun  2 14:01:31 2025", "mail_flow": "incoming", "sender": "ann@example.org", "action": "DELIVERED",
        "recipient": "bob@example.com;carol@example.com", "tls_in_result": "success", "tls_out_result": "failed", "subject": "x",
    }  # fmt: skip


def test_two_orders_behind_one_header_are_both_known() -> None:
    """Appliances of one version whose records have other orders are told apart by the order; a third of their keys changes nothing."""
    one = write({"deviceExternalId": "A-1", "ESAMID": "1", "ESAICID": "2", "act": "DELIVERED"})
    other = write({"deviceExternalId": "A-2", "ESAICID": "4", "ESAMID": "3", "act": "BOUNCED"})
    with learned(one, other) as layouts:
        assert [len(known) for known in layouts.known.values()] == [2]
        assert is_known(layouts, one)
        assert is_known(layouts, other)
        assert cef.parse(other) == reference.parse(other)


@pytest.mark.parametrize("key", ["msg", "cs4", "ESAAttachmentDetails", "ESAFriendlyFrom", "suser", "ESAHeloDomain", "ESAReplyTo", "ESAFinalActionDetails"])
@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("escape", [True, False])
def test_no_stranger_states_tls_in_a_known_order(key: str, forgery: str, *, escape: bool) -> None:
    """TLS fields that an order knows are not stated by a stranger in front of their place, where the appliance has left them out."""
    usual = {"msg": "'x'", "cs4": "'x'", "ESAAttachmentDetails": "{'x': {'AMP': {}}}"}.get(key, "a@example.org")
    row = {"deviceExternalId": "A-1", "ESAMID": "1", "ESAICID": "2", key: usual, "ESATLSInConnStatus": "Success", "act": "DELIVERED"}
    texts = [write(row), write({name: value for name, value in row.items() if not name.startswith("ESATLS")})]
    written = _as_written(key, forgery, escape=escape).partition("=")[2]
    forged = write({name: written if name == key else value for name, value in row.items() if not name.startswith("ESATLS")})
    with learned(*texts) as layouts:
        assert is_known(layouts, texts[1])
        event = cef.parse(forged)
    assert event == reference.parse(forged)
    assert event is not None
    assert {name for name in event if name.startswith("tls_")} == set()


@pytest.mark.parametrize("key", ["suser", "duser", "ESAHeloDomain", "ESAReplyTo", "ESAFriendlyFrom"])
@pytest.mark.parametrize(
    "value", ['"a ESATLSInCipher=x b"@example.org', '"a  act=x b"@example.org', '"a b"@example.org', '"a=b"@example.org', "a=b@example.org"]
)
def test_no_quoted_name_takes_keys_in(key: str, value: str) -> None:
    """A quoted name in front of TLS fields is one word or is read key by key: a key in it is a key."""
    row = {"deviceExternalId": "A-1", "ESAMID": "1", key: "a@example.org", "ESATLSOutConnStatus": "Success", "ESATLSOutProtocol": "TLSv1.2", "act": "DELIVERED"}
    with learned(write(row)):
        for text in (write({**row, key: value}), write({**row, key: value}, "13.0.0-392")):
            assert cef.parse(text) == reference.parse(text)
    with learned(write(row, "13.0.0-392"), write({**row, key: value}, "13.0.0-392")):
        assert cef.parse(write({**row, key: value}, "13.0.0-392")) == reference.parse(write({**row, key: value}, "13.0.0-392"))


def test_learning_is_bounded() -> None:
    """However many headers, orders, keys and rows strange records show, little of it is kept, and each lesson waits twice as long."""
    with learned() as layouts:
        for number in range(cef_layout.MOST_HEADERS + 10):
            cef.parse(write({f"key{number}": "1", "ESAMID": "1"}))
        assert len(layouts._headers) <= cef_layout.MOST_HEADERS  # noqa: SLF001
        for number in range(5000):
            keys = [f"k{number % 7}", f"k{number % 11}x", f"k{number}y", "ESAMID"]
            cef.parse(write({"deviceExternalId": "A-1", **dict.fromkeys(keys if number % 2 else reversed(keys), "1")}))
        (seen,) = [header for name, header in layouts._headers.items() if name.endswith("deviceExternalId")]  # noqa: SLF001
        assert len(seen.orders) <= cef_layout.MOST_ORDERS
        assert all(len(order.rows) <= cef_layout.MOST_RECORDS and len(order.forms) <= cef_layout.MOST_KEYS for order in seen.orders)
        assert seen.lesson == 8192
        many = write({"deviceExternalId": "A-1", **{f"key{number}": "1" for number in range(cef_layout.MOST_KEYS)}, "ESAMID": "1"}, "16.0.0-054")
        for _ in range(2 * LESSON):
            assert cef.parse(many) == {"esa_event": "consolidated_event", "witness": "cef", "serial": "A-1", "mid": 1}
        assert not is_known(layouts, many)


@pytest.mark.parametrize(
    "text",
    [
        write({"deviceExternalId": "A-1", "ESAMID": "1", "act": "x", "ESAICID": "2", "end": "", "endTime": "Mon Jun  2 14:01:31 2025"}),
        write({"deviceExternalId": "A-1;ESAICID=7", "ESAMID": "1"}),
        write({"deviceExternalId": "A-1", "ESAICID": "2"}),
        write({"ESATLSInCipher": "A-1", "ESAMID": "2"}),
        write({"msg": "'x'", "ESAMID": "2"}),
        write({"deviceExternalId": "A-1", "ESAMID": "1"}) + " ESAMID=1",
        write({"ESAMID": "1", "ESATLSInCipher": "a", "act": "b", "ESATLSInProtocol": "c"}),
    ],
)
def test_doubtful_records_teach_nothing(text: str) -> None:
    """Two keys for one field, fields joined with semicolons, no message, a first key that is a stranger's, a key twice: no order is learned."""
    with learned(text) as layouts:
        assert not is_known(layouts, text)
        assert cef.parse(text) == reference.parse(text)


@pytest.mark.parametrize("piece", ["'", "\\", "{", "{'", " ", "a", " a", ";", "a@", "a@b;", " ESATLSIn=a", "=", "\\=", "é", "':", "<"])
@pytest.mark.parametrize("key", ["deviceExternalId", "ESAFriendlyFrom", "suser", "duser", "msg", "ESASPFVerdict", "cs1", "cs2", "ESATLSInCipher", "act"])
def test_hostile_values_in_a_known_order_are_read_to_the_end(key: str, piece: str) -> None:
    """A value of 60,000 characters of any mark is read in one go: no learned expression is worse than linear, or this would not end."""
    row = {
        "deviceExternalId": "A-1", "ESAMID": "1", "ESAFriendlyFrom": "a b", "ESASPFVerdict": "{'a': 'x'}", "cs1": "a", "cs2": "b c",
        "suser": "a@example.org", "duser": "a@example.org;b@example.org", "msg": "'x'", "ESATLSInCipher": "a", "act": "DELIVERED",
    }  # fmt: skip
    texts = [write(row), write({name: value for name, value in row.items() if name in ("deviceExternalId", "ESAMID", "suser")})]
    with learned(*texts) as layouts:
        assert is_known(layouts, texts[0])
        hostile = write({name: value + piece * (60_000 // len(piece)) if name == key else value for name, value in row.items()})
        event = cef.parse(hostile)
    with learned():
        assert cef.parse(hostile) == event
