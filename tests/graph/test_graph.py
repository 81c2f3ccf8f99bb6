"""The tape as a picture: nothing of the tape is missing, layers fold, names and rules are those of the code."""

import gc
import json
import re
import weakref
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from models.small import batches, fed, small

import tinygen as tg
from tinygen import GradientError, frozen, grad, layers, ops, tensor, viz
from tinygen.graph import ruletext
from tinygen.models import MODELS, steps
from tinygen.models.penalties import r1_penalty
from tinygen.primitives import PRIMITIVES, primitive
from tinygen.tape import Node

SVG = "{http://www.w3.org/2000/svg}"


def boxes(graph, kind=None):
    return [box for box in graph.boxes if kind in (None, box.kind)]


def titles(graph, kind=None):
    return [box.title for box in boxes(graph, kind)]


def formula():
    w, b, x = tensor(2.0, True, name="w"), tensor(0.5, True, name="b"), tensor(-1.0)
    return ops.sigmoid(w * x + b), (w, b)


def test_a_formula_is_drawn_op_by_op_with_its_numbers():
    y, leaves = formula()
    y.backward(retain_graph=True)
    graph = viz.graph(y)
    assert titles(graph, "input") == ["w", "b"] and titles(graph, "op") == ["multiply", "add", "sigmoid"]
    assert boxes(graph, "constant")[0].lines == ["= -1"]
    grads = [f"grad {t.grad.item():.4g}" for t in leaves]
    assert [box.lines for box in boxes(graph, "input")] == [["= 2", grads[0]], ["= 0.5", grads[1]]]
    assert boxes(graph, "op")[-1].lines[-1] == f"= {y.item():.4g}"
    named = {box.id: box.title for box in graph.boxes}
    assert {(named[e.source], named[e.target], e.argument) for e in graph.edges} == {
        ("w", "multiply", "a"),
        ("constant", "multiply", "b"),
        ("multiply", "add", "a"),
        ("b", "add", "b"),
        ("add", "sigmoid", "x"),
    }


def test_a_freed_tape_is_drawn_too():
    y, _ = formula()
    y.backward()
    assert titles(viz.graph(y), "op") == ["multiply", "add", "sigmoid"]


def test_what_has_no_tape_is_refused():
    for x in (tensor(1.0), ops.exp(tensor([1.0]))):
        with pytest.raises(GradientError, match="has no tape"):
            viz.graph(x)
    with pytest.raises(GradientError, match="ndarray"):
        viz.graph(np.zeros(3))


def test_layers_fold_and_activations_too():
    model = small("gan")
    loss, *_ = model.loss_G(model.G(model.noise(4)))
    graph = viz.graph(loss)
    folded = boxes(graph, "layer")
    assert [box.path for box in folded] == [
        *(f"G.{i}" for i in range(len(model.G))),
        *(f"D.{i}" for i in range(len(model.D))),
    ]
    assert folded[0].title == "Dense(3, 7)" and {box.network for box in folded} == {"G", "D"}
    assert titles(graph, "parameter") == [] and titles(graph, "op") == ["sigmoid_cross_entropy", "mean"]
    assert "BatchNorm(7)" in titles(graph)  # without its options


def test_a_frozen_network_says_so():
    model = small("gan")
    with frozen(model.D):
        loss, *_ = model.loss_G(model.G(model.noise(4)))
    learning = {box.path: not box.frozen for box in boxes(viz.graph(loss), "layer") if "Dense" in box.title}
    assert learning and all(learns == path.startswith("G") for path, learns in learning.items())


def test_unfolded_all_parameters_are_there():
    model = small("dcgan")
    fake = model.G(model.noise(4))
    graph = viz.graph(model.loss_G(fake)[0], fold=False)
    assert sorted(titles(graph, "parameter")) == sorted(
        f"{n}.{p}" for n in "GD" for p, _ in getattr(model, n).named_parameters()
    )
    assert all(len(box.nodes) == 1 for box in boxes(graph, "op"))


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("name", list(MODELS))
def test_every_models_losses_are_drawn_whole(name, fold, monkeypatch):
    """Each op that leads to a loss is in one box; each value that it takes comes by an edge; no two boxes overlap."""
    model, drawn = small(name), []

    def draw_and_differentiate(loss, *args, **kwargs):
        drawn.append((viz.graph(loss, fold), loss.node))
        return tg.grad(loss, *args, **kwargs)

    monkeypatch.setattr(steps, "grad", draw_and_differentiate)
    model.train_step(fed(model, np.concatenate(batches(model.batches_per_step))))
    assert drawn
    for graph, root in drawn:
        check_whole(graph, root)
        check_places(graph)


