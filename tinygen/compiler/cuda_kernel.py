"""Loops that run at the same time as one kernel of CUDA: each has blocks of its own.

    %14, %15 = fused(%11, G.0.b):            extern "C" __global__ void tinygen_add_3f2a(..., float* y0, float* y1) {
        %14 = add(%11, G.0.b)                  if (blockIdx.x < 32) {
        %15 = sum(%14, axes=(0,))                ...
    %9 = fused(%8):                ->            for (int r = d; inside && r < 32; r += 32) {
        ...                                        const float e1 = x0[k + r * 256];
                                                   const float v0 = add_<float>(e1, e0);
                                                   a0 += v0;
                                                   y0[k + r * 256] = v0;
                                                 }
                                                 const float c0 = total(a0, a, d, 8, 32);
                                                 ...

A loop passes over its rows once for each sum that another sum waits for, and computes again what it needs; it writes in
the last pass. So all is read before anything is written there: an output may lie where an input does. Where several
blocks go down the same columns, the last to end adds up what all have found, in a fixed order.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..backend import Array
from .columns import THREADS, Columns, summed_axes
from .cuda_loop import LoopText, Parameters
from .cuda_text import functions_of
from .program import Instruction, Value

HELPERS = f"""
// The sum over the threads of a block that have the same a; there are `down` of them, a power of two.
template <class T> __device__ T total(T v, int a, int d, int across, int down) {{
  __shared__ T s[{THREADS}];
  __syncthreads();
  s[d * across + a] = v;
  for (int half = down / 2; half > 0; half /= 2) {{
    __syncthreads();
    if (d < half) s[d * across + a] = s[d * across + a] + s[(d + half) * across + a];
  }}
  __syncthreads();
  return s[a];
}}

// Whether all other blocks that share a ticket have come here before.
__device__ inline bool comes_last(unsigned* ticket, unsigned blocks) {{
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {{
    last = atomicAdd(ticket, 1u) == blocks - 1;
    if (last) *ticket = 0;
  }}
  __syncthreads();
  __threadfence();
  return last;
}}
"""


class Kernel(NamedTuple):
    """A kernel: its name and text, how many blocks of THREADS threads it takes, and what to call it with."""

    name: str
    text: str
    blocks: int
    params: Parameters


def kernel_of(loops: Sequence[Instruction], arrays: Mapping[Value, Array]) -> Kernel | None:
    """The kernel of some loops; None if one has an op or a dtype that no text has."""
    writer = _Writer(arrays)
    try:
        for loop in loops:
            writer.add(loop)
    except KeyError:
        return None
    return writer.kernel()


def has_kernel(loop: Instruction) -> bool:
    """Whether there is a text for all that a loop does."""
    arrays = {v: v.like for m in loop.body for v in (*m.values, *m.results)}
    return kernel_of([loop], arrays) is not None


def source_of(kernels: Sequence[Kernel]) -> str:
    """Some kernels, and what they call, as one source."""
    texts = {kernel.name: kernel.text for kernel in kernels}
    return "\n".join([functions_of({op for kernel in kernels for op in kernel.params.ops}), HELPERS, *texts.values()])


class _Writer:
    """A kernel in the making: its parts, each with its blocks, and its parameters by name."""

    def __init__(self, arrays: Mapping[Value, Array]):
        self.params = Parameters(arrays)
        self.parts: list[tuple[int, list[str]]] = []

    def add(self, loop: Instruction) -> None:
        """Add a loop. Raises KeyError if there is no text for it."""
        columns = Columns(loop.options["shape"], summed_axes(loop))
        if columns.columns:
            self.parts.append((columns.tiles * columns.chunks, LoopText(loop, columns, self.params).lines()))

    def kernel(self) -> Kernel:
        lines, first, params = list[str](), 0, self.params
        for blocks, part in self.parts:
            lines += [f"  if (blockIdx.x < {first + blocks}) {{", f"    const int block = blockIdx.x - {first};"]
            lines += [*(f"    {line}" for line in part), "    return;", "  }"]
            first += blocks
        text = "\n".join([f"({', '.join(params.declared())}) {{", *lines, "}"])
        name = f"{'_'.join(['tinygen', *params.ops])[:50]}_{zlib.crc32(text.encode()):08x}"
        source = f'extern "C" __global__ void {name}{text}'
        return Kernel(name, source, first, params)
