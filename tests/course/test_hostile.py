"""Strangers' code: each hostile submission loses what it touches, and nothing outlives it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tinygen.course.grade import grade

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="grading needs a system with users")

START = "import math\n"  # of the master: what runs when the file is imported
WALK = "    order = in_order(y)\n"  # the first line of backward
LIST = "    return order\n"  # the last line of in_order
BACKWARD = {"two ways that meet"}
ORDER = {"the order of a random tape"}
EVERYTHING = BACKWARD | ORDER

# Name: where a line of the solution is replaced, by what, and which checks that costs.
HOSTILE = {
    "loops at import": (START, START + "while True: pass\n", EVERYTHING),
    "loops in a check": (WALK, "    while True: pass\n", BACKWARD),
    "stops itself": (WALK, "    import os; os.kill(os.getpid(), 19)\n", BACKWARD),
    "exits at import": (START, START + "import os; os._exit(0)\n", EVERYTHING),
    "exits in a check": (WALK, "    import os; os._exit(0)\n", BACKWARD),
    "raises SystemExit": (WALK, "    raise SystemExit(0)\n", BACKWARD),
    "prints passed": (START, START + "print('passed'); print('{\"value\": 1}')\n", set()),
    "floods stdout": (WALK, WALK + "    for _ in range(20000): print('x' * 1000)\n", set()),
    "writes into the answers": (
        WALK, "    import os\n    for fd in range(3, 20):\n        try: os.write(fd, b'{\"value\": [1.0, 1.0]}\\n')\n"
        "        except OSError: pass\n", BACKWARD,
    ),
    "floods the answers": (
        WALK, "    import os\n    for fd in range(3, 20):\n        try:\n"
        "            for _ in range(9999): os.write(fd, b'x' * 9999)\n        except OSError: pass\n", BACKWARD,
    ),
    "forges the encoder": (
        START, START + "import sys\nsys.modules['__main__'].encode = lambda value: 1.0\n", EVERYTHING,
    ),
    "allocates 7 TiB": (WALK, "    import numpy; numpy.ones(7 << 40)\n", BACKWARD),
    "forks": (WALK, "    import os\n    while True: os.fork()\n", BACKWARD),
    "leaves a process behind": (
        WALK, "    import os; os.posix_spawn('/bin/sleep', ['sleep', '987654'], {})\n", BACKWARD,
    ),
    "opens a socket": (WALK, "    import socket; socket.create_connection(('127.0.0.1', 9))\n", BACKWARD),
    "opens a socket below Python": (
        WALK, "    import sys\n    assert sys.modules['ctypes'].CDLL(None).socket(2, 1, 0) >= 0\n", BACKWARD,
    ),
    "writes outside": (WALK, "    open('/tmp/course-was-here', 'w')\n", BACKWARD),
    "makes a folder": (WALK, "    import os; os.mkdir('/tmp/course-was-here')\n", BACKWARD),
    "becomes root": (WALK, "    import os; os.setuid(0); os.chroot('/')\n", BACKWARD),
    "returns NaN": (WALK, WALK + "    for value in order: value.grad = math.nan\n    return\n", BACKWARD),
    "returns None": (LIST, "    return None\n", EVERYTHING),
    "returns a pickle": (
        LIST, "    class Pickle:\n        def __reduce__(self): return __import__('os').system, ('touch x',)\n"
        "        def __len__(self): return 5\n        def __iter__(self): return iter(order)\n    return Pickle()\n",
        EVERYTHING,
    ),
    "a subclass that lies": (
        WALK, "    class Liar(float):\n        __hash__, __eq__ = float.__hash__, lambda self, other: True\n"
        "    for v in in_order(y): v.grad = Liar(0)\n    return\n", BACKWARD,
    ),
    "imports the library's answer": (START, START + "from tinygen import grad\n", EVERYTHING),
    "crashes": (WALK, "    import sys; sys.modules['ctypes'].string_at(0)\n", BACKWARD),
    "raises what can't be told": (
        WALK, "    class Mean(Exception):\n        def __str__(self): raise self\n    raise Mean\n", BACKWARD,
    ),
    "starts a thread": (
        START, START + "import _thread, time; _thread.start_new_thread(time.sleep, (99,))\n", EVERYTHING,
    ),
}  # fmt: skip


QUICK = "loops in a check", "writes into the answers", "leaves a process behind", "writes outside", "returns a pickle"


def pytest_generate_tests(metafunc):
    """All of them with --campaign, a few without."""
    if "hostile" in metafunc.fixturenames:
        metafunc.parametrize("hostile", HOSTILE if metafunc.config.getoption("--campaign") else QUICK)


def test_it_loses_what_it_touches(hostile, tape, graded):
    old, new, touched = HOSTILE[hostile]
    assert tape.source.count(old) == 1
    verdicts = graded(tape.source.replace(old, new))
    assert {verdict.name for verdict in verdicts.values() if verdict.points < verdict.of} == touched
    assert all(verdict.message for verdict in verdicts.values() if verdict.name in touched)
    assert not os.path.exists("/tmp/course-was-here")


def test_no_process_is_left(tape, graded):
    """What could be started is dead with its file."""
    graded(tape.source.replace(WALK, "    import os; os.posix_spawn('/bin/sleep', ['sleep', '987654'], {})\n"))
    assert "987654" not in subprocess.run(["ps", "-ef"], capture_output=True, text=True).stdout


def test_the_solution_cannot_be_read(tape, graded):
    """A file that reads the master and runs its solution has no points: it cannot open it."""
    thief = f"try:\n    exec(open({str(tape.folder / 'tape.py')!r}).read())\nexcept OSError:\n"
    thief += "    class Value:\n        def __init__(self, *a): self.grad = 0\n"
    verdicts = graded(thief)
    assert sum(verdict.points for verdict in verdicts.values()) == 0


def test_messages_of_hidden_checks_tell_no_inputs(tape, questions):
    """An exception's text may hold what was drawn; for a hidden check only its type and line are told."""
    source = tape.source.replace(WALK, "    raise ValueError(f'the input is {y.data!r}')\n")
    verdicts = {v.name: v for v in grade(tape.run_as(source), questions)}
    assert "the input is" in verdicts["a straight tape"].message  # public: inputs ship
    line = source[: source.index("raise ValueError")].count("\n") + 1
    assert verdicts["two ways that meet"].message == f"your code raised ValueError at line {line}"


