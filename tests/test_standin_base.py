"""What owns the memory of a result: on the stand-in as on CuPy, where the same lines run where there is a GPU.

The engine adds in place only into arrays that own their memory, and asks `.base` for that.
"""

from __future__ import annotations

import numpy as np
import pytest

# Expressions by whose memory their results are, of arrays of these names:
#   x  (3, 4) in rows     f  (3, 4) in columns     t  (2, 3, 4)     w  each second column     v  (5,)     s  0-d
#   i  whole numbers      b  True and False        q  a square matrix

OWN = """
xp.all(x) xp.all(x,axis=0) xp.any(x) xp.amax(x) xp.amax(x,axis=0) xp.max(x) xp.max(x,axis=1,keepdims=True) xp.sum(x)
xp.sum(x,axis=0) xp.sum(f,axis=0) xp.sum(t,axis=(0,2)) xp.sum(v,axis=0) xp.sum(w,keepdims=True)
xp.sum(x,axis=0,keepdims=True) xp.sum(x[:1,:1],axis=0,keepdims=True) xp.sum(x,axis=-1,dtype='f8')
xp.sum(b,keepdims=True) xp.sum(t.transpose(1,0,2),keepdims=True) xp.prod(x,axis=0) xp.mean(x) xp.mean(x,axis=0)
xp.mean(i,keepdims=True) xp.var(x,axis=0) xp.std(x,keepdims=True) xp.median(x) xp.median(x,axis=0) xp.ptp(x,axis=0)
xp.count_nonzero(x) xp.all(v,keepdims=True) xp.any(x,keepdims=True) xp.trace(x) xp.trace(t) xp.argmax(x,axis=0)
xp.argmin(x,axis=1) xp.argmax(x,axis=1,keepdims=True) xp.argmax(w) xp.argmin(t,axis=2) xp.argsort(x)
xp.argsort(x,axis=1) xp.argsort(f) xp.argsort(t,axis=-1) xp.argsort(v) xp.argsort(w) xp.argsort(v,axis=0) xp.sort(x)
xp.sort(x,axis=0) xp.sort(x,axis=None) xp.sort(t,axis=1) xp.sort(w) xp.searchsorted(v,v) xp.arange(5) xp.empty((2,3))
xp.empty_like(f) xp.zeros_like(x) xp.ones((2,3)) xp.full((2,3),1.0) xp.full_like(x,2) xp.eye(3) xp.identity(3)
xp.indices((2,3)) xp.tri(3) xp.tril(x) xp.triu(x) xp.linspace(0,1,5) xp.logspace(0,1,5) xp.array(x) xp.array(2.0)
xp.array([1.0,2.0]) xp.array(x,dtype='f8') xp.array(x,ndmin=3) xp.array([x,x],dtype='f8') xp.array([x,x],order='F')
xp.asarray(x,dtype='f8') xp.asarray(f,order='C') xp.ascontiguousarray(f) xp.ascontiguousarray(w) xp.copy(x) xp.copy(w)
xp.diag(x) xp.diag(x,1) xp.diag(v) xp.diag(v,1) xp.diag(f) xp.diff(x) xp.diff(v,n=2) xp.dot(x,x.T) xp.matmul(x,x.T)
xp.matmul(t,x.T) xp.matmul(t,t.transpose(0,2,1)) xp.matmul(v[:3],x) x@x.T xp.inner(v,v) xp.outer(v,v) xp.vdot(v,v)
xp.tensordot(x,x,([1],[1])) xp.kron(s,x) xp.kron(x,s) xp.concatenate([x,x]) xp.concatenate([x,x],axis=1)
xp.concatenate([x]) xp.hstack([x,x]) xp.vstack([v,v]) xp.stack([x,x]) xp.repeat(x,0) xp.repeat(v,0,axis=0)
xp.tile(x,1) xp.tile(f,1) xp.tile(s,1) xp.tile(x,(1,1,1)) xp.tile(x,()) xp.reshape(f,(4,3)) xp.reshape(f,-1)
xp.reshape(x,(4,3),copy=True) xp.ravel(f) f.reshape(-1) f.ravel() xp.roll(x,1,axis=0) xp.roll(x,(1,1),axis=(0,1))
xp.pad(x,1) xp.pad(x,1,mode='edge') xp.pad(x,0) xp.take(x,i*0) xp.take(x,i*0,axis=0)
xp.take_along_axis(x,xp.zeros((3,1),int),1) xp.clip(x,0,1) xp.round(x) xp.nan_to_num(x) xp.nan_to_num(f)
xp.where(b,x,x) xp.where(b,0.0,x) xp.isclose(x,x) xp.argwhere(x) xp.unique(v) xp.bincount(i) x.astype('f8')
x.astype('f4') x.copy() f.copy() x.flatten() f.flatten() x[i*0] x[s.astype(int)*0] x[[0,1]] x[1:,i[:2]*0] t[:,i[:2]*0]
x[b] xp.add(x,x) -x x+1 x>0 x**2 xp.exp(f) abs(x) xp.linalg.cholesky(q) xp.linalg.solve(q,q) xp.linalg.inv(q)
xp.linalg.det(q) xp.linalg.norm(x) xp.linalg.eigvalsh(q) x.take(i*0) x.sum() x.max(axis=0) x.mean() x.argsort()
x.argmax(axis=0) x.clip(0,1) x.dot(x.T) x.round()
"""

