"""What the documents show is what happens: files, commands, what they print, searches, links."""

from __future__ import annotations

import calendar
import csv
import io
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import esatls
import pytest

from tests.core.support import records_of
from tests.docs.examples import DOCUMENTS, ROOT, Place, answered, blocks, files
from tests.report.support import VERSIONS, connection
from tests.splunk.dashboards.standin import source, spl, views

if TYPE_CHECKING:
    from collections.abc import Iterator

    from esatls.elastic.client import Client

    from tests.splunk.driver import Splunk

RECIPES = "docs/RECIPES.md"

# What each recipe finds, in every engine: the MIDs, or the partners.
FOUND: dict[str, set[str]] = {
    "Which messages were received in clear text?": {"902", "906"},
    "What went out in clear text last month, and to whom?": {"904", "905", "909"},
    "Did mail to or from these partners go in clear text?": {"904", "906", "909"},
    "Who still uses TLS 1.0 or 1.1, or a weak cipher?": {"old.example"},
    "What has failed since the certificate was changed?": {"mx.strict.example", "bank.example"},
    "Where is this mail?": {"906"},
    "What mail did this partner get, and from whom?": {"904", "909"},
    "Which connections came through this sender group and listener?": {"example.com"},
    "Who uses this protocol with this cipher?": {"example.com"},
    "With whom does TLS fail for this reason?": {"mx.strict.example", "bank.example"},
    "Where did DANE fail?": {"tlsa.example"},
}
# Where a row of Splunk or a document of Elastic has it.
COLUMNS = ("mid", "partner", "dane_host")
FIELDS = {"logs-esatls.messages-*": "email.local_id", "logs-esatls.connections-*": "esatls.partner", "logs-esatls.events-*": "esatls.dane.host"}
VIEWS = {"messages": "logs-esatls.messages-*", "connections": "logs-esatls.connections-*", "events": "logs-esatls.events-*"}


def sections() -> dict[str, list[tuple[str, str]]]:
    """Return the blocks of each recipe: heading -> (language, text); a query of Elastic with its data view as language."""
    text = (ROOT / RECIPES).read_text(encoding="utf-8")
    out: dict[str, list[tuple[str, str]]] = {}
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        view = re.search(r"`ESA TLS: (\w+)`", body)
        found = re.findall(r"^```(spl|kql|console)\n(.*?)^```$", body, re.MULTILINE | re.DOTALL)
        out[heading] = [(VIEWS[view[1]] if kind == "kql" and view else kind, block) for kind, block in found]
    return {heading: found for heading, found in out.items() if heading in FOUND}


@pytest.fixture(scope="module")
def splunk(tmp_path_factory: pytest.TempPathFactory) -> Splunk:
    """Return the built app with the driver that speaks to its commands as splunkd does."""
    sys.path.insert(0, str(ROOT / "python" / "package"))
    import splunk_package

    from tests.splunk.driver import Splunk

    app = tmp_path_factory.mktemp("app") / "esatls"
    for path, content in splunk_package.contents().items():
        (app / path).parent.mkdir(parents=True, exist_ok=True)
        (app / path).write_bytes(content)
    return Splunk(sys.executable, app)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Return a client of a search server that is set up, has the recipes' log, and joined it, all by the command line."""
    from click.testing import CliRunner
    from esatls.cli.elastic import elastic

    from tests.elastic.server import cannot_start, shared
    from tests.elastic.store import index_lines, reset

    missing = cannot_start()
    if missing:
        pytest.skip(missing)
    client = shared().client
    reset(client)
    for arguments in (["setup", "--url", client.url], ["join", "--url", client.url, "--all"]):
        done = CliRunner().invoke(elastic, arguments)
        assert done.exit_code == 0, done.output
        if arguments[0] == "setup":
            index_lines(client, files(RECIPES)["mail.log"].splitlines())
    client.request("POST", "/logs-esatls.*/_refresh")
    yield client
    reset(client)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_print_what_the_document_says(document: str) -> None:
    """Each command of a `console` block prints what stands below it (`python tests/docs/examples.py` writes it)."""
    for block, right in answered(document):
        assert block.text == right


def shell_commands(document: str) -> list[str]:
    """Return the commands of a document's `sh` blocks, one per line."""
    return [line for block in blocks(document) if block.language == "sh" for line in block.text.splitlines() if line.strip()]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_shell_commands_succeed(document: str) -> None:
    """Each command of an `sh` block ends well in a folder as the document supposes it, or without a match, as `explain` does for no event.

    Left out are those that make the environment (the checks run them), those that need a server, and those that never end by themselves.
    """
    with Place(document) as place:
        for command in shell_commands(document):
            if command.startswith("python3 -m venv") or re.search(r"esatls (elastic|follow)\b", command):
                continue
            code, out = place.run(command)
            assert code == (1 if "explain" in command and "no event" in command else 0), f"{command}\n{out}"
            assert "Traceback" not in out


