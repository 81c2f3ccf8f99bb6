"""The classic mistakes of piece 1, and right answers in other words."""

from tinygen.course import Mistake, Words

WALK = """    order, seen, stack = [], set(), [(y, False)]
    while stack:
        value, parents_are_done = stack.pop()
        if parents_are_done:
            order.append(value)
        elif value not in seen:
            seen.add(value)
            stack.append((value, True))
            stack.extend((parent, False) for parent in value.parents)
    return order
"""
RECURSIVE = """    order, seen = [], set()

    def visit(value):
        if value not in seen:
            seen.add(value)
            for parent in value.parents:
                visit(parent)
            order.append(value)

    visit(y)
    return order
"""
BREADTH_FIRST = """    order, seen, queue = [], {y}, [y]
    while queue:
        value = queue.pop(0)
        order.append(value)
        for parent in value.parents:
            if parent not in seen:
                seen.add(parent)
                queue.append(parent)
    return order[::-1]
"""
ALL_WAYS = """    order, stack = [], [y]
    while stack:
        value = stack.pop()
        order.append(value)
        stack.extend(value.parents)
    return order[::-1]
"""
KAHN = """    uses, stack, seen = {y: 0}, [y], {y}
    while stack:
        for parent in stack.pop().parents:
            uses[parent] = uses.get(parent, 0) + 1
            if parent not in seen:
                seen.add(parent)
                stack.append(parent)
    order, ready = [], [y]
    while ready:
        value = ready.pop()
        order.append(value)
        for parent in value.parents:
            uses[parent] -= 1
            if uses[parent] == 0:
                ready.append(parent)
    return order[::-1]
"""
TWICE = ["a value used twice", "two ways that meet", "a random tape", "60 doublings", "backward twice"]

MISTAKES = [
    Mistake(
        "= for +=",
        [("parent.grad += value.grad * local", "parent.grad = value.grad * local")],
        [*TWICE, "a chain of 100,000"],
        "A value that is used twice keeps only the share that came last: its shares must be added up.",
    ),
    Mistake(
        "no start",
        [("    y.grad = 1.0\n", "")],
        ["a straight tape", *TWICE, "a chain of 100,000"],
        "All gradients are 0: the walk starts with dy/dy = 1.",
    ),
    Mistake(
        "forwards",
        [("for value in reversed(order):", "for value in order:")],
        ["a straight tape", *TWICE, "a chain of 100,000"],
        "The walk goes from the inputs to y, so nothing has arrived yet where it passes on: walk from y back.",
    ),
    Mistake(
        "breadth first",
        [(WALK, BREADTH_FIRST)],
        ["two ways that meet", "a random tape", "the order of a random tape", "backward twice"],
        "A value passes on its gradient before all of it has arrived: it must come after every value that uses it.",
    ),
    Mistake(
        "all ways",
        [(WALK, ALL_WAYS)],
        ["the order", *TWICE[1:], "the order of a random tape"],
        "A value that is used twice is visited twice: mark what has been seen.",
    ),
    Mistake(
        "recursion",
        [(WALK, RECURSIVE)],
        ["a chain of 100,000"],
        "The walk calls itself once a value, and Python stops after about 1,000 calls: keep a stack in a list.",
    ),
    Mistake(
        "old gradients",
        [("    for value in order:\n        value.grad = 0.0\n", "")],
        ["backward twice"],
        "A second backward adds to the gradients of the first: set them to 0 before the walk.",
    ),
]
OTHER_WORDS = [
    Words("counting uses", [(WALK, KAHN)]),
    Words(
        "a dictionary of gradients",
        [
            ("    for value in order:\n        value.grad = 0.0\n    y.grad = 1.0\n", "    grads = {y: 1.0}\n"),
            (
                "            parent.grad += value.grad * local\n",
                "            grads[parent] = grads.get(parent, 0.0) + grads[value] * local\n"
                "        value.grad = grads[value]\n",
            ),
        ],
    ),
]
