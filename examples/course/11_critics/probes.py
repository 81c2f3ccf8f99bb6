"""How a check calls the file of piece 11: scores, the weights of a round, and weights to be normalised."""


def loss(critics, name, scores):
    """What a loss returns: the number and its gradients."""
    return list(getattr(critics, name)(*scores))


def play(critics, D, G, pulls, critic_steps, lr, clip):
    """The weights after a round, and how often each gradient was asked for.

    A gradient is drawn, plus a part that depends on the weights of its own network, and G's on those of D, too.
    """
    asked = {"D": 0, "G": 0}

    def gradients(name, mine, others):
        drawn = [array[asked[name] % len(array)] for array in pulls[name]]
        asked[name] += 1
        shift = 0.1 * sum(float(w.sum()) for w in others)
        return [pull + 0.3 * w + shift for pull, w in zip(drawn, mine)]

    critics.play_round(
        D, G, lambda: gradients("D", D, []), lambda: gradients("G", G, D), critic_steps, lr, clip
    )  # fmt: skip
    return {"D": D, "G": G, "gradients of D": asked["D"], "gradients of G": asked["G"]}


def normed(critics, w, u, v):
    """The weight after one pass in training."""
    return critics.SpectralNorm(u, v).forward(w, training=True)


def passes(critics, weights, u, v):
    """The weight after each pass in training, then two passes outside it, with the last weight and with the first."""
    norm = critics.SpectralNorm(u, v)
    trained = [norm.forward(w, training=True) for w in weights]
    return [*trained, norm.forward(weights[-1], training=False), norm.forward(weights[0], training=False)]


def gradient(critics, w, u, v, gy):
    """The gradient with respect to w."""
    return critics.SpectralNorm(u, v).backward(w, gy)
