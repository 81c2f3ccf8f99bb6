"""What ships is what the masters say, and nothing of their solutions."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import pytest
from course.found import ALL

from tinygen.course import pieces
from tinygen.course.child import decode
from tinygen.course.student import load_module

NAMES = [master.name for master in ALL]


@pytest.fixture(params=ALL, ids=NAMES)
def master(request):
    """Each master in turn."""
    return request.param


def test_what_ships_is_cut_from_the_masters(master):
    """If this fails: python examples/course/cut.py"""
    cut = master.cuttings()
    shipped = {name: master.piece.text(name) for name in cut}
    facts, right = json.loads(shipped.pop("piece.json")), json.loads(cut.pop("piece.json"))
    assert shipped == cut
    assert_alike(facts, right)


def assert_alike(x, right):
    """Equal, but for the last bits of numbers, which are the processor's."""
    if isinstance(right, dict) and "array" in right:
        np.testing.assert_allclose(decode(x), decode(right), rtol=1e-6, atol=1e-9)
    elif isinstance(right, dict):
        assert x.keys() == right.keys()
        for name in right:
            assert_alike(x[name], right[name])
    elif isinstance(right, list):
        assert len(x) == len(right)
        for a, b in zip(x, right, strict=True):
            assert_alike(a, b)
    elif isinstance(right, float):
        assert x == pytest.approx(right, rel=1e-6, abs=1e-9, nan_ok=True)
    else:
        assert x == right


def test_every_master_ships():
    assert [piece.name for piece in pieces.pieces()] == NAMES
    numbers = [piece.number for piece in pieces.pieces()]
    assert numbers == sorted(set(numbers)) and set(numbers) <= set(range(1, 13))


def test_nothing_that_ships_has_a_line_of_a_solution():
    lines = {line: master.name for master in ALL for line in master.solution_lines()}
    for file in (Path(pieces.__file__).parent).rglob("*"):
        if file.is_file() and file.suffix in (".py", ".md", ".json"):
            text = {line.strip() for line in file.read_text().splitlines()}
            assert not text & set(lines), f"{file} has lines of {[lines[line] for line in text & set(lines)]}"


def test_a_third_of_the_points_is_public(master):
    public = sum(check.points for check in master.checks if check.public)
    assert public == pytest.approx(master.points / 3, abs=0.7)
    assert master.points == int(master.points)


def test_public_checks_compare_with_what_ships(master):
    """A judge would not ship, nor a variant's answer."""
    assert not [check.name for check in master.checks if check.public and check.judge]


def test_checks_have_names_of_their_own_and_mistakes_name_checks(master):
    names = [check.name for check in master.checks]
    assert len(set(names)) == len(names)
    for mistake in master.mistakes:
        assert set(mistake.fails) <= set(names), mistake.name
        assert mistake.fails and mistake.says.endswith("."), mistake.name
    assert len({mistake.name for mistake in master.mistakes}) == len(master.mistakes) >= 5
    assert len(master.words) >= 2


def test_every_mistake_changes_the_master_to_another_program(master):
    for change in [*master.mistakes, *master.words]:
        assert ast.dump(ast.parse(master.changed(change))) != ast.dump(ast.parse(master.source)), change.name


def test_handouts_say_what_a_student_needs(master):
    handout = master.handout()
    for part in ("Goal.", "What you write.", "Shapes.", "Predict first.", "The picture.", f"{master.points:g} points"):
        assert part in handout, part
    assert handout.startswith(f"# {master.number}. ")


def test_stubs_run_and_have_room_for_a_prediction_and_a_log(master):
    tree = ast.parse(master.stub())
    names = {target.id for line in tree.body if isinstance(line, ast.Assign) for target in line.targets}
    assert {"PREDICTION", "LOG"} <= names


def test_variants_are_spread_over_students(master):
    for name, choices in master.variants.items():
        drawn = [pieces.own_variant(f"student {i}", master.name, master.variants)[name] for i in range(60)]
        assert set(drawn) == set(choices)
        assert drawn == [pieces.own_variant(f"student {i}", master.name, master.variants)[name] for i in range(60)]


def test_three_pieces_have_variants():
    assert len(NAMES) < 12 or sum(bool(master.variants) for master in ALL) == 3


def test_the_transplant_gives_equal_numbers(master):
    """The solution, put into tinygen in place of tinygen's own function, gives the numbers of tinygen."""
    picture = load_module(f"{master.name}_picture", master.piece.folder / "picture.py")
    own = load_module(master.name, master.folder / f"{master.name}.py")
    right, transplanted = picture.numbers(), picture.numbers(own)
    assert right.keys() == transplanted.keys()
    for name, value in right.items():
        np.testing.assert_allclose(transplanted[name], value, rtol=1e-6, atol=1e-9, err_msg=name)
