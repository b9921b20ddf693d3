"""Excerpts of real logs give the verdicts that are written beside them.

The excerpts are not part of the project; where they are not there, these tests are skipped.
"""

from __future__ import annotations

import json
import pathlib
import re
from typing import Any

import pytest
from esatls.extraction import tracking
from esatls.verdicts.facts import Facts

from tests.core.support import REAL, needs_shared, read_events, read_facts, records

pytestmark = needs_shared

NO_EVENT = ("25_trap", "26_trap", "42_trap", "46_daneverify")


def lines_of(name: str) -> list[str]:
    """Return the lines of the excerpt whose name begins so."""
    (path,) = REAL.glob(f"{name}*.log")
    return path.read_text(encoding="utf-8").splitlines()


def read(name: str) -> tuple[dict[tuple[str, int], dict[str, Any]], dict[int, dict[str, Any]]]:
    """Return the records of one excerpt: connections by side and id, messages by id."""
    connections, messages = records(read_facts(lines_of(name))[0])
    sides = {("ICID", record["icid"]) if "icid" in record else ("DCID", record["dcid"]): record for record in connections}
    mids = {record["mid"]: record for record in messages}
    assert len(sides) == len(connections)
    assert len(mids) == len(messages)
    return sides, mids


def verdict(record: dict[str, Any]) -> tuple[str, ...]:
    """Return what a record of a connection says of TLS: verdict, protocol, cipher, reason."""
    return tuple(record.get(name, "") for name in ("tls_verdict", "tls_version", "tls_cipher", "tls_reason"))


def done(message: dict[str, Any]) -> list[tuple[int, list[int], str]]:
    """Return the deliveries that were done: connection, recipients, verdict."""
    return [(attempt["dcid"], attempt["rid"], attempt["verdict"]) for attempt in message["deliveries"] if attempt.get("outcome") == "done"]


def test_every_excerpt_is_tested() -> None:
    """No excerpt is left out, and each has its verdicts."""
    numbers = {path.name[:2] for path in [*REAL.glob("*.log"), *REAL.glob("*.json")]}
    assert numbers <= set(re.findall(r'"(\d\d)_', pathlib.Path(__file__).read_text(encoding="utf-8")))
    assert {path.stem for path in REAL.glob("*.md")} == {path.stem for path in [*REAL.glob("*.log"), *REAL.glob("*.json")]}


def test_01() -> None:
    """Success without details, on a wrapped line."""
    connections, messages = read("01_cisco")
    assert {key: verdict(record) for key, record in connections.items()} == {("ICID", 282204970): ("encrypted", "", "", "")}
    assert connections["ICID", 282204970]["interface"] == "Management"
    assert {mid: (m["received"], m["delivered"]) for mid, m in messages.items()} == {200257070: ("encrypted", "none")}


def test_02() -> None:
    """Failure without a reason and without a message."""
    connections, messages = read("02_cisco")
    assert {key: verdict(record) for key, record in connections.items()} == {("ICID", 282204971): ("failed", "", "", "")}
    assert messages == {}


def test_03() -> None:
    """The vendor's comments: every old shape of a TLS line, stamped, with a level, and bare."""
    connections, messages = read("03_ironport")
    assert {key: verdict(record) for key, record in connections.items()} == {
        ("ICID", 8): ("failed", "", "", "remote host did not initiate it"),
        ("ICID", 623143): ("encrypted", "TLSv1/SSLv3", "DHE-RSA-AES256-SHA", ""),
        ("ICID", 10304570): ("encrypted", "", "", ""),
        ("ICID", 10304580): ("failed", "", "", ""),
        ("DCID", 8): ("failed", "", "", "could not be successfully negotiated"),
        ("DCID", 12): ("encrypted", "", "", ""),
        ("DCID", 33): ("encrypted", "", "", ""),
        ("DCID", 58744): ("encrypted", "", "", ""),
        ("DCID", 80167): ("failed", "", "", "STARTTLS unexpected response"),
        ("DCID", 239490): ("encrypted", "TLSv1", "RC4-SHA", ""),
    }
    assert {key: record["tls_peer_cn"] for key, record in connections.items() if "tls_peer_cn" in record} == {
        ("DCID", 33): "host1.example.com",
        ("DCID", 12): "Messaging Gateway Appliance Demo Cert",
        ("DCID", 58744): "host2.example.com",
        ("DCID", 239490): "host3.example.com",
    }
    assert {key for key, record in connections.items() if record.get("tls_required")} == {("ICID", 8), ("DCID", 8)}
    assert messages == {}


