"""Own checks of the .conf files, for what no tool of Splunk's looks at."""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.splunk.conf import DEFAULT, ROOT, ConfError, read

if TYPE_CHECKING:
    from pathlib import Path

APP = ROOT / "splunk_app"
CONF = {path.stem: read(path) for path in sorted(DEFAULT.glob("*.conf"))}
SEARCHES = CONF["savedsearches"]
VIEWS = {path.stem: path.read_text(encoding="utf-8") for path in (DEFAULT / "data" / "ui" / "views").glob("*.xml")}
SOURCETYPES = {"cisco:esa:textmail", "cisco:esa:legacy", "cisco:esa:cef", "esatls:mail", "esatls:cef"}

# What props.conf of the Splunk Add-on for Cisco ESA 1.5.0 defines on the shared sourcetypes: names only.
ADD_ON_CLASSES = {
    "REPORT-fields_for_cisco_esa_textmail", "REPORT-fields_for_esa_new_logs", "REPORT-fields_for_esa_new_logs_10_11", "FIELDALIAS-src_for_cisco_esa",
    "FIELDALIAS-dest_for_cisco_esa", "FIELDALIAS-sender_for_cisco_esa", "FIELDALIAS-size", "FIELDALIAS-subject", "EVAL-vendor_action", "EVAL-reason",
    "EVAL-dest", "LOOKUP-action_for_cisco_esa_email", "LOOKUP-vendor_product_for_cisco_esa", "REPORT-cisco_esa_legacy_action",
}  # fmt: skip
ADD_ON_FIELDS = {
    "action", "app", "cipher", "connection", "dest", "dest_host", "dest_ip", "dest_port", "log_level", "log_type", "policy_type", "product",
    "protocol", "reason", "sender_reputation", "size", "source_domain", "src", "src_host", "src_ip", "src_user", "subject", "vendor", "vendor_action",
    "internal_message_id", "icid", "dcid", "mid", "rid", "sender", "recipient", "country", "sender_group",
}  # fmt: skip
SAME_MEANING = {"icid", "dcid", "mid", "rid", "sender", "recipient", "country", "sender_group", "subject", "size"}
"""Fields that both set, to the same: Cisco's ids, the envelope's addresses, the HAT line's words, the mail's own."""


def macro_calls(text: str) -> set[tuple[str, int]]:
    """Return the macros that a search calls: (name, number of arguments)."""
    calls = set()
    for call in re.findall(r"`([^`]+)`", text):
        # an argument in quotes is one
        name, bracket, arguments = re.sub(r'"[^"]*"', "quoted", call).partition("(")
        calls.add((name.strip(), len(arguments.rstrip(")").split(",")) if bracket else 0))
    return calls


def test_every_macro_that_is_called_exists() -> None:
    """Searches, macros, views and the README call macros that macros.conf defines, with as many arguments."""
    defined = {(name.partition("(")[0], int(name.partition("(")[2].rstrip(")") or 0)) for name in CONF["macros"]}
    for name, macro in CONF["macros"].items():
        assert len([word for word in macro.get("args", "").split(",") if word]) == int(name.partition("(")[2].rstrip(")") or 0), name
    texts = [macro["definition"] for macro in CONF["macros"].values()] + [search["search"] for search in SEARCHES.values()]
    for text in [*texts, *VIEWS.values()]:
        assert macro_calls(text) <= defined, macro_calls(text) - defined
    readme = set(re.findall(r"\besatls_\w+\b", (APP / "README.md").read_text(encoding="utf-8")))
    assert readme <= {name for name, _ in defined} | {"esatls_partners", "esatls_partners_sample", "esatls_text", *CONF["indexes"]}


def test_macro_arguments_are_used() -> None:
    """A macro's arguments stand in its definition, between dollar signs, and no other word does."""
    for name, macro in CONF["macros"].items():
        words = {word.strip() for word in macro.get("args", "").split(",") if word.strip()}
        assert set(re.findall(r"\$(\w+)\$", macro["definition"])) == words, name


