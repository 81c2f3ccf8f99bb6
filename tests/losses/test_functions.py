"""Losses against the papers' formulas, far from 0, with soft targets, and where they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from losses.exact import HUGE, log_sigmoid, sigmoid

import tinygen as tg
from tinygen import losses


def value_and_gradient(loss, *inputs):
    """A loss of float inputs and its gradient with respect to the first, as arrays of the host."""
    x = tg.tensor(inputs[0], requires_grad=True)
    y = loss(x, *inputs[1:])
    return y.numpy(), tg.grad(y.sum(), x).numpy()


@pytest.mark.parametrize("dtype, ulps", [(np.float32, 1e-6), (np.float64, 1e-14)])
@pytest.mark.parametrize("target", [0.0, 1.0, 0.1, 0.9])
def test_bce_logits_far_from_zero(backend, target, dtype, ulps):
    """Right to the precision of the type, for hard and soft targets, at logits at which e^x overflows."""
    x = backend.asarray(HUGE, dtype)
    value, gradient = value_and_gradient(losses.bce_logits, x, target, "none")
    t = float(np.asarray(target, dtype))
    exact = [float(v) for v in np.asarray(HUGE, dtype)]
    least = float(np.finfo(dtype).tiny)
    np.testing.assert_allclose(
        value, [-t * log_sigmoid(v) - (1 - t) * log_sigmoid(-v) for v in exact], rtol=ulps, atol=least
    )
    np.testing.assert_allclose(gradient, [sigmoid(v) - t for v in exact], rtol=ulps, atol=ulps)


@pytest.mark.parametrize("target", [0.0, 1.0, 0.3])
def test_bce_of_saturated_probabilities(backend, target):
    """A sigmoid in float32 gives exactly 0 and 1; the loss stays finite, and so does what goes back through it."""
    x = tg.tensor(backend.asarray(HUGE, np.float32), requires_grad=True)
    loss = losses.bce(tg.ops.sigmoid(x), target)
    loss.backward()
    assert np.isfinite(loss.numpy()) and np.isfinite(x.grad.numpy()).all()
    middle = slice(4, 7)  # where σ(x) is further from 0 and 1 than the epsilon
    exact = [(sigmoid(v) - target) / len(HUGE) for v in HUGE]
    np.testing.assert_allclose(x.grad.numpy()[middle], exact[middle], rtol=1e-5, atol=1e-6)


def test_bce_is_clipped_by_the_epsilon_of_its_type(backend):
    for dtype in (np.float32, np.float64):
        p = backend.asarray([0.0, 1.0, 0.5], dtype)
        value, gradient = value_and_gradient(losses.bce, p, backend.asarray([1.0, 0.0, 1.0], dtype), "none")
        np.testing.assert_allclose(value, [-math.log(np.finfo(dtype).eps)] * 2 + [math.log(2)], rtol=1e-5)
        np.testing.assert_array_equal(gradient, [0, 0, -2])


def test_cross_entropy_far_from_zero(backend):
    logits = backend.asarray([[1e4, -1e4, 0], [-1e4, 1e4, 1e4], [3, 3, 3]], np.float32)
    labels = backend.asarray([0, 0, 2])
    value, gradient = value_and_gradient(losses.cross_entropy, logits, labels, "none")
    np.testing.assert_allclose(value, [0, 2e4 + math.log(2), math.log(3)], rtol=1e-6)
    np.testing.assert_allclose(gradient, [[0, 0, 0], [-1, 0.5, 0.5], [1 / 3, 1 / 3, -2 / 3]], rtol=1e-6, atol=1e-7)


def test_hinge(backend):
    score = backend.asarray([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0])
    value, gradient = value_and_gradient(losses.hinge, score, 1.0, "none")
    np.testing.assert_array_equal(value, [3, 2, 1, 0.5, 0, 0])
    np.testing.assert_array_equal(gradient, [-1, -1, -1, -1, 0, 0])
    value, gradient = value_and_gradient(losses.hinge, score, backend.asarray([-1.0] * 6), "none")
    np.testing.assert_array_equal(value, [0, 0, 1, 1.5, 2, 4])
    np.testing.assert_array_equal(gradient, [0, 0, 1, 1, 1, 1])


def test_gaussian_kl_by_integration():
    """Against the integral of q log(q/p), on a grid that reaches 12 standard deviations."""
    mu, logvar = 0.7, -0.9
    z = np.linspace(-12, 12, 200_001)
    log_q = -0.5 * (logvar + math.log(2 * math.pi) + (z - mu) ** 2 / math.exp(logvar))
    log_p = -0.5 * (math.log(2 * math.pi) + z**2)
    integral = np.trapezoid(np.exp(log_q) * (log_q - log_p), z)
    two, latents = np.array([[mu, 0.0], [mu, 0.0]]), np.array([[logvar, 0.0], [logvar, 0.0]])
    assert losses.gaussian_kl(tg.tensor(two), tg.tensor(latents)).item() == pytest.approx(integral, rel=1e-10)


def test_gaussian_kl_sums_over_latents_and_averages_over_the_batch(backend):
    one = losses.gaussian_kl(tg.tensor(backend.asarray([[1.0, 2.0]])), tg.tensor(backend.asarray([[0.0, 0.0]])))
    assert one.item() == pytest.approx((1 + 4) / 2)
    two = losses.gaussian_kl(*[tg.tensor(backend.asarray(a)) for a in ([[1.0, 2.0], [0.0, 0.0]], np.zeros((2, 2)))])
    assert two.item() == pytest.approx((1 + 4) / 2 / 2)


COMPARISONS = {  # loss, two targets for it
    losses.bce_logits: (0.3, 0.9),
    losses.bce: (0.3, 0.9),
    losses.mse: (0.3, -2.0),
    losses.l1: (0.3, -2.0),
    losses.hinge: (1.0, -1.0),
}


def name(loss):
    return loss.__name__


@pytest.mark.parametrize("loss", COMPARISONS, ids=name)
def test_reductions(backend, loss):
    x = tg.tensor(backend.asarray(np.random.default_rng(0).uniform(0.1, 0.9, (4, 3)), np.float32))
    target = COMPARISONS[loss][0]
    each = loss(x, target, reduction="none")
    assert each.shape == (4, 3)
    assert loss(x, target).item() == pytest.approx(each.numpy().mean(), rel=1e-6)
    assert loss(x, target, reduction="sum").item() == pytest.approx(each.numpy().sum(), rel=1e-6)


def test_reductions_of_cross_entropy(backend):
    logits = tg.tensor(backend.asarray(np.random.default_rng(0).normal(size=(4, 3)), np.float32))
    labels = backend.asarray([0, 2, 1, 1])
    each = losses.cross_entropy(logits, labels, "none")
    assert each.shape == (4,)
    assert losses.cross_entropy(logits, labels).item() == pytest.approx(each.numpy().mean(), rel=1e-6)
    assert losses.cross_entropy(logits, labels, "sum").item() == pytest.approx(each.numpy().sum(), rel=1e-6)


@pytest.mark.parametrize("loss", COMPARISONS, ids=name)
def test_a_target_may_be_a_number_an_array_or_a_tensor(backend, loss):
    number, other = COMPARISONS[loss]
    x = tg.tensor(backend.asarray(np.random.default_rng(0).uniform(0.1, 0.9, (2, 3)), np.float32))
    array = backend.asarray(np.full((2, 3), number), np.float32)
    row = backend.asarray(np.full(3, number), np.float32)
    values = {loss(x, target).item() for target in (number, array, tg.tensor(array), row)}
    assert len({np.float32(v).round(6) for v in values}) == 1
    assert loss(x, other).item() not in values


@pytest.mark.parametrize("loss", COMPARISONS, ids=name)
def test_losses_keep_the_dtype_and_take_arrays(backend, loss):
    for dtype in (np.float32, np.float64):
        x = backend.asarray(np.random.default_rng(0).uniform(0.1, 0.9, (2, 3)), dtype)
        y = loss(x, COMPARISONS[loss][0])
        assert isinstance(y, backend.xp.ndarray) and y.shape == () and y.dtype == dtype
        assert loss(tg.tensor(x), COMPARISONS[loss][0]).numpy() == backend.to_host(y)


@pytest.mark.parametrize("loss", COMPARISONS, ids=name)
def test_a_target_that_would_stretch_the_loss_is_refused(loss):
    """Scores (N, 1) against targets (N,) would pair each with each."""
    with pytest.raises(ValueError, match=r"stretches a loss of shape \(4, 1\) to \(4, 4\)"):
        loss(tg.tensor(np.full((4, 1), 0.5)), np.ones(4))
    with pytest.raises(ValueError, match=rf"{name(loss)}: the target stretches"):
        loss(tg.tensor(np.full((4, 1), 0.5)), np.ones(3))
    with pytest.raises(ValueError, match=rf"{name(loss)}: a target \(3,\) can't be compared with \(4,\)"):
        loss(tg.tensor(np.full(4, 0.5)), np.ones(3))


def test_cross_entropy_refuses_other_shapes():
    logits = tg.tensor(np.zeros((4, 3)))
    for x, labels in ((logits, np.zeros((4, 1), int)), (logits, np.zeros(3, int)), (logits[0], np.zeros(3, int))):
        with pytest.raises(ValueError, match=r"expected logits \(N, classes\) and labels \(N,\), got"):
            losses.cross_entropy(x, labels)


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, np.uint64])
def test_a_label_that_is_no_class_is_refused(dtype):
    """-1 isn't the last class."""
    logits = tg.tensor(np.zeros((4, 3)))
    for last in [3, 200 if np.dtype(dtype).kind == "u" else -1]:
        labels = np.array([0, 1, 2, last]).astype(dtype)
        for y in (labels, tg.tensor(labels)):
            with pytest.raises(
                IndexError, match=r"cross_entropy: labels goes from -?[01] to \d+, but it must be from 0 to 2"
            ):
                losses.cross_entropy(logits, y)


