"""Plain tables are aligned text without tabs, escapes or trailing blanks."""

from __future__ import annotations

import pytest

from generator import console


def test_columns_begin_at_equal_positions() -> None:
    lines = console.aligned([("A", "LONG", "C"), ("aaaa", "b", ""), ("a", "bb", "c")])
    assert lines == ["A     LONG  C", "aaaa  b", "a     bb    c"]


def test_a_pipe_gets_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_heading("Title")
    console.print_table(("CONTROL", "SEVERITY"), [("docker_daemon/icc", "high")])
    output = capsys.readouterr().out
    assert output == "Title\nCONTROL            SEVERITY\ndocker_daemon/icc  high\n"


def test_messages_are_not_data(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_message("careful")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "careful\n")
