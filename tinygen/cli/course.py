"""A course of twelve graded assignments: begin a piece, check it, draw it, hand it in; and what a teacher needs.

Students: list, new, check, run, pack. Teachers: grade, build, proof, with the masters, which are in examples/course of
tinygen's repository and not in the package.

examples:
  tinygen course list
  tinygen course new 1                  a folder with the file to complete and the handout
  tinygen course check tape             the public checks: what is right, and which mistake it is if not
  tinygen course run tape               the picture, made of your own file
  tinygen course pack tape              a zip file to hand in
  tinygen course grade class --masters examples/course --secret secret.txt
  tinygen course proof --masters examples/course
"""

from __future__ import annotations

import argparse
import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, RunError
from ..files import check_place, replace_file, writing
from .arguments import Parser, count_from, first_line, help_of, path
from .codes import FAILED, OK

if TYPE_CHECKING:
    from ..course.masters import Master
    from ..course.results import Result
    from ..course.submissions import Submission

FORMATS = "csv", "json", "gradescope", "prairielearn", "otter", "nbgrader"


def add_arguments(command: Parser) -> None:
    actions = command.add_subparsers(title="actions", metavar="ACTION ...", required=True)
    for action in (_list, _new, _check, _run, _pack, _grade, _build, _proof):
        name = action.__name__.lstrip("_")
        added = actions.add_parser(name, help=first_line(action).rstrip("."), **help_of(action))
        added.set_defaults(action=action)
        _arguments_of(name, added)


def _arguments_of(name: str, added: Parser) -> None:
    if name == "new":
        added.add_argument("piece", metavar="N", help="the number or name of a piece")
        added.add_argument(
            "--student", default="", metavar="ID", help="your id: some pieces differ from student to student"
        )
        added.add_argument("--out", type=path, metavar="FOLDER", help="the folder to make (the piece's name)")
    if name in ("check", "run", "pack"):
        added.add_argument(
            "folder", type=path, metavar="FOLDER", nargs="?", default=".", help="a piece's folder (this one)"
        )
    if name == "pack":
        added.add_argument("--out", type=path, metavar="FILE", help="the zip file (beside the folder)")
    if name == "grade":
        added.add_argument(
            "folder", type=path, metavar="FOLDER", help="a folder or zip file for each student, named by id"
        )
        added.add_argument(
            "--one", metavar="ID", help="FOLDER is the submission of this one; or Gradescope's metadata file"
        )
        added.add_argument("--out", type=path, metavar="FILE", default="grades.csv", help="the results (grades.csv)")
        added.add_argument("--format", choices=FORMATS, default="csv", help="whose form they have (csv)")
        added.add_argument(
            "--budget", type=count_from(1), default=600, metavar="SECONDS", help="for each piece of each student (600)"
        )
    if name == "build":
        added.add_argument(
            "--out", type=path, metavar="FILE", default="autograder.zip", help="the zip file (autograder.zip)"
        )
    if name == "proof":
        added.add_argument(
            "--students", type=count_from(1, 6), default=1, metavar="N", help="how many, each with other inputs (1)"
        )
    if name in ("build", "proof", "grade"):
        added.add_argument(
            "--masters", type=path, metavar="FOLDER", default="examples/course", help="the masters (examples/course)"
        )
        added.add_argument("--pieces", nargs="+", metavar="N", default=[], help="these pieces alone, by number or name")
    if name in ("build", "grade"):
        added.add_argument(
            "--secret",
            type=path,
            metavar="FILE",
            required=True,
            help="what inputs are drawn from; made if it is missing",
        )


def run(args: argparse.Namespace) -> int:
    return args.action(args)


def _list(args: argparse.Namespace) -> int:
    """List the pieces, with points and hours."""
    from ..course.pieces import pieces
    from ..tables import table

    rows = [(str(p.number), p.name, p.title, f"{p.points:g}", f"{p.facts['hours']:g}") for p in pieces()]
    total = ("", "", "", f"{sum(p.points for p in pieces()):g}", f"{sum(p.facts['hours'] for p in pieces()):g}")
    print(table([("", "name", "what you write", "points", "hours"), *rows, total]))
    return OK


def _new(args: argparse.Namespace) -> int:
    """Begin a piece: a folder with the file to complete and the handout."""
    from ..course.pieces import piece
    from ..course.student import begin

    chosen = piece(args.piece)
    folder = Path(args.out or chosen.name)
    for file in begin(chosen, folder, args.student):
        print(file)
    print(f"read {folder / 'handout.md'}, complete {folder / chosen.name}.py, then: tinygen course check {folder}")
    return OK


