"""Runs the Logstash filter without a Logstash: its Ruby on JRuby, the plugins around it by a stand-in.

What the stand-in is: an event, date (ISO 8601), ruby, conditions. The filter's file is read by a parser of its
language, so the steps are those of the file. `LOGSTASH_HOME` runs the same lines through a real Logstash.
"""

from __future__ import annotations

import atexit
import functools
import importlib.util
import json
import re
import shutil
import subprocess
import tempfile
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
    found: list[dict[str, Any]] = _jruby().ask({"steps": steps(FILTER.read_text(encoding="utf-8")), "documents": documents})
    return found


def read_yaml(texts: dict[str, str]) -> dict[str, Any]:
    """Return YAML documents as another one's reader has them: that of JRuby, by name."""
    found: dict[str, Any] = _jruby().ask({"yaml": texts})
    return found


class _JRuby:
    """One process for all that is asked: it takes seconds to start."""

    def __init__(self) -> None:
        subprocess.run([str(HERE / "setup.sh")], check=True, timeout=600)
        command = ["java", *QUICK, "-Xss4m", "-jar", str(JAR), str(HERE / "standin.rb")]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it is there as long as the process
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, encoding="utf-8")
        atexit.register(self._process.communicate)

    def ask(self, question: dict[str, Any]) -> Any:
        """Return the answer to a question, which may leave no error."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        self._errors.seek(0)
        errors = self._errors.read().decode()
        self._errors.seek(0)
        self._errors.truncate()
        assert errors == "", errors[-3000:]
        return json.loads(answer)


_jruby = functools.cache(_JRuby)