def test_the_budget_ends_a_slow_submission(tape, graded):
    """Checks that time does not suffice for are not run, and say so."""
    verdicts = graded(tape.source.replace(START, START + "while True: pass\n"), budget=1.5)
    assert not sum(v.points for v in verdicts.values())
    assert "time for this submission" in verdicts["the order of a random tape"].message


def test_another_user_where_the_grader_is_root(tape, questions):
    """The child is neither root nor the grader."""
    if os.geteuid() != 0:
        pytest.skip("the grader is not root here; a namespace takes the place of another user")
    from tinygen.course.process import Job, run

    source = "import os\nids = os.getuid(), os.getgid(), os.getgroups()"
    file = tape.run_as(source)
    probes = "def probe(piece): return [piece.ids[0], piece.ids[1], list(piece.ids[2])]"
    (answer,) = run(type(file)(file.name, source, probes), [Job("probe", {})])
    user, group, groups = answer.value
    assert user == group != 0 and groups == []


def test_the_child_needs_no_tinygen():
    """It is a script of NumPy alone, so that no answer of the library is in its process."""
    from tinygen.course import child

    code = "import sys, runpy; runpy.run_path(sys.argv[1]); print('tinygen' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code, child.__file__], capture_output=True, text=True)
    assert out.stdout.strip() == "False", out.stderr
