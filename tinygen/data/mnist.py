"""MNIST and Fashion-MNIST: 70,000 grey images of 28x28, downloaded on first use.

The sizes and SHA-256 sums are those that TensorFlow Datasets publishes, in tensorflow_datasets/url_checksums/mnist.txt
and fashion_mnist.txt of github.com/tensorflow/datasets. Keras publishes the same sums for Fashion-MNIST, in
keras/src/datasets/fashion_mnist.py of github.com/keras-team/keras.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .dataset import Dataset

# What TensorFlow Datasets lists for each: file, bytes, SHA-256.
MNIST = (
    ("train-images-idx3-ubyte.gz", 9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    ("train-labels-idx1-ubyte.gz", 28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    ("t10k-images-idx3-ubyte.gz", 1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    ("t10k-labels-idx1-ubyte.gz", 4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
)
FASHION = (
    ("train-images-idx3-ubyte.gz", 26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
    ("train-labels-idx1-ubyte.gz", 29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
    ("t10k-images-idx3-ubyte.gz", 4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
    ("t10k-labels-idx1-ubyte.gz", 5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
)
MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",  # torchvision's
    "https://storage.googleapis.com/cvdf-datasets/mnist/",  # TensorFlow Datasets'
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)
FASHION_MIRRORS = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",  # Keras's
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",  # the authors', as are the next
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)


def load_mnist() -> Dataset:
    """60,000 + 10,000 handwritten digits (Y. LeCun, C. Cortes and C. Burges).  Raises DataError as `fetch` does."""
    return _load("mnist", MNIST, MNIST_MIRRORS)


def load_fashion() -> Dataset:
    """60,000 + 10,000 pieces of clothing (Xiao, Rasul and Vollgraf 2017).  Raises DataError as `fetch` does."""
    return _load("fashion", FASHION, FASHION_MIRRORS)


def _load(name: str, files: Sequence[tuple[str, int, str]], mirrors: Sequence[str]) -> Dataset:
    from .download import RemoteFile, fetch
    from .idx import read_idx

    paths = fetch(name, [RemoteFile(*file) for file in files], mirrors)
    train, labels, test, test_labels = map(read_idx, paths)
    return Dataset(
        name, train[..., np.newaxis], test[..., np.newaxis], labels.astype(np.int64), test_labels.astype(np.int64)
    )
