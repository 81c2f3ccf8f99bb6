"""The forward pass of a network as an ONNX model."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ..backend import is_array
from ..checks import check_installed
from ..errors import ConfigError
from ..files import replace_file
from ..layers import Module
from ..version import __version__
from .converters import CONVERTERS
from .graph import NCHW, Graph, Ordered, Value
from .passes import Pair, Pass, Step, two_passes
from .tidy import needed, renamed, with_biases

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18  # since 2022: what every runtime of today knows


def onnx(
    module: Module,
    shapes: Sequence[int] | Mapping[str, Sequence[int]],
    path: str | os.PathLike[str] | None = None,
    *,
    outputs: Sequence[str] = (),
    layout: Literal["NCHW", "NHWC"] = "NCHW",
    metadata: Mapping[str, str] | None = None,
) -> ModelProto:
    """A network's forward pass in eval mode as an ONNX model of opset 18, for batches of any size; written to path.

    shapes: of one example of the input, or of each input by name; () is a label, a whole number. Without a name, an
    input has that of forward()'s argument.  outputs: their names; by default y, or y_1, y_2, ...
    layout: of images at the inputs and outputs. Shapes are given as tinygen has them, (H, W, C), either way.
    metadata: more to write into the file, beside the class of the module.

    Weights have their names in the module. What depends on nothing but weights is computed now, so batch norm becomes
    one product and one sum, and spectral norm a weight. The batch axis is called N. Raises PackageError without the
    package onnx, and ConfigError, naming the op and the line of code, for what ONNX or this exporter can't say: an op
    without a converter, and an array that depends on the input, or is drawn at random, where the tape doesn't see it.

    >>> net = tg.layers.Sequential(tg.layers.Dense(3, 2), tg.layers.Tanh())
    >>> model = tg.export.onnx(net, (3,), "net.onnx")
    >>> [node.op_type for node in model.graph.node], model.opset_import[0].version == tg.export.OPSET
    (['Gemm', 'Tanh'], True)
    """
    check_installed("export.onnx", "onnx")
    if layout not in ("NCHW", "NHWC"):
        raise ConfigError(f'onnx: layout is {layout!r}, but it must be "NCHW" or "NHWC"')
    named = dict(shapes if isinstance(shapes, Mapping) else {_argument(module): shapes})
    if not named or not all(isinstance(shape, (tuple, list)) for shape in named.values()):
        raise ConfigError(
            f'onnx: shapes is {shapes!r}, but it must be a shape, as (28, 28, 1), or a dict: {{"x": (28, 28, 1)}}'
        )
    made = two_passes(module, list(named.values()))
    names = list(outputs) or _output_names(len(made.outputs), named)
    if len(names) != len(made.outputs) or len({*names, *named}) < len(names) + len(named):
        n = len(made.outputs)
        raise ConfigError(f"onnx: outputs are {names}, but there are {n}, and each input and output has its own name")
    facts = {"network": type(module).__name__, "layout": layout, **(metadata or {})}
    model = _Writer(module, made, layout, [*named, *names]).model(list(named), names, facts)
    if path is not None:
        with replace_file(path) as temporary:
            temporary.write_bytes(model.SerializeToString())
    return model


def _argument(module: Module) -> str:
    """The name of the first argument of a module's forward()."""
    return next(iter(inspect.signature(module.forward).parameters), "x")


def _output_names(n: int, inputs: Mapping[str, Any]) -> list[str]:
    word = "y" if "y" not in inputs else "output"
    return [word] if n == 1 else [f"{word}_{i + 1}" for i in range(n)]