def test_commands_exist_and_are_explained() -> None:
    """Every command has a script, the chunked protocol, both Pythons, and its stanza in searchbnf.conf with an example."""
    assert set(CONF["commands"]) == {"esatls", "esatlsconnections", "esatlsmessages", "esatlssummary"}
    for name, command in CONF["commands"].items():
        assert (APP / "bin" / command["filename"]).is_file()
        assert {key: value for key, value in command.items() if key != "filename"} == {
            "chunked": "true",
            "python.version": "python3",
            "python.required": "3.9, 3.13",
        }
        help_text = CONF["searchbnf"][f"{name}-command"]
        assert help_text["usage"] == "public"
        assert help_text["syntax"].startswith(name)
        assert name in help_text["example1"]
        source = (APP / "bin" / command["filename"]).read_text(encoding="utf-8")
        for word in ("##Syntax", "##Description", "##Example"):
            assert word in source, name


def test_help_names_every_option() -> None:
    """Each option that searchbnf.conf speaks of has a stanza, and each stanza is spoken of."""
    spoken = {option for stanza in CONF["searchbnf"].values() for option in re.findall(r"<(esatls-[a-z-]+-option)>", stanza.get("syntax", ""))}
    assert spoken == {name for name in CONF["searchbnf"] if name.endswith("-option")}


def test_extractions_name_transforms_that_exist() -> None:
    """Every REPORT names transforms of transforms.conf, each is used, and an event is read by a handful at most."""
    used = set()
    for sourcetype in SOURCETYPES:
        props = CONF["props"][sourcetype]
        names = [name for key, value in props.items() if key.startswith("REPORT-") for name in re.split(r"\s*,\s*", value)]
        assert 1 <= len(names) <= 6, sourcetype
        used |= set(names)
    assert used == {name for name, transform in CONF["transforms"].items() if "REGEX" in transform}
    assert set(CONF["props"]) == {*SOURCETYPES, "source::esatls records: *"}


def test_formats_fit_their_regexes() -> None:
    """FORMAT uses numbers of groups that the regex has; a source field is set by an earlier transform."""
    for name, transform in CONF["transforms"].items():
        if "REGEX" not in transform:
            continue
        groups = len(re.findall(r"\((?!\?)", re.sub(r"\\.|\[[^\]]*\]", "", transform["REGEX"])))
        words = transform["FORMAT"].split()
        numbers = [int(word.partition("::$")[2]) for word in words]
        assert len(words) == len(set(words)), name
        # a group is one field, but for an id, which tells the kind of event too
        assert all(len([word for word in words if word.endswith(f"::${number}") and not word.startswith("esatls_")]) <= 1 for number in numbers), name
        assert max(numbers) <= groups, name
        assert transform.get("SOURCE_KEY", "esatls_text") == "esatls_text"


def test_nothing_collides_with_the_splunk_add_on() -> None:
    """On the add-on's sourcetypes every class is new, and of its fields only those with the same meaning are set."""
    for sourcetype in ("cisco:esa:textmail", "cisco:esa:legacy", "cisco:esa:cef"):
        props = CONF["props"][sourcetype]
        assert not set(props) & ADD_ON_CLASSES
        assert all(key.startswith(("REPORT-esatls", "EVAL-")) for key in props), "no index-time setting, alias or look-up"
        fields = {key[5:] for key in props if key.startswith("EVAL-")}
        for name in re.split(r"\s*,\s*", props["REPORT-esatls"]):
            fields |= set(re.findall(r"(\w+)::", CONF["transforms"][name]["FORMAT"]))
        assert fields & ADD_ON_FIELDS <= SAME_MEANING
    assert all(name.startswith("esatls") for conf in ("transforms", "macros", "eventtypes", "savedsearches", "commands") for name in CONF[conf])


def test_tags_are_of_records() -> None:
    """Tags stand on event types of the records alone: no line of a log is a mail."""
    assert {name.partition("=")[2] for name in CONF["tags"]} == set(CONF["eventtypes"])
    for name, tags in CONF["tags"].items():
        assert set(tags.values()) == {"enabled"}
        assert CONF["eventtypes"][name.partition("=")[2]]["search"].startswith("`esatls_records` TERM(kind=")
    assert not any(key in CONF["props"]["esatls:mail"] for key in ("EVAL-protocol", "EVAL-action", "EVAL-src"))


