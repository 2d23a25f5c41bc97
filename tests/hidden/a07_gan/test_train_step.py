"""Exercise 4: one step of the game."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, gradients, mistake, probe
from reference import gan

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_X = np.array([[1, 0], [0, 2], [1, 1]], np.float32)
SHOWN_Z = np.array([[1], [0], [-1]], np.float32)


@probe
def stepped(student, x, z_d, z_g, weights, rate_g, rate_d):
    """Makes one step of plain gradient descent; returns losses and weights after it."""
    keras, kind = tf.keras, x.dtype.name
    generator = keras.Sequential(
        [
            keras.Input((z_d.shape[1],), dtype=kind),
            keras.layers.Dense(weights[0].shape[1], "tanh", use_bias=False, dtype=kind),
            keras.layers.Dense(x.shape[1], use_bias=False, dtype=kind),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((x.shape[1],), dtype=kind),
            keras.layers.Dense(weights[2].shape[1], "tanh", use_bias=False, dtype=kind),
            keras.layers.Dense(1, use_bias=False, dtype=kind),
        ]
    )
    generator.set_weights([np.asarray(array) for array in weights[:2]])
    discriminator.set_weights([np.asarray(array) for array in weights[2:]])
    optimizers = [keras.optimizers.SGD(float(rate)) for rate in (rate_g, rate_d)]
    losses = student.train_step(generator, discriminator, *optimizers, x, z_d, z_g)
    return losses["d_loss"], losses["g_loss"], generator.get_weights(), discriminator.get_weights()


def random_case(inputs):
    """Returns x (7, 3), two batches of noise (7, 2), and weights, float64."""
    weights = [0.8 * inputs.normal(size=shape) for shape in ((2, 4), (4, 3), (3, 5), (5, 1))]
    return inputs.normal(size=(7, 3)), *(inputs.normal(size=(7, 2)) for _ in range(2)), weights


def due_of(x, z_d, z_g, weights, rate_g, rate_d):
    """Returns what is due: losses and weights."""
    arrays = (tf.constant(array) for array in (x, z_d, z_g))
    d, g, of_generator, of_discriminator = stepped.function(gan, *arrays, weights, rate_g, rate_d)
    return d.numpy(), g.numpy(), of_generator, of_discriminator


def shown_case():
    """Returns x, noise twice, and weights of zeros."""
    shapes = (1, 4), (4, 2), (2, 5), (5, 1)
    return SHOWN_X, SHOWN_Z, SHOWN_Z, [np.zeros(shape, np.float32) for shape in shapes]


@exercise(
    "train_step",
    points=2,
    depends_on=("d_loss",),
    visible=True,
    mistakes=("step_returns_a_pair",),
)
def test_step_shown_shapes_and_dtypes(student):
    """Both losses are single numbers, in the dtype of the data."""
    d, g, _, _ = expect(stepped(student, *shown_case(), 0.1, 0.1)).parts(4)
    expect(d).array((), np.float32)
    expect(g).array((), np.float32)


@exercise(
    "train_step",
    points=2,
    depends_on=("d_loss",),
    visible=True,
    mistakes=("step_averages_both_sides", "step_saturating"),
)
def test_step_shown_losses(student):
    """Networks of zeros lose 2 log 2 and log 2."""
    d, g, _, _ = expect(stepped(student, *shown_case(), 0.1, 0.1)).parts(4)
    expect(d).matches(np.float32(2 * np.log(2)))
    expect(g).matches(np.float32(np.log(2)))


@exercise(
    "train_step",
    points=3,
    depends_on=("d_loss",),
    mistakes=(
        "step_losses_after",
        "step_averages_both_sides",
        "step_z_of_the_generator_twice",
        "step_labels_exchanged",
        "step_saturating",
        "step_in_float32",
    ),
    note="d_loss with both learning rates on; g_loss with a discriminator that stands still.",
)
def test_step_returns_the_losses(student, inputs):
    """d_loss is that of the networks as they were; g_loss is non-saturating, on z_generator."""
    case = random_case(inputs)
    due, _, _, _ = due_of(*case, 0.3, 0.3)
    seen, _, _, _ = expect(stepped(student, *case, 0.3, 0.3)).parts(4)
    expect(seen, "d_loss").matches(due)
    _, due, _, _ = due_of(*case, 0.3, 0.0)
    _, seen, _, _ = expect(stepped(student, *case, 0.3, 0.0)).parts(4)
    expect(seen, "g_loss").matches(due)


@exercise(
    "train_step",
    points=3,
    depends_on=("d_loss",),
    mistakes=(
        "g_detached",
        "step_saturating",
        "step_z_of_the_discriminator_twice",
        "step_uphill",
        "step_discriminator_only",
        "step_optimizers_exchanged",
        "step_generator_by_d_loss",
    ),
    note="The discriminator's learning rate is 0, so that the order of the steps does not matter.",
)
def test_step_moves_the_generator_through_the_discriminator(student, inputs):
    """The generator follows the gradient of its loss, which passes through the discriminator."""
    case = random_case(inputs)
    _, _, due, _ = due_of(*case, 0.3, 0.0)
    _, _, seen, _ = expect(stepped(student, *case, 0.3, 0.0)).parts(4)
    for one, right in zip(expect(seen).parts(2), due, strict=True):
        expect(one, "a kernel of the generator").matches(right)


@exercise(
    "train_step",
    points=2,
    depends_on=("d_loss",),
    mistakes=(
        "step_uphill",
        "step_generator_only",
        "step_z_of_the_generator_twice",
        "step_without_fakes",
        "step_optimizers_exchanged",
        "step_labels_exchanged",
    ),
    note="The generator's learning rate is 0.",
)
def test_step_moves_the_discriminator(student, inputs):
    """The discriminator follows the gradient of its loss, on z_discriminator."""
    case = random_case(inputs)
    _, _, _, due = due_of(*case, 0.0, 0.3)
    _, _, _, seen = expect(stepped(student, *case, 0.0, 0.3)).parts(4)
    for one, right in zip(expect(seen).parts(2), due, strict=True):
        expect(one, "a kernel of the discriminator").matches(right)


@exercise(
    "train_step",
    points=2,
    depends_on=("d_loss",),
    mistakes=("d_not_detached", "step_generator_moves_both", "step_discriminator_only"),
    note="One learning rate is 0, in turn.",
)
def test_step_keeps_the_networks_apart(student, inputs):
    """Each optimizer moves the variables of its own network only, and all of them."""
    case = random_case(inputs)
    names = ["generator 1", "generator 2", "discriminator 1", "discriminator 2"]
    before = dict(zip(names, case[3], strict=True))
    for rates, changed in (((0.3, 0.0), names[:2]), ((0.0, 0.3), names[2:])):

        def found(rates=rates):
            _, _, *after = expect(stepped(student, *case, *rates)).parts(4)
            arrays = [array for part in after for array in expect(part).parts(2)]
            return {"before": before, "after": dict(zip(names, arrays, strict=True))}

        gradients.expect_updates(
            found, changed=changed, unchanged=[name for name in names if name not in changed]
        )


@mistake("train_step", kind="lazy", hint="A dict with d_loss and g_loss is asked for.")
def step_returns_a_pair(generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_g):
    losses = gan.train_step(generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_g)
    return losses["d_loss"], losses["g_loss"]


@mistake("train_step", kind="scale", hint="Real and fake part are added here, not averaged.")
def step_averages_both_sides(generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_g):
    losses = gan.train_step(generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_g)
    return {**losses, "d_loss": losses["d_loss"] / 2}


@mistake("train_step", kind="concept", hint="d_loss is that of the networks before the step.")
def step_losses_after(generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_g):
    losses = gan.train_step(generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_g)
    after = gan.d_loss(discriminator(x_real), discriminator(generator(z_d)))
    return {**losses, "d_loss": after}


@mistake("train_step", kind="concept", hint="z_discriminator is the noise of the discriminator.")
def step_z_of_the_generator_twice(
    generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_g
):
    return gan.train_step(generator, discriminator, g_optimizer, d_optimizer, x_real, z_g, z_g)


@mistake("train_step", kind="concept", hint="z_generator is the noise of the generator's step.")
def step_z_of_the_discriminator_twice(
    generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_g
):
    return gan.train_step(generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_d)


@mistake("train_step", kind="lazy", hint="Each network has an optimizer of its own.")
def step_optimizers_exchanged(
    generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_g
):
    return gan.train_step(generator, discriminator, d_optimizer, g_optimizer, x_real, z_d, z_g)


@mistake("train_step", kind="numerics", hint="Float64 data give float64 losses.")
def step_in_float32(generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_g):
    losses = gan.train_step(generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_g)
    return {name: tf.cast(loss, tf.float32) for name, loss in losses.items()}


@mistake(
    "train_step", kind="concept", hint="Real rows go first into d_loss, generated ones second."
)
def step_labels_exchanged(generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_g):
    g = gan.g_loss_nonsaturating(discriminator(generator(z_g)))
    d = gan.descend(
        lambda: gan.d_loss(discriminator(generator(z_d)), discriminator(x_real)),
        discriminator,
        d_optimizer,
    )
    return {"d_loss": d, "g_loss": g}


@mistake(
    "train_step",
    kind="concept",
    hint="The generator's step uses the non-saturating loss.",
)
def step_saturating(generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_g):
    d = gan.descend(
        lambda: gan.d_loss(discriminator(x_real), discriminator(generator(z_d))),
        discriminator,
        d_optimizer,
    )
    g = gan.descend(
        lambda: gan.g_loss_saturating(discriminator(generator(z_g))), generator, g_optimizer
    )
    return {"d_loss": d, "g_loss": g}


@mistake(
    "train_step",
    kind="concept",
    hint="The generator learns through the discriminator: its samples are not detached there.",
)
def g_detached(generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_g):
    g = gan.g_loss_nonsaturating(discriminator(tf.stop_gradient(generator(z_g))))
    d = gan.descend(
        lambda: gan.d_loss(discriminator(x_real), discriminator(generator(z_d))),
        discriminator,
        d_optimizer,
    )
    return {"d_loss": d, "g_loss": g}


@mistake(
    "train_step",
    kind="concept",
    hint="The discriminator's step moves the discriminator only.",
)
def d_not_detached(generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_g):
    class Both:
        trainable_variables = discriminator.trainable_variables + generator.trainable_variables

    d = gan.descend(
        lambda: gan.d_loss(discriminator(x_real), discriminator(generator(z_d))),
        Both,
        d_optimizer,
    )
    g = gan.descend(
        lambda: gan.g_loss_nonsaturating(discriminator(generator(z_g))), generator, g_optimizer
    )
    return {"d_loss": d, "g_loss": g}


@mistake(
    "train_step",
    kind="concept",
    hint="The generator's step moves the generator only, not the discriminator.",
)
def step_generator_moves_both(
    generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_g
):
    class Both:
        trainable_variables = discriminator.trainable_variables + generator.trainable_variables

    d = gan.descend(
        lambda: gan.d_loss(discriminator(x_real), discriminator(generator(z_d))),
        discriminator,
        d_optimizer,
    )
    g = gan.descend(
        lambda: gan.g_loss_nonsaturating(discriminator(generator(z_g))), Both, g_optimizer
    )
    return {"d_loss": d, "g_loss": g}


@mistake("train_step", kind="concept", hint="Both steps go downhill.")
def step_uphill(generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_g):
    d = -gan.descend(
        lambda: -gan.d_loss(discriminator(x_real), discriminator(generator(z_d))),
        discriminator,
        d_optimizer,
    )
    g = -gan.descend(
        lambda: -gan.g_loss_nonsaturating(discriminator(generator(z_g))), generator, g_optimizer
    )
    return {"d_loss": d, "g_loss": g}


@mistake("train_step", kind="lazy", hint="The generator makes a step, too.")
def step_discriminator_only(generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_g):
    d = gan.descend(
        lambda: gan.d_loss(discriminator(x_real), discriminator(generator(z_d))),
        discriminator,
        d_optimizer,
    )
    g = gan.g_loss_nonsaturating(discriminator(generator(z_g)))
    return {"d_loss": d, "g_loss": g}


@mistake("train_step", kind="lazy", hint="The discriminator makes a step, too.")
def step_generator_only(generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_g):
    d = gan.d_loss(discriminator(x_real), discriminator(generator(z_d)))
    g = gan.descend(
        lambda: gan.g_loss_nonsaturating(discriminator(generator(z_g))), generator, g_optimizer
    )
    return {"d_loss": d, "g_loss": g}


@mistake("train_step", kind="concept", hint="The discriminator learns from generated rows, too.")
def step_without_fakes(generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_g):
    d = gan.d_loss(discriminator(x_real), discriminator(generator(z_d)))
    gan.descend(
        lambda: tf.reduce_mean(tf.nn.softplus(-discriminator(x_real))), discriminator, d_optimizer
    )
    return {"d_loss": d, "g_loss": gan.g_loss_nonsaturating(discriminator(generator(z_g)))}


@mistake(
    "train_step",
    kind="concept",
    hint="The generator has a loss of its own; it does not descend that of the discriminator.",
)
def step_generator_by_d_loss(generator, discriminator, g_optimizer, d_optimizer, x_real, z_d, z_g):
    g = gan.g_loss_nonsaturating(discriminator(generator(z_g)))
    d = gan.descend(
        lambda: gan.d_loss(discriminator(x_real), discriminator(generator(z_d))),
        discriminator,
        d_optimizer,
    )
    gan.descend(
        lambda: gan.d_loss(discriminator(x_real), discriminator(generator(z_d))),
        generator,
        g_optimizer,
    )
    return {"d_loss": d, "g_loss": g}


@alternative("train_step")
def step_with_one_tape(
    generator, discriminator, generator_optimizer, discriminator_optimizer, x_real, z_d, z_g
):
    with tf.GradientTape(persistent=True) as tape:
        d = d_loss(discriminator(x_real), discriminator(generator(z_d)))  # noqa: F821
        g = g_loss_nonsaturating(discriminator(generator(z_g)))  # noqa: F821
    of_d = tape.gradient(d, discriminator.trainable_variables)
    of_g = tape.gradient(g, generator.trainable_variables)
    discriminator_optimizer.apply(of_d, discriminator.trainable_variables)
    generator_optimizer.apply(of_g, generator.trainable_variables)
    return {"d_loss": d, "g_loss": g}


@alternative("train_step")
def step_with_two_tapes_at_once(generator, discriminator, g_optimizer, d_optimizer, x, z_d, z_g):
    with tf.GradientTape() as tape_d, tf.GradientTape() as tape_g:
        logits = discriminator(tf.concat([x, generator(z_d)], axis=0), training=True)
        d = d_loss(logits[: x.shape[0]], logits[x.shape[0] :])  # noqa: F821
        g = g_loss_nonsaturating(discriminator(generator(z_g, training=True)))  # noqa: F821
    for tape, loss, net, optimizer in (
        (tape_d, d, discriminator, d_optimizer),
        (tape_g, g, generator, g_optimizer),
    ):
        gradients = tape.gradient(loss, net.trainable_weights)
        optimizer.apply_gradients(list(zip(gradients, net.trainable_weights, strict=True)))
    return dict(d_loss=d, g_loss=g)


@alternative("train_step")
def step_with_stopped_fakes(generator, discriminator, g_optimizer, d_optimizer, x, z_d, z_g):
    with tf.GradientTape() as tape:
        fake = tf.stop_gradient(generator(z_d))
        d = d_loss(discriminator(x), discriminator(fake))  # noqa: F821
    gradients = tape.gradient(d, discriminator.trainable_variables)
    d_optimizer.apply_gradients(zip(gradients, discriminator.trainable_variables, strict=True))
    with tf.GradientTape() as tape:
        logits = discriminator(generator(z_g))
        g = tf.reduce_mean(tf.nn.softplus(-logits))
    gradients = tape.gradient(g, generator.trainable_variables)
    g_optimizer.apply_gradients(zip(gradients, generator.trainable_variables, strict=True))
    return {"g_loss": g, "d_loss": d}


@alternative("train_step")
def step_compiled(generator, discriminator, g_optimizer, d_optimizer, x, z_d, z_g):
    g_optimizer.build(generator.trainable_variables)
    d_optimizer.build(discriminator.trainable_variables)

    @tf.function
    def run():
        with tf.GradientTape() as tape:
            d = d_loss(discriminator(x), discriminator(generator(z_d)))  # noqa: F821
        variables = discriminator.trainable_variables
        d_optimizer.apply_gradients(zip(tape.gradient(d, variables), variables, strict=True))
        with tf.GradientTape() as tape:
            g = g_loss_nonsaturating(discriminator(generator(z_g)))  # noqa: F821
        variables = generator.trainable_variables
        g_optimizer.apply_gradients(zip(tape.gradient(g, variables), variables, strict=True))
        return d, g

    d, g = run()
    return {"d_loss": d, "g_loss": g}