def test_05() -> None:
    """A masked id: an event, and no connection."""
    events, _ = read_events(lines_of("05_cisco"))
    assert events == [
        {
            "esa_level": "Info",
            "esa_event": "tls_not_offered",
            "esa_direction": "delivery",
            "tls_result": "not_offered",
            "tls_reason": "STARTTLS command not supported",
        }
    ]
    assert read("05_cisco") == ({}, {})


def expected_verdict(words: str) -> tuple[str, ...]:
    """Return the verdict, protocol and cipher that the words of 06 mean."""
    words = words.partition(" [")[0]
    tls = re.fullmatch(r"TLS (\S+) (\S+)", words)
    if tls:
        return ("encrypted", tls[1], tls[2])
    if words == "no TLS":
        return ("cleartext", "", "")
    if words.startswith("unknown"):
        return ("unknown", "", "")
    assert words in ("rejected by HAT, no message, no TLS line", "no TLS line and no message inside the window (undecided)")
    return ("unused", "", "")


def test_06() -> None:
    """A thousand lines of a real gateway give exactly the verdicts that were found by hand."""
    (path,) = REAL.glob("06_*.md")
    expected = json.loads(path.read_text(encoding="utf-8").split("```json")[1].split("```")[0])
    connections, messages = read("06_")
    for side in ("ICID", "DCID"):
        found = {str(key): record for (name, key), record in connections.items() if name == side}
        assert {key: verdict(found[key])[:3] for key in expected[side]} == {key: expected_verdict(words) for key, words in expected[side].items()}
        # those of which the log shows the end or an envelope alone are not in the list
        assert {verdict(found[key]) for key in set(found) - set(expected[side])} <= {("unknown", "", "", "")}
    for mid, told in expected["MID"].items():
        message = messages[int(mid)]
        words, inherited = told["receive"], None
        if words.startswith("inherits MID "):
            inherited, words = int(words.split()[2][:-1]), words.split(": ", 1)[1]
        received = (message["received"], message.get("received_tls_version", ""), message.get("received_tls_cipher", ""))
        assert received == expected_verdict(words), mid
        if inherited is not None:
            root = message
            while "parent_mid" in root and root["parent_mid"] in messages and root["mid"] != inherited:
                root = messages[root["parent_mid"]]
            assert inherited in (root["mid"], root.get("parent_mid")), mid
        assert message.get("icid", 0) == int(told["icid"] or 0) if told["icid"] != "0" else "icid" not in message, mid
        if told["deliver"] == "not delivered inside the window":
            assert (message["delivered"], done(message)) == ("none", []), mid
            continue
        wanted = [
            (int(one["dcid"]), [int(rid) for rid in one["rid"].split(", ")], expected_verdict(one["verdict"])[0])
            for one in told["deliver"]
            if "[quarantine transfer" not in one["verdict"]
        ]
        assert done(message) == wanted, mid
        details = {attempt["dcid"]: (attempt["verdict"], attempt.get("tls_version", ""), attempt.get("tls_cipher", "")) for attempt in message["deliveries"]}
        for one in told["deliver"]:
            if "[quarantine transfer" not in one["verdict"]:
                assert details[int(one["dcid"])] == expected_verdict(one["verdict"]), mid
        verdicts = {found for _, _, found in wanted}
        assert message["delivered"] == (verdicts.pop() if len(verdicts) == 1 else "none"), mid
    for mid in set(messages) - {int(mid) for mid in expected["MID"]}:
        assert (messages[mid]["received"], messages[mid]["delivered"]) == ("unknown", "none"), mid


def test_07() -> None:
    """Received over TLS, split, copied: through both."""
    connections, messages = read("07_cribl")
    assert {key: verdict(record)[:3] for key, record in connections.items()} == {("ICID", 60140302): ("encrypted", "TLSv1", "AES128-SHA")}
    assert {mid: (m["received"], m.get("parent_mid"), m.get("mid_relation"), m["delivered"]) for mid, m in messages.items()} == {
        24611507: ("encrypted", None, None, "none"),
        24611528: ("encrypted", 24611507, "split", "none"),
        24611529: ("encrypted", 24611507, "split", "none"),
        24611531: ("encrypted", 24611528, "copy", "none"),
        24611542: ("encrypted", 24611529, "copy", "none"),
    }


def test_08() -> None:
    """Received without TLS, and copied."""
    connections, messages = read("08_cribl")
    assert {key: verdict(record) for key, record in connections.items()} == {("ICID", 60140296): ("cleartext", "", "", "")}
    assert {mid: m["received"] for mid, m in messages.items()} == {24611498: "cleartext", 24611534: "cleartext"}


