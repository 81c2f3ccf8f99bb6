"""Attention where a mask leaves nothing, in float16, and on a GPU."""

from __future__ import annotations

import numpy as np
import standin

from tinygen import grad, ops, tensor


def draw(backend, *shape, dtype=np.float64, seed=0):
    x = np.random.default_rng(seed).standard_normal(shape)
    return tensor(backend.asarray(x, dtype), requires_grad=True)


def test_a_query_that_may_attend_to_nothing_gets_0_and_has_no_gradient(backend):
    q, k, v = (draw(backend, 2, 3, seed=i) for i in range(3))
    mask = backend.asarray([[False, False], [True, False]])
    y = ops.scaled_dot_product_attention(q, k, v, mask)
    np.testing.assert_array_equal(y.numpy()[0], 0)
    np.testing.assert_allclose(y.numpy()[1], v.numpy()[0])
    first = grad(y.sum(), [q, k, v], create_graph=True)
    second = grad(sum(((g * g).sum() for g in first), 0.0), [q, k, v], unused="zeros")
    np.testing.assert_array_equal(first[0].numpy()[0], 0)
    assert all(np.isfinite(g.numpy()).all() for g in (*first, *second))


def test_causal_is_the_lower_triangle_of_a_mask(backend):
    q, k, v = draw(backend, 2, 3, 4), draw(backend, 2, 5, 4, seed=1), draw(backend, 2, 5, 2, seed=2)
    mask = backend.asarray(np.tri(3, 5, dtype=bool))
    found = ops.scaled_dot_product_attention(q, k, v, causal=True)
    np.testing.assert_array_equal(found.numpy(), ops.scaled_dot_product_attention(q, k, v, mask).numpy())
    no_more = backend.asarray(np.arange(5) != 1)
    both = ops.scaled_dot_product_attention(q, k, v, no_more, causal=True)
    right = ops.scaled_dot_product_attention(q, k, v, mask & no_more)
    np.testing.assert_array_equal(both.numpy(), right.numpy())


def test_a_mask_of_floats_leaves_the_dtype(backend):
    q, k, v = (draw(backend, 2, 3, dtype=np.float32, seed=i) for i in range(3))
    mask = backend.asarray(np.array([[0.0, -np.inf], [0.5, 0.25]]))
    y = ops.scaled_dot_product_attention(q, k, v, mask)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.numpy()[0], v.numpy()[0], rtol=1e-6)


def test_without_keys_or_features_there_is_nothing_to_weigh(backend):
    q, k, v = draw(backend, 2, 3), draw(backend, 0, 3), draw(backend, 0, 4)
    np.testing.assert_array_equal(ops.scaled_dot_product_attention(q, k, v).numpy(), np.zeros((2, 4)))
    q, k, v = draw(backend, 2, 0), draw(backend, 3, 0), draw(backend, 3, 4)
    means = np.broadcast_to(v.numpy().mean(0), (2, 4))
    np.testing.assert_allclose(ops.scaled_dot_product_attention(q, k, v).numpy(), means)


def test_a_mask_in_float16(backend):
    q, k, v = (draw(backend, 4, 8, dtype=np.float16, seed=i) for i in range(3))
    y = ops.scaled_dot_product_attention(q, k, v, causal=True)
    exact = ops.scaled_dot_product_attention(*(x.numpy().astype(np.float64) for x in (q, k, v)), causal=True)
    assert y.dtype == np.float16
    np.testing.assert_allclose(y.numpy(), exact, rtol=5e-3, atol=2e-3)


def test_attention_waits_for_nothing(gpu):
    q, k, v = (draw(gpu, 2, 4, 8, dtype=np.float32, seed=i) for i in range(3))
    mask = gpu.asarray(np.tri(4, dtype=bool))
    with standin.capturing():
        grad(ops.scaled_dot_product_attention(q, k, v, mask, causal=True).sum(), [q, k, v])
