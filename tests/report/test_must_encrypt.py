"""Partners that must use TLS: what a log says of each, in every format, and what the command's exit code tells."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from esatls.errors import UsageError
from esatls.output import printable
from esatls.report import must_encrypt, must_encrypt_formats
from esatls.report.must_encrypt import Rule
from esatls.verdicts.partners import partner_name

from tests import terminal
from tests.report.support import HOSTILE, Record, attempt, build, message

if TYPE_CHECKING:
    import pathlib

RULES = [
    Rule("partner.example.com", "both", "Anna"),
    Rule("*.example.org", "delivery"),
    Rule("bank.example.net", "receiving"),
    Rule("bank.example.net", "delivery"),
    Rule("quiet.example.net", "both"),
]
"""The domains of the tests."""

MAIL: list[Record] = [
    message(1, "encrypted", "none", sender="a@partner.example.com", mail_flow="incoming"),
    message(
        2, "cleartext", "none", sender="b@PARTNER.example.com.", mail_flow="incoming", first_seen="2024-03-05T11:00:00Z",
        received_reason="remote host did not initiate it", message_id="<2@partner.example.com>",
    ),
    message(
        3, "encrypted", "mixed",
        [
            attempt("cleartext", "partner.example.com", time="2024-03-05T10:00:05Z", reason="STARTTLS command not supported"),
            attempt("encrypted", "mail.example.org", rid=[1]),
            attempt("cleartext", "other.example.net", rid=[2]),
        ],
        sender="c@home.example.net", mail_flow="outgoing", first_seen="2024-03-05T10:00:00Z",
    ),
    message(4, "unknown", "none", sender="d@bank.example.net", mail_flow="incoming"),
    message(5, "cleartext", "none", sender="e@bank.example.net", mail_flow="outgoing"),
    message(6, "none", "none", sender="f@bank.example.net", mail_flow="incoming"),
    message(7, "encrypted", "none", [attempt("cleartext", "bank.example.net", "bounced")], mail_flow="outgoing"),
    message(8, "cleartext", "none", sender="g@notpartner.example.com", mail_flow="incoming"),
    message(9, "cleartext", "none", sender="h@example.org", mail_flow="incoming"),
]  # fmt: skip


def test_each_rule_has_its_verdict() -> None:
    """Clear text breaks a rule, mail of unknown ways leaves it open; refused mail, bounces, other sides and look-alikes do not count."""
    partners = must_encrypt.check(RULES, MAIL)
    assert [(partner.rule.domain, partner.verdict, list(partner.counts.values())) for partner in partners] == [
        ("partner.example.com", "broken", [1, 0, 2, 0]),
        ("*.example.org", "kept", [1, 0, 0, 0]),
        ("bank.example.net", "unknown", [0, 0, 0, 1]),
        ("bank.example.net", "no mail", [0, 0, 0, 0]),
        ("quiet.example.net", "no mail", [0, 0, 0, 0]),
    ]
    assert must_encrypt.overall(partners) == "broken"
    assert must_encrypt.overall(partners[1:]) == "unknown"
    assert must_encrypt.overall([partners[1], partners[4]]) == "kept"
    assert must_encrypt.overall(partners[3:]) == "no mail"


def test_mail_counts_for_every_row_that_fits() -> None:
    """A domain that has rows of its own and fits a pattern keeps or breaks all of them, whatever their order, as in the Splunk app."""
    rules = [Rule("*", "delivery"), Rule("*.example.com", "both", "Anna"), Rule("partner.example.com", "both"), Rule("partner.example.com", "receiving")]
    for listed in (rules, rules[::-1]):
        found = {partner.rule: [mail.record["mid"] for mail in partner.mail] for partner in must_encrypt.check(listed, MAIL)}
        assert found == {rules[0]: [3, 3], rules[1]: [8, 3, 2], rules[2]: [3, 2], rules[3]: [2]}


@pytest.mark.parametrize(
    ("verdicts", "count"),
    [
        (("cleartext", "unknown"), "cleartext"),
        (("encrypted", "unknown"), "unknown"),
        (("encrypted", "cleartext", "unknown"), "mixed"),
        (("encrypted", "cleartext"), "mixed"),
    ],
)
def test_deliveries_that_are_not_known_hide_no_clear_text(verdicts: tuple[str, ...], count: str) -> None:
    """A delivery in clear text breaks the rule and counts in the report, whatever is not known of the others to the same partner."""
    times = [f"2024-03-05T10:00:0{number}Z" for number in range(len(verdicts))]
    attempts = [attempt(verdict, "partner.example.com", rid=[rid], time=times[rid]) for rid, verdict in enumerate(verdicts)]
    mail = message(1, "encrypted", "unknown", attempts, mail_flow="outgoing")
    (partner,) = must_encrypt.check(RULES[:1], [mail])
    assert partner.counts == {**dict.fromkeys(("encrypted", "mixed", "cleartext", "unknown"), 0), count: 1}
    assert partner.verdict == ("unknown" if count == "unknown" else "broken")
    assert [one.time for one in partner.mail] == [times[verdicts[0] == "encrypted"]]  # the first that was not encrypted
    (row,) = [row for row in build([], [mail])["organisations"] if row["direction"] == "delivery"]
    assert row["messages"] == partner.counts


def test_mail_to_several_domains_at_once() -> None:
    """Where a log does not tell whom a delivery reached, one message is listed for each domain, by name in every run."""
    names = [f"{name}.example.org" for name in "qwertzuiopasdfghjkl"]
    mail = message(1, "encrypted", "cleartext", [attempt("cleartext", None)], recipients=[f"a@{name}" for name in names], first_seen="2024-03-05T10:00:00Z")
    (partner,) = must_encrypt.check([Rule("*.example.org", "delivery")], [mail])
    assert [one.partner for one in partner.mail] == sorted(names)


def test_a_message_to_several_domains_counts_for_each() -> None:
    """A row with * counts a message once for each domain that fits; the table says how often mail was in clear text, not how many messages."""
    attempts = [attempt("cleartext", f"{name}.example.org", rid=[rid], time="2024-03-05T10:00:05Z") for rid, name in enumerate("ab")]
    mail = message(1, "encrypted", "cleartext", [*attempts, attempt("unknown", "c.example.org", rid=[2])], first_seen="2024-03-05T10:00:00Z")
    out = io.BytesIO()
    must_encrypt_formats.write(must_encrypt.check([Rule("*.example.org", "delivery")], [mail]), "table", out)
    assert [" ".join(line.split()) for line in out.getvalue().decode().splitlines()] == [
        "Partner Direction Verdict Encrypted Mixed Cleartext Unknown Owner",
        "*.example.org delivery broken 0 0 2 1",
        "",
        "*.example.org: 2 in clear text, 1 with unknown verdict",
        "Time Appliance MID Side Domain Verdict Reason",
        "2024-03-05T10:00:00Z esa1.example.com 1 delivery c.example.org unknown",
        "2024-03-05T10:00:05Z esa1.example.com 1 delivery a.example.org cleartext TLS not started",
        "2024-03-05T10:00:05Z esa1.example.com 1 delivery b.example.org cleartext TLS not started",
    ]


def test_mail_in_clear_text_is_listed_in_order_of_time() -> None:
    """JSON names each message that was not encrypted, with time, MID, Message-ID, side and reason."""
    out = io.BytesIO()
    must_encrypt_formats.write(must_encrypt.check(RULES[:1], MAIL), "json", out)
    assert json.loads(out.getvalue()) == {
        "verdict": "broken",
        "partners": [
            {
                "domain": "partner.example.com", "direction": "both", "owner": "Anna", "verdict": "broken",
                "encrypted": 1, "mixed": 0, "cleartext": 2, "unknown": 0,
                "messages": [
                    {
                        "time": "2024-03-05T10:00:05Z", "esa_host": "esa1.example.com", "mid": 3, "side": "delivery", "partner": "partner.example.com",
                        "message_verdict": "cleartext", "reason": "STARTTLS command not supported", "sender": "c@home.example.net", "recipients": [],
                    },
                    {
                        "time": "2024-03-05T11:00:00Z", "esa_host": "esa1.example.com", "mid": 2, "message_id": "<2@partner.example.com>",
                        "side": "receiving", "partner": "partner.example.com", "message_verdict": "cleartext", "reason": "remote host did not initiate it",
                        "sender": "b@PARTNER.example.com.", "recipients": [],
                    },
                ],
            },
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("deliveries", "verdict"),
    [
        ([("cleartext", None)], "unknown"),
        ([("encrypted", None)], "kept"),
        ([("encrypted", "bank.example.net"), ("cleartext", "bank.example.net")], "broken"),
        ([("encrypted", "bank.example.net"), ("unknown", "bank.example.net")], "unknown"),
        ([("encrypted", "bank.example.net"), ("cleartext", None)], "unknown"),
    ],
)
def test_deliveries_together(deliveries: list[tuple[str, str | None]], verdict: str) -> None:
    """Every delivery to a partner counts; one that may have been for another leaves the rule open unless it was encrypted."""
    attempts = [attempt(over, domain, rid=[at]) for at, (over, domain) in enumerate(deliveries)]
    # more recipients than attempts, so that it is not plain who has which
    record = message(1, "encrypted", "mixed", attempts, recipients=["a@bank.example.net", "b@example.com", "c@example.com"], mail_flow="outgoing")
    (partner,) = must_encrypt.check([Rule("bank.example.net", "both")], [record])
    assert partner.verdict == verdict


@pytest.mark.parametrize(
    ("pattern", "domain", "found"),
    [
        ("*.example.com", "mail.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "mail.example.com.example.net", False),
        ("a.example.com", "aXexample.com", False),
        ("m\u00fcller.example.com", "xn--mller-kva.example.com", True),
        ("*", "anything.example.net", True),
        ("**.*.com", "a" * 10_000 + ".com", False),
        ("mail*.example.com", "mail.example.com", True),
        ("mail*.example.com", "email.example.com", False),
        ("example.com*example.com", "example.com", False),
        ("a*b*a", "aba", True),
        ("a*b*b", "ab", False),
        ("*ab*ab*", "xabab", True),
        ("*ab*ab*", "xab", False),
        ("*ab*", "abx", True),
        ("*a" * 100 + "*b", "a" * 10_000, False),
        ("*.example.com", "a" * 254 + ".example.com", True),
    ],
)
def test_patterns(pattern: str, domain: str, found: bool) -> None:  # noqa: FBT001
    """An asterisk stands for anything, also for nothing; nothing else has a meaning of its own; names are compared as DNS has them, in no time."""
    rule = must_encrypt.Rule(partner_name(pattern, None, None), "both")
    (partner,) = must_encrypt.check([rule], [message(1, "encrypted", "none", sender=f"a@{domain}")])
    assert (partner.verdict == "kept") is found


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text_in_every_format(text: str) -> None:
    """Names of strangers end no line, open no element and start no formula."""
    record = message(
        1, "cleartext", "none", sender=f"{text}@bank.example.net", message_id=f"<{text}>", received_reason=text, esa_host=text, mail_flow="incoming"
    )
    partners = must_encrypt.check([Rule("bank.example.net", "both", text)], [record])
    found: dict[str, bytes] = {}
    for form in must_encrypt_formats.FORMATS:
        out = io.BytesIO()
        must_encrypt_formats.write(partners, form, out)
        found[form] = out.getvalue()
        assert not {*range(32), 127} - {10} & set(found[form]), form
    assert json.loads(found["json"])["partners"][0]["messages"][0]["message_id"] == f"<{text}>"
    suite = ET.fromstring(found["junit"])  # noqa: S314 - our own file
    assert [element.tag for element in suite.iter()] == ["testsuite", "testcase", "failure"]
    head, row = csv.reader(io.StringIO(found["csv"].decode()))
    assert dict(zip(head, row))["mid"] == "1"
    assert not any(cell[:1] in ("=", "@", "+", "-") for cell in row)
    assert len(found["table"].decode().splitlines()) == 6


def test_junit_is_xml_whatever_a_stranger_writes() -> None:
    """A parser reads the result with any character in any of its texts: what XML may not have is an escape, the rest is as it was."""
    for part in (range(at, at + 100) for at in range(0, 0x20000, 100)):
        text = "".join(map(chr, part))
        rule, record = Rule("bank.example.net", "both"), message(1, "cleartext", "none", sender="a@bank.example.net", message_id=f"<{text}>")
        out = io.BytesIO()
        must_encrypt_formats.write(must_encrypt.check([rule], [record]), "junit", out)
        (failure,) = ET.fromstring(out.getvalue()).iter("failure")  # noqa: S314 - our own file
        assert failure.text == f"esa1.example.com MID 1 <{printable(text)}> receiving bank.example.net cleartext\n"
        assert failure.attrib == {"message": "1 in clear text"}


def test_junit_counts_what_is_broken_open_and_without_mail() -> None:
    """A broken rule is a failure, an open one an error, one without mail is skipped."""
    out = io.BytesIO()
    must_encrypt_formats.write(must_encrypt.check(RULES, MAIL), "junit", out)
    suite = ET.fromstring(out.getvalue())  # noqa: S314 - our own file
    assert suite.attrib == {"name": "esatls check", "tests": "5", "failures": "1", "errors": "1", "skipped": "2"}
    assert [[(child.tag, child.get("message")) for child in case] for case in suite] == [
        [("failure", "2 in clear text")],
        [],
        [("error", "1 with unknown verdict")],
        [("skipped", "no mail in this log")],
        [("skipped", "no mail in this log")],
    ]
    assert (suite[0][0].text or "").splitlines()[1] == (
        "2024-03-05T11:00:00Z esa1.example.com MID 2 <2@partner.example.com> receiving partner.example.com cleartext remote host did not initiate it"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "begins with a line domain,direction,owner (in small letters, with commas; owner is optional)"),
        ("name,direction\nexample.com,both\n", "begins with a line domain,direction,owner (in small letters, with commas; owner is optional)"),
        ("domain;direction\nexample.com;both\n", "begins with a line domain,direction,owner (in small letters, with commas; owner is optional)"),
        ("Domain,Direction\nexample.com,both\n", "begins with a line domain,direction,owner (in small letters, with commas; owner is optional)"),
        ("domain,direction\n", "lists no partners"),
        ('domain,direction,owner\nexample.com,both,"Anna\nexample.net,both,Ben\n', "is not a CSV file in UTF-8: unexpected end of data"),
        ("domain,direction\nexample.com,both\nexample.net,inbound\n", "line 3: the direction is receiving, delivery or both, not 'inbound'"),
        ("domain,direction\na@example.com,both\n", "line 2: not a domain: 'a@example.com'"),
        ("domain,direction\n.example.com,both\n", "line 2: not a domain: '.example.com'"),
        ("domain,direction\nexample..com,both\n", "line 2: not a domain: 'example..com'"),
        ("domain,direction\n,both\n", "line 2: not a domain: ''"),
        ("domain,direction\nb\xc3\xbccher*.example,both\n", "line 2: not a domain: 'b\u00fccher*.example'"),
        ("domain,direction\nhttps://example.com/,both\n", "line 2: not a domain: 'https://example.com/'"),
        ("domain,direction\nexample.com:25,both\n", "line 2: not a domain: 'example.com:25'"),
        ("domain,direction\n<example.com>,both\n", "line 2: not a domain: '<example.com>'"),
        ("domain,direction\nstra\xc3\x9fe.example,both\n", "line 2: not a domain: 'stra\u00dfe.example' (write it as DNS has it: xn--\u2026)"),
        ("domain,direction\nexample.com\n", "line 2: the direction is receiving, delivery or both, not ''"),
        ("domain,direction\n\xff,both\n", "is not a CSV file in UTF-8"),
    ],
)
def test_what_is_no_list(tmp_path: pathlib.Path, text: str, words: str) -> None:
    """What is wrong with a list is said with its line."""
    path = tmp_path / "partners.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=r"partners\.csv: ") as caught:
        must_encrypt.read_rules(str(path))
    assert words in str(caught.value)


def test_a_list_as_spreadsheets_write_it(tmp_path: pathlib.Path) -> None:
    """A byte order mark, other columns, blanks, empty rows and capitals do no harm; the owner may be missing."""
    path = tmp_path / "partners.csv"
    path.write_bytes(
        "\ufeffowner, domain ,note,direction\r\nAnna, Example.COM. ,x,both\r\n,,,\r\n"
        ",*.b\u00fccher.example.net,,delivery\r\n,[IPv6:2001:db8::1],,both\r\n,,,\r\n".encode()
    )
    assert must_encrypt.read_rules(str(path)) == [
        Rule("example.com", "both", "Anna"),
        Rule("*.xn--bcher-kva.example.net", "delivery"),
        Rule("[ipv6:2001:db8::1]", "both"),
    ]


LOG = """\
Tue Mar  5 10:00:00 2024 Info: New SMTP ICID 5 interface Data 1 (192.0.2.1) address 198.51.100.7 reverse dns host mx.example.com verified yes
Tue Mar  5 10:00:00 2024 Info: ICID 5 ACCEPT SG UNKNOWNLIST match ALL SBRS None
{tls}Tue Mar  5 10:00:02 2024 Info: Start MID 15 ICID 5
Tue Mar  5 10:00:02 2024 Info: MID 15 ICID 5 From: <alice@partner.example.com>
Tue Mar  5 10:00:02 2024 Info: MID 15 ICID 5 RID 0 To: <bob@home.example.net>
Tue Mar  5 10:00:03 2024 Info: MID 15 Message-ID '<1@partner.example.com>'
Tue Mar  5 10:00:03 2024 Info: MID 15 ready 1000 bytes from <alice@partner.example.com>
"""
TLS = "Tue Mar  5 10:00:01 2024 Info: ICID 5 TLS success protocol TLSv1.2 cipher ECDHE-RSA-AES256-GCM-SHA384\n"


def run(tmp_path: pathlib.Path, log: str | None, *options: str, rules: str = "domain,direction\npartner.example.com,both\n") -> Any:
    """Run `esatls check` on a log; None is a file that does not exist."""
    path, listed = tmp_path / "mail.log", tmp_path / "partners.csv"
    if log is not None:
        path.write_text(log, encoding="utf-8")
    listed.write_text(rules, encoding="utf-8")
    return terminal.run("check", "--partners", str(listed), str(path), *options)


@pytest.mark.parametrize(
    ("log", "code"),
    [
        (LOG.format(tls=TLS), 0),
        (LOG.format(tls=""), 1),
        ("".join(LOG.format(tls="").splitlines(keepends=True)[2:]), 3),
        ("no line of an appliance\n", 3),
        ("".join(LOG.format(tls=TLS).splitlines(keepends=True)[:3]), 3),
        ("", 3),
        (None, 3),
    ],
)
def test_exit_codes(tmp_path: pathlib.Path, log: str | None, code: int) -> None:
    """0 is kept, 1 is broken; a log that begins too late, has no message, says nothing, or is not there, is 3, so that no job takes it for a verdict."""
    done = run(tmp_path, log)
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr


def test_domains_without_a_list(tmp_path: pathlib.Path) -> None:
    """--domain takes the place of a configured list: the domain and its subdomains, in both directions."""
    path = tmp_path / "mail.log"
    path.write_text(LOG.format(tls=TLS), encoding="utf-8")
    (tmp_path / "config.toml").write_text('partners = "missing.csv"\n')
    named = ("--domain", "@Partner.example.com", "--domain", "example.org")
    done = terminal.run("check", "-f", "csv", *named, path, env={"ESATLS_CONFIG": str(tmp_path / "config.toml")})
    rows = [(row["domain"], row["direction"], row["verdict"]) for row in csv.DictReader(io.StringIO(done.stdout.decode()))]
    assert done.returncode == 0
    assert rows == [
        ("partner.example.com", "both", "kept"),
        ("*.partner.example.com", "both", "no mail"),
        ("example.org", "both", "no mail"),
        ("*.example.org", "both", "no mail"),
    ]


def test_json_says_what_it_was_made_from(tmp_path: pathlib.Path) -> None:
    """The result as JSON names the files that were read, with their hashes, the time range and what is missing."""
    done = run(tmp_path, LOG.format(tls=TLS), "-f", "json", "--since", "2024-03-05T10:00:00Z")
    told = json.loads(done.stdout)["evidence"]
    (file,) = told["files"]
    assert (file["name"], file["sha256"]) == (str(tmp_path / "mail.log"), hashlib.sha256((tmp_path / "mail.log").read_bytes()).hexdigest())
    assert (told["since"], told["problems"], told["incomplete"]) == ("2024-03-05T10:00:00Z", [], [])


def test_usage_errors(tmp_path: pathlib.Path) -> None:
    """Wrong usage is 2, whatever is wrong."""
    assert run(tmp_path, LOG.format(tls=TLS), rules="domain\n").returncode == 2
    assert run(tmp_path, LOG.format(tls=TLS), "--since", "never").returncode == 2
    assert run(tmp_path, LOG.format(tls=TLS), "-o", str(tmp_path / "report.pdf")).returncode == 2
    assert run(tmp_path, LOG.format(tls=TLS), "--domain", "example.org").returncode == 2, "no list is left unread in silence"
    assert terminal.run("check", str(tmp_path / "mail.log")).returncode == 2
    assert terminal.run("check", "--partners", str(tmp_path / "none.csv"), str(tmp_path / "mail.log")).returncode == 2
    assert not (tmp_path / "report.pdf").exists()


def test_the_name_of_the_output_tells_the_format(tmp_path: pathlib.Path) -> None:
    """A file that ends with .xml has JUnit's XML, with the Message-ID of the mail in clear text where records have it."""
    done = run(tmp_path, LOG.format(tls=""), "-o", str(tmp_path / "result.xml"))
    assert (done.returncode, done.stdout) == (1, b"")
    (case,) = ET.fromstring((tmp_path / "result.xml").read_bytes())  # noqa: S314 - our own file
    assert "MID 15" in (case[0].text or "")