class _Writer:
    """Converts the steps of a pass one by one."""

    def __init__(self, module: Module, made: Pass, layout: str, taken: Sequence[str]):
        from onnx import helper

        self._helper, self._pass = helper, made
        self._images = NCHW if layout == "NCHW" else tuple(range(4))
        self._graph = Graph(helper, {id(x): name for name, x in reversed(made.weights.items())}, taken)
        self._graph.unit = module.batch_unit
        self._values = {id(x.first): Value(x) for x in made.inputs}
        self._constants = set[int]()

    def model(self, inputs: Sequence[str], outputs: Sequence[str], metadata: Mapping[str, str]) -> ModelProto:
        """The model, checked."""
        from onnx import checker

        helper, graph = self._helper, self._graph
        graph.batch = inputs[0]
        given = [self._values[id(x.first)] for x in self._pass.inputs]
        for name, value in zip(inputs, given, strict=True):
            value.names[self._order(value)] = name
        for step in self._pass.steps:
            self._convert(step)
        graph.step = "the output"
        made = [self._value(y) for y in self._pass.outputs]
        nodes = self._nodes([graph.name(y, self._order(y)) for y in made], outputs)
        used = {name for node in nodes for name in node.input}
        model = helper.make_model(
            helper.make_graph(
                nodes,
                "tinygen",
                [self._info(name, value) for name, value in zip(inputs, given, strict=True)],
                [self._info(name, value) for name, value in zip(outputs, made, strict=True)],
                [_stored(name, array) for name, array in graph.weights.items() if name in used],
            ),
            opset_imports=[helper.make_opsetid("", OPSET)],
            producer_name="tinygen",
            producer_version=__version__,
        )
        model.ir_version = helper.find_min_ir_version_for(model.opset_import)
        helper.set_model_props(model, dict(metadata))
        checker.check_model(model, full_check=True)
        return model

    def _order(self, value: Value) -> tuple[int, ...]:
        """The order of an input's or output's axes."""
        return self._images if value.ndim == 4 else tuple(range(value.ndim))

    def _info(self, name: str, value: Value) -> Any:
        """The name, dtype and shape of an input or output."""
        shape = [self._graph.symbol(value.shape[a]) for a in self._order(value)]
        return self._helper.make_tensor_value_info(name, self._helper.np_dtype_to_tensor_dtype(value.dtype), shape)

    def _convert(self, step: Step) -> None:
        """Write the nodes of a step, unless it depends on weights alone: then its result is a constant."""
        self._graph.step = f"{step.op.lstrip('_')}{f', {step.line}' if step.line else ''}"
        inputs = [self._value(x) if is_array(x.first) else x for x in step.inputs]
        varies = any(not n.same for n in step.y.shape)
        if not varies and not any(isinstance(x, Value) for x in inputs):
            self._constants.add(id(step.y.first))
            self._graph.fold(step.y.first, [x.first for x in step.inputs])
            return
        if step.op not in CONVERTERS:
            raise self._graph.refuse("there is no ONNX converter for this op; compose it of others, or add one")
        y = self._values[id(step.y.first)] = Value(step.y)
        made = CONVERTERS[step.op](self._graph, y, *(self._option(x) for x in inputs))
        if isinstance(made, str):
            made = Ordered(made, None)
        if made is not None:
            y.names[tuple(range(y.ndim)) if made.axes is None else made.axes] = made.name

    def _option(self, x: Any) -> Any:
        """A Value, an array or an option of an op; a Pair only of an option that differs from batch to batch."""
        return x.first if isinstance(x, Pair) and (is_array(x.first) or x.same) else x

    def _value(self, x: Pair) -> Any:
        """The Value of an array, or the array itself if it is a constant."""
        if (known := self._values.get(id(x.first))) is not None or id(x.first) in self._constants:
            return known or x.first
        if x.same:
            return x.first
        return self._repeated(x)

    def _repeated(self, x: Pair) -> Value:
        """An array that only repeats one example as often as the batch has some, as zeros do; else, if somebody asks
        for it, an error."""
        value = self._values[id(x.first)] = Value(x)
        one = x.first[tuple(slice(None) if n.same else slice(1) for n in x.shape)]
        error = self._graph.refuse(
            f"it takes an array of shape {x.first.shape} that depends on the input where the tape doesn't see it, or "
            "that is drawn at random; compute it with ops on Tensors, or make it an input"
        )

        def write() -> str:
            if not all((array == one).all() for array in x):
                raise error
            return self._graph.node("Expand", self._graph.constant(one), self._graph.lengths(x.shape))

        value.later = write
        return value

    def _nodes(self, made: Sequence[str], outputs: Sequence[str]) -> list[Any]:
        """The nodes that the outputs need, which get their names; what isn't a node's alone gets one by an Identity."""
        nodes = with_biases(needed(self._graph.nodes, made), self._graph.weights, made)
        names = dict[str, str]()
        written = {name for node in nodes for name in node.output}
        for name, output in zip(made, outputs, strict=True):
            if name in written and name not in names:
                names[name] = output
            else:
                nodes.append(self._helper.make_node("Identity", [name], [output]))
        renamed(nodes, names)
        used = {name for node in nodes for name in node.input}
        constants = [
            self._helper.make_node("Constant", [], [name], name=name, value=_stored(name, array))
            for name, array in self._graph.constants.items()
            if name in used
        ]
        return [*constants, *nodes]


def _stored(name: str, array: Any) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(array, name)
