"""Exercise 2: the masks of MADE."""

import numpy as np

from autograder.checks import alternative, exercise, expect, mistake, numpy_rng, probe
from reference import autoregressive

# An order that is not its own inverse: entry 0 has rank 2, entry 2 has rank 3, entry 3 rank 1.
ORDER = np.array([2, 0, 3, 1, 4])


@probe
def masks_of(student, D, hidden, order, rng):
    """Returns the masks."""
    return list(student.made_masks(int(D), [int(n) for n in hidden], np.asarray(order), rng))


@probe
def masks_often(student, D, hidden, order, times, rng):
    """Returns masks of so many calls with one generator: of each layer, stacked."""
    arguments = int(D), [int(n) for n in hidden], np.asarray(order), rng
    calls = [student.made_masks(*arguments) for _ in range(int(times))]
    return [np.stack([np.asarray(mask) for mask in layer]) for layer in zip(*calls, strict=True)]


@probe
def masks_twice(student, D, hidden, order, rng, again):
    """Returns the masks from two generators."""
    arguments = int(D), [int(n) for n in hidden], np.asarray(order)
    return [*student.made_masks(*arguments, rng), *student.made_masks(*arguments, again)]


def arrays(result, D, hidden):
    """Returns the masks of a result as arrays, of the right shapes and dtype, zeros and ones."""
    widths = (D, *hidden, D)
    masks = expect(result).parts(len(hidden) + 1)
    for mask, rows, columns in zip(masks, widths[:-1], widths[1:], strict=True):
        expect(mask).array((rows, columns), np.float32).among((0, 1))
    return [np.asarray(mask) for mask in masks]


def paths(masks):
    """Whether a path leads from each input (row) to each output (column)."""
    product = masks[0]
    for mask in masks[1:]:
        product = np.minimum(product @ mask, 1)
    return product > 0


def random_order(inputs, D):
    """Returns a permutation that is not its own inverse."""
    order = np.roll(np.arange(D), 1)
    shuffled = inputs.permutation(D)
    return shuffled[order[np.argsort(shuffled)]]


# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_ORDER = np.array([1, 2, 0])


@exercise(
    "made_masks",
    points=1,
    visible=True,
    mistakes=("made_mask_transposed", "made_as_bool", "made_no_output_mask"),
)
def test_masks_shown_shapes(student):
    """Two hidden layers need three masks of zeros and ones, each of shape (in, out), float32."""
    arrays(masks_of(student, 3, (8, 6), SHOWN_ORDER, numpy_rng.seeded(1)), 3, (8, 6))


@exercise(
    "made_masks",
    points=2,
    visible=True,
    mistakes=("made_all_ones", "made_reversed", "made_ignores_order", "made_output_not_strict"),
)
def test_masks_shown_no_leak(student):
    """Paths lead from an entry to entries of higher rank only."""
    masks = arrays(masks_of(student, 3, (8, 6), SHOWN_ORDER, numpy_rng.seeded(1)), 3, (8, 6))
    leaks = int(np.sum(paths(masks) & (SHOWN_ORDER[:, np.newaxis] >= SHOWN_ORDER)))
    expect(leaks, "paths to the same or to a lower rank: none").equals(0)


@exercise(
    "made_masks",
    points=3,
    mistakes=(
        "made_all_ones",
        "made_reversed",
        "made_ignores_order",
        "made_order_as_sequence",
        "made_output_not_strict",
        "made_first_layer_only",
    ),
    note="Orders that are not their own inverses; up to three hidden layers of width 40.",
)
def test_masks_respect_the_order(student, inputs):
    """No path leads from an entry to itself, nor to one of lower rank, whatever the order."""
    for D, hidden in ((5, (40, 37)), (7, (40,)), (6, (39, 41, 40))):
        order = random_order(inputs, D)
        masks = arrays(masks_of(student, D, hidden, order, numpy_rng), D, hidden)
        leaks = int(np.sum(paths(masks) & (order[:, np.newaxis] >= order)))
        expect(leaks, "paths to the same or to a lower rank: none").equals(0)


