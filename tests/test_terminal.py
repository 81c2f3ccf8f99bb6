"""Standard streams of every kind: closed, of a poor encoding, not there, full, narrow."""

import io
import os
import sys

import pytest

from tinygen import terminal
from tinygen.cli import main

ODD = "caf\u00e9 \u732b \U0001f600 \udce9 a\nb \x1b[31m"  # with a stray byte and control characters


def stream(encoding, errors="strict"):
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=errors, write_through=True)


@pytest.mark.parametrize(
    ("encoding", "text", "written"),
    [
        ("ascii", "Fréchet · ½ 28×28 → “x” ≈ ²", 'Frechet * 1/2 28x28 -> "x" ~ 2'),
        ("ascii", "γ/2 E ‖∇D(x̂)‖² (Yazıcı), ± 1/√n", "gamma/2 E ||grad D(x)||2 (Yazici), +- 1/sqrtn"),
        ("cp1252", "Fréchet · ½ 28×28 → 猫 😀", "Fréchet · ½ 28×28 -> ? ?"),
        ("ascii", "caf\udce9 \ud83d", "caf\\xe9 ?"),
        ("utf-8", "café 猫 😀 \udce9", "café 猫 😀 \\xe9"),
    ],
)
def test_what_an_encoding_lacks_is_written_in_plain_letters(monkeypatch, encoding, text, written):
    out = stream(encoding)
    monkeypatch.setattr(sys, "stdout", out)
    with terminal.prepared():
        print(text, end="")
    assert out.buffer.getvalue() == written.encode(encoding) and out.errors == "strict"


@pytest.mark.parametrize("line", ["data", "models gan", "--help", "train --help", "explain x*w"])
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_every_text_of_a_command_can_be_written(monkeypatch, line, encoding):
    out, err = stream(encoding), stream(encoding)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    assert main(line.split()) == 0
    assert out.buffer.getvalue() and not err.buffer.getvalue()


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "gan", "--out", ODD, "--resume"],
        ["train", "gan", "--data", f"folder:{ODD}"],
        ["train", ODD],
        ["train", "gan", f"--{ODD}"],
        ["train", "gan", "--set", f"{ODD}={ODD}"],
        ["sample", ODD],
        ["sample", "run", "--out", ODD],
        ["evaluate", ODD],
        ["report", ODD],
        ["models", ODD],
        ["explain", ODD],
        ["explain", "x", ODD],
        ["explain", "x", "--svg", ODD],
    ],
)
@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_an_error_is_one_printable_line_whatever_it_names(monkeypatch, tmp_path, arguments, encoding):
    err = stream(encoding)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stderr", err)
    assert main(arguments) == 2
    said = err.buffer.getvalue().decode(encoding)
    assert said.startswith("tinygen: error: ") and said.count("\n") == 1 and said[:-1].isprintable()


@pytest.mark.parametrize("name", ["stdin", "stdout", "stderr"])
def test_a_stream_may_not_be_there(monkeypatch, name):
    closed = open(os.devnull)  # noqa: SIM115
    closed.close()
    for stands_for_it in (None, closed):
        monkeypatch.setattr(sys, name, stands_for_it)
        assert main(["data"]) == 0 and main(["trian"]) == 2
        assert getattr(sys, name) is stands_for_it
        assert not terminal.is_terminal(stands_for_it)


class Broken(io.StringIO):
    def __init__(self, number):
        super().__init__()
        self.number = number

    def write(self, text):
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("line", ["data", "--help", "--version"])
@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(32, 141, ""), (5, 141, ""), (28, 2, "tinygen: error: standard output: No space left on device\n")],
)
def test_an_output_that_takes_no_more(monkeypatch, capsys, line, number, code, said):
    monkeypatch.setattr(sys, "stdout", Broken(number))
    assert main([line]) == code and capsys.readouterr().err == said


def test_an_error_that_nobody_can_read_still_has_its_code(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Broken(32))
    assert main(["trian"]) == 2


@pytest.mark.parametrize("columns", ["0", "1", "7", "1000", "wide"])
def test_help_on_a_terminal_of_any_width(monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["train", "--help"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 132  # the examples stay as they are
