"""The partners of a message: who they are, and how it came from each or went to each."""

from __future__ import annotations

from typing import Any

import pytest
from esatls.report import must_encrypt
from esatls.report.must_encrypt import Rule
from esatls.verdicts.partners import partners_of

Attempts = list[tuple[str, str, "str | None", list[int]]]


def message(attempts: Attempts, **fields: Any) -> Any:
    """Return a message with attempts: verdict, outcome, domain and RIDs of each."""
    deliveries = [
        {"rid": rids, "outcome": outcome, "verdict": verdict, **({} if domain is None else {"domain": domain})} for verdict, outcome, domain, rids in attempts
    ]
    return {"mid": 1, "received": "encrypted", "delivered": "unknown", "sender": "bob@Example.COM.", "deliveries": deliveries, **fields}


TWO = ["a@bank.example", "b@bank.example", "c@clinic.example"]


@pytest.mark.parametrize(
    ("attempts", "recipients", "right"),
    [
        ([], TWO, {"bank.example": "none", "clinic.example": "none"}),
        ([("cleartext", "bounced", "bank.example", [0])], TWO[:1], {"bank.example": "none"}),
        ([("cleartext", "done", None, [0, 2]), ("encrypted", "done", "bank.example", [1])], TWO, {"bank.example": "mixed", "clinic.example": "cleartext"}),
        ([("cleartext", "done", None, [0, 2]), ("unknown", "done", "bank.example", [1])], TWO, {"bank.example": "cleartext", "clinic.example": "cleartext"}),
        ([("encrypted", "done", None, [0, 2]), ("unknown", "done", "bank.example", [1])], TWO, {"bank.example": "unknown", "clinic.example": "encrypted"}),
        # which of the recipients it reached, the record does not tell
        ([("cleartext", "done", None, [0, 2])], TWO, {"bank.example": "unknown", "clinic.example": "unknown"}),
        ([("encrypted", "done", None, [])], TWO, {"bank.example": "encrypted", "clinic.example": "encrypted"}),
        # the recipients' lines are not in view, or have the name in other letters
        ([("encrypted", "done", "Bank.example.", [0])], [], {"bank.example": "encrypted"}),
        ([("cleartext", "done", "m\u00fcller.example", [0])], ["a@xn--mller-kva.example"], {"xn--mller-kva.example": "cleartext"}),
    ],
)
def test_partners_of_outgoing_mail(attempts: Attempts, recipients: list[str], right: dict[str, str]) -> None:
    """Each domain has the verdict of what reached it, and `esatls check` says the same of those that were reached."""
    record = message(attempts, recipients=recipients, mail_flow="outgoing")
    assert {name: verdict for side, verdict, name in partners_of(record) if side == "delivery"} == right
    assert [side for side, _, _ in partners_of(record)] == ["delivery"] * len(right)
    (rule,) = must_encrypt.check([Rule("*", "both")], [record])
    assert sum(rule.counts.values()) == sum(verdict != "none" for verdict in right.values())
    assert {mail.partner: mail.verdict for mail in rule.mail} == {name: verdict for name, verdict in right.items() if verdict not in ("none", "encrypted")}


@pytest.mark.parametrize(("flow", "sides"), [("incoming", ["receiving"]), ("outgoing", ["delivery"]), (None, ["receiving", "delivery"])])
def test_sides(flow: str | None, sides: list[str]) -> None:
    """The sender is the partner of incoming mail, recipients are those of outgoing mail, and both where the log does not tell the flow."""
    record = message([("encrypted", "done", "bank.example", [0])], recipients=TWO[:1], **({"mail_flow": flow} if flow else {}))
    partners = {"receiving": ("receiving", "encrypted", "example.com"), "delivery": ("delivery", "encrypted", "bank.example")}
    assert partners_of(record) == [partners[side] for side in sides]
    assert partners_of(message([], sender="", recipients=["nobody", "a@"])) == []