@exercise(
    "made_masks",
    points=2,
    mistakes=(
        "made_hidden_strict",
        "made_degrees_alike",
        "made_degrees_from_one",
        "made_ignores_order",
    ),
    note="Width 200, where random degrees miss a value with a chance of 1e-24 per layer.",
)
def test_masks_let_each_entry_reach_all_later_ones(student):
    """With two layers of width 200 every entry reaches every entry of higher rank."""
    masks = arrays(masks_of(student, 5, (200, 200), ORDER, numpy_rng), 5, (200, 200))
    missing = int(np.sum(~paths(masks) & (ORDER[:, np.newaxis] < ORDER)))
    expect(missing, "entries that do not reach one of higher rank: none").equals(0)


@exercise(
    "made_masks",
    points=1,
    mistakes=("made_hidden_strict", "made_degrees_unbounded", "made_degrees_up_to_the_last"),
    note="Three narrow layers, 60 times: without a lower bound some unit is cut off in about "
    "every second call.",
)
def test_masks_connect_every_hidden_unit(student):
    """In narrow networks, too, each hidden unit has an input and leads to some output."""
    hidden = 3, 4, 3
    result = expect(masks_often(student, 5, hidden, ORDER, 60, numpy_rng)).parts(4)
    widths = (5, *hidden, 5)
    for mask, rows, columns in zip(result, widths[:-1], widths[1:], strict=True):
        expect(mask).array((60, rows, columns), np.float32)
    deaf = sum(int(np.sum(np.sum(mask, axis=1) == 0)) for mask in result[:-1])
    expect(deaf, "hidden units without any input: none, in 60 networks").equals(0)
    mute = int(np.sum(np.sum(result[-1], axis=2) == 0))
    expect(mute, "units of the last hidden layer without any output: none").equals(0)


@exercise(
    "made_masks",
    points=1,
    mistakes=(
        "made_first_layer_only",
        "made_hidden_equal",
        "made_hidden_strict",
        "made_half_of_the_connections",
    ),
    note="Degrees are read off the first and the last mask; they fix the masks between.",
)
def test_masks_leave_out_no_more_than_they_must(student, inputs):
    """Two units are connected exactly where the degrees, seen from the outer masks, allow it."""
    for D, hidden in ((6, (31, 37)), (5, (29,))):
        order = random_order(inputs, D)
        masks = arrays(masks_of(student, D, hidden, order, numpy_rng), D, hidden)
        first = np.sum(masks[0], axis=0) - 1
        last = D - 1 - np.sum(masks[-1], axis=1)
        due = [order[:, np.newaxis] <= first, last[:, np.newaxis] < order]
        if len(hidden) == 2:
            due.insert(1, first[:, np.newaxis] <= last)
        words = "a connection wherever the degree of the unit allows it, and nowhere else"
        for mask, right in zip(masks, due, strict=True):
            expect(bool(np.all(mask == right)), words).equals(True)


@exercise(
    "made_masks",
    points=1,
    mistakes=("made_output_not_strict", "made_reversed", "made_order_as_sequence"),
)
def test_masks_give_the_first_entry_nothing(student):
    """The entry of rank 0 depends on no other, and nothing depends on the one of the last rank."""
    masks = arrays(masks_of(student, 5, (60, 70), ORDER, numpy_rng), 5, (60, 70))
    seen = paths(masks)
    into_first, from_last = int(seen[:, 1].sum()), int(seen[4].sum())
    expect(into_first, "paths to the entry of rank 0: none").equals(0)
    expect(from_last, "paths from the entry of the last rank: none").equals(0)


@exercise(
    "made_masks",
    points=1,
    mistakes=("made_global_generator",),
    note="Cyclic degrees need no chance and are right, too, so other states may give the same.",
)
def test_masks_come_from_the_generator(student):
    """Two generators in the same state give the same masks."""
    result = masks_twice(student, 5, (40, 37), ORDER, numpy_rng.seeded(7), numpy_rng.seeded(7))
    masks = expect(result).parts(6)
    for mask, again in zip(masks[:3], masks[3:], strict=True):
        expect(mask).equals(again)