def test_a_folder_of_rotated_and_compressed_logs_gives_the_sample_s_answer() -> None:
    """The folder on which the documents' commands run is the sample, cut in three, two of them compressed: the answer is the same."""
    with Place("README.md") as place:
        answers = {place.run(f"esatls messages -q -f json {path}") for path in ("logs/", "mail.current", "'logs/*'")}
        assert len(answers) == 1
        ((code, out),) = answers
        assert (code, len(out.splitlines())) == (0, 3)


def test_first_screen_shows_the_real_answer() -> None:
    """The README's log is a part of the sample, and its answer is what its first command prints."""
    shown, printed = [block.text for block in blocks("README.md") if block.language == "text"][:2]
    sample = (ROOT / "python" / "esatls" / "sample.log").read_text(encoding="utf-8").splitlines()
    assert [line for line in shown.splitlines() if line not in sample] == []
    with Place("README.md") as place:
        (first,) = [line for line in shell_commands("README.md") if line.endswith("sample.log")]
        code, out = place.run(first.rpartition(" && ")[2].replace("messages", "messages -q"))
    assert (code, out) == (0, printed)


def search(text: str, lines: list[str], splunk: Splunk) -> list[Any]:
    """Return what a search finds in some lines, through the commands of the built app."""
    native = "%a %b %d %H:%M:%S %Y"
    times = [spl.utc(line) if line[0].isdigit() else calendar.timegm(time.strptime(line[:24], native)) for line in lines]
    events: list[spl.Row] = [{"_time": f"{at:.0f}", "_raw": line, "host": "collector.example.com"} for at, line in sorted(zip(times, lines))]
    partners: list[spl.Row] = [dict(row) for row in csv.DictReader(io.StringIO(files(RECIPES)["esatls_partners.csv"]))]
    site = source.Site(source.Package(splunk.app, splunk.python), events, Path(os.devnull))
    place = spl.Search(views.macros(), earliest=0, latest=2e9, now=2e9, source=site, lookups={"esatls_partners": partners})
    return spl.run(text, place)


@pytest.mark.parametrize("heading", FOUND)
def test_recipe_in_splunk(heading: str, splunk: Splunk) -> None:
    """The recipe's SPL, run over what the built app's commands make of the log, finds what the recipe is to find."""
    (text,) = [block for kind, block in sections()[heading] if kind == "spl"]
    rows = search(text, files(RECIPES)["mail.log"].splitlines(), splunk)
    if "DANE" in heading:
        assert {(row["dane_host"], row["dane_status"], row["messages"]) for row in rows} == {("dane.example", "success", 1), ("tlsa.example", "failure", 1)}
        rows = [row for row in rows if row["dane_status"] == "failure"]
    column = next(name for name in COLUMNS if name in rows[0])
    assert {str(row[column]) for row in rows} == FOUND[heading]
    if "partners" in heading:
        # one delivery to several domains counts for each that is in the list
        assert sorted((row["mid"], row["partner"]) for row in rows) == [
            ("904", "clinic.example"), ("906", "bank.example"), ("909", "bank.example"), ("909", "clinic.example"),
        ]  # fmt: skip


@pytest.mark.parametrize("heading", FOUND)
def test_recipe_in_elastic(heading: str, client: Client) -> None:
    """The recipe's KQL, run on a real server that `esatls elastic` set up and joined, finds what the recipe is to find."""
    from tests.elastic.kql import Kql, values_of

    ((view, text),) = [(kind, block) for kind, block in sections()[heading] if "-" in kind]
    query: dict[str, Any] = Kql(text).query()
    if "since" in heading:
        query = {"bool": {"filter": [query, {"range": {"@timestamp": {"gte": "2026-03-04T06:00:00Z"}}}]}}
    hits = client.request("POST", f"/{view}/_search", {"size": 1000, "query": query})["hits"]["hits"]
    found = [str(value) for hit in hits for value in values_of(hit["_source"], FIELDS[view])]
    assert sorted(found) == sorted(FOUND[heading])


