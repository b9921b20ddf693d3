"""The package: what is in it, that it is the same each time, and what Splunk's own tools say of it."""

from __future__ import annotations

import ast
import json
import re
import shutil
import struct
import sys
import tarfile
import zlib
from typing import TYPE_CHECKING

import pytest

from tests.splunk.conf import CACHE, ROOT, read

sys.path.insert(0, str(ROOT / "python" / "package"))
import archives
import icons
import splunk_package

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Tool = Callable[..., subprocess.CompletedProcess[str]]

# Warnings that no app with Python commands and an SDK for Python 3.9 can lose.
UNAVOIDABLE = {"check_for_python_script_existence", "check_python_sdk_version"}

# Settings that are newer than the specifications that slim brings with it (Splunk 7.0), where Splunk's documentation has them.
NEWER = {
    "commands.conf.spec": "[<STANZA_NAME>]\npython.version = [python3]\npython.required = <comma-separated list>\n",
    "transforms.conf.spec": "[<unique_transform_stanza_name>]\nMATCH_LIMIT = <integer>\nDEPTH_LIMIT = <integer>\n",
    "savedsearches.conf.spec": "[<stanza name>]\ndurable.track_time_type = [_time|_indextime]\ndurable.lag_time = <unsigned integer>\n"
    "durable.backfill_type = [auto|time_interval|time_whole]\ndurable.max_backfill_intervals = <unsigned integer>\n"
    "dispatch.allow_partial_results = <bool>\n",
    "distsearch.conf.spec": "[replicationAllowlist]\n<name> = <string>\n",
}


def test_two_builds_are_the_same_bytes(packages: list[Path], tmp_path: Path) -> None:
    """The archive depends on nothing but its files; .spl and .tar.gz are the same archive."""
    packages = [path for path in packages if "-elastic-" not in path.name and path.suffix in (".gz", ".spl")]
    assert [path.name for path in packages] == [f"esatls-{archives.version()}.tar.gz", f"esatls-{archives.version()}.spl"]
    again = splunk_package.build(tmp_path)
    assert {path.read_bytes() for path in packages} == {path.read_bytes() for path in again}
    assert len({path.read_bytes() for path in packages}) == 1


def test_archive_is_as_splunk_wants_it(packages: list[Path]) -> None:
    """One top folder named as the app, folders 755, files 644, no links, no dot files, nothing compiled, nobody's account or date."""
    with tarfile.open(packages[0]) as tar:
        members = tar.getmembers()
    assert members[0].name == "esatls"
    for member in members:
        assert member.name == "esatls" or member.name.startswith("esatls/")
        assert member.isdir() or member.isfile()
        assert member.mode == (0o755 if member.isdir() else 0o644)
        assert (member.uid, member.gid, member.uname, member.gname, member.mtime) == (0, 0, "root", "root", archives.EPOCH)
        assert not any(part.startswith(".") or part in {"__pycache__", "local", "tests"} for part in member.name.split("/")), member.name
        assert not member.name.endswith((".pyc", ".pyo", ".so", ".pyd", "local.meta")), member.name


def test_builder_refuses_what_splunk_s_python_lacks() -> None:
    """An import that is neither in the package nor in the standard library stops the build."""
    if sys.version_info < (3, 10):
        pytest.skip("the names of the standard library are known from Python 3.10 on")
    with pytest.raises(archives.PackageError, match=r"bin/x.py imports orjson"):
        splunk_package.check_imports({"bin/x.py": b"import orjson"})


def test_app_name_is_the_same_everywhere(app: Path) -> None:
    """The folder, both ids and the manifest's name are one word."""
    conf = read(app / "default" / "app.conf")
    manifest = json.loads((app / "app.manifest").read_text(encoding="utf-8"))
    assert {app.name, conf["id"]["name"], conf["package"]["id"], manifest["info"]["id"]["name"]} == {"esatls"}
    assert 5 <= len(conf["ui"]["label"]) <= 80


def test_code_runs_on_python_3_9(app: Path) -> None:
    """Every module parses as Python 3.9, the oldest that Splunk runs."""
    for path in [*app.glob("bin/*.py"), *app.glob("lib/esatls/**/*.py")]:
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))


def test_sdk_is_the_pinned_one_unchanged(app: Path) -> None:
    """lib/splunklib is byte for byte of the pinned archive, whose hash pip checks."""
    files = splunk_package.sdk_files()
    packed = {path.relative_to(app / "lib").as_posix(): path.read_bytes() for path in (app / "lib").rglob("*") if path.is_file()}
    assert {path: content for path, content in packed.items() if not path.startswith("esatls/")} == files
    assert b"__version_info__ = (2, 1, 1)" in files["splunklib/__init__.py"] or b'"2.1.1"' in files["splunklib/__init__.py"]


