"""The report as a page: what it shows, and what no text of a log can make of it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from esatls.output.text import MOST_TEXT
from esatls.report import charts, notes
from esatls.report import page as report_html
from esatls.verdicts.words import CONNECTION_VERDICTS, COUNTED, WORDS

from tests.core.support import records_of
from tests.report.support import CHROMIUM, HOSTILE, Page, Record, attempt, build, chromium, connection, hostile_records, message
from tests.report.test_report import CONNECTIONS, MESSAGES
from tests.traffic.cli import main as write_traffic

if TYPE_CHECKING:
    import pathlib


ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section", "nav", "h1", "h2", "h3",
    "p", "a", "ul", "li", "dl", "dt", "dd", "div", "span", "small", "br", "time", "data", "code", "figure",
    "figcaption", "details", "summary", "script", "b", "table", "caption", "thead", "tbody", "tr", "th", "td", "svg", "g", "rect",
}  # fmt: skip
ATTRIBUTES = {
    "charset", "http-equiv", "content", "name", "lang", "id", "class", "href", "datetime", "value", "scope",
    "colspan", "role", "tabindex", "open", "focusable", "aria-label", "aria-hidden", "viewbox", "preserveaspectratio",
    "x", "y", "width", "height",
}  # fmt: skip

BY_SCRIPT = {"input", "button"}, {"type", "placeholder", "hidden", "disabled"}
"""Elements and attributes that the page's own script adds."""

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")


def percent(value: float | None) -> str:
    """Return a share as the page shows it."""
    return "\u2013" if value is None else f"{value:.1f}\N{NO-BREAK SPACE}%"


def check_numbers(page: Page, built: Any) -> None:
    """Compare the tables of a page with the report."""
    words = {flow: word.capitalize() for flow, word in notes.FLOW_WORDS.items()}
    for direction, title, verb in (("receiving", "Receiving", "received"), ("delivery", "Delivery", "delivered")):
        parts = built[direction]
        captions = {"connections": f"{title} connections", "messages": f"Messages {verb}", "recipients": f"Recipients of messages {verb}"}
        for what, caption in captions.items():
            head, *rows = page.tables[caption]
            assert [row[0] for row in rows] == [words[f] for f in parts if f == "all" or parts[f][what]["total"]]
            for row in rows:
                flow = next(key for key, word in words.items() if word == row[0])
                tally = parts[flow][what]
                cells = dict(zip(head, row))
                for verdict, count in tally["verdicts"].items():
                    share = percent(tally["percent"].get(verdict)) if verdict in COUNTED else ""
                    assert cells[verdict.capitalize()] == f"{count:,}{share}"
                assert cells["Total"] == f"{tally['total']:,}"
                if what == "connections":
                    assert cells["TLS attempted"] == f"{tally['attempted']:,}{percent(tally.get('attempted_percent'))}"
                    assert cells["Over TLS of attempts"] == percent(tally.get("attempted_encrypted"))
                    assert cells["Fallback"] == f"{tally['fallback']:,}"
                    assert cells["Required, no TLS"] == f"{tally['required']:,}"
        whole = parts["all"]
        for name, what in (("version", "protocol"), ("cipher", "cipher")):
            shown = page.tables.get(f"{title}: encrypted connections and messages by {what}", [[]])[1:]
            assert [(row[0].split()[0], row[2], row[3], row[-1]) for row in shown] == [
                (row[name], percent(row.get("percent")), f"{row['connections']:,}", f"{row['messages']:,}") for row in whole[name + "s"]
            ]
        shown = page.tables.get(f"{title}: why TLS did not come up", [[]])[1:]
        assert [row[1:] for row in shown] == [
            [f"{row[name]:,}" for name in ("failed", "cleartext", "partners")] for row in whole["reasons"][: report_html.MOST_REASONS]
        ]
        assert all(row[0].startswith(why["reason"]) for row, why in zip(shown, whole["reasons"]))
        others = page.tables.get(f"{title}: errors that do not count as TLS failures", [[]])[1:]
        assert [row[1:] for row in others] == [
            [f"{row[name]:,}" for name in ("unused", "unknown")] for row in whole["other_reasons"][: report_html.MOST_REASONS]
        ]
    check_lists(page, built)
    for value, shown_as in page.values:
        assert shown_as in (f"{int(value):,}" if value.isdigit() else "", percent(float(value)))