def check_whole(graph, root):
    held = {order: box for box in graph.boxes for order in box.nodes}
    assert sum(len(box.nodes) for box in graph.boxes) == len(held)
    joined = {(e.source, e.target) for e in graph.edges}
    stack, seen = [root], set()
    while stack:
        node = stack.pop()
        if node.order in seen:
            continue
        seen.add(node.order)
        stack += node.parents
        for parent in node.parents:
            box, source = held[node.order], held.get(parent.order)
            if source is None:  # a parameter within its layer
                assert parent.plan is None and box.kind in ("layer", "rule")
            else:
                assert source is box or (source.id, box.id) in joined


def check_places(graph):
    placed = graph.boxes
    for i, a in enumerate(placed):
        for b in placed[i + 1 :]:
            apart = abs(a.x - b.x) >= (a.width + b.width) / 2 or abs(a.y - b.y) >= (a.height + b.height) / 2
            assert apart, (a.title, b.title)
        assert a.width / 2 <= a.x <= graph.width - a.width / 2 and a.height / 2 <= a.y <= graph.height - a.height / 2
    where = {box.id: box for box in placed}
    for edge in graph.edges:
        points = graph.routes[edge.source, edge.target]
        assert points[0][0] == pytest.approx(where[edge.source].x + where[edge.source].width / 2, abs=0.2)
        assert points[-1][0] == pytest.approx(where[edge.target].x - where[edge.target].width / 2, abs=0.2)
        assert all(x <= x1 for (x, _), (x1, _) in pairwise(points))  # from left to right


def test_a_second_tape_is_drawn_over_the_first():
    model = small("gan")
    graph = viz.graph(r1_penalty(model.score, batches(1)[0]))
    forward, backward = boxes(graph, "layer"), boxes(graph, "rule")
    assert [box.path for box in backward] == [box.path for box in forward][::-1]
    assert all(box.title.startswith("∂ ") for box in backward)
    made = {(e.source, e.target) for e in graph.edges if not e.argument}
    by_path = {box.path: box.id for box in forward}
    assert {(by_path[box.path], box.id) for box in backward} >= made and made
    assert titles(graph, "op") == ["multiply", "sum", "multiply"]


def test_a_layer_that_is_called_twice_is_drawn_twice():
    dense = layers.Dense(3, 3)
    graph = viz.graph(ops.sum(dense(dense(np.ones((2, 3), np.float32)))))
    assert titles(graph, "layer") == ["Dense(3, 3)"] * 2


def test_lines_of_code_are_noted():
    x = tensor([1.0, 2.0], True)
    with viz.lines():
        y = layers.ReLU()(x)  # calls the layer
        loss = ops.sum(y)
    relu, total = boxes(viz.graph(loss))[1:]
    assert [place.is_ours for place in relu.where[:2]] == [True, False]
    assert relu.where[1].code == "y = layers.ReLU()(x)  # calls the layer" and total.where[0].code.startswith("loss")
    assert "calls the layer" in viz.graph(loss)._repr_svg_()
    assert boxes(viz.graph(ops.sum(x * 2)))[-1].where == []


def test_no_line_of_the_engine_is_taken_for_the_users():
    """Each file of the engine has its part in this: a joint rule, on the tape, in a frozen block and with a list."""
    x, gamma, beta = (tensor(np.random.default_rng(0).normal(size=s), True) for s in ((4, 3), (3,), (3,)))
    with viz.lines(), frozen([beta]):
        y = ops.batch_norm(x, gamma, beta) * [1.0, 2.0, 3.0]
        gx = grad(ops.sum(y * y), x, create_graph=True)
        loss = ops.sum(ops.concatenate([gx, gx]) ** 2)
    made = [box for box in viz.graph(loss).boxes if box.kind == "op"]
    assert len(made) > 5
    assert all(not place.is_ours for box in made for place in box.where)
    assert {box.where[0].code.split(" = ")[0] for box in made} <= {"y", "gx", "loss"}


