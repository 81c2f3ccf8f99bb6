"""The options of a run, one entry each: what `tinygen train` takes besides the settings of the model.

The command line's parser, what config.json may say, what may change when a run is resumed, and the defaults of `fit`
and of the recorder come from here.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

from .backend import DEVICES
from .kinds import COUNT, EVERY, MAY_COUNT, MAY_NONE, MAY_TEXT, SWITCH, TEXT, TEXTS, Kind

CompileMode = Literal["auto", "on", "off"]
FITS = ("crop", "pad", "stretch")  # how pictures become squares: see data.load_folder
COMPILE_MODES = get_args(CompileMode)
COMPILE = Kind('"auto", "on" or "off"', lambda x: x in COMPILE_MODES)
DEVICE = Kind(" or ".join(DEVICES), lambda x: x in [*DEVICES])


class Option(NamedTuple):
    """One option: log_every in config.json, --log-every on the command line."""

    name: str
    kind: Kind
    help: str  # {default} stands for the default
    default: Any = None  # None: the model's or, if it has none, none
    metavar: str | None = None  # None: the kind's
    may_change: bool = False  # when a run is resumed


DATA = (
    Option("data", TEXT, "`tinygen data` lists them; folder:PATH for your own images (the model's own)", None, "NAME"),
    Option("data_b", MAY_TEXT, "the second domain, for models of two, such as cyclegan", None, "NAME"),
    Option("size", MAY_COUNT, "the side of the squares that folder: images become, or of drawn faces"),
    Option("channels", MAY_COUNT, "of folder: images: grey, colour, or with opacity (3)", None, "1|3|4"),
    Option("fit", MAY_TEXT, "how folder: images become squares (crop)", None, "|".join(FITS)),
    Option("mirror", SWITCH, "show each image mirrored half of the time"),
)
LOADING = ("size", "channels", "fit")  # those of DATA that tinygen.data.load takes
COURSE = (
    Option("batch", EVERY, "examples a step (the model's own)"),
    Option("seed", COUNT, "decides every random number: weights, batches, noise ({default})", 0),
    Option("device", DEVICE, "{default} (the default) or cuda, a GPU through CuPy", "cpu"),
    Option("compile", COMPILE, "whether the step runs as a program ({default}: if it pays)", "auto", may_change=True),
)
INTERVALS = (
    Option("log_every", EVERY, "steps between lines of metrics.jsonl ({default})", 50, may_change=True),
    Option("sample_every", EVERY, "steps between pictures of samples ({default})", 200, may_change=True),
    Option("checkpoint_every", EVERY, "steps between checkpoints ({default})", 500, may_change=True),
    Option("evaluate_every", MAY_NONE, "steps between evaluations, of 1,000 samples each (none)", may_change=True),
    Option("record", MAY_NONE, "steps between recorded steps, for the report ({default})", 16),
)
OPTIONS = (*DATA, *COURSE, *INTERVALS)
DEFAULTS = {option.name: option.default for option in OPTIONS}
SETTINGS = {option.name: option.kind for option in OPTIONS}  # what config.json may hold
SETTINGS |= {"classes": TEXTS, "local_batch_norm": COUNT}  # the latter: of how many processes, if of more than one