@mistake(
    "made_masks",
    kind="concept",
    hint="Between an entry or a unit and a hidden unit, equal degrees are allowed.",
)
def made_hidden_strict(D, hidden, order, rng):
    degrees = [np.asarray(order)]
    for width in hidden:
        degrees.append(rng.integers(0, D - 1, size=width))
    masks = [
        below[:, None] < above for below, above in zip(degrees[:-1], degrees[1:], strict=True)
    ]
    masks.append(degrees[-1][:, None] < degrees[0])
    return [mask.astype(np.float32) for mask in masks]


@mistake("made_masks", kind="axis", hint="Masks have the shape of the kernels: (in, out).")
def made_mask_transposed(D, hidden, order, rng):
    return [mask.T for mask in autoregressive.made_masks(D, hidden, order, rng)]


@mistake(
    "made_masks",
    kind="concept",
    hint="The output mask is strict: an entry must not see itself.",
)
def made_output_not_strict(D, hidden, order, rng):
    ranks = np.asarray(order)
    degrees = [ranks]
    for width in hidden:
        degrees.append(rng.integers(degrees[-1].min(), D - 1, size=width))
    degrees.append(ranks)
    masks = [
        below[:, None] <= above for below, above in zip(degrees[:-1], degrees[1:], strict=True)
    ]
    return [mask.astype(np.float32) for mask in masks]


@mistake(
    "made_masks",
    kind="concept",
    hint="order[i] is the rank of entry i, not the entry that comes at place i.",
)
def made_order_as_sequence(D, hidden, order, rng):
    return autoregressive.made_masks(D, hidden, np.argsort(order), rng)


@mistake("made_masks", kind="lazy", hint="The order of the entries is given: use it.")
def made_ignores_order(D, hidden, order, rng):
    return autoregressive.made_masks(D, hidden, np.arange(D), rng)


@mistake("made_masks", kind="axis", hint="Lower ranks are seen by higher ones, not the reverse.")
def made_reversed(D, hidden, order, rng):
    return autoregressive.made_masks(D, hidden, D - 1 - np.asarray(order), rng)


@mistake("made_masks", kind="lazy", hint="Some connections have to be cut: not all masks are 1.")
def made_all_ones(D, hidden, order, rng):
    return [np.ones_like(mask) for mask in autoregressive.made_masks(D, hidden, order, rng)]


@mistake("made_masks", kind="lazy", hint="Every layer has a mask that cuts, also the later ones.")
def made_first_layer_only(D, hidden, order, rng):
    first, *others = autoregressive.made_masks(D, hidden, order, rng)
    return [first, *(np.ones_like(mask) for mask in others)]


@mistake(
    "made_masks",
    kind="concept",
    hint="The lowest degree below bounds a unit's degree from below, or it sees nothing.",
)
def made_degrees_unbounded(D, hidden, order, rng):
    degrees = [np.asarray(order)]
    for width in hidden:
        degrees.append(rng.integers(0, D - 1, size=width))
    masks = [
        below[:, None] <= above for below, above in zip(degrees[:-1], degrees[1:], strict=True)
    ]
    masks.append(degrees[-1][:, None] < degrees[0])
    return [mask.astype(np.float32) for mask in masks]


@mistake(
    "made_masks",
    kind="scale",
    hint="A hidden unit that has seen the last entry has nobody to tell: degrees end at D - 2.",
)
def made_degrees_up_to_the_last(D, hidden, order, rng):
    ranks = np.asarray(order)
    degrees = [ranks]
    for width in hidden:
        degrees.append(rng.integers(degrees[-1].min(), D, size=width))
    masks = [
        below[:, None] <= above for below, above in zip(degrees[:-1], degrees[1:], strict=True)
    ]
    masks.append(degrees[-1][:, None] < ranks)
    return [mask.astype(np.float32) for mask in masks]


@mistake(
    "made_masks",
    kind="scale",
    hint="Degrees begin at rank 0: else the second entry never hears of the first.",
)
def made_degrees_from_one(D, hidden, order, rng):
    ranks = np.asarray(order)
    degrees = [ranks]
    for width in hidden:
        degrees.append(rng.integers(max(degrees[-1].min(), 1), max(D - 1, 2), size=width))
    masks = [
        below[:, None] <= above for below, above in zip(degrees[:-1], degrees[1:], strict=True)
    ]
    masks.append(degrees[-1][:, None] < ranks)
    return [mask.astype(np.float32) for mask in masks]


