"""The command leaves on a signal at any moment: the shell's exit code, no traceback, no half file."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import tinygen
from tinygen import cli, signals
from tinygen.files import replace_file

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
SIGNALS = signals.STOPPING
SIGNALLED_WHILE_NUMPY_LOADS = "import os, signal\nos.kill(os.getpid(), {})\nraise RuntimeError('still alive')\n"


def hears(number, ignored=False):
    """The child of a job in the background would ignore Ctrl-C."""
    return lambda: signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)


def start(folder, command, number, ignored=False):
    (folder / "numpy.py").write_text(SIGNALLED_WHILE_NUMPY_LOADS.format(int(number)))
    path = os.pathsep.join([str(folder), str(Path(tinygen.__file__).parents[1])])
    return subprocess.run(
        [sys.executable, *command, "data"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        preexec_fn=hears(number, ignored),
    )


@pytest.mark.parametrize("number", SIGNALS)
def test_while_numpy_loads(tmp_path, number):
    done = start(tmp_path, ["-m", "tinygen"], number)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "")


def test_the_installed_script_is_guarded_too(tmp_path):
    script = tmp_path / "tinygen"
    script.write_text("import sys\nfrom tinygen.cli import main\nsys.exit(main())\n")
    done = start(tmp_path, [str(script)], signal.SIGINT)
    assert (done.returncode, done.stderr) == (130, "")


def test_a_program_that_imports_the_package_is_not(tmp_path):
    done = start(tmp_path, ["-c", "import tinygen"], signal.SIGINT)
    assert "KeyboardInterrupt" in done.stderr
    assert start(tmp_path, ["-c", "import tinygen"], signal.SIGTERM).returncode == -signal.SIGTERM


def test_what_nohup_ignores_stays_ignored(tmp_path):
    assert "still alive" in start(tmp_path, ["-m", "tinygen"], signal.SIGHUP, ignored=True).stderr


def test_leaving_takes_half_written_files_along(tmp_path, monkeypatch):
    codes = []
    monkeypatch.setattr(os, "_exit", codes.append)
    (tmp_path / "page.html").write_text("old")
    with pytest.raises(FileNotFoundError), replace_file(tmp_path / "page.html") as temporary:
        temporary.write_text("half")
        signals.leave(signal.SIGTERM)
        assert not temporary.exists()
    assert codes == [143] and [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert (tmp_path / "page.html").read_text() == "old" and not signals.unfinished


@pytest.mark.parametrize("number", SIGNALS)
def test_what_is_taken_over_is_given_back(number):
    before = signal.signal(number, signal.SIG_DFL)
    try:
        taken = signals.take_over(signals.stop)
        with pytest.raises(KeyboardInterrupt if number == signal.SIGINT else SystemExit) as ended:
            signal.raise_signal(number)
        assert number == signal.SIGINT or ended.value.code == 128 + number
        signals.give_back(taken)
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)


def test_a_handler_of_the_user_s_stays_in_charge():
    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        taken = signals.take_over(signals.stop)
        signal.raise_signal(signal.SIGTERM)
        signals.give_back(taken)
        assert signal.SIGTERM not in taken and heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_command_leaves_until_it_is_done_and_then_keeps_its_exit_code(monkeypatch):
    before = {number: signal.signal(number, signals.leave) for number in SIGNALS}
    during = []
    monkeypatch.setattr(cli, "_run", lambda argv: during.append(list(map(signal.getsignal, SIGNALS))) or 0)
    try:
        assert cli.main([]) == 0
        assert during == [[signals.leave] * len(SIGNALS)]
        assert [signal.getsignal(number) for number in SIGNALS] == [signal.SIG_IGN] * len(SIGNALS)
    finally:
        signals.give_back(before)


def test_called_from_a_program_it_raises_and_gives_the_handlers_back(monkeypatch):
    before = {number: signal.getsignal(number) for number in SIGNALS}
    monkeypatch.setattr(cli, "_run", lambda argv: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == 143
    assert {number: signal.getsignal(number) for number in SIGNALS} == before


def test_another_thread_takes_nothing_over():
    taken = []
    thread = threading.Thread(target=lambda: taken.append(signals.take_over(signals.stop)))
    thread.start()
    thread.join()
    assert taken == [{}]