def pixels(png: bytes) -> tuple[int, int, bytes]:
    """Width, height and the raw rows of a PNG of 8-bit RGBA without filters other than none."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, *kind = struct.unpack(">IIBBBBB", png[16:29])
    assert kind == [8, 6, 0, 0, 0]
    body, place = b"", 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        name, content = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        assert struct.unpack(">I", png[place + 8 + length : place + 12 + length])[0] == zlib.crc32(name + content)
        body += content if name == b"IDAT" else b""
        place += 12 + length
    return width, height, zlib.decompress(body)


@pytest.mark.parametrize("name", sorted(icons.ICONS))
def test_icon_is_a_png_of_the_right_size(app: Path, name: str) -> None:
    """Each icon is a real PNG, drawn by the checked-in script, of the size that Splunk asks for, and not empty."""
    sizes = {"appIcon": (36, 36), "appIconAlt": (36, 36), "appLogo": (160, 40)}
    base, double, _ = name.partition("_2x")
    wanted = sizes[base.removesuffix(".png") if hasattr(str, "removesuffix") else base]
    width, height, rows = pixels((app / "static" / name).read_bytes())
    assert (width, height) == tuple(size * (2 if double else 1) for size in wanted)
    painter, *_ = icons.ICONS[name]
    assert rows == pixels(icons.png(painter, width, height))[2]
    assert len(set(rows)) > 4


def test_all_icons_are_there(app: Path) -> None:
    """No size is missing, and nothing else lies in static/."""
    assert {path.name for path in (app / "static").iterdir()} == {
        "appIcon.png", "appIcon_2x.png", "appIconAlt.png", "appIconAlt_2x.png", "appLogo.png", "appLogo_2x.png",
    }  # fmt: skip


def test_no_private_address_and_no_trace_of_a_workplace(app: Path) -> None:
    """Nothing in the app names a private network, a home folder or an address of the machine that built it."""
    here = re.escape(f"{ROOT.parent if ROOT.parent.name else ROOT}/").encode()
    found = re.compile(rb"\b(?:10\.\d+\.\d+\.\d+|192\.168\.\d+\.\d+|172\.(?:1[6-9]|2\d|3[01])\.\d+\.\d+)\b|/(?:root|home|tmp)/|" + here)
    paths = [path for path in app.rglob("*") if path.is_file() and "splunklib" not in path.parts]
    assert len(paths) > 50
    assert [path for path in paths if found.search(path.read_bytes())] == []


def test_readme_tells_how_to_install(app: Path) -> None:
    """The README covers standalone, distributed and Splunk Cloud, set-up, and the Splunk add-on beside it."""
    text = (app / "README.md").read_text(encoding="utf-8")
    for word in ("standalone", "distributed", "Splunk Cloud", "Splunk Add-on for Cisco ESA", "esatls_index", "esatls_partners", "esatls-<version>.tar.gz"):
        assert word in text, word
    for command in read(app / "default" / "commands.conf"):
        assert f"`{command}`" in text


def test_appinspect(packages: list[Path], tool: Tool, tmp_path: Path) -> None:
    """Splunk's vetting tool finds no failure, error, future failure or skipped check, and only the warnings that cannot be lost.

    Without tags it runs all its checks: those of Splunk Cloud and of private apps there too.
    """
    report = tmp_path / "report.json"
    arguments = ["inspect", str(packages[0]), "--mode", "precert", "--skip-trusted-libraries-update", "--data-format", "json"]
    arguments += ["--output-file", str(report), "--max-messages", "all"]
    done = tool("appinspect", "splunk-appinspect", *arguments)
    assert report.exists(), done.stderr
    (result,) = json.loads(report.read_text(encoding="utf-8"))["reports"]
    summary = result["summary"]
    assert summary["success"] > 100
    assert [summary[name] for name in ("error", "failure", "future_failure", "skipped")] == [0, 0, 0, 0], result
    checks = [check for group in result["groups"] for check in group["checks"]]
    assert {check["name"] for check in checks if check["result"] == "warning"} == UNAVOIDABLE
    assert {"cloud", "private_victoria"} <= {tag for check in checks for tag in check["tags"]}


def test_slim_knows_every_setting(app: Path, tool: Tool, tmp_path: Path) -> None:
    """Splunk's packaging tool, with its specifications of the .conf files and the newer settings added, finds no unknown key and no fault."""
    specs = next((CACHE / "slim").glob("lib/python*/site-packages/slim/config/conf-specs"), None)
    if specs is None:
        pytest.skip("slim is not installed: run tests/splunk/setup.sh")
    shutil.copytree(specs, tmp_path / "specs")
    for name, lines in NEWER.items():
        with (tmp_path / "specs" / name).open("a", encoding="utf-8") as file:
            file.write("\n" + lines)
    done = tool("slim", "slim", "config", "--set", "option.configuration_spec_path", str(tmp_path / "specs"))
    assert done.returncode == 0, done.stdout + done.stderr
    done = tool("slim", "slim", "validate", str(app))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[ERROR]" not in done.stdout + done.stderr
    warnings = [line for line in (done.stdout + done.stderr).splitlines() if "[WARNING]" in line]
    assert warnings == []


def test_ksconf_finds_nothing(app: Path, tool: Tool) -> None:
    """Ksconf reads every .conf and .meta file without a complaint."""
    files = [str(path) for path in [*app.glob("default/*.conf"), *app.glob("metadata/*.meta")]]
    done = tool("ksconf", "ksconf", "check", *files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(files)} files were parsed successfully" in done.stdout + done.stderr