def test_09() -> None:
    """One connection delivers several messages; a start alone is no delivery."""
    connections, messages = read("09_cribl")
    assert {key: verdict(record)[:3] for key, record in connections.items()} == {("DCID", 6565556): ("encrypted", "TLSv1", "RC4-SHA")}
    assert {mid: (m["received"], m["delivered"], done(m)) for mid, m in messages.items()} == {
        24611491: ("unknown", "encrypted", [(6565556, [0], "encrypted")]),
        24611494: ("unknown", "encrypted", [(6565556, [0], "encrypted")]),
        24611497: ("unknown", "encrypted", [(6565556, [0], "encrypted")]),
        24611509: ("unknown", "none", []),
    }


def test_10() -> None:
    """Moves to a quarantine are no deliveries."""
    connections, messages = read("10_cribl")
    assert {key: verdict(record)[0] for key, record in connections.items()} == {("DCID", 6565554): "unknown"}
    assert {mid: (m["delivered"], m["deliveries"]) for mid, m in messages.items()} == dict.fromkeys(
        [24611414, 24611424, 24611434, 24611453, 24611451, 24611475, 24611251], ("none", [])
    )


def test_11() -> None:
    """A connection opened before the log is unknown, and so are its deliveries."""
    connections, messages = read("11_cribl")
    assert {key: verdict(record)[0] for key, record in connections.items()} == {("DCID", 6565544): "unknown"}
    delivered = {int(mid) for line in lines_of("11_cribl") for mid in re.findall(r"Message done DCID 6565544 MID (\d+)", line)}
    assert {mid: m["delivered"] for mid, m in messages.items()} == {mid: "unknown" if mid in delivered else "none" for mid in messages}


def test_12() -> None:
    """A rejected connection, and TLS 1.2 on an interface and from a country with spaces in their names."""
    connections, messages = read("12_github")
    assert {key: verdict(record)[:3] for key, record in connections.items()} == {
        ("ICID", 824107): ("unknown", "", ""),
        ("ICID", 824108): ("encrypted", "TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384"),
    }
    assert (connections["ICID", 824108]["interface"], connections["ICID", 824108]["country"]) == ("Data 1", "United States")
    assert {mid: m["received"] for mid, m in messages.items()} == {26983: "encrypted"}


def test_13() -> None:
    """A page that wraps within words: delivered over TLS, and a Debug line is evidence for the receiving side."""
    connections, messages = read("13_msqa")
    assert verdict(connections["DCID", 30])[:3] == ("encrypted", "TLSv1.2", "ECDHE-RSA-AES256-SHA384")
    assert verdict(connections["ICID", 14])[:3] == ("encrypted", "", "")
    assert {mid: (m["received"], m["delivered"], done(m)) for mid, m in messages.items()} == {14: ("encrypted", "encrypted", [(30, [0], "encrypted")])}


def test_16() -> None:
    """No TLS either way; a delivery that is logged twice is one."""
    connections, messages = read("16_elastic")
    assert {key: verdict(record)[0] for key, record in connections.items()} == {("ICID", 5): "cleartext", ("DCID", 8): "cleartext"}
    assert {mid: (m["received"], m["delivered"], done(m)) for mid, m in messages.items()} == {6: ("cleartext", "cleartext", [(8, [0], "cleartext")])}


def test_17() -> None:
    """Lines of one second in any order; the opening is not in view."""
    connections, messages = read("17_elastic")
    assert {key: verdict(record)[0] for key, record in connections.items()} == {("ICID", 146047847): "unknown"}
    assert {mid: (m["received"], m["delivered"], m["mail_flow"]) for mid, m in messages.items()} == {204841507: ("unknown", "none", "outgoing")}


def test_18() -> None:
    """Bare deliveries with logged headers and several recipients."""
    connections, messages = read("18_elastic")
    assert {key: verdict(record)[0] for key, record in connections.items()} == {("DCID", 26995470): "unknown", ("DCID", 26936064): "unknown"}
    assert {mid: (m["delivered"], done(m)) for mid, m in messages.items()} == {
        78069816: ("unknown", [(26995470, [0, 1, 2, 3], "unknown")]),
        78147001: ("unknown", [(26936064, [0], "unknown")]),
    }


@pytest.mark.parametrize(("name", "mid", "icid", "dcid"), [("19_elastic", 5181473, 17267358, 3036000), ("21_elastic", 2348764, 435786234, 23876232)])
def test_19_and_21(name: str, mid: int, icid: int, dcid: int) -> None:
    """A consolidated event that tells of TLS both ways; a second record that leaves it out changes nothing."""
    _, messages = read(name)
    assert set(messages) == {mid}
    message = messages[mid]
    both = ("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384")
    assert (message["received"], message["received_tls_version"], message["received_tls_cipher"], message["icid"]) == ("encrypted", *both, icid)
    assert [(a["dcid"], a["verdict"], a["tls_version"], a["tls_cipher"]) for a in message["deliveries"]] == [(dcid, "encrypted", *both)]
    assert message["delivered"] == "encrypted"