@pytest.mark.parametrize("labels", [np.zeros(4), np.zeros(4, bool), np.zeros(4, np.float32)])
def test_labels_that_are_no_integers_are_refused(labels):
    with pytest.raises(TypeError, match=r"cross_entropy: labels must be integers, but they are (float|bool)"):
        losses.cross_entropy(tg.tensor(np.zeros((4, 3))), labels)


def test_an_ignored_label_is_no_class_and_counts_nowhere(backend):
    x = backend.asarray(np.random.default_rng(0).normal(size=(4, 3)))
    labels, others = np.array([0, -1, 2, -1]), np.array([0, 2])
    found = losses.cross_entropy(tg.tensor(x), backend.asarray(labels), ignore_index=-1)
    assert found.item() == pytest.approx(losses.cross_entropy(tg.tensor(x[::2]), backend.asarray(others)).item())
    none = backend.asarray(np.full(4, -1))
    assert np.isnan(losses.cross_entropy(tg.tensor(x), none, ignore_index=-1).item())
    assert losses.cross_entropy(tg.tensor(x), none, "sum", ignore_index=-1).item() == 0
    with pytest.raises(IndexError, match="labels goes from -2 to 2"):
        losses.cross_entropy(np.zeros((4, 3)), np.array([0, -1, 2, -2]), ignore_index=-1)


