"""`python -m benchmarks run | compare | micro | sweep`: the command line."""

from __future__ import annotations

import argparse
import sys


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"{self.prog}: {message}\n")  # one line


def main(argv: list[str] | None = None) -> int:
    from . import compare, micro, runner, sweep

    parser = Parser(
        prog="python -m benchmarks", description="Training steps, sweeps and kernels, timed; runs compared."
    )
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser)
    for name, module, about in (
        ("run", runner, "the workloads, each by every peer, against the bars"),
        ("compare", compare, "what changed between two results.json files of run, in ratios to the peers"),
        ("micro", micro, "each kernel and layer by itself, against its twin, PyTorch and the floor"),
        ("sweep", sweep, "how time and memory grow with batch, image and depth"),
    ):
        command = commands.add_parser(name, help=about, description=about)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    options = parser.parse_args(argv)
    if "clock" in options:
        try:
            runner.fit_clock(options)
        except ValueError as contradiction:
            commands.choices[options.command].error(str(contradiction))
    if options.device == "cuda" and (reason := runner.gpu_missing()):
        print(f"nothing to run on: {reason}")
        return 0
    if options.peers_venv:
        runner.build_venv(options.peers_venv, options.device)
    return options.run(options)


if __name__ == "__main__":
    sys.exit(main())