def test_svg_is_well_formed_and_shows_every_text():
    model = small("vae")
    graph = viz.graph(model.loss(batches(1)[0])[0])
    root = ElementTree.fromstring(graph._repr_svg_())
    texts = [element.text for element in root.iter(f"{SVG}text")]
    for box in graph.boxes:
        assert box.title in texts and all(line in texts for line in box.lines)
    assert {"encoder", "decoder"} <= set(texts)
    assert len([e for e in root.iter(f"{SVG}path") if "edge" in e.get("class")]) == len(graph.edges)
    assert "http" not in graph._repr_svg_().replace("http://www.w3.org/2000/svg", "")


def test_names_are_escaped(tmp_path):
    x = tensor([1.0], True, name='<b>&"\\')
    graph = viz.graph(ops.sum(x))
    graph.save(tmp_path / "a.svg")
    root = ElementTree.parse(tmp_path / "a.svg").getroot()
    assert x.name in [element.text for element in root.iter(f"{SVG}text")]
    assert r"<b>&\"\\" in graph.dot()


def test_only_svg_files_are_written(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.svg"):
        viz.graph(formula()[0]).save(tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_dot_has_every_box_and_edge():
    graph = viz.graph(formula()[0])
    text = graph.dot()
    assert text.startswith("digraph") and text.rstrip().endswith("}")
    assert len(re.findall(r"^  \w+ \[label", text, re.M)) == len(graph.boxes)
    assert set(re.findall(r"^  (\w+) -> (\w+)", text, re.M)) == {(e.source, e.target) for e in graph.edges}


def test_json_holds_it_all():
    with viz.lines():
        y, _ = formula()
    found = json.loads(json.dumps(viz.graph(y).to_json()))
    sigmoid = found["nodes"][-1]
    assert sigmoid["formula"] == "σ(x) = 1 / (1 + e⁻ˣ), without overflow for any x."
    assert sigmoid["rules"] == {"gx": "gy * y * sigmoid(-x)"}
    assert sigmoid["op"] == "sigmoid" and sigmoid["shape"] == [] and sigmoid["dtype"] == "float32"
    assert sigmoid["where"][0]["code"].startswith("return ops.sigmoid")
    assert len(found["edges"][0]["points"]) >= 2


def test_every_primitive_has_its_rules_as_text():
    for call in PRIMITIVES.values():
        op = call.op
        if not op.fn.__module__.startswith("tinygen."):
            continue
        texts = ruletext.rules(op)
        assert len(texts) == (1 if op.joint else sum(rule is not None for rule in op.rules)), op.name
        assert all(texts.values()), op.name
        assert ruletext.formula(op) or op.name.startswith("_"), op.name


def test_rules_of_a_users_primitive_are_found():
    @primitive
    def cubed(x):
        """x³."""
        return x * x * x

    cubed.rules(lambda gy, y, x: gy * 3 * x * x)
    assert ruletext.formula(cubed.op) == "x³." and ruletext.rules(cubed.op) == {"gx": "gy * 3 * x * x"}


def test_the_tape_keeps_no_module_alive():
    net = layers.Sequential(layers.Dense(2, 2), layers.ReLU())
    gone = weakref.ref(net[1])
    y = net(np.ones((1, 2), np.float32))
    gc.collect()
    gc.disable()
    try:
        del net
        assert gone() is None
        assert titles(viz.graph(ops.sum(y)), "op") == ["dense", "relu", "sum"]
    finally:
        gc.enable()


def test_signing_marks_only_what_a_module_made():
    x = tensor(np.ones((2, 3)), True)
    assert layers.Dropout(0.0)(x).node.makers == ()
    node = layers.ReLU()(x).node
    assert len(node.makers) == 1 and isinstance(node, Node)
