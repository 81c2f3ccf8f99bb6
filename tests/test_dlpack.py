"""Memory shared with other libraries, both ways, uncopied."""

import numpy as np
import pytest

import tinygen as tg
from tinygen import from_dlpack, ops, tensor
from tinygen.dlpack import _DEVICES


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "uint8", "bool"])
def test_numpy_sees_the_memory_of_a_tensor(dtype):
    t = tensor(np.arange(6).reshape(2, 3).astype(dtype))
    x = np.from_dlpack(t)
    assert x.dtype == dtype and np.shares_memory(x, t.array)
    np.testing.assert_array_equal(x, t.numpy())


@pytest.mark.parametrize("view", [lambda x: x.T, lambda x: x[::2], lambda x: x[:, 1:], lambda x: x[:1, :1]])
def test_strides_are_kept_both_ways(view):
    x = view(np.arange(12.0).reshape(3, 4))
    t = from_dlpack(x)
    assert t.array.strides == x.strides and np.shares_memory(t.array, x)
    assert np.from_dlpack(t).strides == x.strides


def test_read_only_memory_stays_so():
    x = np.arange(3.0)
    x.flags.writeable = False
    t = from_dlpack(x)
    assert np.shares_memory(t.array, x) and not t.array.flags.writeable
    with pytest.raises(ValueError, match="is on read-only memory and can't be changed; copy it"):
        t.assign(0)


def test_the_result_of_an_op_goes_out_read_only():
    y = ops.exp(tensor([1.0, 2.0], requires_grad=True)).detach()
    x = np.from_dlpack(y)
    assert np.shares_memory(x, y.array) and not x.flags.writeable
    assert np.from_dlpack(tensor([1.0])).flags.writeable


def test_a_copy_is_made_only_if_asked_for():
    x = np.arange(3.0)
    assert np.shares_memory(from_dlpack(x, copy=False).array, x)
    assert not np.shares_memory(from_dlpack(x, copy=True).array, x)


def test_what_comes_in_is_a_leaf_that_can_learn():
    x = from_dlpack(np.array([1.0, 2.0]))
    assert x.is_leaf and not x.requires_grad
    x.requires_grad_()
    np.testing.assert_array_equal(tg.grad((x * x).sum(), x).numpy(), [2, 4])


def test_no_gradient_is_lost_silently():
    x = tensor([1.0], requires_grad=True, name="x")
    for t in (x, x * 2):
        with pytest.raises(BufferError, match=r"requires grad, and none would flow back; detach\(\) it first"):
            np.from_dlpack(t)


def test_what_is_no_array_is_refused():
    with pytest.raises(TypeError, match=r"from_dlpack: takes an array that has __dlpack__, not .*tensor\(\) takes"):
        from_dlpack([1.0, 2.0])

    class Elsewhere:
        def __dlpack__(self, **options):
            raise AssertionError("nobody asks it for its memory")

        def __dlpack_device__(self):
            return 8, 0  # Metal

    with pytest.raises(BufferError, match="kind 8; copy it to the CPU"):
        from_dlpack(Elsewhere())
    with pytest.raises(BufferError, match="complex128, but a Tensor holds real numbers"):
        from_dlpack(np.array([1j]))


@pytest.mark.oracle
def test_pytorch_shares_memory_both_ways():
    torch = pytest.importorskip("torch")
    assert _DEVICES[int(torch.zeros(1).__dlpack_device__()[0])] == "cpu"
    there = torch.arange(6.0).reshape(2, 3).t()
    here = from_dlpack(there)
    there[0, 0] = 7
    assert here.array[0, 0] == 7 and here.shape == (3, 2)
    back = torch.from_dlpack(here)
    assert back.data_ptr() == there.data_ptr()
    with pytest.raises(BufferError):
        from_dlpack(torch.zeros(2, requires_grad=True))
    with pytest.raises(BufferError):
        from_dlpack(torch.zeros(2, dtype=torch.bfloat16))


@pytest.mark.oracle
def test_jax_shares_memory_both_ways():
    jax = pytest.importorskip("jax")
    there = jax.numpy.arange(6.0).reshape(2, 3)
    here = from_dlpack(there)
    assert not here.array.flags.writeable, "JAX's arrays don't change"
    assert here.array.ctypes.data == there.unsafe_buffer_pointer()
    back = jax.dlpack.from_dlpack(tensor(np.arange(4.0, dtype=np.float32)))
    np.testing.assert_array_equal(np.asarray(back), np.arange(4.0))