def test_the_mean_of_labels_without_weight_is_nan(backend):
    x, labels = tg.tensor(backend.asarray(np.ones((2, 3)))), backend.asarray([1, 1])
    assert np.isnan(losses.cross_entropy(x, labels, weight=backend.asarray([1.0, 0.0, 1.0])).item())


@pytest.mark.parametrize(
    ("option", "error", "message"),
    [
        ({"weight": [1.0, 1.0, 1.0]}, TypeError, "weight is a list, but it must be a Tensor or an array"),
        ({"weight": np.ones(2)}, ValueError, r"weight is \(2,\), but logits \(4, 3\) take one for each class"),
        ({"ignore_index": 1.0}, TypeError, "ignore_index is 1.0, but it must be an int, or None"),
        (
            {"label_smoothing": -0.1},
            ValueError,
            "label_smoothing is -0.1, but it must be a finite number of",
        ),
        ({"label_smoothing": 1.5}, ValueError, "label_smoothing is 1.5"),
    ],
)
def test_options_of_cross_entropy_that_make_no_sense(option, error, message):
    with pytest.raises(error, match=f"cross_entropy: {message}"):
        losses.cross_entropy(tg.tensor(np.zeros((4, 3))), np.zeros(4, int), **option)


def test_on_a_gpu_the_loss_of_a_label_that_is_no_class_is_nan(gpu):
    import standin

    x = np.random.default_rng(0).normal(size=(5, 3))
    labels = np.array([0, 2, -1, 3, 1])
    logits, y = tg.tensor(gpu.asarray(x), requires_grad=True), gpu.asarray(labels)
    with standin.capturing():
        each = losses.cross_entropy(logits, y, "none")
        total = losses.cross_entropy(logits, y)
        (gx,) = tg.grad(each.sum(), [logits])
    known = [0, 1, 4]
    log_p = x - np.log(np.exp(x).sum(1, keepdims=True))
    np.testing.assert_allclose(each.numpy()[known], -log_p[known, labels[known]], rtol=1e-12)
    np.testing.assert_allclose(gx.numpy()[known], np.exp(log_p)[known] - np.eye(3)[labels[known]], rtol=1e-10)
    assert np.isnan(each.numpy()[[2, 3]]).all() and np.isnan(total.numpy())


LOSSES = [*COMPARISONS, losses.cross_entropy, losses.gaussian_kl, losses.gaussian_kls]


