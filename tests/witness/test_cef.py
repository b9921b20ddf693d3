"""Consolidated events: what a record states, whatever its order, spacing and values, and what strangers cannot."""

from __future__ import annotations

import json
import pathlib
import re
from typing import TYPE_CHECKING, Any

import pytest
from esatls.extraction import cef
from esatls.lines import arcsight
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.support import REAL, needs_shared

if TYPE_CHECKING:
    import random

CASES = sorted((pathlib.Path(__file__).parents[1] / "cases").glob("cef_*.json"))
HEADER = "CEF:0|Cisco|C100V Email Security Virtual Appliance|{}|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|"

CIPHERS = ["ECDHE-RSA-AES256-GCM-SHA384", "TLS_AES_256_GCM_SHA384", "AES128-SHA", "KWLDS-RSA-AES256-JMB-SHA384"]
SIDES = st.fixed_dictionaries(
    {},
    optional={
        "ConnStatus": st.sampled_from(["Success", "Failure"]),
        "Protocol": st.sampled_from(["TLSv1", "TLSv1.2", "TLSv1.3", "TLSv1/SSLv3"]),
        "Cipher": st.sampled_from(CIPHERS),
    },
)
FACTS = st.fixed_dictionaries(
    {"ESAMID": st.integers(1, 10**12).map(str), "deviceExternalId": st.just("0123456789AB-EXAMPLE")},
    optional={
        "ESAICID": st.integers(1, 10**12).map(str),
        "ESADCID": st.integers(1, 10**12).map(str),
        "act": st.sampled_from(["DELIVERED", "QUARANTINED", "BOUNCED", "ABORTED", "DQ"]),
        "suser": st.sampled_from(["ann@example.org", r"list-ann\=example.org@example.net", '"ann b"@example.org']),
        "duser": st.sampled_from(["bob@example.com", "bob@example.com;carol@example.net"]),
        "deviceDirection": st.sampled_from(["0", "1"]),
        "ESASenderGroup": st.sampled_from(["ACCEPTLIST", "RELAYLIST"]),
        "ESAMailFlowPolicy": st.sampled_from(["ACCEPT", "RELAY"]),
        "ESADaneStatus": st.sampled_from(["success", "failure"]),
        "ESADaneHost": st.just("example.net"),
    },
)
# Renamed in AsyncOS 15: one of each pair.
RENAMED = st.tuples(
    st.sampled_from(["src", "sourceAddress", ""]), st.sampled_from(["shost", "sourceHostName", ""]), st.sampled_from(["end", "endTime", "EndTime", ""])
)
TEXT = st.text("ab =|;,'\"\\{}[]<>@.é:ESA", max_size=30)


def _other(key: str, text: str) -> str:
    """Write a stranger's text as AsyncOS 14 and later write it in this key."""
    escaped = text.replace("=", "\\=")
    if key in ("msg", "cs4"):
        return repr(escaped)
    if key == "ESAFriendlyFrom":
        return f"{' '.join(escaped.split())} <x@example.org>"
    if key == "ESAHeloDomain":
        return "host1.example.org"
    if key in ("ESAAttachmentDetails", "ESASPFVerdict"):
        return repr({text: {"AMP": {"Verdict": ["FILE UNKNOWN"], "n": 9.5}}, "b.txt": {}})
    return "30 days (or greater)"


OTHERS = st.dictionaries(
    st.sampled_from(["msg", "cs4", "ESAFriendlyFrom", "ESAHeloDomain", "ESAAttachmentDetails", "ESASPFVerdict", "ESASDRDomainAge"]), TEXT
).map(lambda texts: {key: _other(key, text) for key, text in texts.items()})


def _expected(fields: dict[str, str]) -> dict[str, Any]:
    """Give the event that the fields of a record state, by the table of the contract."""
    names = {
        "ESAMID": "mid", "ESAICID": "icid", "ESADCID": "dcid", "act": "action", "suser": "sender", "duser": "recipient",
        "deviceExternalId": "serial", "ESASenderGroup": "sender_group", "ESAMailFlowPolicy": "hat_action",
        "ESADaneStatus": "dane_status", "ESADaneHost": "dane_host", "src": "peer_ip", "sourceAddress": "peer_ip",
        "cs4": "message_id", "msg": "subject", "shost": "peer_host", "sourceHostName": "peer_host", "end": "ended", "endTime": "ended", "EndTime": "ended",
    }  # fmt: skip
    event: dict[str, Any] = {"esa_event": "consolidated_event", "witness": "cef"}
    for key, value in fields.items():
        if key in ("ESAMID", "ESAICID", "ESADCID"):
            event[names[key]] = int(value)
        elif key == "deviceDirection":
            event["mail_flow"] = "outgoing" if value == "1" else "incoming"
        elif key.startswith("ESATLS"):
            side = "in" if key.startswith("ESATLSIn") else "out"
            word = {"s": "result", "l": "version", "r": "cipher"}[key[-1]]
            event[f"tls_{side}_{word}"] = {"Success": "success", "Failure": "failed"}.get(value, value)
        elif key in ("msg", "cs4"):
            text = _unescaped(value[1:-1]).strip(" ")
            if text:
                event[names[key]] = text
        elif key in names:
            event[names[key]] = value.replace("\\=", "=")
    return event


