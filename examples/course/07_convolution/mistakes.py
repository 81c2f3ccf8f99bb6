"""The classic mistakes of piece 7, and right answers in other words."""

from tinygen.course import Mistake, Words

PLACES = "    places = np.arange(-p, n + p)\n"
KINDS = """    if PADDING == "edge":
        return np.clip(places, 0, n - 1)
    if PADDING == "wrap":
"""
ADD_AT = "    np.add.at(gx, (slice(None), rows[:, None], columns), g)\n"
SIZES = "    OH, OW = (H - KH) // stride + 1, (W - KW) // stride + 1\n"
IM2COL = """    for i in range(OH):
        for j in range(OW):
            top, left = i * stride, j * stride
            cols[:, i, j] = x[:, top : top + KH, left : left + KW]
"""
COL2IM = """    for i in range(cols.shape[1]):
        for j in range(cols.shape[2]):
            r, s = i * stride, j * stride
            image[:, r : r + KH, s : s + KW] += cols[:, i, j]
"""
IMAGE = "    image = np.zeros((len(cols), H, W, cols.shape[5]))\n"
CONV = "    return (rows @ w.reshape(-1, w.shape[3])).reshape(*cols.shape[:3], w.shape[3])\n"
GW = "    gw = rows.T @ gy.reshape(-1, gy.shape[3])\n"
GW_RETURN = "    return gw.reshape(*cols.shape[3:], gy.shape[3])\n"
SPREAD = "    cols = x.reshape(-1, C) @ w.reshape(-1, C).T\n"
BEFORE = "    H, W = (h - 1) * stride + KH, (v - 1) * stride + KW\n"
CROP = "    return y[:, p : H - p, p : W - p]\n"

OF_IM2COL = ["im2col", "im2col, rows left over"]
OF_COL2IM = ["col2im", "col2im, the adjoint of odd sizes"]