def _check(args: argparse.Namespace) -> int:
    """Run the public checks of a piece. The exit code is 1 unless all of them pass."""
    from ..course.results import text
    from ..course.student import check, own_piece

    folder = Path(args.folder)
    result = check(folder)
    hidden = own_piece(folder).points - result.of
    print(text(result))
    print(f"The other {hidden:g} points are for hidden checks, with other inputs.")
    return OK if result.points == result.of else FAILED


def _run(args: argparse.Namespace) -> int:
    """Draw the picture of a piece, made of your own file."""
    from ..course.student import draw

    for file in draw(Path(args.folder)):
        print(file)
    return OK


def _pack(args: argparse.Namespace) -> int:
    """Write the zip file to hand in."""
    from ..course.student import own_piece, pack

    folder = Path(args.folder)
    out = Path(args.out or folder.absolute().parent / f"{own_piece(folder).name}.zip")
    print(f"{out}: {', '.join(pack(folder, out))}")
    return OK


def _grade(args: argparse.Namespace) -> int:
    """Grade a class, or one submission, by all checks; results are kept after each.

    Students' files run in processes that have given up their user, files, network and processes; they are never
    imported here. Inputs are drawn from the secret and the student's id, so grading again gives the same.

    examples:
      tinygen course grade class --masters examples/course --secret secret.txt
      tinygen course grade anna.zip --one anna --format json --out anna.json --secret secret.txt
    """
    from ..course.classroom import grade_submission
    from ..course.results import text, write

    out, handed_in = Path(args.out), _handed_in(args)
    check_place(out)
    masters, secret = _masters(args), _secret(args.secret)
    results: list[Result] = []

    def keep(own: list[Result]) -> None:
        write([*results, *own], args.format, out)

    for submission in handed_in:
        own = grade_submission(masters, submission, secret, args.budget, keep)
        keep(own)
        results += own
        for result in own:
            print(f"{result.student}, seed {result.seed}: {text(result)}", flush=True)
    print(out)
    return OK


def _build(args: argparse.Namespace) -> int:
    """Write an autograder for Gradescope: a zip file with setup.sh and run_autograder.

    It holds the masters and the secret: upload it, and show it to no student.
    """
    from ..course.build import build

    build(_masters(args), _secret(args.secret), Path(args.out))
    print(args.out)
    return OK


def _proof(args: argparse.Namespace) -> int:
    """Prove the checks: stubs get nothing, solutions all, and each planted mistake loses its points and is named."""
    from ..course.proof import STUDENTS, prove

    faults = 0
    for master in _masters(args):
        for proven in prove(master, STUDENTS[: args.students]):
            faults += bool(proven.fault)
            print(f"{proven.piece:14} {proven.file:44} {proven.points:5g} of {proven.of:g}  {proven.fault}", flush=True)
    print(f"{faults} faults" if faults else "All are as they should be.")
    return FAILED if faults else OK


def _masters(args: argparse.Namespace) -> list[Master]:
    from ..course.masters import masters

    found = masters(args.masters)
    wanted = {which: [m for m in found if which in (str(m.number), m.name)] for which in args.pieces}
    for which, chosen in wanted.items():
        if not chosen:
            raise ConfigError(
                f"--pieces {which}: there is no such master; {args.masters} has {', '.join(m.name for m in found)}"
            )
    return [m for m in found if not wanted or any(m in chosen for chosen in wanted.values())]


def _secret(file: str) -> str:
    """The text of the secret's file, which is made if it is missing."""
    place = Path(file)
    if not place.exists():
        with writing(place, option="--secret"), replace_file(place) as temporary:
            temporary.write_text(secrets.token_hex(32) + "\n")
            temporary.chmod(0o600)
        print(f"{place}: made; keep it, for a regrade needs it")
    try:
        text = place.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"--secret {place}: can't be read ({error})") from error
    if len(text) < 8:
        raise ConfigError(f"--secret {place}: has {len(text)} characters; it needs at least 8")
    return text


def _handed_in(args: argparse.Namespace) -> list[Submission]:
    from ..course.submissions import submission, submissions

    folder = Path(args.folder)
    if args.one is None:
        return list(submissions(folder))
    return [submission(folder, _student(args.one))]


def _student(one: str) -> str:
    """An id; or the id of the first user in Gradescope's submission_metadata.json."""
    if not one.endswith(".json"):
        return one
    try:
        metadata: dict[str, Any] = json.loads(Path(one).read_text(encoding="utf-8"))
        return str(metadata["users"][0]["id"])
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise RunError(
            f"--one {one}: expected Gradescope's submission_metadata.json, with users ({error!r})"
        ) from error
