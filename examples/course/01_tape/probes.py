"""How a check calls the file of piece 1: programs over numbers, and the gradients that come back."""


def run(tape, program, values):
    """The Values of a program: first its inputs, then an op a line, ["*", i, j] of Values i and j."""
    made = [tape.Value(value) for value in values]
    for op, *inputs in program:
        a = made[inputs[0]]
        if op == "+":
            made.append(a + made[inputs[1]])
        elif op == "*":
            made.append(a * made[inputs[1]])
        elif op == "**":
            made.append(a ** inputs[1])
        else:
            made.append(getattr(a, op)())
    return made


def gradients(tape, program, values, before=0.0, times=1):
    """The gradients of the inputs, and of the result itself."""
    made = run(tape, program, values)
    for value in made:
        value.grad = before
    for _ in range(times):
        tape.backward(made[-1])
    return [value.grad for value in [*made[: len(values)], made[-1]]]


def order(tape, program, values):
    """Whether the list is complete, without repeats, and has each Value after its parents."""
    made = run(tape, program, values)
    found = tape.in_order(made[-1])
    place = {value: i for i, value in enumerate(found)}
    after = all(place.get(parent, len(found)) < i for value, i in place.items() for parent in value.parents)
    return {"how many": len(found), "each once": len(place) == len(found), "each after its parents": after}


def chain(tape, length, factor):
    """The gradient through a long chain of sums, from an input that is a factor of the first."""
    x, one = tape.Value(factor), tape.Value(0.0)
    y = x * x
    for _ in range(length):
        y = y + one
    tape.backward(y)
    return [x.grad, one.grad]