OF_AN_ARGUMENT = """
x.T x.mT x.view() x.view('i4') x[0] x[0,0] x[:,0] x[None] x[...] s[()] s[None] x.diagonal() f.T xp.reshape(x,(4,3))
xp.reshape(x,(3,4)) xp.reshape(f,(3,4)) xp.reshape(w,-1) xp.reshape(w,(3,1,2)) xp.reshape(s,(1,1))
xp.reshape(f,(4,3),order='F') xp.ravel(x) xp.ravel(v) xp.ravel(f,order='F') x.ravel() x.reshape(4,3) x.reshape((2,6))
xp.transpose(x) xp.transpose(t,(0,2,1)) xp.moveaxis(t,0,1) xp.swapaxes(t,0,1) xp.matrix_transpose(x)
xp.squeeze(x[None]) xp.expand_dims(x,0) xp.atleast_1d(s) xp.atleast_2d(v) xp.atleast_3d(x) xp.broadcast_to(v,(2,5))
xp.ascontiguousarray(s) xp.flip(x) xp.flip(s) xp.fliplr(x) xp.flipud(x) xp.rot90(x) xp.rot90(x,2) xp.diagonal(x)
xp.diagonal(t,0,1,2) xp.split(x,3)[1] xp.array_split(v,2)[0] xp.broadcast_arrays(x,v[:4])[1] xp.einsum('ij->ji',x)
xp.einsum('ij',x) xp.array(x,copy=None,ndmin=3)
"""

OF_ANOTHER = """
xp.argsort(x,axis=0) xp.argsort(t,axis=1) xp.argsort(f,axis=0) x.argsort(axis=0) xp.argmax(x) xp.argmin(x)
xp.argmax(v) xp.argmax(v,keepdims=True) xp.argmax(f) x.argmax() xp.argmin(v,axis=0) xp.array([x,x]) xp.array((x,x))
xp.array([s,s]) xp.array([[x,x],[x,x]]) xp.array([x,x],ndmin=5) xp.asarray([x,x]) xp.array([f,f]) xp.cumsum(x)
xp.cumsum(x,axis=0) xp.cumsum(v) xp.cumsum(t,axis=1) xp.cumprod(x) x.cumsum() x.cumprod(axis=1) xp.flatnonzero(x)
xp.nonzero(x)[0] xp.nonzero(v)[0] xp.where(b)[1] x.nonzero()[0] xp.unique(v,return_inverse=True)[1] xp.kron(x,x)
xp.kron(v,v) xp.einsum('ij,kj->ik',x,x) xp.einsum('ij->i',x) xp.einsum('ij->',x) xp.repeat(x,2) xp.repeat(x,2,axis=0)
xp.repeat(v,1) xp.repeat(s,2) x.repeat(2) x.repeat(2,axis=1) xp.tile(x,2) xp.tile(v,2) xp.tile(x,(2,1)) xp.tile(s,2)
xp.tile(f,2) xp.roll(x,1) xp.roll(v,1) xp.roll(f,1) xp.reshape(x,(4,3),order='F') xp.sum(x,keepdims=True)
xp.sum(f,axis=(0,1),keepdims=True) xp.max(v,keepdims=True) xp.mean(x,keepdims=True) xp.prod(v,keepdims=True)
x.sum(keepdims=True) xp.linalg.norm(x,keepdims=True) xp.linalg.qr(q)[0] xp.linalg.qr(x)[1] xp.linalg.slogdet(q)[0]
"""