def _unescaped(text: str) -> str:
    r"""Give a text without CEF's escapes: of backslashes in front of ``=`` and ``|`` nothing is left, of several others one."""
    return re.sub(r"\\+([=|\\])", r"\1", text)


def _write(fields: dict[str, str], spaces: random.Random) -> str:
    return "".join(f"{key}={value}{' ' * spaces.choice((1, 1, 2, 3))}" for key, value in fields.items()).rstrip(" ")


@st.composite
def records(draw: st.DrawFn) -> tuple[dict[str, str], dict[str, str]]:
    """Draw a record: the fields that count, and all fields in the order in which they are written."""
    fields = dict(draw(FACTS))
    for side in ("In", "Out"):
        fields.update({f"ESATLS{side}{word}": value for word, value in draw(SIDES).items()})
    address, host, end = draw(RENAMED)
    fields.update({address: "198.51.100.7", host: "mail.example.org", end: "Mon Jun  2 14:01:31 2025"})
    fields.pop("", None)
    everything = {**fields, **draw(OTHERS)}
    order = draw(st.permutations(list(everything)))
    return fields, {key: everything[key] for key in order}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_cases(path: pathlib.Path) -> None:
    """Each case's record gives its whole event and nothing else; look-alikes give none."""
    case = json.loads(path.read_text(encoding="utf-8"))
    for line in case["cases"]:
        assert cef.parse(line["text"]) == line["event"]
    for line in case["lookalikes"]:
        assert cef.parse(line) is None


@given(records(), st.randoms(), st.sampled_from(["14.0.2-020", "15.0.0-104", "16.0.2-112"]))
def test_any_order_spacing_and_values(record: tuple[dict[str, str], dict[str, str]], spaces: random.Random, version: str) -> None:
    """Whatever the order of the keys, the spaces between them and the text in strangers' values: the same event."""
    fields, everything = record
    stated = fields | {key: text for key, text in everything.items() if key in ("msg", "cs4")}
    assert cef.parse(HEADER.format(version) + _write(everything, spaces)) == _expected(stated)


FORGERIES = [
    "x ESATLSInConnStatus=Success",
    "x ESATLSInConnStatus=Success ESATLSInProtocol=TLSv1.3 ESATLSInCipher=AES128-SHA",
    "x  ESATLSOutConnStatus=Success  ",
    "x' ESATLSInConnStatus=Success '",
    'x" ESATLSInConnStatus=Success "',
    "'\" ESATLSInConnStatus=Success \"'",
    "\\' ESATLSInConnStatus=Success \\'",
    "} ESATLSInConnStatus=Success {",
    "'}} ESATLSInConnStatus=Success",
    "{'x'} ESATLSInConnStatus=Success",
    ";ESATLSInConnStatus=Success;",
    "|ESATLSInConnStatus=Success ESATLSInConnStatus=Success",
    "x\tESATLSInConnStatus=Success",
    "x ESATLSInConnStatus=Success msg='",
]


def _as_written(key: str, text: str, *, escape: bool) -> str:
    text = text.replace("=", "\\=") if escape else text
    if key in ("msg", "cs4"):
        return f"{key}={text!r}"
    if key == "ESAAttachmentDetails":
        return f"{key}={ {text: {'AMP': {}}}!r}"
    return f"{key}={text}"


@pytest.mark.parametrize("key", ["msg", "cs4", "ESAAttachmentDetails", "ESAFriendlyFrom", "suser", "ESAHeloDomain", "ESAReplyTo"])
@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize(("version", "escape"), [("15.0.0-104", True), ("15.0.0-104", False), ("13.0.0-392", False)])
def test_no_stranger_states_tls(key: str, forgery: str, version: str, *, escape: bool) -> None:
    """A TLS field in text that a stranger chose is never stated, escaped or not, first, last or among others."""
    written = _as_written(key, forgery, escape=escape)
    for record in (
        f"ESAMID=1 ESAICID=2 {written} ESAGMVerdict=NEGATIVE act=DELIVERED",
        f"ESAMID=1 ESAICID=2 act=DELIVERED {written}",
        f"{written} ESAMID=1 ESAICID=2 act=DELIVERED",
    ):
        event = cef.parse(HEADER.format(version) + record)
        assert event is not None
        assert {name for name in event if name.startswith("tls_")} == set()
        assert event.get("mid") in (1, None)