LISTS = {
    "cleartext": ("Partners in clear text", "Own domains in clear text"),
    "deprecated": ("Partners with deprecated protocols", "Own domains with deprecated protocols"),
    "weak": ("Partners with weak ciphers", "Own domains with weak ciphers"),
    "failed": ("Partners with which TLS failed", "Own domains with which TLS failed"),
}


def named(partner: str, rows: list[Record]) -> str:
    """Return the first cell of a partner: the names below are those that were counted."""
    names = sorted({name for row in rows for name in row["names"] if name != partner})
    return partner + ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")


def check_lists(page: Page, built: Any) -> None:
    """Compare the page's lists of partners with the report: nobody is left out."""
    ways = {"receiving": "in", "delivery": "out"}
    for own in (False, True):
        rows = [row for row in built["organisations"] if row["own"] == own]
        for issue, captions in LISTS.items():
            shown = {(row[0], row[1]): row for row in page.tables.get(captions[own], [[]])[1:]}
            expected = [row for row in rows if issue in row]
            assert {*shown} == {(named(row["partner"], [row]), ways[row["direction"]]) for row in expected}
            for row in expected:
                cells = shown[named(row["partner"], [row]), ways[row["direction"]]]
                mail = row["messages"]["cleartext"] + row["messages"]["mixed"]
                assert cells[2] == f"{mail if issue == 'cleartext' else row[issue]['connections']:,}"
                times = [row[issue].get("first", ""), row[issue].get("last", ""), row.get("last_tls", "")]
                assert cells[4:7] == [time[:16].replace("T", " ") for time in times]
        partners: dict[str, list[Record]] = {}
        for row in rows:
            partners.setdefault(row["partner"], []).append(row)
        everybody = page.tables.get("Own domains" if own else "All partners", [[]])[1:]
        assert sorted(row[0] for row in everybody) == sorted(named(partner, some) for partner, some in partners.items())
        by_name = {row[0]: row for row in everybody}
        for partner, some in partners.items():
            cells = by_name[named(partner, some)]
            for at, direction in ((1, "receiving"), (5, "delivery")):
                (counts,) = [row["messages"] for row in some if row["direction"] == direction] or [None]
                told = ["", "", ""] if counts is None else [f"{n:,}" for n in (sum(counts.values()), counts["cleartext"] + counts["mixed"], counts["unknown"])]
                assert [cells[at], cells[at + 2], cells[at + 3]] == told
        over = {row[0]: row for row in page.tables.get("Connections with own domains" if own else "Connections with partners", [[]])[1:]}
        assert {*over} == {*partners}
        for partner, some in partners.items():
            cells = over[partner]
            assert cells[1] == f"{sum(sum(row['connections'].values()) for row in some):,}"
            assert cells[3] == f"{sum(row['connections']['failed'] for row in some):,}"
            assert [name for name in ("deprecated", "weak") if name in cells[2]] == [
                name for name in ("deprecated", "weak") if any(name in row for row in some)
            ]