def test_lookups_exist_and_are_whole() -> None:
    """Each look-up's file is there, every row has a cell for every column, and a search that uses one uses its columns."""
    texts = [search["search"] for search in SEARCHES.values()] + [macro["definition"] for macro in CONF["macros"].values()]
    used = {word for text in texts for word in re.findall(r"\| (?:lookup|inputlookup append=true) (\w+)", text)}
    lookups = {name: transform for name, transform in CONF["transforms"].items() if "filename" in transform}
    assert used <= set(lookups)
    for transform in lookups.values():
        with (APP / "lookups" / transform["filename"]).open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        assert rows[0] == ["domain", "direction", "owner"]
        assert len(rows) > 1
        assert {len(row) for row in rows} == {3}
        assert {row[1] for row in rows[1:]} <= {"both", "receiving", "delivery"}
        assert all(re.fullmatch(r"(?:\*\.)?[\w.]*example\.(?:com|net|org)", row[0]) for row in rows[1:])
    assert {path.name for path in (APP / "lookups").iterdir()} == {transform["filename"] for transform in lookups.values()}


@pytest.mark.parametrize("name", sorted(SEARCHES))
def test_scheduled_search_is_off_and_bounded(name: str) -> None:
    """Every search ships disabled, with a start and an end, not in real time, at most once an hour, and says what it is for."""
    search = SEARCHES[name]
    assert search["disabled"] == "1"
    assert search["enableSched"] == "1"
    assert search["dispatch.earliest_time"].startswith("-")
    assert search["dispatch.latest_time"]
    assert "rt" not in search["dispatch.earliest_time"] + search["dispatch.latest_time"]
    assert re.fullmatch(r"\d{1,2} (?:\*|\d{1,2}) \* \* \*", search["cron_schedule"])
    assert search["description"].endswith(".")
    own = r"(?:\| )?`esatls_(?:index|open|(?:(?:recorded|counted)_)?(?:connections|messages)(?:\(\"[^\"]*\"\))?)`"
    assert re.match(rf"{own}|\| tstats [^|]* WHERE `esatls_(?:index|records)`", search["search"]), "a macro begins it"
    if name.startswith("esatls alert:"):
        assert search["alert.track"] == "1"
        # without a field a search is silent as a whole
        fields = {field.strip() for field in search.get("alert.suppress.fields", "table").split(",")}
        assert all(re.search(rf"\b{field}\b", search["search"] + CONF["macros"]["esatls_message_partners"]["definition"]) for field in fields)
    else:
        assert search["action.summary_index"] == "1"


def test_records_have_one_index() -> None:
    """The searches write into the index that the app brings and that both macros name; the hours are whole, in time, and none is left out.

    If an indexer fails, they fail, too: a day that was judged by some of its hours would pass for the whole day.
    """
    written = [search for name, search in SEARCHES.items() if name.startswith("esatls records: ")]
    assert {search["action.summary_index._name"] for search in written} == set(CONF["indexes"]) == {"esatls_summary"}
    assert CONF["macros"]["esatls_records"]["definition"] == "index=esatls_summary sourcetype=stash"
    assert CONF["macros"]["esatls_write_records"]["definition"] == 'collect index=esatls_summary source="esatls records: by hand"'
    hours = SEARCHES["esatls records: hours"]
    assert (hours["dispatch.earliest_time"], hours["dispatch.latest_time"], hours["durable.track_time_type"], hours["durable.lag_time"]) == (
        "-1h@h",
        "@h",
        "_time",
        "0",
    )
    assert all(search["realtime_schedule"] == search["dispatch.allow_partial_results"] == "0" for search in written)