@pytest.mark.parametrize("heading", FOUND)
def test_recipe_in_a_terminal(heading: str) -> None:
    """What stands below the recipe's command names what the recipe is to find; another test compares it with what the command prints."""
    (text,) = [block for kind, block in sections()[heading] if kind == "console"]
    answer = text.partition("\n")[2]
    assert [one for one in FOUND[heading] if one not in answer] == []
    if "esatls check" not in text:  # whose answer has a table for each partner
        assert len(answer.splitlines()) - answer.startswith(("time", "opened", "mid")) == len(FOUND[heading])


# Of a subdomain, over a connection that is not in view; to several domains in one delivery, one of them only ends like a partner; not known how.
HARD = """\
2026-03-05T08:00:02Z esa1 mail_logs: Info: Start MID 1 ICID 9
2026-03-05T08:00:02Z esa1 mail_logs: Info: MID 1 ICID 9 From: <desk@mail.bank.example>
2026-03-05T08:00:02Z esa1 mail_logs: Info: MID 1 ICID 9 RID 0 To: <a@Mail.Bank.example>
2026-03-05T08:00:02Z esa1 mail_logs: Info: MID 1 ICID 9 RID 1 To: <b@notbank.example>
2026-03-05T08:00:03Z esa1 mail_logs: Info: New SMTP DCID 1 interface 192.0.2.11 address 198.51.100.14 port 25
2026-03-05T08:00:04Z esa1 mail_logs: Info: Message done DCID 1 MID 1 to RID [0, 1]
2026-03-05T08:00:05Z esa1 mail_logs: Info: Start MID 2 ICID 9
2026-03-05T08:00:05Z esa1 mail_logs: Info: MID 2 ICID 9 From: <bob@example.com>
2026-03-05T08:00:05Z esa1 mail_logs: Info: MID 2 ICID 9 RID 0 To: <a@bank.example>
2026-03-05T08:00:06Z esa1 mail_logs: Info: Message done DCID 2 MID 2 to RID [0]
2026-03-05T08:00:07Z esa1 mail_logs: Info: Start MID 3 ICID 9
2026-03-05T08:00:07Z esa1 mail_logs: Info: MID 3 ICID 9 From: <desk@notbank.example>
2026-03-05T08:00:07Z esa1 mail_logs: Info: MID 3 ICID 9 RID 0 To: <a@bank.example>
2026-03-05T08:00:08Z esa1 mail_logs: Info: New SMTP DCID 3 interface 192.0.2.11 address 198.51.100.11 port 25
2026-03-05T08:00:09Z esa1 mail_logs: Info: DCID 3 TLS success protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384 for bank.example
2026-03-05T08:00:10Z esa1 mail_logs: Info: Message done DCID 3 MID 3 to RID [0]
"""


def test_partners_in_a_terminal() -> None:
    """The command tells the time, takes subdomains for the partner and no other name that ends like it, and tells what is unknown as such."""
    with Place(RECIPES) as place:
        (place.folder / "mail.log").write_text(HARD, encoding="utf-8")
        rows = list(csv.DictReader(io.StringIO(place.run("esatls check -q -f csv --partners esatls_partners.csv mail.log")[1])))
        assert [tuple(row[name] for name in ("time", "mid", "message_verdict", "side", "partner")) for row in rows if row["mid"]] == [
            ("2026-03-05T08:00:06Z", "2", "unknown", "delivery", "bank.example"),
            ("2026-03-05T08:00:02Z", "1", "unknown", "receiving", "mail.bank.example"),
            ("2026-03-05T08:00:04Z", "1", "cleartext", "delivery", "mail.bank.example"),
        ]


def test_partners_in_splunk(splunk: Splunk) -> None:
    """The recipe's search finds in the same log what its program finds."""
    (text,) = [block for kind, block in sections()["Did mail to or from these partners go in clear text?"] if kind == "spl"]
    names = ("_time", "mid", "partner_direction", "partner", "owner", "partner_verdict")
    first, second = calendar.timegm((2026, 3, 5, 8, 0, 2)), calendar.timegm((2026, 3, 5, 8, 0, 5))
    assert sorted((float(row["_time"]), *(row[name] for name in names[1:])) for row in search(text, HARD.splitlines(), splunk)) == [
        (first, "1", "delivery", "mail.bank.example", "Treasury", "cleartext"),
        (first, "1", "receiving", "mail.bank.example", "Treasury", "unknown"),
        (second, "2", "delivery", "bank.example", "Treasury", "unknown"),
    ]


