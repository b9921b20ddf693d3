"""Runs the Logstash filter without a Logstash: its Ruby on JRuby, the plugins around it by a stand-in.

What the stand-in is: an event, date (ISO 8601), ruby, conditions. The filter's file is read by a parser of its
language, so the steps are those of the file. `LOGSTASH_HOME` runs the same lines through a real Logstash.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.elastic import corpus
from tests.elastic.logstash import FILTER, documents_of
from tests.elastic.server import QUICK

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).resolve().parent
JAR = corpus.ROOT / ".cache" / "elastic" / "jruby" / "jruby-complete.jar"


def cannot_run() -> str | None:
    """Return why JRuby cannot be run here; None where it can."""
    if not (shutil.which("java") and shutil.which("mvn")):
        return "JRuby needs Java and Maven"
    if importlib.util.find_spec("lscl") is None:
        return "lscl, which parses Logstash's pipeline language, is not installed"
    return None


def steps(text: str) -> list[dict[str, Any]]:
    """Return the steps of a filter's file."""
    variables = re.sub(r"\$\{(\w+):([^}]*)\}", lambda found: {"ESATLS_HOME": str(corpus.ROOT)}.get(found[1], found[2]), text)
    (block,) = importlib.import_module("lscl.parser").parse_lscl(variables)
    return [_step(item) for item in block.content]


def _step(item: Any) -> dict[str, Any]:
    if type(item).__name__ == "LsclConditions":
        return {
            "if": [[_condition(condition), [_step(inner) for inner in content]] for condition, content in item.conditions],
            "else": [_step(inner) for inner in item.default or []],
        }
    return {"plugin": item.name, "settings": {attribute.name: attribute.content for attribute in item.content}}


def _condition(condition: Any) -> list[Any]:
    kind = type(condition).__name__
    assert kind == "LsclSelector", kind
    return ["field", _reference(condition)]


def _reference(selector: Any) -> str:
    return "".join(f"[{name}]" for name in selector.names)


def run_jruby(lines: Iterable[str], beside: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Run lines through the filter, with some fields beside each; return the documents that come out."""
    return run_documents([{**document, **(beside or {})} for document in documents_of(lines)])


def run_documents(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run documents through the filter; return those that come out."""
    subprocess.run([str(HERE / "setup.sh")], check=True, timeout=600)
    given = {"steps": steps(FILTER.read_text(encoding="utf-8")), "documents": documents}
    command = ["java", *QUICK, "-Xss4m", "-jar", str(JAR), str(HERE / "standin.rb")]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, encoding="utf-8", timeout=590, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr == "", done.stderr[-3000:]
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
