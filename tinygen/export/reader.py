"""ONNX files as modules: each node a layer, each initialiser a parameter by the name that it has in the file."""

from __future__ import annotations

import inspect
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from .. import ops
from ..backend import to_device
from ..checks import check_installed
from ..errors import ConfigError, DataError
from ..files import open_regular
from ..layers import Buffer, Module
from ..tensor import Parameter, Tensor
from . import operators_shape  # enters its operators into the table  # noqa: F401
from .graph import NCHW
from .operators import OPERATORS, dtype_of
from .operators_images import NEUTRAL, NHWC

SINCE = {"Softmax": 13, "LogSoftmax": 13, "Resize": 11, "BatchNormalization": 9}  # where an older one would be misread


class Node(Module):
    """A node of an ONNX graph as a layer: its operator, its attributes, and those initialisers that it is first to use.

    Its class has the operator's name.
    """

    def __init__(self, takes: Sequence[str], gives: Sequence[str], attributes: Mapping[str, Any]):
        self.takes, self.gives, self.attributes = tuple(takes), tuple(gives), dict(attributes)

    def forward(self, *inputs: Any) -> Any:
        """The operator's outputs, from all its inputs, parameters among them."""
        return OPERATORS[type(self).__name__](*inputs, **self.attributes)

    def _options(self) -> str:
        usual = {p.name: p.default for p in inspect.signature(OPERATORS[type(self).__name__]).parameters.values()}
        shown = {
            name: x for name, x in self.attributes.items() if x not in (usual[name], [NEUTRAL.get(name)] * _len(x))
        }
        return ", ".join(f"{name}={_text(x)}" for name, x in shown.items())


def _text(x: Any) -> str:
    """An attribute in short, and without commas, at which a picture of the tape cuts options."""
    return f"{x:.6g}" if isinstance(x, float) else str(x).replace(",", "")


def _len(x: Any) -> int:
    return len(x) if isinstance(x, list) else 0


KINDS = {kind: type(kind, (Node,), {"__module__": __name__, "__doc__": Node.__doc__}) for kind in OPERATORS}
globals().update(KINDS)  # where pickle looks for them


class Group(Module):
    """What stands between the dots of an initialiser's name."""


class OnnxModule(Module):
    """A network read from an ONNX file: what its graph computes, made of tinygen's ops, so that it can be trained.

    inputs, outputs: their names, in order. forward() takes the inputs in this order, and gives the output, or a tuple
    of them.  Batch norm keeps its running statistics, also in training mode, and dropout does nothing.

    >>> model = tg.export.onnx(tg.layers.Dense(3, 2), (3,))
    >>> net = tg.export.read_onnx(model.SerializeToString())
    >>> isinstance(net, tg.export.OnnxModule), net.inputs, [name for name, p in net.named_parameters()]
    (True, ('x',), ['gemm_1.w', 'gemm_1.b'])
    """

    def __init__(self, graph: Any, swaps: bool):
        self.inputs, self.outputs, self.swaps = tuple(_inputs(graph)), tuple(x.name for x in graph.output), swaps
        self.nodes, self.weights = list[str](), dict[str, str]()  # paths of the nodes; and of initialisers, by name
        self.constants = dict[str, Any]()  # whole numbers stay on the host: they say where something is
        stored = dict(_initialisers(graph))
        counts = Counter[str]()
        for proto in graph.node:
            node = _node_of(proto)
            if proto.op_type == "Constant":
                self.constants[proto.output[0]] = node()
                continue
            counts[proto.op_type] += 1
            self._add(node, f"{proto.op_type.lower()}_{counts[proto.op_type]}", stored)
        self.constants |= stored
        self.constants = {name: to_device(x) if x.dtype.kind == "f" else x for name, x in self.constants.items()}

    def _add(self, node: Node, path: str, stored: dict[str, np.ndarray]) -> None:
        """Make a node a part of this module, with the weights that it is first to use."""
        own = [name for name in dict.fromkeys(node.takes) if name in stored and _is_weight(stored[name])]
        prefixes = {name.rpartition(".")[0] for name in own}
        named = prefixes.pop() if len(prefixes) == 1 else ""
        where = [_attribute(part) for part in (named or path).split(".")]
        if named and self._at(where) is not None:
            where.append(path)
        holder: Any = self
        for i, part in enumerate(where[:-1]):
            where[i] = part = _free(holder, part)
            if part not in vars(holder):
                setattr(holder, part, Group())
            holder = vars(holder)[part]
        where[-1] = _free(holder, where[-1])
        setattr(holder, where[-1], node)
        self.nodes.append(".".join(where))
        for name in own:
            kind = Buffer if type(node).__name__ == "BatchNormalization" and name in node.takes[3:] else Parameter
            attribute = _free(node, _attribute(name.rpartition(".")[2]))
            setattr(node, attribute, kind(to_device(stored.pop(name).copy())))
            self.weights[name] = f"{'.'.join(where)}.{attribute}"

    def _at(self, path: Sequence[str]) -> Any:
        """What is at a path, or None."""
        found: Any = self
        for part in path:
            found = vars(found).get(part) if found is not None else None
        return found

    def forward(self, *inputs: Any) -> Any:
        """The outputs for the inputs, in the order of the file."""
        if len(inputs) != len(self.inputs):
            raise ConfigError(f"OnnxModule: it takes {', '.join(self.inputs)}, but got {len(inputs)} inputs")
        known: dict[str, Any] = {"": None, **self.constants}
        known |= {name: self._at(path.split(".")) for name, path in self.weights.items()}
        known |= {name: self._swapped(x, NCHW) for name, x in zip(self.inputs, inputs, strict=True)}
        for path in self.nodes:
            node = self._at(path.split("."))
            y = node(*(known[name] for name in node.takes))
            made = y if isinstance(y, tuple) else (y,)
            if len(node.gives) > len(made):
                raise ConfigError(
                    f"OnnxModule: {path}: tinygen's {type(node).__name__} has no output {node.gives[-1]!r}"
                )
            known |= zip(node.gives, made, strict=False)
        results = tuple(self._swapped(as_tensor(known[name]), NHWC) for name in self.outputs)
        return results[0] if len(results) == 1 else results

    def _swapped(self, x: Any, axes: Sequence[int]) -> Any:
        """Images in the other order of axes, if they differ outside and inside; anything else as it is."""
        return ops.transpose(x, axes) if self.swaps and x.ndim == 4 else x

    def _options(self) -> str:
        return f"{', '.join(self.inputs)} -> {', '.join(self.outputs)}"


