"""A small, strict evaluator of the SPL that the dashboards use, so that tests show what the macros really do.

It supports only the commands, options and functions in this file, as Splunk's Search Reference defines them, and raises
`SplError` for anything else. It stands in for Splunk's search head; the rows of the esatls commands come from `source`.

Last compared with: Splunk's Search Reference, only its text; never with a search head, because none of our machines runs one. The workflow
`servers` runs the app's own searches on a real Splunk (tests/servers/splunk.py).

A row is a dict without fields that have no value; a value is a str, a number, or a list of str (multi-valued).
"""

from __future__ import annotations

import calendar
import functools
import inspect
import json
import math
import operator
import re
import shlex
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Protocol, Union

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Number = Union[int, float]
Value = Union[str, int, float, list[str], bool, None]
Row = dict[str, Value]


class Source(Protocol):
    """The data behind the search head: the indexes, and the commands of the app."""

    def events(self, terms: str, earliest: float, latest: float) -> list[Row]:
        """Return the events of a time range that match the terms, newest first."""

    def command(self, name: str, arguments: list[str], rows: list[Row], span: tuple[float, float]) -> list[Row]:
        """Return the result of a command of the app for some rows."""


class SplError(Exception):
    """The search has something that this evaluator, or Splunk, does not accept."""


@dataclass(frozen=True)
class Macro:
    """One stanza of macros.conf."""

    args: tuple[str, ...]
    definition: str
    iseval: bool = False


@dataclass
class Search:
    """What a search can use: macros, time range (epoch seconds), the present, the data behind the search head, and lookups."""

    macros: dict[str, Macro]
    earliest: float
    latest: float
    now: float
    source: Source
    lookups: dict[str, list[Row]] = field(default_factory=dict)
    used_macros: set[str] = field(default_factory=set)


# ---- text to tokens ----


class Token(NamedTuple):
    """kind: word, number, string, quoted (a field name in single quotes), op; `start` shows whether tokens are adjacent."""

    kind: str
    text: str
    start: int