@mistake("made_masks", kind="lazy", hint="Hidden units need different degrees.")
def made_degrees_alike(D, hidden, order, rng):
    ranks = np.asarray(order)
    degrees = [ranks, *(np.full(width, (D - 1) // 2) for width in hidden)]
    masks = [
        below[:, None] <= above for below, above in zip(degrees[:-1], degrees[1:], strict=True)
    ]
    masks.append(degrees[-1][:, None] < ranks)
    return [mask.astype(np.float32) for mask in masks]


@mistake(
    "made_masks",
    kind="concept",
    hint="A hidden unit sees all units of its own degree and of lower ones.",
)
def made_hidden_equal(D, hidden, order, rng):
    ranks = np.asarray(order)
    degrees = [ranks]
    for width in hidden:
        degrees.append(rng.integers(degrees[-1].min(), D - 1, size=width))
    masks = [
        below[:, None] == above for below, above in zip(degrees[:-1], degrees[1:], strict=True)
    ]
    masks.append(degrees[-1][:, None] < ranks)
    return [mask.astype(np.float32) for mask in masks]


@mistake(
    "made_masks",
    kind="lazy",
    hint="Only connections that would leak are cut; the others stay.",
)
def made_half_of_the_connections(D, hidden, order, rng):
    masks = autoregressive.made_masks(D, hidden, order, rng)
    return [mask * (rng.random(mask.shape) < 0.5).astype(np.float32) for mask in masks]


@mistake("made_masks", kind="lazy", hint="The output layer needs a mask, too.")
def made_no_output_mask(D, hidden, order, rng):
    return autoregressive.made_masks(D, hidden, order, rng)[:-1]


@mistake("made_masks", kind="numerics", hint="Masks are float32, so that kernels can take them.")
def made_as_bool(D, hidden, order, rng):
    return [mask > 0 for mask in autoregressive.made_masks(D, hidden, order, rng)]


@mistake("made_masks", kind="randomness", hint="Draw from rng, not from NumPy's own generator.")
def made_global_generator(D, hidden, order, rng):
    own = np.random.default_rng(np.random.randint(2**31))
    return autoregressive.made_masks(D, hidden, order, own)


@alternative("made_masks")
def made_cyclic_degrees(D, hidden, order, rng):
    ranks = np.array(order)
    previous, masks = ranks, []
    for width in hidden:
        degrees = np.arange(width) % (D - 1)
        masks.append((degrees[None, :] >= previous[:, None]).astype("float32"))
        previous = degrees
    masks.append((ranks[None, :] > previous[:, None]).astype("float32"))
    return masks


@alternative("made_masks")
def made_by_loops(D, hidden, order, rng):
    below = [int(rank) for rank in order]
    masks = []
    for width in hidden:
        above = [int(rng.integers(min(below), D - 1)) for _ in range(width)]
        mask = np.zeros((len(below), width), np.float32)
        for j, low in enumerate(below):
            for k, high in enumerate(above):
                mask[j, k] = high >= low
        masks.append(mask)
        below = above
    mask = np.zeros((len(below), D), np.float32)
    for j, low in enumerate(below):
        for d in range(D):
            mask[j, d] = int(order[d]) > low
    return [*masks, mask]


@alternative("made_masks")
def made_degrees_from_one_to_d(D, hidden, order, rng):
    places = np.asarray(order) + 1
    degrees = [places]
    for width in hidden:
        low = max(1, degrees[-1].min())
        degrees.append(low + (rng.random(width) * (D - low)).astype(int))
    masks = [
        np.greater_equal.outer(b, a).T for a, b in zip(degrees[:-1], degrees[1:], strict=True)
    ]
    masks.append(np.greater.outer(places, degrees[-1]).T)
    return [np.asarray(mask, np.float32) for mask in masks]


@alternative("made_masks")
def made_by_choice(D, hidden, order, rng):
    ranks, masks = np.asarray(order), []
    below = ranks
    for width in hidden:
        above = np.sort(rng.choice(np.arange(below.min(), D - 1), size=width))
        masks.append(np.where(below[:, None] <= above, 1.0, 0.0).astype(np.float32))
        below = above
    return [*masks, 1.0 * (below[:, None] < ranks).astype(np.float32)]