def check_policy(page: Page, elements: set[str] | frozenset[str] = frozenset(), attributes: set[str] | frozenset[str] = frozenset()) -> None:
    """Compare what a page is made of with what it may be made of, and what its script may add."""
    assert page.elements <= ELEMENTS | elements
    assert {name for _, name, _ in page.attributes} <= ATTRIBUTES | attributes
    for element, name, value in page.attributes:
        if name == "href":
            assert (element, re.fullmatch(r"#[a-z]+", value) is not None) == ("a", True)
        if name == "class":
            assert re.fullmatch(r"[a-z -]+", value)
    assert len(page.style) == 1
    assert "url(" not in page.style[0]
    assert "@import" not in page.style[0]
    assert len(page.script) == 1
    assert re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|Function|fetch|XMLHttp|import", page.script[0]) is None
    style, script = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (page.style[0], page.script[0]))
    policies = [value for element, name, value in page.attributes if (element, name) == ("meta", "content") and "-src" in value]
    assert policies == [f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'"]


def test_numbers_of_the_page() -> None:
    """The page of a few records shows their report."""
    built = build(CONNECTIONS, MESSAGES)
    page = Page(report_html.page(built))
    check_numbers(page, built)
    check_policy(page)
    assert page.tables["Messages by both sides: received (rows) and delivered (columns)"] == [
        ["Received", "Encrypted", "Mixed", "None", "Unknown"],
        ["Encrypted", "1", "0", "0", "0"],
        ["Cleartext", "0", "1", "0", "0"],
        ["Internal", "0", "0", "1", "0"],
        ["Unknown", "0", "0", "0", "1"],
    ]
    assert page.tables["Receiving connections by hour"] == [
        ["From (UTC)", "Encrypted", "Cleartext", "Failed", "Unused"],
        ["2024-03-05 10:00", "1", "0", "0", "0"],
        ["2024-03-05 11:00", "1", "1", "1", "1"],
    ]
    assert page.tables["Connections and messages by appliance"] == [
        ["Appliance", "Connections", "Messages"],
        ["esa1.example.com", "8", "4"],
        ["esa2.example.com", "1", "0"],
    ]
    of_issue = ["Partner", "Direction", "Connections", "Of", "First", "Last", "Last over TLS"]
    for caption, what, used in (("deprecated protocols", "Protocols", "TLSv1"), ("weak ciphers", "Ciphers", "RC4-MD5")):
        assert [row for row in page.tables[f"Partners with {caption}"] if row[0] in ("Partner", "example.org")] == [
            [*of_issue, what, "Examples"],
            ["example.org", "in", "1", "2", "2024-03-05 11:00", "2024-03-05 11:00", "2024-03-05 11:00", used, "ICID 2 on esa1.example.com"],
        ]
    text = " ".join(page.text)
    for note in (note for name, note in notes.NOTES.items() if name not in ("other_reasons", "evidence")):  # neither is there here
        assert note in text


def test_the_page_is_the_same_each_time() -> None:
    """Nothing of the page depends on when or where it is made."""
    assert report_html.page(build(CONNECTIONS, MESSAGES)) == report_html.page(build(CONNECTIONS[::-1], MESSAGES[::-1]))


def test_page_of_nothing() -> None:
    """A log without connections gives a page of zeros and no chart over time."""
    built = build([], [])
    page = Page(report_html.page(built))
    check_numbers(page, built)
    check_policy(page)
    assert [text for text in page.text if "no failure" in text] == ["Receiving: no failure in this log.", "Delivery: no failure in this log."]
    assert "time" not in page.elements


def test_long_tables_say_how_much_is_left() -> None:
    """Of many partners and reasons the first ones are shown, and the rest is counted."""
    many = [connection("receiving", i, "failed", domain=f"d{i:04}.example.com", tls_reason=f"r{i:04}") for i in range(1234)]
    built = build(many, [])
    page = Page(report_html.page(built))
    check_numbers(page, built)
    assert {text for text in page.text if text.endswith("in the report as JSON.")} == {"1,209 more reasons in the report as JSON."}
    assert [[row[0] for row in page.tables[caption]] for caption in ("All partners", "Partners with which TLS failed")] == 2 * [
        ["Partner", "example.comd0000.example.com, d0001.example.com, d0002.example.com, d0003.example.com, d0004.example.com and 1,229 more"]
    ]


def test_names_of_a_thousand_partners_are_in_one_list() -> None:
    """In a report with more than a thousand rows of organisations, the list of all partners alone has the names below them."""
    page = Page(report_html.page(build([connection("delivery", i, "failed", domain=f"mx.d{i:04}.example") for i in range(1001)], [])))
    shown = {caption: sorted(row[0] for row in page.tables[caption][1:]) for caption in ("All partners", "Partners with which TLS failed")}
    assert shown == {
        "All partners": [f"d{i:04}.examplemx.d{i:04}.example" for i in range(1001)],
        "Partners with which TLS failed": [f"d{i:04}.example" for i in range(1001)],
    }


@pytest.mark.parametrize("years", [1, 60])
def test_a_wrong_stamp_does_not_fill_the_page(years: int) -> None:
    """A chart has a bounded number of bars, however far apart its times are."""
    times = ("2024-03-05T00:00:00Z", f"{2024 + years}-03-05T00:00:00Z")
    built = build([], [message(i, "encrypted", "none", first_seen=time) for i, time in enumerate(times)])
    text = report_html.page(built)
    caption = next(name for name in Page(text).tables if name.startswith("Messages received by "))
    assert len(Page(text).tables[caption]) == 3
    assert max(int(box) for box in re.findall(r'viewBox="0 0 (\d+) 100"', text)) <= (charts.MOST_BARS + 6) * 10


def findings(connections: list[Record]) -> list[str]:
    """Return what a page says to look at."""
    _, _, text = report_html.page(build(connections, [])).partition("To look at")
    items = re.findall("<li>(.*?)</li>", text.partition("</ul>")[0])
    whole = report_html.page(build(connections, []))
    assert all(re.match('<a href="#([a-z]+)">', item) and f'id="{item.split(chr(34))[1][1:]}"' in whole for item in items)
    return [re.sub("<[^>]*>", "", item) for item in items]


@pytest.mark.parametrize(
    ("connections", "expected"),
    [
        ([connection("receiving", 1, "failed"), connection("receiving", 2, "cleartext", tls_required=True)],
         ["1 receiving connection failed", "1 receiving connection in clear text although TLS was required"]),
        ([connection("delivery", 1, "cleartext", tls_required=True, tls_reason="x")],
         ["1 delivery connection in clear text although TLS was required",
          "1 delivery connection continued in clear text after TLS had failed or had not been offered"]),
        ([connection("delivery", i, "failed", tls_required=i == 1) for i in range(3)],
         ["3 delivery connections failed; TLS was required on 1 of them"]),
        ([connection("delivery", 1, "failed", tls_required=True), connection("delivery", 2, "cleartext", tls_reason="x")],
         ["1 delivery connection failed; TLS was required",
          "1 delivery connection continued in clear text after TLS had failed or had not been offered"]),
        ([connection("delivery", 1, "cleartext"), connection("delivery", 2, "encrypted", tls_required=True)], []),
        ([connection("receiving", i, "mixed") for i in range(2)],
         ["2 receiving connections on which some messages were sent before TLS was started"]),
        ([connection("receiving", 1, "encrypted"), connection("receiving", 2, "encrypted", tls_version="TLSv1", tls_cipher="AES128-SHA")],
         ["1 of 1 encrypted receiving connection with a deprecated protocol (100.0\N{NO-BREAK SPACE}%); the protocol of 1 more is unknown"]),
        ([connection("receiving", i, "encrypted", tls_version="TLSv1.2", tls_cipher=cipher) for i, cipher in enumerate(("RC4-SHA", "AES128-SHA"))],
         ["1 of 2 encrypted receiving connections with a weak cipher (50.0\N{NO-BREAK SPACE}%)"]),
    ],
)  # fmt: skip
def test_what_to_look_at(connections: list[Record], expected: list[str]) -> None:
    """Each sentence counts the connections that it tells of: failed, in clear text although TLS was required, falling back, mixed, outdated."""
    assert findings(connections) == expected


def test_no_bar_of_what_is_unknown() -> None:
    """An unknown protocol has no share and no bar, beside those that have."""
    text = report_html.page(build([connection("delivery", 1, "encrypted"), connection("delivery", 2, "encrypted", tls_version="TLSv1.2")], []))
    (table,) = re.findall("<table>(?:(?!</table>).)*connections and messages by protocol.*?</table>", text)
    bars = {name: row.count("<rect") for name, row in re.findall("<code>(.*?)</code>(.*?)</tr>", table)}
    assert bars == {"TLSv1.2": 2, "unknown": 1}
    assert Page(text).tables["Delivery: encrypted connections and messages by protocol"][1:] == [
        ["TLSv1.2 ", "", "100.0\N{NO-BREAK SPACE}%", "1", "1", "0"],
        ["unknown ", "", "\u2013", "1", "1", "0"],
    ]


def test_one_is_no_plural() -> None:
    """One connection, one message, one more row and one more reason are named as one."""
    many = [connection("receiving", i, "encrypted" if i == 26 else "failed", domain=f"d{i}.example.com", tls_reason=f"reason {i}") for i in range(27)]
    many += [connection("delivery", i, "failed", domain="example.com", tls_reason=f"reason {i}") for i in range(6)]
    text = re.sub("<[^>]*>", "", report_html.page(build(many, [message(1, "encrypted", "none")])))
    for words in ("33 connections, 1 message, appliance", "1 of 1 message over TLS", "1 of 27 connections over TLS", "1 more reason in",
                  "1 message without a time"):  # fmt: skip
        assert words in text
    assert "1 messages" not in text


def test_charts_have_their_numbers_beside_them() -> None:
    """Every chart is an image with a name, and none holds text of its own."""
    page = Page(report_html.page(build(CONNECTIONS, MESSAGES)))
    svgs = sum(1 for element, name, value in page.attributes if (element, name, value) == ("svg", "role", "img"))
    labels = [value for element, name, value in page.attributes if (element, name) == ("svg", "aria-label")]
    assert svgs == len(labels) > 20
    assert all(labels)
    assert sum("; the numbers are in the table below" in label for label in labels) == 4


def luminance(color: str) -> float:
    """Return the relative luminance of `#rgb` or `#rrggbb` (WCAG 2.2)."""
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_colours_that_mean_something_are_seen() -> None:
    """The colour of each verdict stands out from what it is drawn on by 3 to 1 (WCAG 2.2, 1.4.11), in light and in dark."""
    (style,) = Page(report_html.page(build([], []))).style
    light: dict[str, str] = {}
    dark: dict[str, str] = {}
    for ground, colors in re.findall(r"(dark\) \{\s*)?:root \{([^}]*)\}", style.partition("@media print")[0]):
        (dark if ground else light).update(re.findall(r"--([a-z-]+): ?(#[0-9a-f]{3,6})", colors))
    assert luminance(light["card"]) > 0.9
    assert luminance(dark["card"]) < 0.1
    for colors in (light, dark):
        for verdict in WORDS:
            darker, lighter = sorted((luminance(colors[verdict]), luminance(colors["card"])))
            assert (lighter + 0.05) / (darker + 0.05) >= 3, verdict


def test_every_column_has_a_name() -> None:
    """No head of a column or row is empty."""
    text = report_html.page(build(CONNECTIONS, MESSAGES))
    heads = re.findall("<th[ >].*?</th>", text)
    assert len(heads) > 100
    assert [head for head in heads if not re.sub("<[^>]*>", "", head).strip()] == []
    assert next(iter(Page(text).tables["Delivery: encrypted connections and messages by protocol"]))[:4] == ["Protocol", "Share", "Percent", "Connections"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    """Whatever the log says adds no element, no attribute and no style; it is shown as it stands, control characters visibly."""
    harmless = Page(report_html.page(build(*hostile_records("harmless"))))
    source = report_html.page(build(*hostile_records(text)))
    page = Page(source)
    check_policy(page)
    assert page.elements == harmless.elements
    assert {pair[:2] for pair in page.attributes} == {pair[:2] for pair in harmless.attributes}
    assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", source) is None
    shown = "".join(page.text)
    if not re.search("[\x00-\x1f\x7f-\x9f\u202e]", text):
        assert text in shown
    assert ("alert" in shown) == ("alert" in text)


def test_endless_text_is_cut_short() -> None:
    """A text of a megabyte is shown by its beginning, and many ciphers by the first."""
    long = report_html.page(build(*hostile_records("x" * 1_000_000)))
    assert len(long) < 100_000
    assert "x" * MOST_TEXT + "\N{HORIZONTAL ELLIPSIS}" in long
    many = [connection("receiving", i, "encrypted", tls_version="TLSv1.2", tls_cipher=f"c{i:03}", domain="example.com") for i in range(60)]
    page = Page(report_html.page(build(many, [])))
    assert len(page.tables["Receiving: encrypted connections and messages by cipher"]) == 51
    assert "10 more ciphers in the report as JSON." in page.text


def test_text_that_is_no_unicode() -> None:
    """Half of a surrogate pair, which cannot be written, is replaced."""
    connections, messages = hostile_records("a\ud800b")
    report_html.page(build(connections, messages)).encode("utf-8")


@needs_chromium
@pytest.mark.parametrize("kind", ["hostile", "traffic"])
def test_in_a_browser(kind: str, tmp_path: pathlib.Path) -> None:
    """Chromium loads the page without an error or a request, keeps its policy, and shows the report's numbers."""
    if kind == "hostile":
        pairs = [hostile_records(text) for text in HOSTILE]
        built = build([c for connections, _ in pairs for c in connections], [m for _, messages in pairs for m in messages])
    else:
        log = tmp_path / "mail.log"
        write_traffic(["--messages", "300", "--seed", "5", "--profile", "rare", "--log", str(log)])
        built = build(*records_of(log.read_text(encoding="utf-8")))
    path = tmp_path / "report.html"
    path.write_text(report_html.page(built), encoding="utf-8")
    run = chromium(path, tmp_path, "--dump-dom", f"--log-net-log={tmp_path / 'net.json'}")
    assert "CONSOLE" not in run.stderr
    assert "Content Security Policy" not in run.stderr
    page = Page(run.stdout)
    check_policy(page, *BY_SCRIPT)
    if kind == "traffic":
        check_numbers(page, built)
        assert len(page.values) > 500
    else:
        assert page.tables == Page(path.read_text(encoding="utf-8")).tables
    # what Chromium asks for itself, in vain, is not the page's
    asked = {
        urlsplit(event["params"]["url"]).hostname
        for event in json.loads((tmp_path / "net.json").read_text(encoding="utf-8"))["events"]
        if isinstance(event.get("params"), dict) and "url" in event["params"]
    }
    assert {host for host in asked if host and not host.endswith((".google.com", ".googleapis.com", ".gstatic.com"))} == set()


MANY = [
    *(connection("delivery", i, "encrypted", domain=f"p{i:03}.example", mail_flow="outgoing", tls_version="TLSv1.3") for i in range(120)),
    connection("delivery", 999, "cleartext", domain="mx.quiet.example", mail_flow="outgoing"),
]
QUIET = [
    *(message(i, "encrypted", "encrypted", [attempt("encrypted", f"p{i:03}.example", time="2026-03-05T10:00:00Z")], mail_flow="outgoing") for i in range(120)),
    message(999, "encrypted", "cleartext", [attempt("cleartext", "mx.quiet.example", time="2026-03-05T10:00:00Z")], mail_flow="outgoing"),
]


@needs_chromium
def test_the_lists_are_sorted_searched_and_paged(tmp_path: pathlib.Path) -> None:
    """The page's script shows fifty rows at once, those that hold what is searched for, in the order of the column that is clicked."""
    text = report_html.page(build(MANY, QUIET))
    steps = """
        addEventListener("DOMContentLoaded", () => {
          const table = [...document.querySelectorAll("table.full")].find(one => one.caption.textContent === "All partners");
          const shown = () => [...table.tBodies[0].rows].filter(row => !row.hidden).map(row => row.cells[0].childNodes[0].textContent);
          const bar = table.closest(".scroll").previousSibling, [search] = bar.getElementsByTagName("input");
          const [back, on] = bar.getElementsByTagName("button"), heads = table.tHead.rows[0].cells, told = [];
          const tell = () => { const rows = shown(); told.push([rows.length, rows[0], rows[rows.length - 1], bar.textContent]); };
          told.push([...table.tBodies].map(body => getComputedStyle(body).display));
          tell(); on.click(); tell(); back.click();
          heads[0].querySelector("button").click(); tell();
          heads[0].querySelector("button").click(); tell();
          heads[7].querySelector("button").click(); tell();
          search.value = "MX.Quiet"; search.dispatchEvent(new Event("input")); tell();
          search.value = "nobody"; search.dispatchEvent(new Event("input")); tell();
          dispatchEvent(new Event("beforeprint")); told.push(shown().length);
          document.body.textContent = JSON.stringify(told);
        });
    """
    path = tmp_path / "report.html"
    path.write_text(re.sub('<meta http-equiv="Content[^>]*>', "", text).replace("</body>", f"<script>{steps}</script></body>"), encoding="utf-8")
    told = json.loads(next(words for words in Page(chromium(path, tmp_path, "--dump-dom").stdout).text if words.startswith("[[")))
    words = "PreviousNext"
    assert told == [
        ["table-row-group", "none"],
        [50, "p000.example", "p049.example", "1 to 50 of 121" + words],
        [50, "p050.example", "p099.example", "51 to 100 of 121" + words],
        [50, "p000.example", "p049.example", "1 to 50 of 121" + words],
        [50, "quiet.example", "p071.example", "1 to 50 of 121" + words],
        [50, "quiet.example", "p048.example", "1 to 50 of 121" + words],
        [1, "quiet.example", "quiet.example", "1 of 121" + words],
        [0, None, None, "0 of 121" + words],
        121,
    ]


@needs_chromium
def test_shares_are_sorted_whatever_marks_they_have(tmp_path: pathlib.Path) -> None:
    """Partners are in the order of their share over TLS, also those that are marked for a deprecated protocol or a weak cipher."""
    kinds = {"TLSv1.2": {"tls_version": "TLSv1.2"}, "TLSv1": {"tls_version": "TLSv1"}, "RC4": {"tls_version": "TLSv1", "tls_cipher": "RC4-SHA"}}
    partners = {
        "a.example": ("TLSv1", 1, 1),
        "b.example": ("TLSv1.2", 3, 1),
        "c.example": ("RC4", 1, 9),
        "d.example": ("TLSv1.2", 0, 1),
        "e.example": ("RC4", 9, 1),
    }
    connections = [
        connection("delivery", i, verdict, domain=name, mail_flow="outgoing", **(kinds[kind] if verdict == "encrypted" else {}))
        for name, (kind, over, clear) in partners.items()
        for i, verdict in enumerate(["encrypted"] * over + ["cleartext"] * clear)
    ]
    steps = """
        addEventListener("DOMContentLoaded", () => {
          const table = [...document.querySelectorAll("table.full")].find(one => one.caption.textContent === "Connections with partners");
          const button = table.tHead.rows[0].cells[2].querySelector("button");
          const told = [1, 2].map(() => { button.click(); return [...table.tBodies[0].rows].map(row => row.cells[0].textContent[0]).join(""); });
          document.body.textContent = JSON.stringify(told);
        });
    """
    text = re.sub('<meta http-equiv="Content[^>]*>', "", report_html.page(build(connections, [])))
    path = tmp_path / "report.html"
    path.write_text(text.replace("</body>", f"<script>{steps}</script></body>"), encoding="utf-8")
    run = chromium(path, tmp_path, "--dump-dom")
    assert json.loads(next(words for words in Page(run.stdout).text if words.startswith("["))) == ["ebacd", "dcabe"]


@needs_chromium
def test_nothing_is_wider_than_the_window(tmp_path: pathlib.Path) -> None:
    """On windows from wide to narrow, only tables that scroll by themselves are wider than the window, and every link leads somewhere."""
    pairs = [hostile_records(text) for text in HOSTILE]
    text = report_html.page(build([*MANY, *(c for connections, _ in pairs for c in connections)], [*QUIET, *(m for _, some in pairs for m in some)]))
    steps = """
        addEventListener("load", () => {
          const told = [...document.querySelectorAll("iframe")].map(frame => {
            const found = frame.contentDocument, all = [...found.body.querySelectorAll("*")].filter(one => !one.closest(".scroll, svg"));
            const width = found.documentElement.clientWidth, links = [...found.querySelectorAll("a")];
            return [
              found.documentElement.scrollWidth - width,
              all.filter(one => one.getBoundingClientRect().right > width + 1).map(one => one.outerHTML.slice(0, 200)),
              links.filter(link => !found.getElementById(link.hash.slice(1))).map(link => link.hash),
            ];
          });
          document.body.textContent = JSON.stringify(told);
        });
    """
    within = html.escape(re.sub('<meta http-equiv="Content[^>]*>', "", text))
    frames = "".join(f'<iframe width="{width}" height="900" srcdoc="{within}"></iframe>' for width in (1400, 1000, 400))
    path = tmp_path / "frames.html"
    path.write_text(f"<!doctype html><script>{steps}</script><body>{frames}", encoding="utf-8")
    run = chromium(path, tmp_path, "--dump-dom")
    assert json.loads(next(words for words in Page(run.stdout).text if words.startswith("[["))) == [[0, [], []]] * 3


@needs_chromium
def test_on_paper_no_table_covers_another(tmp_path: pathlib.Path) -> None:
    """On a sheet of A4, every table, also those of the charts' numbers, stays within the place that it is in."""
    told = [(direction, verdict, hour) for direction in ("receiving", "delivery") for verdict in CONNECTION_VERDICTS for hour in (10, 11)]
    connections = [connection(direction, i, verdict, opened=f"2026-03-05T{hour}:00:00Z") for i, (direction, verdict, hour) in enumerate(told)]
    text = re.sub('<meta http-equiv="Content[^>]*>', "", report_html.page(build(connections, [])).replace("@media print", "@media screen"))
    steps = """
        addEventListener("load", () => {
          const found = document.querySelector("iframe").contentDocument, tables = [...found.querySelectorAll("table")];
          const right = one => one.getBoundingClientRect().right;
          const wide = tables.filter(one => right(one) > right(one.closest("figure, section")) + 1);
          document.body.textContent = JSON.stringify([tables.length, wide.map(one => one.caption.textContent)]);
        });
    """
    path = tmp_path / "frame.html"
    path.write_text(f'<!doctype html><script>{steps}</script><body><iframe width="971" height="900" srcdoc="{html.escape(text)}"></iframe>', encoding="utf-8")
    run = chromium(path, tmp_path, "--dump-dom")
    tables = len(Page(text).tables)
    assert json.loads(next(words for words in Page(run.stdout).text if words.startswith("["))) == [tables, []]


@needs_chromium
def test_without_its_script_the_page_is_whole(tmp_path: pathlib.Path) -> None:
    """Where a browser does not run the script, every row of every list is there and shown."""
    built = build(MANY, QUIET)
    text = report_html.page(built)
    path = tmp_path / "report.html"
    path.write_text(re.sub("script-src [^;]*", "script-src 'none'", text), encoding="utf-8")
    run = chromium(path, tmp_path, "--dump-dom")
    assert "Content Security Policy" in run.stderr
    page = Page(run.stdout)
    check_lists(page, built)
    assert page.tables == Page(text).tables
    shown = re.sub(r"aria-hidden|<(style|script)\b.*?</\1>", "", run.stdout, flags=re.DOTALL)
    assert "hidden" not in shown
    assert "paged" not in shown


@needs_chromium
def test_the_browser_test_sees_what_it_looks_for(tmp_path: pathlib.Path) -> None:
    """A page that breaks the policy and asks for something is found out by the same means."""
    path = tmp_path / "bad.html"
    page = report_html.page(build([], []))
    path.write_text(page.replace("<main>", '<main><p style="color:red"></p><script>alert(1)</script>'), encoding="utf-8")
    run = chromium(path, tmp_path, "--dump-dom")
    assert run.stderr.count("Content Security Policy") >= 2
    path.write_text('<!DOCTYPE html><img src="http://fetched.example.net/x.png">', encoding="utf-8")
    chromium(path, tmp_path, "--dump-dom", f"--log-net-log={tmp_path / 'net.json'}")
    assert "fetched.example.net" in (tmp_path / "net.json").read_text(encoding="utf-8")
