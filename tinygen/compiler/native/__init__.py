"""Compiled steps in machine code: loops and products made by LLVM, run by threads that stay. Needs llvmlite."""
