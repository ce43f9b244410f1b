"""Text on a terminal: all of it is shown as it is, and none of it does anything there."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from training.output import terminal
from training.output.terminal import Terminal, few, json_text, print_any_text, short, visible

ROOT = Path(__file__).resolve().parents[4]
ANY_TEXT = st.text(st.characters(exclude_categories=()))
"""Surrogates included, as names of files have them."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain – “text” × Möwe 鳥", "plain – “text” × Möwe 鳥"),
        ("שלום", "שלום"),
        ("\N{WOMAN}\N{ZERO WIDTH JOINER}\N{ROCKET}", "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{ROCKET}"),
        ("a\x1b[31mb", r"a\u001b[31mb"),
        ("a\nb\r\tc\x00\x7f\x9b", r"a\nb\r\tc\u0000\u007f\u009b"),
        ("caf\udce9", r"caf\udce9"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe", r"\u202egpj.exe"),
        ("cat\N{ZERO WIDTH SPACE}\N{SOFT HYPHEN}\ufeff", r"cat\u200b\u00ad\ufeff"),
        ("a\N{LINE SEPARATOR}b", r"a\u2028b"),
    ],
)
def test_what_is_hidden_is_escaped_and_the_rest_stays(text: str, expected: str) -> None:
    assert visible(text) == expected


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("utf-8", "Möwe 鳥 \N{BIRD} 3 × 4 – a · b …"),
        ("latin-1", r"Möwe \u9ce5 \ud83d\udc26 3 × 4 - a · b ..."),
        ("ascii", r"M\u00f6we \u9ce5 \ud83d\udc26 3 x 4 - a / b ..."),
    ],
)
def test_what_an_encoding_lacks_is_escaped_and_our_own_signs_are_replaced(
    encoding: str, expected: str
) -> None:
    assert visible("Möwe 鳥 \N{BIRD} 3 × 4 – a · b …", encoding) == expected


def in_encoding(encoding: str) -> tuple[io.BytesIO, io.TextIOWrapper]:
    written = io.BytesIO()
    return written, io.TextIOWrapper(written, encoding=encoding, write_through=True)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp1252", "shift_jis"])
def test_a_table_of_odd_names_keeps_its_columns(encoding: str) -> None:
    written, stream = in_encoding(encoding)
    table = Table("name", title="[/y] [bold]title\x1b[0m")
    names = ["[bold]a[/]", ":cat:", "\x1b]0;t\x07", "x\ny", "é · é", "\udce9", "n" * 40]
    for name in names:
        table.add_row(name)
    Terminal(file=stream, width=60).print(table)
    title, *lines = written.getvalue().decode(encoding).splitlines()
    assert title.strip() == r"[/y] [bold]title\u001b[0m"
    assert len(lines) == len(names) + 4, "one line for each name"
    assert len({len(line.rstrip()) for line in lines}) == 1
    assert "[bold]a[/]" in lines[3]
    assert ":cat:" in lines[4]


def test_styles_stand_beside_text_that_is_printed_as_it_is() -> None:
    said = io.StringIO()
    terminal = Terminal(file=said, width=80, force_terminal=True, color_system="standard")
    terminal.print(Text("Error:", "red"), "[red]x[/] 12 'y'")
    assert said.getvalue() == "\x1b[31mError:\x1b[0m [red]x[/] 12 'y'\n"


@pytest.mark.fuzz
@given(ANY_TEXT, st.sampled_from(["utf-8", "ascii", "latin-1", "cp437", "utf-16"]))
def test_any_text_is_visible_in_any_encoding(text: str, encoding: str) -> None:
    shown = visible(text, encoding)
    assert shown.encode(encoding).decode(encoding) == shown
    assert not terminal.HIDDEN.search(shown)
    assert visible(shown, encoding) == shown


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_streams_take_any_text_from_then_on(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written, stream = in_encoding(encoding)
    monkeypatch.setattr("sys.stdout", stream)
    print_any_text()
    print("caf\udce9 …")
    ending = "…" if encoding == "utf-8" else "..."
    assert written.getvalue().decode(encoding) == rf"caf\udce9 {ending}" + "\n"


@pytest.mark.fuzz
@given(ANY_TEXT)
def test_json_is_what_was_given_whatever_the_encoding(text: str) -> None:
    for encoding in ("utf-8", "ascii", "latin-1"):
        written, stream = in_encoding(encoding)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("sys.stdout", stream)
            print_any_text()
            print(json_text({text: [text]}))
        assert json.loads(written.getvalue().decode(encoding)) == {text: [text]}


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, ""),
        (1, "0"),
        (3, "0, 1, 2"),
        (4, "0, 1, 2 and 1 more"),
        (9003, "0, 1, 2 and 9,000 more"),
    ],
)
def test_of_many_names_a_few_are_said_and_the_rest_counted(count: int, expected: str) -> None:
    assert few(map(str, range(count)), 3) == expected


def test_a_long_name_is_cut_off_with_an_ellipsis() -> None:
    assert short("a" * 300, 10) == "a" * 9 + "…"
    assert short("a" * 10, 10) == "a" * 10


def test_no_module_parses_markup_or_makes_a_console_of_another_kind() -> None:
    """A name in brackets would be lost there, or be an error."""
    sources = [ROOT / "demo.py", *(ROOT / "training").rglob("*.py")]
    for path in sources:
        source = path.read_text(encoding="utf-8")
        assert "rich.markup" not in source, path
        assert "[/]" not in source, path
        assert path.name == "terminal.py" or " Console(" not in source, path