def test_partners_in_elastic() -> None:
    """The recipe's query finds in the same log the messages that its program finds."""
    from esatls.elastic.documents import message_document

    from tests.elastic.kql import Kql

    ((_, text),) = [(kind, block) for kind, block in sections()["Did mail to or from these partners go in clear text?"] if "-" in kind]
    _, records = records_of(HARD)
    made = [message_document(record) for record in records]
    assert [document["email"]["local_id"] for document in made if Kql(text).matches(document)] == ["1", "2"]


def test_protocols_in_elastic() -> None:
    """The recipe's query finds each protocol that the report marks as deprecated, as the appliance writes it, and no others."""
    from esatls.elastic.documents import connection_document

    from tests.elastic.kql import Kql

    ((_, text),) = [(kind, block) for kind, block in sections()["Who still uses TLS 1.0 or 1.1, or a weak cipher?"] if "-" in kind]
    versions = {version: old for version, old in VERSIONS if version != "tlsv1"}
    documents = {version: connection_document(connection("receiving", 1, "encrypted", tls_version=version)) for version in versions}
    assert {version: Kql(text).matches(document) for version, document in documents.items()} == versions


def test_search_of_the_readme(splunk: Splunk) -> None:
    """The README's SPL finds the messages of the sample that went in clear text, at least in part."""
    (text,) = [block.text for block in blocks("README.md") if block.language == "spl"]
    lines = (ROOT / "python" / "esatls" / "sample.log").read_text(encoding="utf-8").splitlines()
    assert {row["mid"] for row in search(text, lines, splunk)} == {"7002", "7003"}


def test_python_of_the_readme() -> None:
    """The README's program prints the sample's answer, also where a line holds bytes that are no UTF-8."""
    (text,) = [block.text for block in blocks("README.md") if block.language == "python"]
    with Place("README.md") as place:
        (place.folder / "program.py").write_text(text, encoding="utf-8")
        (place.folder / "mail.log").write_bytes((place.folder / "mail.current").read_bytes() + b"Tue Mar  3 09:15:00 2026 Info: MID 7001 Subject '\xff\xfe'\n")
        assert place.run("python3 program.py") == (0, "7001 encrypted encrypted\n7002 cleartext encrypted\n7003 encrypted mixed\n")


def test_exports_of_splunk() -> None:
    """What Splunk exports as JSON or CSV gives the answer of the log; in CSV the offset in the log's head is not read, so the zone is given."""
    with Place("README.md") as place:
        lines = (place.folder / "mail.current").read_text(encoding="utf-8").splitlines()
        as_csv = io.StringIO()
        rows = csv.writer(as_csv, quoting=csv.QUOTE_ALL)
        rows.writerow(["_time", "host", "_raw"])
        rows.writerows(["2026-03-03T09:14:20.000+0100", "esa1", line] for line in lines)
        (place.folder / "export.json").write_text(
            "".join(json.dumps({"preview": False, "offset": n, "result": {"_raw": line}}) + "\n" for n, line in enumerate(lines)), encoding="utf-8"
        )
        (place.folder / "export.csv").write_text(as_csv.getvalue(), encoding="utf-8")
        plain, as_json = (place.run(f"esatls messages -q {name}") for name in ("mail.current", "export.json"))
        assert (as_json, len(plain[1].splitlines())) == (plain, 3)
        code, told = place.run("esatls messages -q --timezone Europe/Berlin export.csv")
        records = [json.loads(line) for line in told.splitlines()]
        assert code == 0
        assert [record.pop("esa_host") for record in records] == ["esa1"] * 3
        assert records == [json.loads(line) for line in plain[1].splitlines()]


def test_columns_of_sentinel_in_the_reference() -> None:
    """The columns that the reference names are read, and no others."""
    text = (ROOT / "docs" / "REFERENCE.md").read_text(encoding="utf-8")
    (named,) = re.findall(r"Of its other columns (.*?) are read", text)
    columns = {
        "DeviceAction": "DELIVERED", "SourceUserName": "ann@example.org", "DestinationUserName": "bob@example.com", "SourceIP": "192.0.2.7",
        "SourceHostName": "mx.example.org", "CommunicationDirection": "0", "DeviceExternalID": "0123-A",
        "DeviceCustomString4": "<a=1@mail.example.org>", "Message": "'Three words ESAMID=5'",
    }  # fmt: skip
    assert sorted(re.findall(r"`(\w+)`", named)) == sorted(columns)
    record = {"AdditionalExtensions": "ESAMID=1;ESAICID=2;ESATLSInConnStatus=Success", **columns, "DeviceName": "esa9", "DestinationIP": "192.0.2.8"}
    assert list(esatls.events([json.dumps(record)])) == [
        {
            "esa_event": "consolidated_event", "witness": "cef", "mid": 1, "icid": 2, "tls_in_result": "success", "action": "DELIVERED",
            "sender": "ann@example.org", "recipient": "bob@example.com", "peer_ip": "192.0.2.7", "peer_host": "mx.example.org",
            "serial": "0123-A", "message_id": "<a=1@mail.example.org>", "subject": "Three words ESAMID=5", "mail_flow": "incoming",
        }
    ]  # fmt: skip