def test_22() -> None:
    """A consolidated event without fields about TLS decides nothing."""
    _, messages = read("22_elastic")
    assert set(messages) == {164230, 164226}
    assert {mid: m["received"] for mid, m in messages.items()} == {164230: "unknown", 164226: "none"}
    assert messages[164230]["delivered"] in ("unknown", "none")
    assert messages[164226]["delivered"] == "none"


def test_24() -> None:
    """A collector's stamp around the appliance's own, and the domain is no part of the cipher."""
    connections, messages = read("24_sc4s")
    assert verdict(connections["DCID", 112095])[:3] == ("encrypted", "TLSv1", "AES128-SHA")
    assert connections["DCID", 112095]["tls_domain"] == "dummy-domain.example.com"
    assert {verdict(connections["ICID", icid])[0] for icid in (442736, 67542)} == {"unknown"}
    assert set(connections) == {("DCID", 112095), ("ICID", 442736), ("ICID", 67542)}
    assert set(messages) == {548799}


@pytest.mark.parametrize("name", NO_EVENT)
def test_traps(name: str) -> None:
    """Words about TLS that concern no mail connection make no event, no connection and no message."""
    events, counts = read_events(lines_of(name))
    assert events == []
    assert counts.ignored == counts.lines
    assert read(name) == ({}, {})


def test_32() -> None:
    """Message tracking says the same in other words."""
    (path,) = REAL.glob("32_*.json")
    facts = Facts()
    for event in tracking.events(json.loads(path.read_text(encoding="utf-8"))):
        facts.add(event)
    connections, messages = records(facts)
    tls = ("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384")
    assert {(c["esa_direction"], c.get("icid", c.get("dcid"))): verdict(c)[:3] for c in connections} == {
        ("receiving", 10821): ("encrypted", *tls),
        ("delivery", 4368): ("encrypted", *tls),
    }
    (message,) = messages
    assert (message["mid"], message["received"], message["delivered"]) == (322, "encrypted", "encrypted")
    assert not any("None" in str(value) for value in message.values())


def test_34() -> None:
    """A document's sample with wrapped lines: no TLS either way."""
    connections, messages = read("34_cisco")
    assert {key: verdict(record)[0] for key, record in connections.items()} == {("ICID", 282204970): "cleartext", ("DCID", 2386069): "cleartext"}
    assert {mid: (m["received"], m["delivered"], done(m)) for mid, m in messages.items()} == {
        200257070: ("cleartext", "cleartext", [(2386069, [0], "cleartext")])
    }


def test_36() -> None:
    """Lineage without the words that newer logs have."""
    connections, messages = read("36_cisco")
    assert connections == {}
    assert {mid: (m["parent_mid"], m["mid_relation"], m["received"]) for mid, m in messages.items() if "parent_mid" in m} == {
        14: (13, "copy", "unknown"),
        3: (2, "rewritten", "unknown"),
        7: (6, "rewritten", "unknown"),
        513: (483, "rewritten", "unknown"),
    }
    assert {messages[mid]["delivered"] for mid in (483, 484)} == {"none"}


def test_37() -> None:
    """A local quarantine by RPC is no delivery."""
    connections, messages = read("37_cisco")
    assert {key: verdict(record)[0] for key, record in connections.items()} == {("ICID", 15726925): "unknown"}
    assert {mid: (m["received"], m["delivered"], m["deliveries"], m["finished"]) for mid, m in messages.items()} == {2317877: ("unknown", "none", [], True)}
    assert messages[2317877]["recipients"] == ["user2@example.org"]


def test_39() -> None:
    """One space before a day of one digit; the group None is no group."""
    connections, messages = read("39_cisco")
    assert {key: verdict(record)[0] for key, record in connections.items()} == {("ICID", 3160): "cleartext", ("DCID", 7436): "unused"}
    assert (connections["ICID", 3160].get("sender_group"), connections["ICID", 3160]["opened"]) == (None, "2018-03-05T14:21:04Z")
    assert {mid: (m["received"], m["delivered"]) for mid, m in messages.items()} == {64855: ("cleartext", "none")}


def test_41() -> None:
    """Bounce logs: put off, bounced, and bounced over a connection of which nothing else is known."""
    connections, messages = read("41_bounce")
    found = {mid: [(a.get("dcid"), a["rid"], a["outcome"], a["verdict"]) for a in m["deliveries"]] for mid, m in messages.items()}
    assert found == {44451135: [(None, [0], "delayed", "unknown")], 45346670: [(None, [0], "bounced", "unknown")], 15232: [(2, [0], "bounced", "unknown")]}
    assert {m["delivered"] for m in messages.values()} == {"none"}
    assert {verdict(record)[0] for record in connections.values()} <= {"unknown"}
