"""Arrays by name, such as the states of two models, that are equal to the bit."""

import numpy as np


def assert_equal_arrays(found, expected):
    assert found.keys() == expected.keys()
    for name, x in expected.items():
        np.testing.assert_array_equal(found[name], x, err_msg=name)
