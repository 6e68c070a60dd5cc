"""Write down what was measured: tables for people, in Markdown, and plots."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import pygal

# It puts itself in the way of every later import, in a manner that Python warns of, for plug-ins of which
# there are none here.
sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, pygal.PluginImportFixer)]

# How it looks: grey differs from grey for everybody, and the file is one that a page may show.
LOOK = """
text { font-family: sans-serif; font-size: 13px; fill: #222222; stroke: none }
.title { font-size: 16px; text-anchor: middle }
.background { fill: #ffffff }
.axis text { text-anchor: middle }
.axis.y text { text-anchor: end }
.axis .line { stroke: #cccccc; fill: none }
.axis.y .guide.line { stroke: none }
.text-overlay text { text-anchor: start }
.color-0, .color-0 rect { fill: #1f4e79 }
.color-1, .color-1 rect { fill: #7fb2dd }
.color-2, .color-2 rect { fill: #d0d0d0 }
"""

# A cell of a table: text, or a number with so many digits behind the point.
Cell = str | tuple[float | None, int]


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Write a table, with its columns aligned for who reads it as text; numbers stand to the right."""
    written = [[_text(cell) for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in [head, *written]) for place in range(len(head))]
    to_the_right = [any(not isinstance(row[place], str) for row in rows) for place in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        aligned = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, to_the_right, strict=True)
        ]
        return f"| {' | '.join(aligned)} |"

    rule = [
        f"{'-' * (width - 1)}{':' if right else '-'}"
        for width, right in zip(widths, to_the_right, strict=True)
    ]
    return "\n".join([line(head), line(rule), *map(line, written)])


def _text(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    number, digits = cell
    return "" if number is None else f"{number:,.{digits}f}"


def plot(
    path: Path, title: str, names: Sequence[str], bars: Mapping[str, Sequence[float | None]], digits: int
) -> None:
    """Draw bars below each other for each name, into a file that loads nothing and runs nothing."""
    chart = pygal.HorizontalBar(
        title=title,
        js=(),
        width=900,
        height=100 + 24 * len(bars) * len(names),
        legend_at_bottom=True,
        legend_at_bottom_columns=len(bars),
        print_values=True,
        print_values_position="top",
        range=(0, None),
        margin_left=40,
        value_formatter=lambda value: "" if value is None else f"{value:.{digits}f}",
    )
    # Else each run would write another file where the numbers are the same.
    chart.uuid = path.stem
    # They are drawn from below.
    chart.x_labels = list(reversed(names))
    for name, values in bars.items():
        chart.add(name, list(reversed(values)))
    path.write_bytes(ElementTree.tostring(_without_strangers(chart.render_tree()), encoding="utf-8"))


def _without_strangers(drawing: ElementTree.Element) -> ElementTree.Element:
    """Leave out scripts, comments and other people's styles."""
    for parent in list(drawing.iter()):
        for child in list(parent):
            name = str(child.tag).rpartition("}")[2]
            if name == "style":
                child.text = LOOK
            elif name == "script" or child.tag is ElementTree.Comment:
                parent.remove(child)
    return drawing