@pytest.mark.parametrize("loss", LOSSES, ids=name)
def test_lists_and_integers_are_refused(loss):
    target = np.zeros(2, int) if loss is losses.cross_entropy else np.zeros((2, 2))
    title = name(loss).removesuffix("s") if "kl" in name(loss) else name(loss)
    for x in ([[0.5, 0.5]], "x", None, 0.5):
        with pytest.raises(TypeError, match=f"{title}: the input is a .*make one with tg.tensor"):
            loss(x, target)
    for x in (np.zeros((2, 2), int), np.zeros((2, 2), np.uint8), tg.tensor([[True, False]] * 2)):
        with pytest.raises(TypeError, match=f"{title}: the input must be floats, but they are"):
            loss(x, target)
    for target in ([0.5, 0.5], "x", None, 1j, np.full((2, 2), "a"), np.zeros((2, 2), complex)):
        with pytest.raises(TypeError, match=f"{title}: (the target|labels|the input) (is|must be|are)"):
            loss(tg.tensor(np.full((2, 2), 0.5)), target)


@pytest.mark.parametrize("loss", [losses.bce, losses.bce_logits], ids=name)
def test_targets_beyond_0_and_1_are_refused(loss):
    p = tg.tensor([0.5, 0.2])
    for target in (-0.1, 1.5, -1, np.array([0.0, -1e-3]), tg.tensor([2.0, 1.0]), np.float32(2)):
        with pytest.raises(ValueError, match=f"{name(loss)}: the target goes from .*, but it must be from 0 to 1"):
            loss(p, target)
    assert np.isnan(loss(p, np.array([0.0, np.nan])).item())  # fit names where a NaN came from


def test_what_are_no_probabilities_is_refused():
    for p in ([0.5, 1.5], [-3.0, 0.0]):
        with pytest.raises(ValueError, match=r"bce: p goes from .* but it must be from 0 to 1"):
            losses.bce(tg.tensor(p), 1.0)


def test_hinge_refuses_labels_of_another_kind():
    for target in (0, 2.0, np.array([0.0, 1.0]), tg.tensor([1.0, 0.5])):
        with pytest.raises(ValueError, match=r"hinge: the targets must be -1 or 1.*2 · label - 1"):
            losses.hinge(tg.tensor([0.5, 0.2]), target)


def test_gaussian_kl_refuses_other_shapes():
    for mu, logvar in (
        ((4, 2), (4, 1)),
        ((4, 2), (2,)),
        ((4,), (4,)),
        ((4, 2), (1, 2)),
        ((4, 2, 1), (4, 2, 1)),
        ((), ()),
    ):
        with pytest.raises(ValueError, match=r"gaussian_kl: mu is \(.*, but both must be \(N, latents\)"):
            losses.gaussian_kl(tg.tensor(np.zeros(mu)), tg.tensor(np.zeros(logvar)))


def test_logits_of_no_class_are_refused():
    for n in (0, 4):
        with pytest.raises(ValueError, match=r"cross_entropy: expected logits \(N, classes\)"):
            losses.cross_entropy(np.zeros((n, 0)), np.zeros(n, int))


@pytest.mark.parametrize("loss", LOSSES, ids=name)
def test_of_nothing_the_mean_is_nan_and_the_sum_0(backend, loss):
    shape = (0, 2)
    x = tg.tensor(backend.asarray(np.zeros(shape, np.float32)), requires_grad=True)
    target = backend.asarray(np.zeros(0, int) if loss is losses.cross_entropy else np.zeros(shape, np.float32))
    y = loss(x, target)
    assert np.isnan(y.numpy()).all() and y.dtype == np.float32
    assert tg.grad(y.sum(), x).shape == shape
    if "kl" not in name(loss):
        assert loss(x, target, "sum").item() == 0 and loss(x, target, "none").size == 0


def test_an_unknown_reduction_is_refused():
    with pytest.raises(ValueError, match='reduction is \'average\', but it must be "mean", "sum" or "none"'):
        losses.mse(tg.tensor([1.0]), 0.0, "average")


@pytest.mark.parametrize("loss", [*COMPARISONS, losses.cross_entropy, losses.gaussian_kl], ids=name)
def test_a_loss_waits_for_nothing(gpu, loss):
    import standin

    x = tg.tensor(gpu.asarray(np.full((4, 3), 0.4), np.float32), requires_grad=True)
    target = gpu.asarray([0, 1, 2, 0]) if loss is losses.cross_entropy else tg.tensor(x.data)
    with standin.capturing():
        tg.grad(loss(x, target), x)


def test_cross_entropy_with_options_waits_for_nothing(gpu):
    import standin

    x = tg.tensor(gpu.asarray(np.full((4, 3), 0.4), np.float32), requires_grad=True)
    weight, labels = gpu.asarray([1.0, 2.0, 3.0], np.float32), gpu.asarray([0, 1, -1, 0])
    with standin.capturing():
        y = losses.cross_entropy(x, labels, "mean", weight, -1, 0.1)
        tg.grad(y, x)
    assert y.dtype == np.float32