def test_readme_tells_of_every_saved_search() -> None:
    """Each alert stands in the README's table with its minute, its silence and the thresholds, and so do the searches for records."""
    readme = (APP / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", readme.partition("### Alerts")[2].partition("###")[0], re.MULTILINE))
    alerts = {name.partition("esatls alert: ")[2]: search for name, search in SEARCHES.items() if name.startswith("esatls alert: ")}
    assert set(rows) == set(alerts)
    for name, search in alerts.items():
        minute = int(search["cron_schedule"].split()[0])
        assert f":{minute:02}" in rows[name]
        assert re.search(rf"once in {search['alert.suppress.period'][:-1]} (?:hours|days)", rows[name])
    assert f"more than {CONF['macros']['esatls_failure_threshold']['definition']} failed" in rows["TLS failures with a partner"]
    assert f"more than {CONF['macros']['esatls_share_drop']['definition']} percentage points" in rows["TLS share of a partner dropped"]
    assert set(re.findall(r"`(esatls records: \w+)`", readme)) == {name for name in SEARCHES if name.startswith("esatls records")}


def test_readme_tells_what_becomes_of_the_index() -> None:
    """The index must be there before the searches that write into it; a server that has it from the app alone loses it with the app, as the README says."""
    readme = (APP / "README.md").read_text(encoding="utf-8")
    steps = readme.partition("## Set up")[2]
    assert 0 < steps.index("create the index of the records") < steps.index("Enable the four searches")
    uninstall = readme.partition("To uninstall")[2].partition("\n## ")[0]
    for index, settings in CONF["indexes"].items():
        assert f"`[{index}]`" in uninstall
        assert settings["homePath"].rpartition("/")[0] in uninstall


def test_manifest_names_the_machines_of_the_readme() -> None:
    """The manifest lets the app be installed on every kind of machine that the README has it on."""
    workloads = json.loads((APP / "app.manifest").read_text(encoding="utf-8"))["targetWorkloads"]
    install = (APP / "README.md").read_text(encoding="utf-8").partition("## Install")[2].partition("\n## ")[0]
    assert {word.replace("_", " ").strip() for word in workloads} == set(re.findall(r"search heads|indexers|forwarders", install))


def test_index_macro_covers_every_sourcetype() -> None:
    """The one macro to change names all sourcetypes that the app reads."""
    assert set(re.findall(r'"([^"]+)"', CONF["macros"]["esatls_index"]["definition"])) == SOURCETYPES


def test_navigation_leads_to_every_view() -> None:
    """Each view is in the menu, and the menu names no view that neither the app nor Splunk has."""
    named = [view.get("name") for view in ET.parse(DEFAULT / "data" / "ui" / "nav" / "default.xml").iter("view")]  # noqa: S314 - our own file
    assert set(VIEWS) <= set(named)
    assert set(named) - set(VIEWS) <= {"search", "reports", "alerts", "dashboards", "datasets", "analytics_workspace"}


def test_indexers_get_the_library() -> None:
    """The knowledge bundle carries lib/, under the setting's new name and its old one, and the folder is the app's own."""
    for stanza in ("replicationAllowlist", "replicationWhitelist"):
        (rule,) = CONF["distsearch"][stanza].values()
        # Splunk's wildcards: ... is any path
        regex = re.escape(rule).replace(re.escape(r"[/\\]"), r"[/\\]").replace(r"\.\.\.", ".*")
        assert re.fullmatch(regex, "apps/esatls/lib/esatls/match.py")
        assert not re.fullmatch(regex, "apps/other/lib/esatls/match.py")


def test_permissions_let_nobody_but_admins_write() -> None:
    """Everybody may read, only administrators (of Splunk Cloud too) may change; what searches in other apps need is exported, and no more."""
    meta = read(APP / "metadata" / "default.meta")
    assert meta[""]["access"] == "read : [ * ], write : [ admin, sc_admin ]"
    assert meta[""]["export"] == "none"
    shared = {"commands", "searchbnf", "macros", "lookups", "props/esatls%3Amail", "props/esatls%3Acef", "transforms", "eventtypes", "tags"}
    shared.add("props/source%3A%3Aesatls%20records%3A%20*")
    assert {kind for kind, settings in meta.items() if settings["export"] == "system"} == shared


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[a]\nx = 1\n[a]\n", r"\[a\] stands twice"),
        ("[a]\nx = 1\nx = 2\n", "x stands twice"),
        ("x = 1\n", "not a setting"),
        ("[a]\nsearch = one \\ \n| two\n", "white space behind a backslash"),
    ],
)
def test_reader_sees_faults(text: str, fault: str, tmp_path: Path) -> None:
    """The reader that these checks stand on refuses what Splunk would silently merge or cut."""
    path = tmp_path / "x.conf"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfError, match=fault):
        read(path)