_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<quoted>'[^']*')
      | (?P<number>\d+(?:\.\d+)?(?![\w]))
      | (?P<word>[A-Za-z_@\d][\w@:*]*)
      | (?P<op>==|!=|<=|>=|[-+*/%.=<>(),|])""",
    re.VERBOSE | re.DOTALL,
)


def tokens(text: str) -> list[Token]:
    """Return the tokens of a text. Raises `SplError` for a character that no command here uses (brackets of a subsearch, backticks)."""
    out, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            raise SplError(f"cannot read {text[at : at + 30]!r}")
        kind = str(match.lastgroup)
        if kind != "space":
            out.append(Token(kind, match.group()[1:-1] if kind in ("string", "quoted") else match.group(), at))
        at = match.end()
    return out


_MACRO = re.compile(r'"(?:[^"\\]|\\.)*"|`(?P<call>[^`]*)`', re.DOTALL)
_CALL = re.compile(r"""(?P<name>\w+)(?:\((?P<args>(?:[^()"]|"[^"]*")*)\))?""")


def expand(text: str, search: Search, depth: int = 0) -> str:
    """Return a text with its macros replaced as Splunk does: not in double quotes, with unchanged arguments."""
    if depth > 10:
        raise SplError("macros call each other without end")

    def replace(match: re.Match[str]) -> str:
        if match["call"] is None:
            return match[0]
        call = _CALL.fullmatch(match["call"].strip())
        if not call:
            raise SplError(f"cannot read the macro call {match[0]}")
        # text in quotes is one argument, and is inserted without the quotes
        args = [] if call["args"] is None else [arg.strip().strip('"') for arg in re.findall(r'(?:[^,"]|"[^"]*")+', call["args"])]
        name = call["name"] + (f"({len(args)})" if args else "")
        if name not in search.macros:
            raise SplError(f"no macro {name}")
        search.used_macros.add(name)
        macro = search.macros[name]
        body = macro.definition
        for arg, value in zip(macro.args, args):
            body = body.replace(f"${arg}$", value)
        if macro.iseval:
            return as_text(Parser(tokens(body), search).expression()({}))
        return expand(body, search, depth + 1)

    return _MACRO.sub(replace, text)


# ---- expressions of eval and where ----

Expression = Callable[[Row], Value]


def as_number(value: Value) -> Number | None:
    """Return the number that Splunk sees in a value; None: it sees none."""
    if value is None or isinstance(value, (bool, list)):
        return None
    if isinstance(value, (int, float)):
        return value
    if re.fullmatch(r"-?\d+", value):
        return int(value)
    if re.fullmatch(r"-?\d*\.\d+", value):
        return float(value)
    return None


def as_text(value: Value) -> str:
    """Return a value as Splunk writes it into a result."""
    if isinstance(value, bool):
        raise SplError("a truth value cannot be a field's value")
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, list):
        raise SplError("a multi-valued field where one value is needed")
    return str(value)


def many(value: Value) -> list[str]:
    """Return a value as a list of values."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [as_text(value)]


def few(values: list[str]) -> Value:
    """Return a list as a field's value: nothing, one value, or several."""
    return None if not values else values[0] if len(values) == 1 else values


def compare(left: Value, right: Value, how: str) -> bool | None:
    """Compare; None: a side has no value, so the comparison is neither true nor false."""
    if left is None or right is None:
        return None
    if isinstance(left, list) or isinstance(right, list):
        raise SplError(f"{how} with a multi-valued field")
    numbers = as_number(left), as_number(right)
    if numbers[0] is not None and numbers[1] is not None:
        a, b = numbers
    elif isinstance(left, str) and isinstance(right, str):
        a, b = left, right  # type: ignore[assignment]
    elif how in ("==", "!="):
        return how == "!="
    else:
        raise SplError(f"{left!r} {how} {right!r}: a number against a text")
    return bool({"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[how])  # type: ignore[operator]


def arithmetic(left: Value, right: Value, how: str) -> Value:
    """Compute; None: a side has no value, or the divisor is 0. Raises `SplError` if a side is no number, even for + of two texts."""
    if left is None or right is None:
        return None
    a, b = as_number(left), as_number(right)
    if a is None or b is None:
        raise SplError(f"{left!r} {how} {right!r}: not numbers")
    if how == "+":
        return a + b
    if how == "-":
        return a - b
    if how == "*":
        return a * b
    if b == 0:
        return None
    return a / b if how == "/" else math.fmod(a, b)


def truth(value: Value) -> bool:
    """Return whether a condition is true; only comparisons and predicates are conditions."""
    if value is None:
        return False
    if not isinstance(value, bool):
        raise SplError(f"{value!r} is no condition")
    return value


def sql_like(pattern: str) -> re.Pattern[str]:
    """Return the expression for a pattern of like(): % is any text, _ any character."""
    parts = (".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    return re.compile("".join(parts), re.DOTALL)


def mv_index(value: Value, start: Value, end: Value) -> Value:
    """Evaluate mvindex(), which counts from 0, or from the end if negative, and includes both ends."""
    values, first = many(value), as_number(start)
    last = first if end is None else as_number(end)
    if first is None or last is None:
        return None
    first = int(first) + (len(values) if first < 0 else 0)
    last = int(last) + (len(values) if last < 0 else 0)
    if first < 0 or last < first:
        return None
    return few(values[first : last + 1])


def relative(text: str, now: float) -> float:
    """Return a time modifier (`-7d@h`, `@d`, `now`, epoch seconds) as epoch seconds, in UTC."""
    if text in ("now", "now()", ""):
        return now
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    match = re.fullmatch(r"(?P<shift>[-+]\d+(?P<unit>s|m|h|d|w|mon))?(?:@(?P<snap>[smhd]))?", text)
    if not match:
        raise SplError(f"time modifier {text!r}")
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "mon": 30 * 86400}
    if match["shift"]:
        now += int(re.sub(r"[a-z]+", "", match["shift"])) * seconds[match["unit"]]
    if match["snap"]:
        now -= now % seconds[match["snap"]]
    return now


def rounded(value: Value, digits: Value = 0) -> Value:
    """Evaluate round(): half is rounded away from 0; with digits, the result is a text."""
    number, digits = as_number(value), int(as_number(digits) or 0)
    if number is None:
        return None
    scaled = math.copysign(math.floor(abs(number) * 10**digits + 0.5 + 1e-9) / 10**digits, number)
    return f"{scaled:.{digits}f}" if digits else int(scaled)


def json_extract(value: Value, path: Value) -> Value:
    """Return what stands at one path of a JSON text."""
    found = json.loads(as_text(value))
    for step, number in re.findall(r"(\w+)(?:\{(\d+)\})?", as_text(path)):
        found = found.get(step) if isinstance(found, dict) else None
        if number:
            found = found[int(number)] if isinstance(found, list) and int(number) < len(found) else None
    if isinstance(found, list):
        return json.dumps(found)
    if isinstance(found, (dict, bool)):
        raise SplError("json_extract() of what is no text, no number and no list")
    return found  # type: ignore[no-any-return]


def find(values: Value, pattern: Value) -> Value:
    """Evaluate mvfind(): the number of the first value that matches."""
    return None if pattern is None else next((n for n, value in enumerate(many(values)) if re.search(as_text(pattern), value)), None)


def extreme(pick: Callable[[list[Number]], Number], *values: Value) -> Value:
    """Evaluate max() or min() of what is a number."""
    numbers = [number for number in map(as_number, values) if number is not None]
    return pick(numbers) if numbers else None


_OF_A_VALUE: dict[str, Callable[..., Value]] = {
    "floor": lambda value: None if as_number(value) is None else math.floor(as_number(value) or 0),
    "json_array_to_mv": lambda value: few([as_text(one) for one in json.loads(as_text(value))]),
    "json_extract": json_extract,
    "like": lambda value, pattern: None if pattern is None else sql_like(as_text(pattern)).fullmatch(as_text(value)) is not None,
    "lower": lambda value: as_text(value).lower(),
    "match": lambda value, pattern: re.search(as_text(pattern), as_text(value)) is not None,
    "mvdedup": lambda value: few(list(dict.fromkeys(many(value)))),
    "mvindex": lambda value, start, end=None: mv_index(value, start, end),
    "mvjoin": lambda value, by: as_text(by).join(many(value)),
    "replace": lambda value, regex, by: re.sub(as_text(regex), re.sub(r"\\(\d)", r"\\g<\1>", as_text(by)), as_text(value)),
    "round": rounded,
    "split": lambda value, by: few(as_text(value).split(as_text(by)) if by else list(as_text(value))),
    "strftime": lambda value, form: None if as_number(value) is None else time.strftime(as_text(form), time.gmtime(as_number(value))),
    "strptime": lambda value, form: calendar.timegm(time.strptime(as_text(value), as_text(form))),
    "tonumber": as_number,
    "tostring": as_text,
    "trim": lambda value, characters: as_text(value).strip(as_text(characters)),
    "upper": lambda value: as_text(value).upper(),
}
"""Functions that return no value if their first argument has none."""
_OF_ANY_VALUES: dict[str, Callable[..., Value]] = {
    "isnotnull": lambda value: value is not None,
    "isnull": lambda value: value is None,
    "isnum": lambda value: as_number(value) is not None,
    "max": lambda value, *others: extreme(max, value, *others),
    "min": lambda value, *others: extreme(min, value, *others),
    "mvappend": lambda value, *others: few([one for part in (value, *others) for one in many(part)]),
    "mvcount": lambda value: len(many(value)) or None,
    "mvfind": find,
    "mvrange": lambda start, end: few([str(n) for n in range(int(as_number(start) or 0), int(as_number(end) or 0))]),
    "mvzip": lambda left, right, by: few([a + as_text(by) + b for a, b in zip(many(left), many(right))]),
    "null": lambda: None,
    "relative_time": lambda value, shift: relative(as_text(shift), float(as_number(value) or 0)),
    "true": lambda: True,
}


class Parser:
    """Reads expressions, by precedence: OR, AND, NOT, comparison, + - ., * / %."""

    def __init__(self, items: list[Token], search: Search) -> None:
        """Read from `items`, left to right."""
        self.items, self.at, self.search = items, 0, search

    def peek(self, *texts: str) -> bool:
        """Return whether the next token is one of these words (in any case) or operators."""
        if self.at >= len(self.items):
            return False
        token = self.items[self.at]
        return token.kind in ("op", "word") and token.text.upper() in texts

    def take(self, *texts: str) -> Token:
        """Take the next token, which must be one of `texts` if there are any."""
        if self.at >= len(self.items):
            raise SplError(f"the search ends where {' or '.join(texts) or 'something'} should stand")
        if texts and not self.peek(*texts):
            raise SplError(f"{self.items[self.at].text!r} where {' or '.join(texts)} should stand")
        self.at += 1
        return self.items[self.at - 1]

    def done(self) -> bool:
        """Return whether no token is left."""
        return self.at >= len(self.items)

    def each(self, *stop: str) -> Iterator[None]:
        """Repeat up to the end or one of the words `stop`; commas between are optional."""
        while not self.done() and not self.peek(*stop):
            if self.peek(","):
                self.take()
            else:
                yield

    def expression(self) -> Expression:
        """Read an expression at the level of OR."""
        left = self.conjunction()
        while self.peek("OR"):
            self.take()
            left = _either(left, self.conjunction())
        return left

    def conjunction(self) -> Expression:
        """Read an expression at the level of AND."""
        left = self.negation()
        while self.peek("AND"):
            self.take()
            left = _both(left, self.negation())
        return left

    def negation(self) -> Expression:
        """Read an expression at the level of NOT; NOT of no value is no value."""
        if self.peek("NOT"):
            self.take()
            inner = self.negation()

            def negate(row: Row) -> Value:
                value = inner(row)
                return None if value is None else not truth(value)

            return negate
        return self.comparison()

    def comparison(self) -> Expression:
        """Read a comparison or IN."""
        left = self.sum()
        if self.peek("=", "==", "!=", "<", "<=", ">", ">="):
            how = self.take().text.replace("=", "==") if self.peek("=") else self.take().text
            right = self.sum()
            return lambda row: compare(left(row), right(row), how)
        if self.peek("IN"):
            self.take()
            options = self.arguments()

            def is_in(row: Row) -> Value:
                value = left(row)
                return None if value is None else any(compare(value, option(row), "==") for option in options)

            return is_in
        return left

    def sum(self) -> Expression:
        """Read an expression at the level of +, - and the dot that concatenates."""
        left = self.product()
        while self.peek("+", "-", "."):
            left = _binary(left, self.take().text, self.product())
        return left

    def product(self) -> Expression:
        """Read an expression at the level of *, / and %."""
        left = self.atom()
        while self.peek("*", "/", "%"):
            left = _binary(left, self.take().text, self.atom())
        return left

    def arguments(self) -> list[Expression]:
        """Read arguments in brackets, or empty brackets."""
        self.take("(")
        out: list[Expression] = []
        while not self.peek(")"):
            if out:
                self.take(",")
            out.append(self.expression())
        self.take(")")
        return out

    def atom(self) -> Expression:
        """Read a literal, a field, a function call or an expression in brackets."""
        if self.peek("("):
            self.take()
            inner = self.expression()
            self.take(")")
            return inner
        if self.peek("-"):
            self.take()
            inner = self.atom()
            return lambda row: arithmetic(0, inner(row), "-")
        token = self.take()
        if token.kind == "number":
            number: Number = float(token.text) if "." in token.text else int(token.text)
            return lambda _row: number
        if token.kind == "string":
            literal = re.sub(r"\\([\"\\])", r"\1", token.text)
            return lambda _row: literal
        if token.kind == "quoted":
            return lambda row: row.get(token.text)
        if token.kind != "word":
            raise SplError(f"{token.text!r} in an expression")
        if self.peek("("):
            return self.function(token.text)
        if re.fullmatch(r"[A-Za-z_]\w*", token.text) is None:
            raise SplError(f"{token.text!r} is no field name")
        return lambda row: row.get(token.text)

    def function(self, name: str) -> Expression:
        """Read the rest of a function call."""
        if name == "mvmap":
            self.take("(")
            variable = self.take().text
            self.take(",")
            body = self.expression()
            self.take(")")

            def mv_map(row: Row) -> Value:
                out: list[str] = []
                for value in many(row.get(variable)):
                    out += many(body({**row, variable: value}))
                return few(out)

            return mv_map
        args = self.arguments()
        if name == "if" and len(args) == 3:
            return lambda row: args[1](row) if truth(args[0](row)) else args[2](row)
        if name == "case" and args and len(args) % 2 == 0:
            return lambda row: next((then(row) for when, then in zip(args[::2], args[1::2]) if truth(when(row))), None)
        if name == "coalesce" and args:
            return lambda row: next((value for value in (arg(row) for arg in args) if value is not None), None)
        if name == "now" and not args:
            return lambda _row: self.search.now
        function = _OF_A_VALUE.get(name) or _OF_ANY_VALUES.get(name)
        if function is None:
            raise SplError(f"function {name}()")
        try:
            inspect.signature(function).bind(*args)
        except TypeError:
            raise SplError(f"{name}() with {len(args)} arguments") from None

        def call(row: Row) -> Value:
            values = [arg(row) for arg in args]
            return None if name in _OF_A_VALUE and values[0] is None else function(*values)

        return call


def _either(left: Expression, right: Expression) -> Expression:
    return lambda row: _or(left(row), right(row))


def _or(a: Value, b: Value) -> Value:
    return True if truth(a) or truth(b) else None if a is None or b is None else False


def _both(left: Expression, right: Expression) -> Expression:
    return lambda row: _and(left(row), right(row))


def _and(a: Value, b: Value) -> Value:
    if (a is not None and not truth(a)) or (b is not None and not truth(b)):
        return False
    return None if a is None or b is None else True


def _binary(left: Expression, how: str, right: Expression) -> Expression:
    if how == ".":

        def concatenate(row: Row) -> Value:
            a, b = left(row), right(row)
            return None if a is None or b is None else as_text(a) + as_text(b)

        return concatenate
    return lambda row: arithmetic(left(row), right(row), how)


# ---- commands ----


def _name(parser: Parser, *, stars: bool = False) -> str:
    token = parser.take()
    if token.kind not in ("word", "quoted", "string") or ("*" in token.text and not stars):
        raise SplError(f"{token.text!r} where a field's name should stand")
    return token.text


def _names(parser: Parser, *stop: str) -> list[str]:
    """Read names up to the end or one of the words `stop`; commas between them are optional."""
    out = [_name(parser) for _ in parser.each(*stop)]
    if not out:
        raise SplError("no field named")
    return out


def run_eval(rows: list[Row], parser: Parser) -> list[Row]:
    """Run `eval a=…, b=…`."""
    todo = []
    while True:
        name = _name(parser)
        parser.take("=")
        todo.append((name, parser.expression()))
        if parser.done():
            break
        parser.take(",")
    out = []
    for row in rows:
        new = dict(row)
        for name, expression in todo:
            value = expression(new)
            if isinstance(value, bool):
                raise SplError(f"eval {name}: a truth value cannot be a field's value")
            if value is None:
                new.pop(name, None)
            else:
                new[name] = value
        out.append(new)
    return out


def run_where(rows: list[Row], parser: Parser) -> list[Row]:
    """Run `where condition`."""
    condition = parser.expression()
    return [row for row in rows if truth(condition(row))]


@dataclass
class Aggregation:
    """One aggregation of stats: its function, the argument, and the column that it fills."""

    function: str
    argument: Expression | None
    name: str


_AGGREGATES = ("count", "sum", "dc", "values", "max", "min")


def aggregations(parser: Parser) -> list[Aggregation]:
    """Read `function(x) AS name, …`, up to BY or the end."""
    out: list[Aggregation] = []
    for _ in parser.each("BY"):
        function = parser.take().text
        if function not in _AGGREGATES:
            raise SplError(f"aggregate {function}")
        argument, name = None, function
        if parser.peek("("):
            parser.take("(")
            begin = parser.at
            if parser.peek("EVAL"):
                parser.take()
                parser.take("(")
                argument = parser.expression()
                parser.take(")")
            else:
                argument = parser.atom()
                if parser.at != begin + 1:
                    raise SplError(f"{function}() of more than a field: use eval()")
            parser.take(")")
            name = f"{function}({parser.items[begin].text})"
        elif function != "count":
            raise SplError(f"{function} without an argument")
        if parser.peek("AS"):
            parser.take()
            name = _name(parser)
        elif "eval" in name:
            raise SplError("an eval() aggregate without AS")
        out.append(Aggregation(function, argument, name))
    if not out:
        raise SplError("nothing to compute")
    return out


def aggregate(what: Aggregation, rows: list[Row]) -> Value:
    """Return the value of one aggregation over some rows."""
    if what.argument is None:
        return len(rows)
    values = [what.argument(row) for row in rows]
    if what.function == "count":
        if any(isinstance(v, bool) for v in values):
            return sum(1 for v in values if truth(v))
        return sum(len(many(v)) for v in values)
    texts = [text for v in values for text in many(v)]
    if what.function == "dc":
        return len(set(texts))
    if what.function == "values":
        return few(sorted(set(texts)))
    numbers = [n for n in map(as_number, texts) if n is not None]
    if len(numbers) != len(texts):
        raise SplError(f"{what.function}() of what is no number")
    if not numbers:
        return None
    if what.function == "sum":
        return sum(numbers)
    return max(numbers) if what.function == "max" else min(numbers)


def groups(rows: Iterable[Row], by: list[str]) -> dict[tuple[Value, ...], list[Row]]:
    """Group rows by the values of `by`: a row without one of them is left out, a row with several values is in several groups."""
    out: dict[tuple[Value, ...], list[Row]] = {}
    for row in rows:
        keys: list[tuple[Value, ...]] = [()]
        for name in by:
            value = row.get(name)
            options: list[Value] = list(value) if isinstance(value, list) else [] if value is None else [value]
            keys = [(*key, option) for key in keys for option in options]
        for key in keys:
            out.setdefault(key, []).append(row)
    return out


def sort_key(value: Value) -> tuple[int, Number, str]:
    """Return the sort key for Splunk's automatic order: numbers before texts."""
    number = as_number(value)
    if number is not None:
        return (0, number, "")
    return (1, 0, "") if value is None else (1, 0, ",".join(many(value)))


def run_stats(rows: list[Row], parser: Parser) -> list[Row]:
    """Run `stats … BY …`; without BY, the result is one row even if there are no input rows."""
    what = aggregations(parser)
    by: list[str] = []
    if parser.peek("BY"):
        parser.take()
        by = _names(parser)
    found: dict[tuple[Value, ...], list[Row]] = groups(rows, by) if by else {(): rows}
    out = []
    for key in sorted(found, key=lambda k: [sort_key(v) for v in k]):
        row: Row = dict(zip(by, key))
        for one in what:
            value = aggregate(one, found[key])
            if value is not None:
                row[one.name] = value
        out.append(row)
    return out


def run_eventstats(rows: list[Row], parser: Parser) -> list[Row]:
    """Run `eventstats … BY …`, which adds the aggregates to each row; a row without a BY field is unchanged."""
    what = aggregations(parser)
    by: list[str] = []
    if parser.peek("BY"):
        parser.take()
        by = _names(parser)
    if any(isinstance(row.get(name), list) for row in rows for name in by):
        raise SplError("eventstats by a multi-valued field")
    found = groups(rows, by)
    computed = {key: {one.name: aggregate(one, members) for one in what} for key, members in found.items()}
    out = []
    for row in rows:
        values = computed.get(tuple(row.get(name) for name in by), {})
        out.append({**row, **{name: value for name, value in values.items() if value is not None}})
    return out


# The spans from which timechart chooses the smallest that gives at most 100 rows (the default of `bins`).
_SPANS = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 86400, 30 * 86400)
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}


def _span(text: str) -> int:
    match = re.fullmatch(r"(\d+)([a-z]+)", text)
    if not match or match[2] not in _UNITS:
        raise SplError(f"span {text!r}")
    return int(match[1]) * _UNITS[match[2]]


def _after_minspan(parser: Parser) -> tuple[Parser, int]:
    """Read an optional `minspan=…`; return the parser after it, and the least span in seconds."""
    if not parser.peek("MINSPAN"):
        return parser, 1
    parser.take()
    parser.take("=")
    return parser, _span(parser.take().text)


def run_timechart(rows: list[Row], parser: Parser, search: Search) -> list[Row]:
    """Run `timechart [minspan=1h] …` over the whole time range of the search: one row per span, even for empty spans."""
    parser, least = _after_minspan(parser)
    what = aggregations(parser)
    if not parser.done():
        raise SplError("timechart … by")
    needed = [s for s in _SPANS if s >= least and (search.latest - search.earliest) / s <= 100]
    if not needed:
        raise SplError("a time range that is too long")
    span = needed[0]
    out = []
    at = math.floor(search.earliest / span) * span
    while at < search.latest:
        members = [row for row in rows if at <= float(as_number(row.get("_time")) or 0) < at + span]
        row: Row = {"_time": at}
        for one in what:
            value = aggregate(one, members)
            if value is not None:
                row[one.name] = value
            elif one.function != "sum":
                raise SplError("only count and sum in timechart")
        out.append({**row, "_span": span})
        at += span
    return out


def run_sort(rows: list[Row], parser: Parser) -> list[Row]:
    """Run `sort [limit] [-]field, …`; the default limit is 10,000, and 0 means no limit."""
    limit = 10000
    if parser.items and parser.items[0].kind == "number":
        limit = int(parser.take().text)
    keys: list[tuple[str, bool]] = []
    for _ in parser.each():
        down = False
        if parser.peek("-", "+"):
            sign = parser.take()
            down = sign.text == "-"
            if parser.done() or parser.items[parser.at].start != sign.start + 1:
                raise SplError("sort: a blank between the sign and the field")
        keys.append((_name(parser), down))
    out = list(rows)
    for name, down in reversed(keys):
        with_value = [row for row in out if row.get(name) is not None]
        without = [row for row in out if row.get(name) is None]
        with_value.sort(key=lambda row: sort_key(row[name]), reverse=down)
        out = with_value + without
    return out[:limit] if limit else out


def run_table(rows: list[Row], parser: Parser) -> list[Row]:
    """Run `table a, b`: only these columns, in this order (`columns` keeps it)."""
    names = _names(parser)
    return [{name: row.get(name) for name in names} for row in rows]


def run_fields(rows: list[Row], parser: Parser) -> list[Row]:
    """Run `fields a, b`, which keeps these fields, or `fields - a, b`, which drops them."""
    if parser.peek("-"):
        parser.take()
        drop = set(_names(parser))
        return [{name: value for name, value in row.items() if name not in drop} for row in rows]
    names = _names(parser)
    return [{name: row[name] for name in names if name in row} for row in rows]


def run_rename(rows: list[Row], parser: Parser) -> list[Row]:
    """Run `rename a AS b, …`."""
    to: dict[str, str] = {}
    for _ in parser.each():
        old = _name(parser, stars=True)
        parser.take("AS")
        to[old] = _name(parser, stars=True)
    if stars := {old: new for old, new in to.items() if "*" in old}:
        (old, new), *others = stars.items()
        if others or old != "*=" or new != "*":
            raise SplError(f"rename {stars}")
        return [{name.removesuffix("="): value for name, value in row.items()} for row in rows]
    return [{to.get(name, name): value for name, value in row.items()} for row in rows]


def run_fillnull(rows: list[Row], parser: Parser) -> list[Row]:
    """Run `fillnull value=x fields`."""
    parser.take("VALUE")
    parser.take("=")
    value = parser.take().text
    names = _names(parser)
    out = []
    for row in rows:
        new = dict(row)
        for name in names:
            if new.get(name) is None:
                new[name] = value
        out.append(new)
    return out


def run_mvexpand(rows: list[Row], parser: Parser) -> list[Row]:
    """Run `mvexpand field`: one row per value; a row without a value stays. Splunk leaves out what does not fit into its memory."""
    (name,) = _names(parser)
    out: list[Row] = []
    size = 0
    for row in rows:
        for one in [{**row, name: value} for value in many(row.get(name))] or [row]:
            size += sum(len(text) for value in one.values() for text in many(value))
            if size > MOST_EXPANDED:
                return out
            out.append(one)
    return out


MOST_EXPANDED = 500_000_000
"""Characters of what `mvexpand` makes of a chunk (`max_mem_usage_mb` of limits.conf, in bytes)."""


def run_bin(rows: list[Row], parser: Parser) -> list[Row]:
    """Run `bin _time span=1h`."""
    name = _name(parser)
    parser.take("SPAN")
    parser.take("=")
    span = _span(parser.take().text)
    return [{**row, name: math.floor((as_number(row[name]) or 0) / span) * span} if name in row else row for row in rows]


def run_rex(rows: list[Row], parser: Parser) -> list[Row]:
    """Run `rex field=x "…(?<name>…)…"`: fields from the first match."""
    parser.take("FIELD")
    parser.take("=")
    name = _name(parser)
    regex = re.compile(parser.take().text.replace("(?<", "(?P<"))
    out = []
    for row in rows:
        match = None if row.get(name) is None else regex.search(as_text(row[name]))
        out.append({**row, **{k: v for k, v in match.groupdict().items() if v is not None}} if match else row)
    return out


def run_head(rows: list[Row], parser: Parser) -> list[Row]:
    """Run `head N`."""
    token = parser.take()
    if token.kind != "number":
        raise SplError("head without a number")
    return rows[: int(token.text)]


_RUNNING: dict[str, Callable[[Any, Any], Any]] = {"count": operator.add, "sum": operator.add, "max": max, "min": min}
"""Function -> how to add one more row's value to the running one."""


def run_streamstats(rows: list[Row], parser: Parser) -> list[Row]:
    """Run `streamstats …`, which adds to each row the aggregates over all rows up to it."""
    what = aggregations(parser)
    unknown = [one.function for one in what if one.function not in _RUNNING]
    if unknown:
        raise SplError(f"streamstats {unknown[0]}()")
    out = []
    found: Row = {}
    for row in rows:
        for one in what:
            value = aggregate(one, [row])
            if value is not None:
                found[one.name] = _RUNNING[one.function](found[one.name], value) if one.name in found else value
        out.append({**row, **found})
    return out


def run_dedup(rows: list[Row], parser: Parser) -> list[Row]:
    """Run `dedup field`, which keeps the first row of each value."""
    (name,) = _names(parser)
    seen: dict[str, Row] = {}
    for row in rows:
        if row.get(name) is not None:
            seen.setdefault(as_text(row[name]), row)
    return list(seen.values())


_COMMANDS: dict[str, Callable[[list[Row], Parser], list[Row]]] = {
    "eval": run_eval,
    "where": run_where,
    "stats": run_stats,
    "eventstats": run_eventstats,
    "sort": run_sort,
    "table": run_table,
    "fields": run_fields,
    "rename": run_rename,
    "fillnull": run_fillnull,
    "mvexpand": run_mvexpand,
    "bin": run_bin,
    "rex": run_rex,
    "head": run_head,
    "streamstats": run_streamstats,
    "dedup": run_dedup,
}


def run_addinfo(rows: list[Row], search: Search) -> list[Row]:
    """Run `addinfo`, which adds information about the search to each row."""
    info: Row = {"info_min_time": search.earliest, "info_max_time": search.latest, "info_search_time": search.now, "info_sid": "1.1"}
    return [{**row, **info} for row in rows]


def run_inputlookup(rows: list[Row], parser: Parser, search: Search) -> list[Row]:
    """Run `inputlookup append=true name`."""
    for word in ("APPEND", "=", "TRUE"):
        parser.take(word)
    return rows + [dict(row) for row in search.lookups[_name(parser)]]


@functools.cache
def _wildcard(text: str) -> re.Pattern[str]:
    """Return the expression for a cell of a lookup, in which * is any text and nothing else is special."""
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)


def run_lookup(rows: list[Row], parser: Parser, search: Search) -> list[Row]:
    """Run `lookup name domain AS field, c AS d OUTPUT a AS b, …`, with every row of the lookup that matches, with wildcards and in any case."""
    name = _name(parser)
    if name not in search.lookups:
        raise SplError(f"no lookup {name}")
    known = search.lookups[name]
    keys: dict[str, str] = {}
    for _ in parser.each("OUTPUT"):
        key = _name(parser)
        parser.take("AS")
        keys[key] = _name(parser)
    parser.take("OUTPUT")
    given: dict[str, str] = {}
    for _ in parser.each():
        old = _name(parser)
        given[old] = old
        if parser.peek("AS"):
            parser.take()
            given[old] = _name(parser)
    out = []
    for row in rows:
        values = {key: as_text(row.get(field)).lower() for key, field in keys.items()}
        hits = [one for one in known if all(_wildcard(as_text(one[key]).lower()).fullmatch(value) for key, value in values.items())]
        out.append({**row, **{new: few([as_text(one[old]) for one in hits]) for old, new in given.items() if hits}})
    return out


# ---- a whole search ----

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """Yield the parts of a text: ("", …) plain text, ("quoted", …) text with its quotes, ("inner", …) a subsearch without its brackets."""
    at = 0
    while at < len(text):
        end = at
        if quoted := _QUOTED.match(text, at):
            end = quoted.end()
            yield "quoted", text[at:end]
        elif text[at] == "[":
            depth = 0
            while end < len(text):
                inside = _QUOTED.match(text, end)
                depth += {"[": 1, "]": -1}.get(text[end], 0)
                end = inside.end() if inside else end + 1
                if not depth:
                    break
            if depth:
                raise SplError(f"brackets that do not match: {text!r}")
            yield "inner", text[at + 1 : end - 1]
        else:
            while end < len(text) and text[end] not in '"[':
                end += 1
            if end == at:
                raise SplError(f"a quote without end: {text[at:]!r}")
            yield "", text[at:end]
        at = end


def masked(text: str) -> str:
    """Return a text of the same length with everything in quotes and in brackets of subsearches masked."""
    return "".join(part if not kind else "\0" * (len(part) + 2 * (kind == "inner")) for kind, part in pieces(text))


def stages(text: str, search: Search) -> list[str]:
    """Return the commands of a search, with macros expanded; the first is empty if the search begins with a pipe."""
    whole = expand(text, search)
    mask, out, start = masked(whole), [], 0
    for at in [*(n for n, character in enumerate(mask) if character == "|"), len(whole)]:
        out.append(whole[start:at].strip())
        start = at + 1
    return out


def subsearches(text: str) -> tuple[str, list[str]]:
    """Return a text without its subsearches, and the subsearches."""
    parts = list(pieces(text))
    return "".join(part for kind, part in parts if kind != "inner"), [part.strip() for kind, part in parts if kind == "inner"]


def inner(text: str, search: Search) -> list[Row]:
    """Return the rows of a subsearch."""
    return run(text.removeprefix("search ") if not text.startswith("|") else text, search)


def resolved(terms: str, search: Search) -> tuple[str, float, float]:
    """Return the terms of an event search, with subsearches replaced by their terms, and its time range."""
    out = []
    for kind, part in pieces(terms):
        if kind == "inner":
            (row,) = inner(part.strip(), search)
            out.append(as_text(row["search"]))
        else:
            out.append(part)
    text = "".join(out)
    limits = {"earliest": search.earliest, "latest": search.latest}

    def take(found: re.Match[str]) -> str:
        limits[found[1]] = relative(found[2], search.now)
        return ""

    text = re.sub(r'\b(earliest|latest)="?([-+\w.@]+)"?', take, text)
    return text.strip(), limits["earliest"], limits["latest"]


_BY = re.compile(r"PREFIX\((\w+=)\)|_time span=(\w+)|(\w+)")


def run_tstats(text: str, search: Search) -> list[Row]:
    """Run `tstats … WHERE … BY …`.

    It knows only fields of the index: host, sourcetype, time, and terms that begin with a PREFIX(), which the index has in lower case. An event with
    several of these terms counts for each, an event without them for none.
    """
    mask = masked(text)
    where, by_at = mask.find(" WHERE "), mask.rfind(" BY ")
    if where < 0:
        raise SplError(f"tstats {text}")
    if by_at < 0:
        by_at = len(text)
    by = list(_BY.finditer(text[by_at + 4 :]))
    if _BY.sub("", text[by_at + 4 :]).strip(" ,"):
        raise SplError(f"tstats BY {text[by_at + 4 :]}")
    terms, earliest, latest = resolved(text[where + 7 : by_at], search)
    prefixes = {one[1]: re.compile(rf"(?<=[^\w.:@/=-]){one[1]}([\w.:@/=-]+)") for one in by if one[1]}
    rows = []
    for event in search.source.events(terms, earliest, latest):
        row: Row = {"_time": event["_time"], "_indextime": event.get("_indextime")}
        raw = as_text(event["_raw"]).lower()
        for one in by:
            if one[1]:
                row[one[1]] = few(prefixes[one[1]].findall(raw))
            elif one[2]:
                row["_time"] = int(float(as_number(event["_time"]) or 0) // _span(one[2]) * _span(one[2]))
            elif one[3] in ("host", "sourcetype"):
                row[one[3]] = event.get(one[3])
            else:
                raise SplError(f"tstats BY {one[3]}: no field of the index")
        rows.append(row)
    names = ", ".join(f"'{one[1]}'" if one[1] else "_time" if one[2] else one[3] for one in by)
    return run_stats(rows, Parser(tokens(text[:where] + (f" BY {names}" if by else "")), search))


MOST_APPENDED = 50_000
"""Rows of a subsearch that `append` keeps."""


def run_append(rows: list[Row], text: str, search: Search) -> list[Row]:
    """Run `append [subsearch]`, with or without a time limit; Splunk leaves out rows without a word, and this refuses to."""
    rest, (subsearch,) = subsearches(text)
    if not re.fullmatch(r"(?:maxtime=\d+ )?\s*", rest):
        raise SplError(f"append {rest}")
    added = inner(subsearch, search)
    if len(added) > MOST_APPENDED:
        raise SplError(f"append of {len(added)} rows")
    return rows + added


def run_join(rows: list[Row], text: str, search: Search) -> list[Row]:
    """Run `join type=inner a, b [subsearch]`, with the first row of the subsearch that has the same values."""
    rest, (subsearch,) = subsearches(text)
    if not rest.startswith("type=inner "):
        raise SplError(f"join {rest}")
    names = _names(Parser(tokens(rest.removeprefix("type=inner ")), search))
    found: dict[tuple[str, ...], Row] = {}
    for row in inner(subsearch, search):
        found.setdefault(tuple(as_text(row[name]) for name in names), row)
    keys = [tuple(as_text(row[name]) for name in names) for row in rows]
    return [{**row, **found[key]} for row, key in zip(rows, keys) if key in found]


def run_multisearch(text: str, search: Search) -> list[Row]:
    """Run `multisearch [search …] [search …]`."""
    rest, found = subsearches(text)
    if rest.strip() or len(found) < 2 or not all(one.startswith("search ") for one in found):
        raise SplError(f"multisearch {text}")
    return [row for one in found for row in inner(one, search)]


def run_format(rows: list[Row], parser: Parser) -> list[Row]:
    """Run `format emptystr="…"`: the terms in the field `search` of all rows, joined by OR; without rows, the text given."""
    for word in ("EMPTYSTR", "="):
        parser.take(word)
    empty = parser.take().text
    if any(set(row) != {"search"} for row in rows):
        raise SplError("format of other fields than search")
    return [{"search": "(" + " OR ".join(f"( {as_text(row['search'])} )" for row in rows) + ")" if rows else empty}]


def run_return(rows: list[Row], parser: Parser) -> list[Row]:
    """Run `return a b`: names and values of these fields in the first row."""
    return [{"search": " ".join(f'{name}="{as_text(rows[0][name])}"' for name in _names(parser))}]


def run_esatls(name: str, text: str, rows: list[Row], search: Search) -> list[Row]:
    """Run a command of the app."""
    arguments = shlex.split(text)
    if rows and not {"_time", "_raw"} <= set(rows[0]):
        raise SplError("the command does not get what it reads")
    if rows and "summary=true" not in arguments and "host" not in rows[0]:
        raise SplError("fields before the command drops what it reads")
    return search.source.command(name, arguments, rows, (search.earliest, search.latest))


_GENERATING: dict[str, Callable[[str, Search], list[Row]]] = {
    "tstats": run_tstats,
    "multisearch": run_multisearch,
    "makeresults": lambda _text, search: [{"_time": search.now}],
}
_WITH_SUBSEARCH: dict[str, Callable[[list[Row], str, Search], list[Row]]] = {"append": run_append, "join": run_join}
_OF_THE_SEARCH: dict[str, Callable[[list[Row], Parser, Search], list[Row]]] = {
    "timechart": run_timechart,
    "addinfo": lambda rows, _parser, search: run_addinfo(rows, search),
    "inputlookup": run_inputlookup,
    "lookup": run_lookup,
}


def base(todo: list[str], search: Search) -> tuple[list[Row], list[str]]:
    """Return the first rows of a search, from an index or a generating command, and the stages that follow."""
    first, rest = todo[0], todo[1:]
    if not first:
        command, _, text = rest[0].partition(" ") if rest else ("", "", "")
        if command not in _GENERATING:
            raise SplError(f"no search begins with {command!r}")
        return _GENERATING[command](text, search), rest[1:]
    if not {"index", "sourcetype"} <= set(re.findall(r"\w+", first)):
        raise SplError("a base search must begin with an index macro")
    if not any(re.match(r"esatls\w*(?: |$)", stage) for stage in rest[:3]) and "stash" not in first:
        raise SplError("a base search must go through an esatls command")
    terms, earliest, latest = resolved(first, search)
    return search.source.events(terms, earliest, latest), rest


def run(text: str, search: Search, rows: list[Row] | None = None) -> list[Row]:
    """Return the rows of a search or, if `rows` is given, of a post-process search on them."""
    todo = stages(text, search)
    if rows is None:
        rows, todo = base(todo, search)
    elif not todo[0]:
        todo = todo[1:]
    for stage in todo:
        if not stage:
            raise SplError("an empty command")
        command, _, text = stage.partition(" ")
        if command.startswith("esatls"):
            rows = run_esatls(command, text, rows, search)
            continue
        if command in _WITH_SUBSEARCH:
            rows = _WITH_SUBSEARCH[command](rows, text, search)
            continue
        parser = Parser(tokens(text), search)
        if command in _OF_THE_SEARCH:
            rows = _OF_THE_SEARCH[command](rows, parser, search)
        elif command == "format":
            rows = run_format(rows, parser)
        elif command == "return":
            rows = run_return(rows, parser)
        elif command in _COMMANDS:
            rows = _COMMANDS[command](rows, parser)
        else:
            raise SplError(f"command {command}")
        if not parser.done():
            raise SplError(f"{command}: {parser.items[parser.at].text!r} is left over")
    return rows


def columns(text: str, rows: list[Row], search: Search) -> list[str]:
    """Return the columns of a result in Splunk's order: those that a last `table` or `timechart` names, else those of the rows."""
    command, _, rest = stages(text, search)[-1].partition(" ")
    if command == "table":
        return _names(Parser(tokens(rest), search))
    if command == "timechart":
        return ["_time", *(one.name for one in aggregations(_after_minspan(Parser(tokens(rest), search))[0])), "_span"]
    return list(dict.fromkeys(name for row in rows for name in row))


def utc(text: str) -> float:
    """Return `2026-01-02T03:04:05Z` (with or without a fraction) as epoch seconds."""
    return float(calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")))
