"""Random graphs on CuPy's stand-in, and on CuPy where there is a GPU: the values and derivatives of NumPy."""

import numpy as np
from campaigns.drawing import DRAWN, draw
from campaigns.play import played


def test_values_and_derivatives(gpu, campaign):
    for graph in map(draw, range(300 if campaign else len(DRAWN))):
        here, there = played(graph), played(graph, gpu.asarray)
        eps = max(np.finfo(v.dtype).eps for v in here.values if v.dtype.kind == "f")
        for expected, found in zip([here.values, *here.derivatives], [there.values, *there.derivatives], strict=True):
            for a, b in zip(expected, found, strict=True):
                assert a.dtype == b.dtype, graph
                close = {"rtol": 64 * eps, "atol": 64 * eps * np.abs(a.numpy()).max(initial=0)}
                np.testing.assert_allclose(b.numpy(), a.numpy(), **close, err_msg=str(graph))