@pytest.mark.parametrize(("subject", "stated"), [("hello", {}), ("a=3Db", {"tls_in_result": "success"}), ("a=3Db c", {}), ("a=b", {})])
def test_bare_subject_of_asyncos_13(subject: str, stated: dict[str, str]) -> None:
    """A TLS field behind a bare subject counts only if the subject is one quoted-printable word."""
    event = cef.parse(HEADER.format("13.0.0-283") + f"ESAMID=1 msg={subject} ESATLSInConnStatus=Success")
    assert event == {"esa_event": "consolidated_event", "witness": "cef", "mid": 1, **stated, "subject": subject}


@pytest.mark.parametrize(
    "field",
    [
        "suser=<>",
        "suser=\\",
        "duser=\\",
        "shost=unknown",
        "src=mail.example.org",
        "deviceDirection=2",
        "end=yesterday",
        "cs4=''",
        "msg=' '",
        "ESAICID=1x",
        "ESADCID=" + "1" * 19,
    ],
)
def test_values_that_state_nothing(field: str) -> None:
    """The null sender, the name of an unknown host, and what is no value of its field are left out, however often such a record was read."""
    record = HEADER.format("15.0.0-104") + f"ESAMID=1 {field} act=DELIVERED"
    assert [cef.parse(record) for _ in range(3)] == [{"esa_event": "consolidated_event", "witness": "cef", "mid": 1, "action": "DELIVERED"}] * 3


MARKS = st.text("}{'\" ]\\:,u", max_size=8)


@given(st.builds("{} ESATLSInConnStatus=Success{}".format, TEXT | MARKS, MARKS), st.sampled_from(["13.0.0-392", "14.3.0-032"]))
@settings(max_examples=5 * settings().max_examples)  # who states TLS is what it is about
def test_quoted_text_never_states_tls(subject: str, version: str) -> None:
    """A subject, message id or file name that ends in a forged field states nothing, whatever quotes it holds."""
    record = f"ESAMID=1 cs4={subject!r} ESAAttachmentDetails={ {subject: {subject: [subject]}}!r} msg={subject!r} act=DELIVERED"
    event = cef.parse(HEADER.format(version) + record)
    assert event is not None
    assert {name: value for name, value in event.items() if name not in ("message_id", "subject")} == {
        "esa_event": "consolidated_event", "witness": "cef", "mid": 1, "action": "DELIVERED",
    }  # fmt: skip


def test_genuine_fields_are_read_beside_a_forged_subject() -> None:
    """A forgery in a subject neither hides nor changes what the appliance states."""
    record = "ESAMID=1 ESAICID=2 msg='x ESATLSInConnStatus=Success ESAICID=9' ESATLSInConnStatus=Failure ESADCID=3"
    event = cef.parse(HEADER.format("14.3.0-032") + record)
    assert event == {
        "esa_event": "consolidated_event", "witness": "cef", "mid": 1, "icid": 2, "dcid": 3, "tls_in_result": "failed",
        "subject": "x ESATLSInConnStatus=Success ESAICID=9",
    }  # fmt: skip


@given(st.data())
def test_a_cut_record_states_nothing_new(data: st.DataObject) -> None:
    """A record cut anywhere gives a part of what the whole record gives; only the last value may be cut as well."""
    path = data.draw(st.sampled_from(CASES))
    if path.stem in ("cef_contradiction", "cef_spoof"):
        return
    line = data.draw(st.sampled_from(json.loads(path.read_text(encoding="utf-8"))["cases"]))
    text = line["text"]
    part = cef.parse(text[: data.draw(st.integers(0, len(text)))])
    for name, value in (part or {}).items():
        # the name "unknown" states nothing; cut short it cannot be told from a name
        whole = "unknown" if name == "peer_host" and name not in line["event"] else str(line["event"][name])
        # a record cut in the middle of a key leaves the key's beginning behind the value
        assert whole.startswith(str(value)) or str(value).startswith((f"{whole} ", f"{whole}' ", f'{whole}" '))


@given(st.text("ES ATLSInCoStu=;|'\"{}[]\\m s g c4 1", max_size=200), st.sampled_from(["13.0", "14.0", ""]))
def test_any_text_is_read(text: str, version: str) -> None:
    """No text makes the reader fail."""
    event = cef.parse(HEADER.format(version) + text)
    assert event is not None
    assert event["esa_event"] == "consolidated_event"
    assert cef.parse(text) is None or "ESAMID=" in text


