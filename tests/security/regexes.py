"""Decides whether a backtracking engine matches a regular expression in time linear in the length of the text.

The expression becomes an automaton: one state per character that it can consume, and an edge for each way from one to the next. A search that
fails tries every path, so its cost is the number of paths. That number grows faster than the text only if

* one text can go round a loop in two ways (exponential), or
* one text leads from a loop to itself, from it to a later loop, and from that loop to itself (polynomial: each turn is a chance to move on);

see Weideman, van der Merwe, Berglund and Watson, "Analyzing matching time behavior of backtracking regular expression matchers by using
ambiguity of NFA", CIAA 2016. If any rest of the text matches (`.*` at the end), the first path succeeds, and no other is tried: these states
end the search and are left out. Simplifications err on the side of too many paths: look-arounds, word boundaries and captures always hold, an
atomic group backtracks, and a repetition of more than a few times has no upper bound. The text of a look-around is checked separately; one
without a bound, after a loop or in one, cannot be decided here, nor can a reference to a group.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, deque
from typing import Any, NamedTuple

if sys.version_info >= (3, 11):
    from re import _constants as codes  # type: ignore[attr-defined]
    from re import _parser as parser  # type: ignore[attr-defined]
else:
    import sre_constants as codes
    import sre_parse as parser

SPACE, DIGIT, WORD, MARK, END = range(128, 133)
"""Symbols besides ASCII: one for all other characters of each kind, and one for the end of the text."""
LETTERS = (1 << END) - 1
OTHERS = LETTERS & ~((1 << SPACE) - 1)
_NAMED = {SPACE: "\u00a0", DIGIT: "\u0663", WORD: "\u00e9", MARK: "\u2026"}
FEW = 4
"""Repetitions up to this number are written out; higher bounds are dropped."""

_CATEGORIES = {
    codes.CATEGORY_DIGIT: ("0123456789", (DIGIT,)),
    codes.CATEGORY_SPACE: (" \t\n\r\f\v", (SPACE,)),
    codes.CATEGORY_WORD: ("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", (DIGIT, WORD)),
}
_NEGATED = {codes.CATEGORY_NOT_DIGIT: codes.CATEGORY_DIGIT, codes.CATEGORY_NOT_SPACE: codes.CATEGORY_SPACE, codes.CATEGORY_NOT_WORD: codes.CATEGORY_WORD}
_AT_START = ((codes.AT, codes.AT_BEGINNING), (codes.AT, codes.AT_BEGINNING_STRING))
_AT_END = {codes.AT_END, codes.AT_END_STRING, codes.AT_END_LINE}
_ATOMIC = getattr(codes, "ATOMIC_GROUP", None)
_POSSESSIVE = getattr(codes, "POSSESSIVE_REPEAT", None)


class UndecidedError(Exception):
    """The automaton cannot show the cost of a part of the expression."""


class Verdict(NamedTuple):
    """The verdict: `kind` is `linear`, `polynomial` or `exponential`; prefix + repeated pump is a text that makes the expression slow."""

    kind: str
    prefix: str = ""
    pump: str = ""


class _Part(NamedTuple):
    first: Counter[int]
    """States with which the part can begin, and in how many ways; `last` has those with which it can end, `empty` the ways to match nothing."""
    last: Counter[int]
    empty: int


class Automaton:
    """The automaton of one expression."""

    def __init__(self, pattern: str, flags: int = 0, *, mode: str = "fullmatch", line: bool = True) -> None:
        """Build the automaton. `mode` is `fullmatch`, `match` or `search`; with `line`, the text contains no line feed."""
        self.alphabet = LETTERS & ~(1 << ord("\n")) if line else LETTERS
        self.masks: list[int] = []
        self.follow: list[Counter[int]] = []
        self.looks: list[Any] = []
        self.greedy: set[int] = set()
        """States that repeat, if they can, before they go on."""
        self._line, self._behind_loop = line, False
        tree = parser.parse(pattern, flags)
        self._flags = tree.state.flags
        if mode == "search" and len(tree) and tree[0] in _AT_START and not self._flags & re.MULTILINE:
            mode = "match"
        whole = self._sequence(list(tree), self._flags)
        if mode == "fullmatch":
            whole = self._concat(whole, self._one(1 << END))
        self.accepting = {*whole.last}
        if mode == "search":
            start = self._star(lambda: self._one(self.alphabet))
            whole = self._concat(start, whole)
        self.first = whole.first

    # building

    def _one(self, mask: int) -> _Part:
        self.masks.append(mask)
        self.follow.append(Counter())
        at = len(self.masks) - 1
        return _Part(Counter({at: 1}), Counter({at: 1}), 0)

    def _link(self, one: _Part, other: _Part) -> None:
        for last, ways in one.last.items():
            for first, more in other.first.items():
                self.follow[last][first] += ways * more

    def _concat(self, one: _Part, other: _Part) -> _Part:
        self._link(one, other)
        first, last = Counter(one.first), Counter(other.last)
        for at, ways in other.first.items():
            if one.empty:
                first[at] += ways * one.empty
        for at, ways in one.last.items():
            if other.empty:
                last[at] += ways * other.empty
        return _Part(first, last, min(2, one.empty * other.empty))

    def _star(self, make: Any) -> _Part:
        part = make()
        self._link(part, part)
        return _Part(part.first, part.last, 1)

    def _optional(self, part: _Part) -> _Part:
        return _Part(part.first, part.last, min(2, part.empty + 1))

    def _sequence(self, items: list[Any], flags: int) -> _Part:
        whole = _Part(Counter(), Counter(), 1)
        for item in items:
            whole = self._concat(whole, self._item(item[0], item[1], flags))
        return whole

    def _item(self, code: Any, value: Any, flags: int) -> _Part:
        if code in (codes.LITERAL, codes.NOT_LITERAL, codes.IN, codes.ANY, codes.CATEGORY, codes.RANGE):
            return self._one(self._mask(code, value, flags))
        if code is codes.BRANCH:
            parts = [self._sequence(list(branch), flags) for branch in value[1]]
            first, last, empty = Counter[int](), Counter[int](), 0
            for part in parts:
                first.update(part.first)
                last.update(part.last)
                empty += part.empty
            return _Part(first, last, min(2, empty))
        if code is codes.SUBPATTERN:
            return self._sequence(list(value[3]), (flags | value[1]) & ~value[2])
        if code is _ATOMIC:
            return self._sequence(list(value), flags)
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, _POSSESSIVE):
            whole = self._repeat(value[0], value[1], list(value[2]), flags)
            if code is not codes.MIN_REPEAT:
                self.greedy |= {at for at in whole.last if self.follow[at] == {at: 1}}
            return whole
        if code is codes.AT:
            return self._one(1 << END) if value in _AT_END else _Part(Counter(), Counter(), 1)
        if code in (codes.ASSERT, codes.ASSERT_NOT):
            if value[1].getwidth()[1] > 1000 and self._behind_loop:
                raise UndecidedError("a look-around without a bound behind or in a loop")
            self.looks.append((list(value[1]), flags))
            return _Part(Counter(), Counter(), 1)
        if code is codes.FAILURE:  # `(?!)` since Python 3.12
            return _Part(Counter(), Counter(), 1)
        raise UndecidedError(f"{code}")

    def _repeat(self, least: int, most: Any, items: list[Any], flags: int) -> _Part:
        bounded = most is not codes.MAXREPEAT and most <= FEW
        if not bounded:
            self._behind_loop = True
        whole = _Part(Counter(), Counter(), 1)
        kept = least if least <= FEW else 1
        for _ in range(kept - (0 if bounded or not kept else 1)):
            whole = self._concat(whole, self._sequence(items, flags))
        if bounded:
            rest = _Part(Counter(), Counter(), 1)
            for _ in range(most - least):
                rest = self._optional(self._concat(self._sequence(items, flags), rest))
            return self._concat(whole, rest)
        star = self._star(lambda: self._sequence(items, flags))
        if kept:  # x+ is one loop, not x and a loop
            star = _Part(star.first, star.last, 0 if not self._sequence_is_empty(items, flags) else 1)
        return self._concat(whole, star)

    def _sequence_is_empty(self, items: list[Any], flags: int) -> bool:
        del flags
        return all(parser.SubPattern(parser.State(), [item]).getwidth()[0] == 0 for item in items)

    def _mask(self, code: Any, value: Any, flags: int) -> int:
        if code is codes.ANY:
            mask = LETTERS if flags & re.DOTALL else LETTERS & ~(1 << ord("\n"))
        elif code in (codes.LITERAL, codes.NOT_LITERAL):
            mask = self._letter(value, flags)
            if code is codes.NOT_LITERAL:
                mask = _all_but(mask)
        elif code is codes.RANGE:
            mask = 0
            for letter in range(value[0], min(value[1], SPACE - 1) + 1):
                mask |= self._letter(letter, flags)
            if value[1] >= SPACE:
                mask |= OTHERS
        elif code is codes.CATEGORY:
            letters, others = _CATEGORIES[_NEGATED.get(value, value)]
            mask = sum(1 << ord(letter) for letter in letters)
            if not flags & re.ASCII:
                mask |= sum(1 << other for other in others)
            if value in _NEGATED:
                mask = LETTERS & ~mask
        else:
            negated = value[0][0] is codes.NEGATE
            mask = 0
            for inner in value[1:] if negated else value:
                mask |= self._mask(inner[0], inner[1], flags)
            if negated:
                named = [inner for inner in value[1:] if inner[0] is codes.CATEGORY and inner[1] not in _NEGATED]
                mask = _all_but(mask) & ~sum(self._mask(code, name, flags) for code, name in named)
        return mask & self.alphabet

    def _letter(self, letter: int, flags: int) -> int:
        if letter >= SPACE:
            character = chr(letter)
            return 1 << (SPACE if character.isspace() else DIGIT if character.isdigit() else WORD if character.isalnum() else MARK)
        mask = 1 << letter
        if flags & re.IGNORECASE:
            mask |= 1 << ord(chr(letter).lower()) | 1 << ord(chr(letter).upper())
        return mask

    # deciding

    def verdict(self) -> Verdict:
        """Return the verdict on this automaton."""
        self._gone: set[int] = {at for at, mask in enumerate(self.masks) if not mask}
        self._cut()
        sure = {at for at in range(len(self.masks)) if self._any_rest_matches(at)}
        # a search ends at one of these states, if it takes linear time from there
        found = True
        while found:
            found = False
            for at in sorted(sure - self._gone):
                if self._reads_to_the_end(at) or self._paths(_closure(at, lambda one: set(self.edges[one])) | {at}).kind == "linear":
                    self._gone.add(at)
                    self._cut()
                    found = True
        return self._paths(set(range(len(self.masks))))

    def _cut(self) -> None:
        """Keep only the edges between states that are not left out."""
        self.edges = [
            {to: ways for to, ways in follow.items() if to not in self._gone} if at not in self._gone else {} for at, follow in enumerate(self.follow)
        ]
        self._reach: dict[int, set[int]] = {}
        self._back: list[set[int]] = [set() for _ in self.edges]
        for at, edges in enumerate(self.edges):
            for to in edges:
                self._back[to].add(at)

    def _any_rest_matches(self, start: int) -> bool:
        """Tell whether any rest of the text matches: every set of states to which a text leads can end, and can go on with any character."""
        seen = {frozenset({start})}
        queue = deque(seen)
        while queue:
            states = queue.popleft()
            if not self.accepting.isdisjoint(states):
                continue  # nothing more is needed
            after = {to for at in states for to in self.follow[at]}
            if not any(self.masks[to] == 1 << END for to in after) or len(seen) > 64:
                return False
            taken = 0
            for to in after:
                taken |= self.masks[to]
            if taken & self.alphabet != self.alphabet:
                return False
            ways = {frozenset(to for to in after if self.masks[to] >> letter & 1) for letter in range(END) if self.alphabet >> letter & 1}
            queue.extend(ways - seen)
            seen |= ways
        return True

    def _reads_to_the_end(self, at: int) -> bool:
        """Tell whether the first path tried from a state reads any text to its end, and succeeds there."""
        return at in self.greedy and self.masks[at] == self.alphabet and any(self.masks[to] == 1 << END and to in self.accepting for to in self.follow[at])

    def _paths(self, among: set[int]) -> Verdict:
        """Return the verdict on the part of the automaton that consists of these states."""
        graph = {at: set(self.edges[at]) & among for at in among}
        loops = [component for component in strongly_connected(graph) if len(component) > 1 or any(at in self.edges[at] for at in component)]
        of = {at: loop for loop in loops for at in loop}
        for loop in loops:
            pump = self._two_ways_round(loop)
            if pump is not None:
                return Verdict("exponential", self._way_to(pump[0]), pump[1])
        for one in sorted(of):
            for other in sorted(self._reachable(one) & set(of) - of[one]):
                word = self._two_loops(one, other, of)
                if word is not None:
                    return Verdict("polynomial", self._way_to(one), word)
        return Verdict("linear")

    def _two_ways_round(self, loop: set[int]) -> tuple[int, str] | None:
        for at in loop:
            for to, ways in self.edges[at].items():
                if to in loop and ways > 1:
                    back = self._walk((to,), (at,), (loop,)) or ""
                    return at, self._character(self.masks[to]) + (back if to != at else "")
        for at in loop:
            # look for two paths on one text that part here and meet here again
            seen: dict[tuple[int, int], str] = {}
            queue = deque([((at, at), "")])
            while queue:
                (a, b), word = queue.popleft()
                for x in self.edges[a]:
                    for y in self.edges[b]:
                        mask = self.masks[x] & self.masks[y]
                        if x not in loop or y not in loop or not mask or (a == b and x == y):
                            continue
                        text = word + self._character(mask)
                        if x == y == at:
                            return at, text
                        if (x, y) not in seen:
                            seen[x, y] = text
                            queue.append(((x, y), text))
        return None

    def _two_loops(self, one: int, other: int, of: dict[int, set[int]]) -> str | None:
        """Return a text that leads from one to itself, from one to the other, and from the other to itself; None: there is none."""
        between = self._reachable(one) & self._reaching(other)
        return self._walk((one, one, other), (one, other, other), (of[one], between, of[other]))

    def _walk(self, start: tuple[int, ...], goal: tuple[int, ...], within: tuple[set[int], ...]) -> str | None:
        """Return one text that leads each state in `start` to its state in `goal`, each within its set; None: there is none."""
        seen = {start}
        queue = deque([(start, "")])
        while queue:
            states, word = queue.popleft()
            moves: list[tuple[tuple[int, ...], int]] = [((), LETTERS)]
            for at, inside in zip(states, within):
                moves = [((*way, to), mask & self.masks[to]) for way, mask in moves for to in self.edges[at] if to in inside and mask & self.masks[to]]
            for way, mask in moves:
                text = word + self._character(mask)
                if way == goal:
                    return text
                if way not in seen:
                    seen.add(way)
                    queue.append((way, text))
        return None

    def _reachable(self, start: int) -> set[int]:
        if start not in self._reach:
            self._reach[start] = _closure(start, lambda at: set(self.edges[at]))
        return self._reach[start]

    def _reaching(self, goal: int) -> set[int]:
        return _closure(goal, lambda at: self._back[at]) | {goal}

    def _way_to(self, goal: int) -> str:
        seen = set(self.first)
        queue = deque((at, self._character(self.masks[at])) for at in self.first)
        while queue:
            at, word = queue.popleft()
            if at == goal:
                return word
            for to in self.follow[at]:
                if to not in seen:
                    seen.add(to)
                    queue.append((to, word + self._character(self.masks[to])))
        return ""

    def _character(self, mask: int) -> str:
        if mask & 1 << END:
            return ""
        for letter in "a1 .:<'":
            if mask & 1 << ord(letter):
                return letter
        lowest = (mask & -mask).bit_length() - 1
        return _NAMED.get(lowest) or chr(lowest)


def _all_but(mask: int) -> int:
    """Return all other letters; a symbol for many characters stays, because it also stands for characters that were not named."""
    return LETTERS & ~(mask & ~OTHERS)


def _closure(start: int, step: Any) -> set[int]:
    found: set[int] = set()
    waiting = [start]
    while waiting:
        for to in step(waiting.pop()):
            if to not in found:
                found.add(to)
                waiting.append(to)
    return found


def strongly_connected(graph: dict[int, set[int]]) -> list[set[int]]:
    """Return the strongly connected components (Tarjan, without recursion)."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on: set[int] = set()
    found: list[set[int]] = []
    for root, targets in graph.items():
        if root in index:
            continue
        work = [(root, iter(targets))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on.add(root)
        while work:
            at, edges = work[-1]
            for to in edges:
                if to not in index:
                    index[to] = low[to] = len(index)
                    stack.append(to)
                    on.add(to)
                    work.append((to, iter(graph[to])))
                    break
                if to in on:
                    low[at] = min(low[at], index[to])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[at])
                if low[at] == index[at]:
                    component = set()
                    while True:
                        last = stack.pop()
                        on.discard(last)
                        component.add(last)
                        if last == at:
                            break
                    found.append(component)
    return found


def decide(pattern: str, flags: int = 0, *, mode: str = "fullmatch", line: bool = True) -> Verdict:
    """Return the verdict on an expression and its look-arounds. Raises `UndecidedError` if there is none."""
    automaton = Automaton(pattern, flags, mode=mode, line=line)
    found = automaton.verdict()
    for items, inner_flags in automaton.looks:
        look = Automaton.__new__(Automaton)
        look.alphabet, look.masks, look.follow, look.looks, look.greedy = automaton.alphabet, [], [], [], set()
        look._line, look._behind_loop, look._flags = line, False, inner_flags  # noqa: SLF001 - the same module
        whole = look._sequence(items, inner_flags)  # noqa: SLF001
        look.accepting, look.first = {*whole.last}, whole.first
        inner = look.verdict()
        if inner.kind != "linear":
            return inner
    return found
