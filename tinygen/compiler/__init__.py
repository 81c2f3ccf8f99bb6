"""A training step as a program: traced once, made fast by passes, run by a back end.

trace.py (traced.py, module.py, numbers.py)   what a step does, written down
program.py                                    instructions on arrays, which can be read
printing.py, sections.py, work.py, spans.py   the program as text, and what a run's page shows of it
passes/                                       what need not be computed, and what can be computed together
plan.py                                       where each array lies
lowering.py                                   what the back ends share: a program as calls
calls.py, blocks.py                           the back end for NumPy alone
machine.py, jobs.py, loops.py, native/        the back end for native code, made with LLVM
convolutions.py                               convolutions as products, for both of these
device.py, graph.py                           the back end for CuPy
cuda_kernel.py, cuda_loop.py, cuda_text.py    its loops as kernels of CUDA
columns.py                                    which threads of a GPU have which elements
threads.py, shares.py                         how many threads there are, and which does what
compiled.py                                   `tg.compile`
"""

from . import printing
from .compiled import Compiled, compile
from .program import Instruction, Program, Value

__all__ = ["Compiled", "Instruction", "Program", "Value", "compile"]


def __dir__() -> list[str]:
    return __all__