UNKNOWN = """
xp.lib.stride_tricks.as_strided(x,(2,2),(4,4)) xp.lib.stride_tricks.sliding_window_view(x,(2,2))
"""  # views that are said to own their memory

SAME = """
xp.asarray(x) xp.asarray(w) xp.array(x,copy=False) xp.ascontiguousarray(x) x.astype('f4',copy=False) v.T x.real
x.conj() xp.atleast_1d(x) xp.atleast_2d(x) xp.squeeze(x) xp.moveaxis(t,1,1) xp.meshgrid(v)[0]
xp.nan_to_num(x,copy=False)
"""


def evaluated(table, xp):
    """What each expression of a table makes, with the arrays that it is of."""
    rng = np.random.default_rng(0)
    host = {"x": rng.normal(size=(3, 4)).astype("f4"), "f": np.asfortranarray(rng.normal(size=(3, 4)))}
    host |= {"t": rng.normal(size=(2, 3, 4)).astype("f4"), "v": np.arange(5.0), "s": np.array(1.0), "i": np.arange(6)}
    host |= {"b": rng.normal(size=(3, 4)) > 0, "q": np.eye(4, dtype="f4") * 2}
    arrays = {name: xp.asarray(array) for name, array in host.items()}
    arrays["w"] = xp.asarray(host["x"])[:, ::2]
    return [(line, eval(line, {"xp": xp, **arrays}), list(arrays.values())) for line in table.split()]


def owner(y, arrays):
    """Whose memory y is a view of: an argument's or another array's; or else its own."""
    if y.base is None:
        return "own"
    return "argument" if any(y.base is (a if a.base is None else a.base) for a in arrays) else "another"


TABLES = {"own": OWN, "argument": OF_AN_ARGUMENT, "another": OF_ANOTHER}


@pytest.mark.parametrize("expected", TABLES)
def test_who_owns_the_memory(expected, gpu):
    for line, y, arrays in evaluated(TABLES[expected], gpu.xp):
        assert owner(y, arrays) == expected and not any(y is a for a in arrays), line
        assert y.flags.owndata == (expected == "own"), line


def test_what_is_given_back_as_it_is(gpu):
    for line, y, arrays in evaluated(SAME, gpu.xp):
        assert any(y is a for a in arrays), line


def test_views_that_say_that_they_own_their_memory(gpu):
    for line, y, (x, *_) in evaluated(UNKNOWN, gpu.xp):
        assert y.base is None and gpu.xp.may_share_memory(y, x), line


def test_how_scans_and_factors_lie_in_memory(gpu):
    t = gpu.asarray(np.ones((2, 3, 4), "f4"))
    assert gpu.xp.cumsum(t, axis=1).strides == (48, 4, 12)
    assert gpu.xp.cumsum(t, axis=0).strides == t.strides
    q, r = gpu.xp.linalg.qr(gpu.asarray(np.eye(4, 3, dtype="f4")))
    assert (q.strides, r.strides) == ((4, 16), (4, 16))
