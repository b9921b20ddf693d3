"""Cheap ways to spoil a line: without a fuzzing engine, millions of lines a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

INSERTS = (
    b"\n", b"\r", b"\r\n", b"\0", b"\t", b"\x0b", b"\x0c", b"\x1b[31m", b"\x1c", b"\x7f", b"\x85", b"\xa0", b"\xff", b"\xc3\x28",
    "\u2028".encode(), "\u202e".encode(), "\u00e9".encode(), "\U0001f4e7".encode(), b"\xed\xa0\x80", b"\xef\xbb\xbf", b" ", b"  ",
    b"'", b'"', b"\\", b"\\r\\n\\t", b"=", b"\\=", b"|", b"{", b"}", b"[", b"]", b"(", b")", b"<", b">", b":", b",", b";",
    b"\nICID 5 TLS success", b"\nInfo: ICID 5 TLS failed: x", b"\nWed Jul 20 19:47:40 2005 Info: DCID 6 TLS success protocol TLSv1.2 cipher A",
    b"Wed Jul 20 19:47:40 2005 Info: ", b"<22>Jan 21 12:47:11 esa1 mail_logs: Info: ", b"2024-07-20T19:47:40.123+02:00 esa1 mail_logs: Info: ",
    b"Info: ", b"Warning: ", b"CEF:0|", b"CEF:0|CISCO|IronPort|14.0|mail|mail|5|msg=", b'{"message": "', b'"}', b" ESATLSInConnStatus=Success",
    b" TLS ", b" TLS success", b"ICID 5 ", b"DCID 6 ", b"MID 7 ", b"MID 7 Subject '", b" RID [0, 1]", b"99999999999999999999", b"-1", b"0",
)  # fmt: skip

ENCODINGS = ("utf-16-le", "utf-16", "latin-1", "utf-7", "cp1252", "utf-8-sig")


def _place(rng: random.Random, line: bytes) -> int:
    """Return a place in a line: often the start of a word, sometimes an end of the line."""
    at = int(rng.random() * (len(line) + 1))
    kind = rng.random()
    if kind < 0.4:
        space = line.find(b" ", at)
        return space + 1 if space >= 0 else at
    return at if kind < 0.9 else 0 if kind < 0.93 else len(line)


def cut(rng: random.Random, line: bytes, _: Sequence[bytes]) -> bytes:
    """Cut off the left or the right of a line, or cut out a part."""
    one, two = sorted((_place(rng, line), _place(rng, line)))
    return (line[one:], line[:two], line[:one] + line[two:])[int(rng.random() * 3)]


def splice(rng: random.Random, line: bytes, others: Sequence[bytes]) -> bytes:
    """Continue a line with a part of another."""
    other = others[int(rng.random() * len(others))]
    return line[: _place(rng, line)] + other[_place(rng, other) :]


def swap(rng: random.Random, line: bytes, _: Sequence[bytes]) -> bytes:
    """Exchange two parts of a line."""
    a, b, c = sorted((_place(rng, line), _place(rng, line), _place(rng, line)))
    return line[:a] + line[b:c] + line[a:b] + line[c:]


def flip(rng: random.Random, line: bytes, _: Sequence[bytes]) -> bytes:
    """Set some bytes to any value."""
    out = bytearray(line)
    for _time in range(1 + int(rng.random() * 3)):
        if out:
            out[int(rng.random() * len(out))] = int(rng.random() * 256)
    return bytes(out)


def insert(rng: random.Random, line: bytes, _: Sequence[bytes]) -> bytes:
    """Insert a control character, a line feed, or the beginning of a line, record or value."""
    at = _place(rng, line)
    return line[:at] + INSERTS[int(rng.random() * len(INSERTS))] + line[at:]


def repeat(rng: random.Random, line: bytes, _: Sequence[bytes]) -> bytes:
    """Repeat a part of a line, sometimes very often."""
    one, two = sorted((_place(rng, line), _place(rng, line)))
    times = 2 if rng.random() < 0.95 else 1 + 3000 // (two - one + 1)
    return line[:one] + line[one:two] * times + line[two:]


def recode(rng: random.Random, line: bytes, _: Sequence[bytes]) -> bytes:
    """Write a line in another encoding."""
    name = ENCODINGS[int(rng.random() * len(ENCODINGS))]
    return line.decode("utf-8", "replace").encode(name, "replace")


MUTATORS = (cut, splice, swap, flip, insert, insert, repeat, recode)


def mutated(rng: random.Random, pools: Sequence[Sequence[bytes]], count: int) -> bytes:
    """Return a log of `count` lines from one or two pools, of which few or most are spoilt."""
    lines = [*rng.choice(pools), *(rng.choice(pools) if rng.random() < 0.3 else ())]
    spoilt = rng.choice((0.02, 0.2, 0.9))
    out = []
    for _ in range(count):
        line = lines[int(rng.random() * len(lines))]
        while rng.random() < spoilt:
            line = MUTATORS[int(rng.random() * len(MUTATORS))](rng, line, lines)
            if rng.random() < 0.7:
                break
        out.append(line)
    return b"\n".join(out) + rng.choice((b"\n", b"\n", b"\n", b""))
