"""What logstash/README.md says about variables and keys is what the pipelines want and what its own table says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.elastic import corpus

LOGSTASH = corpus.ROOT / "logstash"
README = (LOGSTASH / "README.md").read_text(encoding="utf-8")


def test_the_table_of_variables_is_what_the_pipelines_read() -> None:
    """Every variable of every pipeline file stands there once, with the default that it has there."""
    files = [LOGSTASH / "pipelines.yml", *(LOGSTASH / "pipeline").glob("*/*")]
    read = {pair for path in files for pair in re.findall(r"\$\{(\w+)(?::([^}]*))?\}", path.read_text(encoding="utf-8")) if pair[0].startswith("ESATLS_")}
    told = re.findall(r"^\| `(ESATLS_\w+)` \| .+ \| (?:`(.+)`|none: .+) \|$", README, re.MULTILINE)
    assert sorted(told) == sorted(read)
    assert [name for name, default in told if not default] == ["ESATLS_LOGSTASH_API_KEY"]


def test_every_input_is_told() -> None:
    """The README names each input that can be chosen."""
    told = re.findall(r"^\| `(inputs/\w+)` \|", README, re.MULTILINE)
    assert sorted(told) == sorted(f"inputs/{path.stem}" for path in (LOGSTASH / "pipeline" / "inputs").glob("*.conf"))


def test_the_requests_that_make_keys_give_the_rights_of_the_table() -> None:
    """Each row has its request, with the same rights on the same indices, and no others."""
    text = README.partition("### Rights of the API keys")[2].partition("\n## ")[0]
    table: dict[str, tuple[set[str], dict[str, set[str]]]] = {}
    for name, cluster, indices in re.findall(r"^\| `?(setup|load|join|Logstash)`? \| (.*) \| (.*) \|$", text, re.MULTILINE):
        places: dict[str, set[str]] = {}
        for part in indices.split("; "):
            rights, _, on = part.partition(" on ")
            for place in re.findall(r"`([^`]+)`", on):
                places[place] = set(re.findall(r"`(\w+)`", rights))
        table[name] = (set(re.findall(r"`(\w+)`", cluster)), places)
    (block,) = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    made = {}
    for request in block.split("POST /_security/api_key\n")[1:]:
        body = json.loads(request)
        ((name, role),) = body["role_descriptors"].items()
        assert body == {"name": f"esatls-{name.lower()}", "role_descriptors": {name: role}}
        assert set(role) <= {"cluster", "indices", "applications"}
        assert ("applications" in role) == (name == "setup")
        made[name] = (set(role.get("cluster", [])), {place: set(one["privileges"]) for one in role.get("indices", []) for place in one["names"]})
    assert list(table) == ["setup", "load", "join", "Logstash"]
    assert made == table


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_the_units_are_systemds(tmp_path: Path) -> None:
    """systemd-analyze finds nothing wrong with the unit files, and each is named in the text before it."""
    units = re.findall(r"`/etc/systemd/system/(esatls-[\w.-]+)`.*?```ini\n(.*?)```", README, re.DOTALL)
    assert [name for name, _ in units] == ["esatls-join.service", "esatls-join.timer", "esatls-load.service"]
    command = Path(sys.executable).with_name("esatls")
    for name, text in units:
        (tmp_path / name).write_text(text.replace("ExecStart=/opt/esatls/venv/bin/esatls", f"ExecStart={command}"))
    done = subprocess.run(["systemd-analyze", "verify", *(str(tmp_path / name) for name, _ in units)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