MISTAKES = [
    Mistake(
        "the stride is ignored",
        [(IM2COL, IM2COL.replace(" * stride", ""))],
        OF_IM2COL,
        "Your windows begin at every row and column: the next one begins stride further.",
    ),
    Mistake(
        "one window too few",
        [(SIZES, SIZES.replace(" + 1", ""))],
        OF_IM2COL,
        "The last window of each row and column is missing: the first one counts, too, so add 1.",
    ),
    Mistake(
        "a window over the edge",
        [(SIZES, "    OH, OW = -(-(H - KH) // stride) + 1, -(-(W - KW) // stride) + 1\n")],
        ["im2col, rows left over"],
        "Where rows are left over, a last window goes over the edge: round (H - KH) / stride down.",
    ),
    Mistake(
        "H and W swapped",
        [(SIZES, "    OH, OW = (W - KH) // stride + 1, (H - KW) // stride + 1\n")],
        OF_IM2COL,
        "H and W are swapped in the number of windows: x is (N, H, W, C), rows first.",
    ),
    Mistake(
        "overlaps overwritten",
        [(COL2IM, COL2IM.replace("+= cols", "= cols"))],
        OF_COL2IM,
        "Where windows overlap, only the last one is left: all of them add up, += for =.",
    ),
    Mistake(
        "overlaps averaged",
        [
            (IMAGE, IMAGE + "    count = np.zeros((H, W, 1))\n"),
            (COL2IM, COL2IM + "            count[r : r + KH, s : s + KW] += 1\n    image /= np.maximum(count, 1)\n"),
        ],
        OF_COL2IM,
        "Where windows overlap, you take their mean: that puts an image together again, but the adjoint is their sum.",
    ),
    Mistake(
        "the stride is ignored on the way back",
        [(COL2IM, COL2IM.replace(" * stride", ""))],
        OF_COL2IM,
        "Your col2im puts windows at every row and column: they came from every stride-th.",
    ),
    Mistake(
        "the size is guessed",
        [(IMAGE, "    H, W = ((n - 1) * stride + k for n, k in zip(cols.shape[1:3], cols.shape[3:5]))\n" + IMAGE)],
        ["col2im, the adjoint of odd sizes"],
        "The image is as small as its windows allow: rows that are in no window get 0, but they are there.",
    ),
    Mistake(
        "the kernel is flipped",
        [(CONV, CONV.replace("w.reshape", "w[::-1, ::-1].reshape"))],
        ["the convolution"],
        "The kernel is flipped, as in mathematics: networks don't, w[k, l] meets row k and column l of the window.",
    ),
    Mistake(
        "channels before rows",
        [(CONV, CONV.replace("w.reshape", "w.transpose(2, 0, 1, 3).reshape"))],
        ["the convolution"],
        "Windows and kernels are flattened in different orders: both are (KH, KW, C), channels last.",
    ),
    Mistake(
        "the mean over the batch",
        [(GW, "    gw = rows.T @ gy.reshape(-1, gy.shape[3]) / len(gy)\n")],
        ["the kernel's gradient"],
        "gw is divided by N: it is a sum over all windows of all images. A 1/N that the loss has is in gy already.",
    ),
    Mistake(
        "the kernel's gradient transposed",
        [(GW_RETURN, "    return gw.T.reshape(gy.shape[3], *cols.shape[3:])\n")],
        ["the kernel's gradient"],
        "gw has its output channels first: it has the shape of w, (KH, KW, C, O).",
    ),
    Mistake(
        "the transposed kernel is flipped",
        [(SPREAD, SPREAD.replace("w.reshape", "w[::-1, ::-1].reshape"))],
        ["the transposed convolution"],
        "The kernel of the transposed convolution is flipped: x spreads "
        "by w[k, l] to row k and column l of the window.",
    ),
    Mistake(
        "the kernel's channels swapped",
        [(SPREAD, SPREAD.replace("w.reshape", "w.swapaxes(2, 3).reshape"))],
        ["the transposed convolution"],
        "The last two axes of the kernel are swapped: it is (KH, KW, O, C), and its last axis meets x's channels.",
    ),
    Mistake(
        "the stride times the size",
        [(BEFORE, "    H, W = h * stride, v * stride\n")],
        ["the transposed convolution"],
        "H is stride times h: the last window begins at (h - 1) stride and has KH rows.",
    ),
    Mistake(
        "cut on one side only",
        [(CROP, "    return y[:, : H - 2 * p, : W - 2 * p]\n")],
        ["the transposed convolution"],
        "The result is cut below and at the right only: p rows and columns go on each side.",
    ),
    Mistake(
        "padding on one side only",
        [(PLACES, "    places = np.arange(n + 2 * p)\n")],
        ["your padding"],
        "All of the border is after the axis: p elements go before it and p after it.",
    ),
    Mistake(
        "the padding of another student",
        [(KINDS, KINDS.replace("wrap", "reflect").replace("edge", "wrap"))],
        ["your padding"],
        "This is another kind of padding than yours: your own is in the line PADDING = ... of your file.",
    ),
    Mistake(
        "one share of several",
        [(ADD_AT, "    gx[:, rows[:, None], columns] += g\n")],
        ["the padding's adjoint"],
        "An element that is copied several times gets one share only: a[i] += g adds once, np.add.at adds all.",
    ),
    Mistake(
        "the border is cut off",
        [
            (
                ADD_AT,
                "    p, q = (len(rows) - H) // 2, (len(columns) - W) // 2\n    gx += g[:, p : p + H, q : q + W]\n",
            )
        ],
        ["the padding's adjoint"],
        "What arrives at the border is dropped: that is right for zeros, but yours are copies of elements.",
    ),
]
OTHER_WORDS = [
    Words(
        "a slice for each place in the window",
        [
            (
                IM2COL,
                "    for k in range(KH):\n"
                "        for l in range(KW):\n"
                "            cols[:, :, :, k, l] = x[:, k : k + OH * stride : stride, l : l + OW * stride : stride]\n",
            ),
            (
                COL2IM,
                "    OH, OW = cols.shape[1:3]\n"
                "    for k in range(KH):\n"
                "        for l in range(KW):\n"
                "            places = slice(k, k + OH * stride, stride), slice(l, l + OW * stride, stride)\n"
                "            image[:, places[0], places[1]] += cols[:, :, :, k, l]\n",
            ),
            (CONV, '    return np.einsum("nijklc,klco->nijo", cols, w)\n'),
            (GW, '    gw = np.einsum("nijklc,nijo->klco", cols, gy)\n'),
            (SPREAD, '    cols = np.einsum("nijc,kloc->nijklo", x, w)\n'),
        ],
    ),
    Words(
        "views, indices and matrices",
        [
            (PLACES, "    return np.pad(np.arange(n), p, mode=PADDING)\n    places = np.arange(-p, n + p)\n"),
            (
                ADD_AT,
                "    R, S = np.eye(H)[rows], np.eye(W)[columns]\n"
                '    gx = np.einsum("rh,sw,nrsc->nhwc", R, S, g, optimize=True)\n',
            ),
            (
                IM2COL,
                "    all_windows = np.lib.stride_tricks.sliding_window_view(x, (KH, KW), (1, 2))\n"
                "    cols = all_windows[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)\n",
            ),
            (
                COL2IM,
                "    r = (np.arange(cols.shape[1]) * stride)[:, None] + np.arange(KH)\n"
                "    s = (np.arange(cols.shape[2]) * stride)[:, None] + np.arange(KW)\n"
                "    np.add.at(image, (slice(None), r[:, None, :, None], s[None, :, None, :]), cols)\n",
            ),
            (CONV, "    return np.tensordot(cols, w, 3)\n"),
            (GW, "    gw = np.tensordot(cols, gy, ((0, 1, 2), (0, 1, 2)))\n"),
        ],
    ),
    Words(
        "number by number",
        [
            (
                CONV,
                "    y = np.zeros((*cols.shape[:3], w.shape[3]))\n"
                "    for n, i, j, o in np.ndindex(*y.shape):\n"
                "        y[n, i, j, o] = (cols[n, i, j] * w[..., o]).sum()\n"
                "    return y\n",
            ),
            (
                SPREAD,
                "    cols = np.zeros((N, h, v, KH, KW, O))\n"
                "    for n, i, j, k, l, o in np.ndindex(*cols.shape):\n"
                "        cols[n, i, j, k, l, o] = x[n, i, j] @ w[k, l, o]\n",
            ),
        ],
    ),
]
