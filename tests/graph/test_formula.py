"""`explain`: every value, gradient and local derivative against numbers taken another way; what it does not compute."""

import math
from xml.etree import ElementTree

import pytest

from tinygen import ops
from tinygen.errors import ConfigError
from tinygen.graph.formula import DEFAULTS, FUNCTIONS, explain

MATHS = {
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "where": lambda c, a, b: a if c else b,
    "maximum": max,
    "abs": abs,
    "leaky_relu": lambda x, slope=0.2: x if x > 0 else slope * x,
    "softplus": lambda x: math.log1p(math.exp(x)),
    **{name: getattr(math, name) for name in ("exp", "log", "sqrt", "sin", "cos", "tanh", "pi", "e")},
}
FORMULAS = {
    "sigmoid(w*x + b)": {"w": 2, "x": -1, "b": 0.5},
    "(x - y)**2 / (1 + x*x)": {"x": 0.7, "y": -1.3},
    "log(1 + exp(x))": {"x": 3},
    "x**y": {},
    "-x * +x - -y": {"x": 1.5},
    "where(x > 0, x**2, 0.1*x) + where(x < 1, 5, x)": {"x": 1.5},
    "leaky_relu(x, 0.1) + leaky_relu(-x)": {"x": -2},
    "maximum(x, y) * abs(y) + sin(pi*x) - cos(y)*e": {"x": 0.3, "y": -2},
    "tanh(sqrt(a*b + c)) / softplus(c)": {},
    "x": {"x": 4},
}


def value(expression, given):
    return float(eval(expression, {"__builtins__": {}}, {**MATHS, **given}))


@pytest.mark.parametrize("expression", FORMULAS)
def test_values_and_gradients_are_those_of_finite_differences(expression):
    found = explain(expression, FORMULAS[expression])
    assert found.steps[-1].value == pytest.approx(value(expression, found.given), rel=1e-12)
    for step in found.steps[: len(found.given)]:
        h = 1e-6
        high, low = (value(expression, {**found.given, step.name: found.given[step.name] + d}) for d in (h, -h))
        assert step.value == found.given[step.name]
        assert step.gradient == pytest.approx((high - low) / (2 * h), rel=1e-7, abs=1e-8)


@pytest.mark.parametrize("expression", FORMULAS)
def test_local_derivatives_are_those_of_finite_differences(expression):
    """Each step computed anew, with one input a little higher and lower: by the step's own text, from the values."""
    found = explain(expression, FORMULAS[expression])
    values = {step.name: step.value for step in found.steps}
    for step in found.steps:
        derivatives = {}
        for local in step.locals:
            derivatives[local.to] = derivatives.get(local.to, 0.0) + local.derivative
        for name, derivative in derivatives.items():
            h = 1e-6
            high, low = (value(step.text, {**values, name: values[name] + d}) for d in (h, -h))
            assert derivative == pytest.approx((high - low) / (2 * h), rel=1e-7, abs=1e-8)


@pytest.mark.parametrize("expression", FORMULAS)
def test_what_arrives_is_the_sum_of_what_is_passed_on(expression):
    *steps, last = explain(expression, FORMULAS[expression]).steps
    assert last.gradient == 1
    for step in steps:
        sent = [x.derivative * s.gradient for s in [*steps, last] for x in s.locals if x.to == step.name]
        if step.gradient is not None:
            assert step.gradient == pytest.approx(math.fsum(sent), rel=1e-12)


def test_rules_are_the_codes():
    v1, v2, v3 = explain("sigmoid(w*x + b)").steps[3:]
    """With the names of the formula in the place of the op's own."""
    assert [x.rule for x in v1.locals] == ["gw = gv1 * x", "gx = w * gv1"]
    assert [x.to for x in v2.locals] == ["v1", "b"] and v3.locals[0].rule == "gv2 = gv3 * v3 * sigmoid(-v2)"
    power = explain("x**-2").steps[1]
    assert power.locals[0].rule == "gx = _power_slope(gv1, x, (-2))"
    assert power.helpers["_power_slope(gy, x, p)"].startswith("gy · p · xᵖ⁻¹; 0 where x and p are 0")
    assert explain("leaky_relu(y, 0.1)").steps[1].locals[0].rule == "gy = _leaky_relu_grad(gv1, v1, 0.1)"
    assert (v1.text, v2.text, v3.text) == ("w * x", "v1 + b", "sigmoid(v2)")


def test_steps_are_named_as_no_variable_is():
    assert [step.name for step in explain("v1*v2").steps] == ["v1", "v2", "step1"]