@pytest.mark.parametrize(
    "piece",
    ["'", '"', "\\", "{", "{'", " ", "a", " a", " a=", " msg='", ' msg="', " msg='x'y", ' cs4=\\"', " ESAA={'", " ESAaa",
     " suser=a@", "a@b", " suser=a@b;", " ESATLSInCipher=", " ESATLSInCipher=a", " ESAFriendlyFrom=<", ";a=", " end=Mon", "|"],
)  # fmt: skip
@pytest.mark.parametrize("version", ["13.0.0-252", "14.0.0-692"])
def test_hostile_records_are_read_to_the_end(piece: str, version: str) -> None:
    """A megabyte of any mark is read in one go: no pattern is worse than linear, or this would not end."""
    record = HEADER.format(version) + "ESAMID=1 " + piece * (1_000_000 // len(piece))
    event = cef.parse(record)
    assert event is not None
    assert not any(name.endswith("result") for name in event)
    assert arcsight.text_line(record) is None


def test_what_stands_behind_the_longest_record_is_not_read() -> None:
    """A record longer than any of an appliance's is cut, so that one line cannot take long."""
    record = HEADER.format("13.0.0-252") + "ESAMID=1 " + " a=" * 100_000 + " ESAICID=2"
    assert cef.parse(record) == {"esa_event": "consolidated_event", "witness": "cef", "mid": 1}


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (
            "CEF:0|CISCO|IronPort|14.0|mail_logs|Info|3|rt=1693977196000 ahost=esa1 agt=192.0.2.250 msg=ICID 1 close",
            ("ICID 1 close", "2023-09-06T05:13:16Z", "esa1"),
        ),
        (
            r"CEF:0|CISCO|IronPort||||3|msg=DCID 2 TLS success CN\=<mx.example.com> dvchost=esa2 rt=1693977196123 ahost=c1",
            ("DCID 2 TLS success CN=<mx.example.com>", "2023-09-06T05:13:16.123Z", "esa2"),
        ),
        ("CEF:0|CISCO|IronPort|1|2|3|4|dvc=192.0.2.9 msg=MID 1 Subject 'CN=a B=c'", ("MID 1 Subject 'CN=a B=c'", None, "192.0.2.9")),
        ("CEF:0|CISCO|IronPort|1|2|3|4|msg=MID 1 queued for delivery  rt=soon", ("MID 1 queued for delivery", None, None)),
    ],
)
def test_text_line_of_an_arcsight_record(record: str, line: tuple[str, str | None, str | None]) -> None:
    """The mail log line, its time in UTC and its host come out of an ArcSight connector's record."""
    assert arcsight.text_line(record) == arcsight.TextLine(*line)
    assert cef.parse(record) is None


@pytest.mark.parametrize(
    "record",
    [
        "CEF:0|CISCO|IronPort|1|2|3|4|msg=MID 1 Subject 'x msg=ICID 5 TLS success'",
        "CEF:0|CISCO|IronPort|1|2|3|4|rt=1693977196000",
        "CEF:0|CISCO|IronPort|1|2|3",
        "CEF:0|Other|IronPort|1|2|3|4|msg=ICID 5 TLS success",
        "CEF:0|Cisco|ESA|14.0|ESA_CONSOLIDATED_LOG_EVENT|x|5|ESAMID=1 msg='ICID 5 TLS success'",
        "ICID 5 TLS success",
        "",
    ],
)
def test_no_text_line(record: str) -> None:
    """No line comes out of a record with two texts, without one, of another product, or of a consolidated event."""
    assert arcsight.text_line(record) is None


@needs_shared
def test_real_records() -> None:
    """The real records give the verdicts that stand beside them: TLS both ways, or nothing stated."""
    tls = {
        "tls_in_result": "success", "tls_in_version": "TLSv1.2", "tls_in_cipher": "ECDHE-RSA-AES256-GCM-SHA384",
        "tls_out_result": "success", "tls_out_version": "TLSv1.2", "tls_out_cipher": "ECDHE-RSA-AES256-GCM-SHA384",
    }  # fmt: skip
    found = {}
    for path in sorted(REAL.glob("*_cef_*.log")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
            event = cef.parse(line[line.index("CEF:") :])
            assert event is not None
            stated = {name: value for name, value in event.items() if name.startswith("tls_")}
            found[path.name[:2], number] = (event["mid"], event["icid"], event.get("dcid"), event.get("action"), stated)
    assert found == {
        ("19", 0): (5181473, 17267358, 3036000, "DELIVERED", tls),
        ("21", 0): (2348764, 435786234, 23876232, "DELIVERED", tls),
        ("21", 1): (2348764, 435786234, 23876232, None, {}),
        ("22", 0): (164230, 62909, 47846, "DELIVERED", {}),
        ("22", 1): (164226, 62905, None, "ABORTED", {}),
    }