def test_apostrophes_in_the_reference() -> None:
    """A text that is like a formula has an apostrophe in front in CSV, and none in JSON."""
    text = (ROOT / "docs" / "REFERENCE.md").read_text(encoding="utf-8")
    (csv_has, json_has) = re.findall(r"`([^`]*name@example\.com)`", text)
    with Place("README.md") as place:
        (place.folder / "mail.log").write_text(f"MID 1 ICID 5 From: <{json_has}>\n", encoding="utf-8")
        (row,) = csv.DictReader(io.StringIO(place.run("esatls messages -q -f csv mail.log")[1]))
        record = json.loads(place.run("esatls messages -q -f json mail.log")[1])
    assert (row["sender"], record["sender"]) == (csv_has, json_has) == ("'+name@example.com", "+name@example.com")


def test_domain_of_an_attempt_in_the_reference() -> None:
    """An attempt's domain is what the TLS line names, else what its recipients share, else none."""
    log = (
        "MID 1 ICID 5 RID 0 To: <a@p1.example>\nMID 1 ICID 5 RID 1 To: <b@p2.example>\nMID 1 ICID 5 RID 2 To: <c@p2.example>\n"
        "DCID 7 TLS success protocol TLSv1.2 cipher AES256-SHA for p5.example\nMessage done DCID 7 MID 1 to RID [0]\n"
        "Message done DCID 8 MID 1 to RID [1, 2]\nMessage done DCID 9 MID 1 to RID [0, 1]\n"
    )
    _, (record,) = records_of(log)
    assert record["deliveries"] == [
        {
            "dcid": 7, "rid": [0], "outcome": "done", "verdict": "encrypted", "tls_version": "TLSv1.2", "tls_cipher": "AES256-SHA",
            "domain": "p5.example",
        },
        {"dcid": 8, "rid": [1, 2], "outcome": "done", "verdict": "unknown", "domain": "p2.example"},
        {"dcid": 9, "rid": [0, 1], "outcome": "done", "verdict": "unknown"},
    ]  # fmt: skip


def documents() -> list[Path]:
    """Return every document of the project."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.glob("*/*/*.md")]
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(ROOT).parts))


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    """Every link to a file, and to a heading in it, has what it points to."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / unquote(name)) if name else path
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}, target


def test_every_document_is_linked_from_the_readme() -> None:
    """What a user should find is one step away from the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = {target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)}
    wanted = {f"docs/{name}.md" for name in ("REFERENCE", "VERDICTS", "RECIPES", "FOLLOW", "COMPARISON")}
    wanted |= {"splunk_app/README.md", "logstash/README.md", "CONTRIBUTING.md"}
    assert wanted - linked == set()


def test_elastic_commands_of_the_readme(client: Client) -> None:
    """The README's commands set a server up, and load the sample's records from a folder of compressed logs."""
    with Place("README.md") as place:
        for command in shell_commands("README.md"):
            if "esatls elastic" in command:
                code, out = place.run(command.replace("https://localhost:9200", client.url))
                assert code == 0, f"{command}\n{out}"
    client.request("POST", "/logs-esatls.*/_refresh")
    query = {"size": 10, "query": {"terms": {"email.local_id": ["7001", "7002", "7003"]}}}
    found = [hit["_source"] for hit in client.request("POST", "/logs-esatls.messages-*/_search", query)["hits"]["hits"]]
    told = {one["email"]["local_id"]: (one["esatls"]["received"]["verdict"], one["esatls"]["delivered"]["verdict"]) for one in found}
    assert told == {"7001": ("encrypted", "encrypted"), "7002": ("cleartext", "encrypted"), "7003": ("encrypted", "mixed")}


def test_pictures_are_small_and_shown() -> None:
    """Each picture that `python tests/screenshots` draws is a PNG of less than 200 kB that the README shows."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    pictures = sorted((ROOT / "tests" / "screenshots").glob("*.png"))
    assert len(pictures) == 5
    for path in pictures:
        assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert path.stat().st_size < 200_000
        assert f"]({path.relative_to(ROOT).as_posix()})" in text