def test_a_comparison_gets_no_gradient():
    comparison = explain("where(x > 1, x, 2)").steps[1]
    assert (comparison.text, comparison.value, comparison.gradient, comparison.locals) == ("x > 1", 1, None, ())


def test_variables_without_a_value_get_one_in_order():
    given = explain("b*a + c*d*e1*f", {"a": -5}).given
    assert list(given) == ["b", "a", "c", "d", "e1", "f"] and given["a"] == -5
    assert given["b"] == DEFAULTS[0] and given["c"] == DEFAULTS[2] and all(math.isfinite(v) for v in given.values())


def test_what_is_not_finite_is_shown():
    assert math.isnan(explain("log(x)", {"x": -1}).steps[-1].value)
    assert explain("1/x", {"x": 0}).steps[-1].value == math.inf
    assert explain("2**2000 * x").steps[-1].value == math.inf


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_can_be_called(function):
    for n in (1, 2, 3):
        arguments = ["x", "0.5", "0.7"][:n] if function != "where" else ["x > 1", "x", "2"]
        try:
            found = explain(f"x + {function}({', '.join(arguments)})", {"x": 0.4})
        except ConfigError as error:
            assert "argument" in str(error) or "value" in str(error)
        else:
            assert found.steps[-1].op == "add" and hasattr(ops, function)
            return
    pytest.fail(f"{function} took no number of arguments")


@pytest.mark.parametrize(
    "expression, message",
    {
        "x^2": r"'x\^2': a formula has numbers.*a power is \*\*",
        "__import__('os').system(x)": "a formula has numbers",
        "x.__class__": "a formula has numbers",
        "x[0]": "a formula has numbers",
        "[x for x in (1,)]": "a formula has numbers",
        "lambda: x": "a formula has numbers",
        "(y := x)": "a formula has numbers",
        "x if x else 1": "a formula has numbers",
        "x and 'a'": "a formula has numbers",
        "0 < x < 1": "a formula has numbers",
        "sigmoid(x, slope=2)": "a formula has numbers",
        "sigmoid(*x)": "a formula has numbers",
        "sigmod(x)": r"sigmod\(\) can't be used.*did you mean 'sigmoid'",
        "open(x)": r"open\(\) can't be used",
        "dropout(x, 1, 2)": r"dropout\(\) can't be used",
        "2 + 3": "has no variable",
        "": "is not a formula",
        "x +": "is not a formula",
        "x > 1": "constant between jumps",
        "sign(x)": "constant between jumps",
        "leaky_relu(x, x)": "x must be a number",
        "leaky_relu(x, 2)": "slope is 2",
        "sigmoid(x, 1, 2)": "sigmoid takes 1 argument, not 3",
        "tanh(x, x)": "tanh takes 1 argument, not 2",
        "x" + " + x" * 500: "too many nested parts",
        "(" * 500 + "x" + ")" * 500: "is not a formula",
        "-" * 100_000 + "x": "is not a formula",
        "1" * 400 + " * x": "too large",
        "1j * x": "a formula has numbers",
        "True * x": "a formula has numbers",
    }.items(),
)  # fmt: skip
def test_anything_else_is_refused_in_one_line(expression, message):
    with pytest.raises(ConfigError, match=message) as error:
        explain(expression)
    assert "\n" not in str(error.value) and len(str(error.value)) < 500


def test_a_value_for_no_variable_is_refused():
    with pytest.raises(ConfigError, match=r"has no variable 'ww' \(did you mean 'w'\?\)"):
        explain("w*x", {"ww": 1})


def test_the_picture_has_the_numbers_of_the_table():
    found = explain("sigmoid(w*x + b)", {"w": 2, "x": -1, "b": 0.5})
    drawn = {box.title: box.lines for box in found.picture.boxes}
    assert drawn["w"] == ["value 2", "gradient -0.1491"]
    assert drawn["sigmoid"] == ["v3 = sigmoid(v2)", "value 0.1824", "gradient 1"]
    assert sorted(edge.label for edge in found.picture.edges) == sorted(["× -1", "× 2", "× 1", "× 1", "× 0.1491"])
    texts = [
        e.text for e in ElementTree.fromstring(found.picture._repr_svg_()).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert texts.count("× 1") == 2
    assert all(points[1][0] - points[0][0] > 2 * 6.6 * len("× 0.1491") for points in found.picture.routes.values())
    twice = explain("x*x", {"x": 3}).picture
    assert [edge.label for edge in twice.edges] == ["× 6"]