def as_tensor(x: Any) -> Tensor:
    """A Tensor as it is, and an array as a constant."""
    return x if isinstance(x, Tensor) else Tensor(x)


def read_onnx(source: str | os.PathLike[str] | bytes, layout: Literal["NHWC", "NCHW"] = "NHWC") -> OnnxModule:
    """An ONNX file, or its bytes, as a Module, which can be trained, drawn and exported again.

    Its parameters are the initialisers of floats, but for single numbers; they have their names and shapes in the file,
    such as "0.weight" with the kernels (K, C, KH, KW) of PyTorch.  layout: of images that the module takes and gives,
    "NHWC", as everywhere in tinygen, or "NCHW", as in the file.

    Raises PackageError without the package onnx, DataError for a file that is no valid ONNX model, and ConfigError for
    one with an operator, or an attribute, that is not in `OPERATORS`, or with another meaning in an old opset.

    >>> net, x = tg.layers.Dense(3, 2), np.ones((4, 3), np.float32)
    >>> model = tg.export.onnx(net, (3,), "net.onnx")
    >>> same = tg.export.read_onnx("net.onnx")
    >>> np.allclose(same(x).numpy(), net(x).numpy()), "Gemm" in tg.export.OPERATORS
    (True, True)
    """
    check_installed("export.read_onnx", "onnx")
    if layout not in ("NHWC", "NCHW"):
        raise ConfigError(f'read_onnx: layout is {layout!r}, but it must be "NHWC" or "NCHW"')
    model = _parsed(source)
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    kinds = sorted({node.op_type for node in model.graph.node})
    unknown = {node.op_type for node in model.graph.node if node.op_type not in OPERATORS or node.domain}
    if unknown:
        raise ConfigError(f"read_onnx: {', '.join(sorted(unknown))}: not among the operators that tinygen reads")
    for kind in kinds:
        if opset < SINCE.get(kind, 0):
            raise ConfigError(
                f"read_onnx: {kind} of opset {opset} meant something else; export it again, with {SINCE[kind]} or newer"
            )
    for array in (*model.graph.input, *model.graph.initializer):
        dtype_of(array.data_type if hasattr(array, "data_type") else array.type.tensor_type.elem_type, array.name)
    facts = {x.key: x.value for x in model.metadata_props}
    return OnnxModule(model.graph, layout == "NHWC" and facts.get("layout") != "NHWC")


def _parsed(source: str | os.PathLike[str] | bytes) -> Any:
    """The model. Raises DataError, OSError."""
    import onnx
    from google.protobuf.message import DecodeError

    name = "these bytes" if isinstance(source, bytes) else os.fspath(source)
    try:
        if isinstance(source, bytes):
            model = onnx.load_from_string(source)
        else:
            open_regular(source).close()
            model = onnx.load(os.fspath(source))
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise DataError(f"read_onnx: {name}: not a valid ONNX model: {reason}") from None
    return model


def _inputs(graph: Any) -> Iterator[str]:
    """The names of the inputs; in old files the initialisers are among them."""
    stored = {x.name for x in graph.initializer}
    return (x.name for x in graph.input if x.name not in stored)


def _initialisers(graph: Any) -> Iterator[tuple[str, np.ndarray]]:
    from onnx import numpy_helper

    return ((x.name, numpy_helper.to_array(x)) for x in graph.initializer)


def _is_weight(x: np.ndarray) -> bool:
    """Whether it is learnt, as far as one can tell: floats, and more than a single number."""
    return x.dtype.kind == "f" and x.ndim > 0


def _attribute(name: str) -> str:
    """A name as one of an attribute."""
    return re.sub(r"\W", "_", name) or "_"


def _free(module: Module, name: str) -> str:
    """The name, with lines below it where the module has something else of this name than a module."""
    while hasattr(module, name) and not isinstance(vars(module).get(name), Module):
        name += "_"
    return name


def _node_of(proto: Any) -> Node:
    """The layer of a node. Raises ConfigError for attributes, or a number of inputs, that its operator doesn't take."""
    from onnx import helper, numpy_helper

    attributes = {}
    for attribute in proto.attribute:
        x = helper.get_attribute_value(attribute)
        x = numpy_helper.to_array(x) if hasattr(x, "raw_data") else x
        attributes[attribute.name] = x.decode() if isinstance(x, bytes) else x
    signature = inspect.signature(OPERATORS[proto.op_type])
    if "outputs" in signature.parameters:
        attributes["outputs"] = len(proto.output)
    try:
        signature.bind(*proto.input, **attributes)
    except TypeError as error:
        raise ConfigError(f"read_onnx: {proto.op_type}: {error}, which tinygen does not read") from None
    return KINDS[proto.op_type](proto.input, proto.output, attributes)
