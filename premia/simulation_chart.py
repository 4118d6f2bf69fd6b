"""A chart of who would get more or less, as SVG.

Goal: one page to put before a committee: bars to the right are more, bars to the left are less, each with its figure and sign,
so that it reads in grey and without colours too.
Method: svg.py; every coordinate is a whole number computed from minor units. One block for each currency, whose longest bar
fills its side; a side that no bar goes to takes no room.
Refuses: nothing; above ROWS_MAX parties of a currency only those with the largest differences are drawn, and the rest counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

import svg

from premia.amounts import grouped
from premia.party_outcome import PartyOutcome
from premia.simulation import Simulation

ROWS_MAX: Final = 60  # two pages of paper; below that a bar is still as high as its text.
NAME_CHARS_MAX: Final = 42  # what fits left of the bars in the largest letters that browsers use by default.
WIDTH: Final = 960
NAMES_WIDTH: Final = 340
FIGURES_WIDTH: Final = 110  # beside the end of a bar
ROW: Final = 22
BAR: Final = 14
HEAD: Final = 56
BLOCK_HEAD: Final = 34
assert BAR < ROW, "bars do not touch"
_STYLE: Final = (
    "text{font:13px sans-serif;fill:#222}.title{font-weight:bold;font-size:16px}.head{font-weight:bold}"
    ".more{fill:#1b6ca8}.less{fill:#b3541e}.axis{stroke:#666}"
)


def simulation_chart(simulation: Simulation, title: str, names: Mapping[str, str]) -> str:
    """The SVG document. `names`: of organizations by id."""
    elements: list[svg.Element] = [
        svg.Title(text=escape(title)),
        svg.Style(text=_STYLE),
        svg.Text(x=12, y=28, class_=["title"], text=escape(title)),
    ]
    top = HEAD
    for total in simulation.totals():
        changed = [party for party in simulation.parties if party.currency == total.currency and party.difference_minor]
        drawn = sorted(changed, key=lambda party: -abs(party.difference_minor))[:ROWS_MAX]
        drawn.sort(key=lambda party: -party.difference_minor)
        elements.append(_text(12, top, _block_head(total, len(changed), len(drawn)), "head"))
        elements += _bars(drawn, names, top + BLOCK_HEAD)
        top += BLOCK_HEAD + ROW * (len(drawn) + 1)
    drawing = svg.SVG(width=WIDTH, height=top, viewBox=svg.ViewBoxSpec(0, 0, WIDTH, top), elements=elements)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{drawing}\n'


def _block_head(total: PartyOutcome, changed: int, drawn: int) -> str:
    written = f"{total.currency} in total: {_signed(total)}"
    return written if changed == drawn else f"{written}; the {drawn} largest of {changed} differences"


def _bars(parties: Sequence[PartyOutcome], names: Mapping[str, str], top: int) -> list[svg.Element]:
    longest = max((abs(party.difference_minor) for party in parties), default=1)
    sides = len({party.difference_minor > 0 for party in parties})
    side = (WIDTH - NAMES_WIDTH - sides * FIGURES_WIDTH) // max(sides, 1)
    goes_left = any(party.difference_minor < 0 for party in parties)
    axis_x = NAMES_WIDTH + (FIGURES_WIDTH + side if goes_left else 0)
    axis = svg.Line(x1=axis_x, y1=top - 4, x2=axis_x, y2=top + ROW * len(parties), class_=["axis"])
    elements: list[svg.Element] = [axis] if parties else []
    for row, party in enumerate(parties):
        y = top + row * ROW
        width = max(1, abs(party.difference_minor) * side // longest)
        more = party.difference_minor > 0
        # The id first: long names that differ at their end only must not read alike.
        name = f"{party.organization_id}  {names.get(party.organization_id, '')}".rstrip()
        elements += [
            _text(12, y + BAR - 2, cut(name, NAME_CHARS_MAX)),
            svg.Rect(x=axis_x if more else axis_x - width, y=y, width=width, height=BAR, class_=["more" if more else "less"]),
            svg.Text(
                x=axis_x + width + 6 if more else axis_x - width - 6,
                y=y + BAR - 2,
                text_anchor="start" if more else "end",
                text=_signed(party),
            ),
        ]
    return elements


def cut(name: str, chars_max: int) -> str:
    """A name of at most so many characters; what is missing is marked."""
    return name if len(name) <= chars_max else f"{name[: chars_max - 1]}…"


def _signed(party: PartyOutcome) -> str:
    written = grouped(party.difference_minor, party.currency)
    return f"+{written}" if party.difference_minor > 0 else written


def _text(x: int, y: int, text: str, *classes: str) -> svg.Text:
    # svg.py writes texts as they are.
    return svg.Text(x=x, y=y, class_=list(classes), text=escape(text))
