"""Draws the app's icons: `python python/package/icons.py` writes splunk_app/static/*.png.

The pictures are checked in; this file is their source. It uses only the standard library, and every run writes the same bytes.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Callable

STATIC = Path(__file__).resolve().parents[2] / "splunk_app" / "static"

Colour = tuple[int, int, int, int]
Painter = Callable[[float, float], Colour]

CLEAR: Colour = (0, 0, 0, 0)
GREEN: Colour = (46, 139, 112, 255)
GREY: Colour = (92, 101, 112, 255)
WHITE: Colour = (255, 255, 255, 255)

# 5 x 7 letters of the word mark.
LETTERS = {
    "e": ("     ", "     ", " ### ", "#   #", "#####", "#    ", " ####"),
    "s": ("     ", "     ", " ####", "#    ", " ### ", "    #", "#### "),
    "a": ("     ", "     ", " ### ", "    #", " ####", "#   #", " ####"),
    "t": (" #   ", " #   ", "#### ", " #   ", " #   ", " #  #", "  ## "),
    "l": (" ##  ", "  #  ", "  #  ", "  #  ", "  #  ", "  #  ", " ### "),
}


def badge(colour: Colour) -> Painter:
    """Return an envelope with a padlock, on a unit square; x runs to the right and y down."""

    def paint(x: float, y: float) -> Colour:
        # the padlock, in front, at the lower right
        if 0.56 <= x <= 0.94 and 0.62 <= y <= 0.92:
            keyhole = (x - 0.75) ** 2 + (y - 0.74) ** 2 < 0.045**2 or (abs(x - 0.75) < 0.02 and 0.74 <= y <= 0.84)
            return CLEAR if keyhole else colour
        distance = ((x - 0.75) ** 2 + (y - 0.62) ** 2) ** 0.5
        if y <= 0.62 and 0.085 <= distance <= 0.15:
            return colour
        if 0.52 <= x <= 0.98 and 0.42 <= y <= 0.96:
            return CLEAR
        # the envelope and its flap
        if not (0.05 <= x <= 0.95 and 0.18 <= y <= 0.80):
            return CLEAR
        flap = 0.18 + 0.36 * (1 - abs(x - 0.5) / 0.45)
        if abs(y - flap) < 0.03:
            return CLEAR
        return colour

    return paint


def word_mark(colour: Colour) -> Painter:
    """Return the badge and the word "esatls" on a field that is 4 wide and 1 high."""
    picture = badge(colour)
    dot = 0.079

    def paint(x: float, y: float) -> Colour:
        if x < 1:
            return picture(x, y)
        column, row = int((x - 1.1) / dot), int((y - 0.26) / dot)
        if x < 1.1 or y < 0.26 or row > 6:
            return CLEAR
        letter, offset = divmod(column, 5 + 1)
        if letter >= len("esatls") or offset > 4:
            return CLEAR
        return colour if LETTERS["esatls"[letter]][row][offset] == "#" else CLEAR

    return paint


def png(painter: Painter, width: int, height: int) -> bytes:
    """Return the picture as PNG, 8-bit RGBA; `painter` is sampled 4 x 4 times per pixel, on a field `width / height` wide and 1 high."""
    samples = 4
    rows = bytearray()
    for j in range(height):
        rows.append(0)
        for i in range(width):
            seen = [painter((i + (a + 0.5) / samples) / height, (j + (b + 0.5) / samples) / height) for a in range(samples) for b in range(samples)]
            alpha = sum(c[3] for c in seen)
            for channel in range(3):
                rows.append(round(sum(c[channel] * c[3] for c in seen) / alpha) if alpha else 0)
            rows.append(round(alpha / len(seen)))

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(rows), 9)) + chunk(b"IEND", b"")


# name: (painter, width, height). Splunk shows the "Alt" icons on its light pages and the others in its dark bar.
ICONS: dict[str, tuple[Painter, int, int]] = {
    "appIcon.png": (badge(GREEN), 36, 36),
    "appIcon_2x.png": (badge(GREEN), 72, 72),
    "appIconAlt.png": (badge(GREY), 36, 36),
    "appIconAlt_2x.png": (badge(GREY), 72, 72),
    "appLogo.png": (word_mark(WHITE), 160, 40),
    "appLogo_2x.png": (word_mark(WHITE), 320, 80),
}


def main() -> None:
    """Write every icon."""
    STATIC.mkdir(parents=True, exist_ok=True)
    for name, (painter, width, height) in ICONS.items():
        (STATIC / name).write_bytes(png(painter, width, height))


if __name__ == "__main__":
    main()
