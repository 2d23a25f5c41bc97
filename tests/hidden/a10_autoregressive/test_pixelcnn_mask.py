"""Exercise 4: masked convolutions."""

import numpy as np
import tensorflow as tf

from autograder.checks import all_states, alternative, exercise, expect, gradients, mistake, probe
from reference import autoregressive


@probe
def mask_of(student, sizes, mask_type):
    """Returns a mask."""
    return student.pixelcnn_mask(*(int(size) for size in sizes), mask_type)


@probe
def stack_of(student, x, kernels, biases, n_colors):
    """Returns the output of a stack: type A, then type B, tanh after each layer but the last."""
    for number, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        kind = "B" if number else "A"
        mask = student.pixelcnn_mask(*(int(size) for size in kernel.shape), int(n_colors), kind)
        x = student.masked_conv(x, kernel, bias, tf.cast(mask, kernel.dtype))
        x = tf.tanh(x) if number < len(kernels) - 1 else x
    return x


@probe
def jacobian_of(student, x, kernels, biases, n_colors):
    """Returns the derivatives of a stack's output by its input, (outputs, inputs), of one row."""
    x = tf.identity(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x
        for number, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
            kind = "B" if number else "A"
            sizes = [int(size) for size in kernel.shape]
            mask = tf.cast(student.pixelcnn_mask(*sizes, int(n_colors), kind), kernel.dtype)
            y = student.masked_conv(y, kernel, bias, mask)
            y = tf.tanh(y) if number < len(kernels) - 1 else y
    return tf.reshape(tape.jacobian(y, x), (tf.size(y), tf.size(x)))


@probe
def jacobian_after_a_step(student, x, kernels, biases, masks, learning_rate):
    """Makes a step of gradient descent on all kernels, then returns the Jacobian of the stack."""
    keras, kind = tf.keras, x.dtype.name
    variables = [keras.Variable(kernel, dtype=kind) for kernel in kernels]
    variables = [variable.value for variable in variables]

    def network(y):
        for number, layer in enumerate(zip(variables, biases, masks, strict=True)):
            y = student.masked_conv(y, *layer)
            y = tf.tanh(y) if number < len(kernels) - 1 else y
        return y

    with tf.GradientTape() as tape:
        loss = tf.reduce_sum((network(x) - 1.0) ** 2)
    slopes = tape.gradient(loss, variables)
    for variable, slope in zip(variables, slopes, strict=True):
        # Noise stands for weight decay, momentum and whatever else moves all weights.
        variable.assign_sub(learning_rate * (slope + 1.0))
    x = tf.identity(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = network(x)
    return tf.reshape(tape.jacobian(y, x), (tf.size(y), tf.size(x)))


@probe
def log_probs_of(student, x, kernels, biases):
    """Returns the log-probability of binary images under a stack of one colour."""
    y = x
    for number, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        kind = "B" if number else "A"
        mask = student.pixelcnn_mask(*(int(size) for size in kernel.shape), 1, kind)
        y = student.masked_conv(y, kernel, bias, tf.cast(mask, kernel.dtype))
        y = tf.tanh(y) if number < len(kernels) - 1 else y
    return tf.reduce_sum(x * y - tf.nn.softplus(y), axis=(1, 2, 3))


def random_stack(inputs, channels, height=3, width=5):
    """Returns kernels and biases of a stack with these numbers of channels, float64."""
    pairs = list(zip(channels[:-1], channels[1:], strict=True))
    kernels = [inputs.normal(size=(height, width, *pair)) for pair in pairs]
    # Small weights keep tanh away from where it is flat.
    kernels = [kernel / np.sqrt(np.prod(kernel.shape[:3])) for kernel in kernels]
    return kernels, [0.3 * inputs.normal(size=pair[1]) for pair in pairs]


def expect_past_only(jacobian, size, n_colors=1):
    """Holds that each output depends on all that comes before it, and on nothing else."""
    expect(jacobian).array((size, size), np.float64).finite()
    moved = np.abs(np.asarray(jacobian)) > 1e-12
    too_much, too_little = np.triu(moved), np.tril(~moved, -1)
    expect(int(too_much.sum()), "outputs that see themselves or what comes later: none").equals(0)
    if n_colors == 1:
        words = "outputs that do not see a pixel before them: none"
        expect(int(too_little.sum()), words).equals(0)


# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_X = np.arange(24, dtype=np.float32).reshape(2, 3, 4, 1)


@exercise(
    "pixelcnn_mask",
    points=1,
    visible=True,
    mistakes=("mask_all_b", "mask_inverted", "mask_as_bool"),
)
def test_mask_shown_type_a(student):
    """For one colour, type A lets a pixel see what is above it and to its left."""
    due = np.array([[1, 1, 1], [1, 0, 0], [0, 0, 0]], np.float32).reshape(3, 3, 1, 1)
    expect(mask_of(student, (3, 3, 1, 1, 1), "A")).matches(due)


@exercise(
    "pixelcnn_mask",
    points=1,
    visible=True,
    mistakes=("mask_all_a", "mask_right_half", "mask_rows_only"),
)
def test_mask_shown_type_b(student):
    """Type B adds the centre; all pairs of channels of one colour have the same mask."""
    due = np.zeros((3, 3, 2, 4), np.float32)
    due[0], due[1, :2] = 1, 1
    expect(mask_of(student, (3, 3, 2, 4, 1), "B")).matches(due)


@exercise(
    "pixelcnn_mask",
    points=1,
    visible=True,
    mistakes=("conv_valid_padding", "conv_without_mask", "conv_without_bias"),
)
def test_conv_shown_counts_what_it_sees(student):
    """A kernel of ones with the mask of type A counts the pixels that are above or to the left."""
    mask = np.array([[1, 1, 1], [1, 0, 0], [0, 0, 0]], np.float32).reshape(3, 3, 1, 1)
    ones = np.ones((3, 3, 1, 1), np.float32)
    seen = student.masked_conv(np.ones_like(SHOWN_X), ones, np.full(1, 10, np.float32), mask)
    due = np.array([[0, 1, 1, 1], [2, 4, 4, 3], [2, 4, 4, 3]], np.float32) + 10
    expect(seen).matches(np.tile(due.reshape(1, 3, 4, 1), (2, 1, 1, 1)))


@exercise(
    "pixelcnn_mask",
    points=2,
    mistakes=(
        "mask_all_b",
        "mask_all_a",
        "color_groups",
        "mask_colors_reversed",
        "mask_colors_ignored",
        "mask_inverted",
        "mask_right_half",
        "mask_rows_only",
        "mask_turned",
    ),
    note="Kernels that are not square, one to three colours, several channels per colour.",
)
def test_mask_is_right_for_any_number_of_colors(student):
    """At the centre a colour sees the colours before it, and, with type B, itself."""
    for sizes in ((5, 3, 3, 6, 3), (3, 7, 6, 3, 3), (1, 5, 4, 2, 2), (5, 1, 2, 3, 1)):
        for kind in ("A", "B"):
            due = autoregressive.pixelcnn_mask(*sizes, kind)
            expect(mask_of(student, sizes, kind)).matches(due)


@exercise(
    "pixelcnn_mask",
    points=1,
    mistakes=(
        "conv_without_mask",
        "conv_without_bias",
        "conv_flips_the_kernel",
        "conv_in_float32",
        "conv_divides_by_the_mask",
        "conv_through_numpy",
    ),
    note="Value and gradient in float64; 6x5 images of 2 channels, kernels 3x5 to 4 channels.",
)
def test_conv_is_masked_at_every_call(student, inputs):
    """The kernel is masked in the value, and so the derivative by a masked weight is 0."""
    x, kernel = inputs.normal(size=(7, 6, 5, 2)), inputs.normal(size=(3, 5, 2, 4))
    mask = autoregressive.pixelcnn_mask(3, 5, 2, 4, 2, "A").astype(float)
    case = x, kernel, inputs.normal(size=4), mask
    expect(student.masked_conv(*case)).matches(autoregressive.masked_conv(*case))
    gradients.expect_gradient(
        student.masked_conv, case, wrt=(0, 1, 2), due=autoregressive.masked_conv
    )


@exercise(
    "pixelcnn_mask",
    points=2,
    mistakes=(
        "mask_all_b",
        "mask_all_a",
        "mask_right_half",
        "mask_rows_only",
        "mask_turned",
        "conv_without_mask",
    ),
    note="One layer A, three layers B, kernels 3x5 on 3x3 pixels, where nothing hides in a blind "
    "spot; then 2x2 pixels of three colours.",
)
def test_stack_sees_the_past_and_nothing_else(student, inputs):
    """Through layers A, B, B, B each pixel sees all pixels before it, and no other."""
    kernels, biases = random_stack(inputs, (1, 6, 6, 6, 1))
    x = inputs.normal(size=(1, 3, 3, 1))
    expect_past_only(jacobian_of(student, x, kernels, biases, 1), 9)
    kernels, biases = random_stack(inputs, (3, 6, 3), 3, 3)
    x = inputs.normal(size=(1, 2, 2, 3))
    expect_past_only(jacobian_of(student, x, kernels, biases, 3), 12, n_colors=3)


@exercise(
    "pixelcnn_mask",
    points=2,
    mistakes=("mask_init_only", "conv_without_mask"),
    note="Kernels are variables; one step moves all weights, masked ones, too.",
)
def test_stack_sees_no_future_after_a_step(student, inputs):
    """After a step of training has moved all weights, a pixel still sees none that comes later."""
    kernels, biases = random_stack(inputs, (1, 4, 1))
    masks = [
        autoregressive.pixelcnn_mask(*kernel.shape, 1, "B" if number else "A").astype(float)
        for number, kernel in enumerate(kernels)
    ]
    x = inputs.normal(size=(1, 3, 3, 1))
    jacobian = jacobian_after_a_step(student, x, kernels, biases, masks, 0.01)
    expect(jacobian).array((9, 9), np.float64).finite()
    leaks = int(np.sum(np.abs(np.triu(jacobian)) > 1e-12))
    expect(leaks, "outputs that see themselves or what comes later: none").equals(0)


@exercise(
    "pixelcnn_mask",
    points=2,
    mistakes=("mask_all_b", "conv_without_mask", "mask_right_half"),
    note="All 64 binary images of 2x3 pixels under a stack of two layers.",
)
def test_probabilities_of_images_sum_to_one(student, inputs):
    """The probabilities of all binary images of 2x3 pixels add up to 1."""
    kernels, biases = random_stack(inputs, (1, 6, 1))
    # Large weights, so that a leak shows.
    kernels = [6 * kernel for kernel in kernels]
    images = all_states(6).reshape(64, 2, 3, 1)
    seen = log_probs_of(student, images, kernels, biases)
    expect(seen).array("B", np.float64, B=64).finite()
    total = float(np.exp(np.asarray(seen)).sum())
    expect(total, "probabilities of all images add up to 1").close(1.0)


@mistake(
    "pixelcnn_mask",
    kind="concept",
    hint="Type A leaves the centre out: with type B in the first layer a pixel sees itself.",
)
def mask_all_b(kernel_height, kernel_width, channels_in, channels_out, n_colors, mask_type):
    return autoregressive.pixelcnn_mask(
        kernel_height, kernel_width, channels_in, channels_out, n_colors, "B"
    )


@mistake("pixelcnn_mask", kind="concept", hint="Type B lets a colour see itself at the centre.")
def mask_all_a(kernel_height, kernel_width, channels_in, channels_out, n_colors, mask_type):
    return autoregressive.pixelcnn_mask(
        kernel_height, kernel_width, channels_in, channels_out, n_colors, "A"
    )


@mistake(
    "pixelcnn_mask",
    kind="axis",
    hint="Channels of one colour stand together in a block: they do not take turns.",
)
def color_groups(kernel_height, kernel_width, channels_in, channels_out, n_colors, mask_type):
    mask = autoregressive.pixelcnn_mask(
        kernel_height, kernel_width, channels_in, channels_out, n_colors, mask_type
    )
    into, out = np.arange(channels_in) % n_colors, np.arange(channels_out) % n_colors
    before = np.less if mask_type == "A" else np.less_equal
    mask[kernel_height // 2, kernel_width // 2] = before(into[:, None], out)
    return mask


@mistake("pixelcnn_mask", kind="axis", hint="Red comes first: green sees red, not the reverse.")
def mask_colors_reversed(
    kernel_height, kernel_width, channels_in, channels_out, n_colors, mask_type
):
    mask = autoregressive.pixelcnn_mask(
        kernel_height, kernel_width, channels_in, channels_out, n_colors, mask_type
    )
    return mask[:, :, ::-1, ::-1].copy()


@mistake(
    "pixelcnn_mask", kind="lazy", hint="At the centre it depends on the colours who sees whom."
)
def mask_colors_ignored(
    kernel_height, kernel_width, channels_in, channels_out, n_colors, mask_type
):
    return autoregressive.pixelcnn_mask(
        kernel_height, kernel_width, channels_in, channels_out, 1, mask_type
    )


@mistake("pixelcnn_mask", kind="concept", hint="1 means: may be seen.")
def mask_inverted(kernel_height, kernel_width, channels_in, channels_out, n_colors, mask_type):
    return 1 - autoregressive.pixelcnn_mask(
        kernel_height, kernel_width, channels_in, channels_out, n_colors, mask_type
    )


@mistake(
    "pixelcnn_mask",
    kind="concept",
    hint="In the row of the centre, what lies to its right comes later.",
)
def mask_right_half(kernel_height, kernel_width, channels_in, channels_out, n_colors, mask_type):
    mask = autoregressive.pixelcnn_mask(
        kernel_height, kernel_width, channels_in, channels_out, n_colors, mask_type
    )
    mask[kernel_height // 2, kernel_width // 2 + 1 :] = 1
    return mask


@mistake(
    "pixelcnn_mask",
    kind="concept",
    hint="In the row of the centre, what lies to its left is seen.",
)
def mask_rows_only(kernel_height, kernel_width, channels_in, channels_out, n_colors, mask_type):
    mask = autoregressive.pixelcnn_mask(
        kernel_height, kernel_width, channels_in, channels_out, n_colors, mask_type
    )
    mask[kernel_height // 2, : kernel_width // 2] = 0
    return mask


@mistake("pixelcnn_mask", kind="axis", hint="Reading order goes row by row, not column by column.")
def mask_turned(kernel_height, kernel_width, channels_in, channels_out, n_colors, mask_type):
    mask = autoregressive.pixelcnn_mask(
        kernel_width, kernel_height, channels_in, channels_out, n_colors, mask_type
    )
    return mask.transpose(1, 0, 2, 3).copy()


@mistake(
    "pixelcnn_mask", kind="numerics", hint="The mask is float32, so that kernels can take it."
)
def mask_as_bool(kernel_height, kernel_width, channels_in, channels_out, n_colors, mask_type):
    mask = autoregressive.pixelcnn_mask(
        kernel_height, kernel_width, channels_in, channels_out, n_colors, mask_type
    )
    return mask > 0


@mistake(
    "pixelcnn_mask",
    kind="concept",
    function="masked_conv",
    hint="The kernel is masked at every call: a step of training moves masked weights again.",
)
def mask_init_only(x, kernel, bias, mask):
    if not isinstance(kernel, tf.Variable):
        kernel = kernel * mask
    elif not hasattr(kernel, "was_masked"):
        kernel.assign(kernel * mask)
        kernel.was_masked = True
    return tf.nn.conv2d(x, kernel, strides=1, padding="SAME") + bias


@mistake("pixelcnn_mask", kind="lazy", function="masked_conv", hint="The mask is not used.")
def conv_without_mask(x, kernel, bias, mask):
    return autoregressive.masked_conv(x, kernel, bias, tf.ones_like(mask))


@mistake("pixelcnn_mask", kind="lazy", function="masked_conv", hint="The bias is missing.")
def conv_without_bias(x, kernel, bias, mask):
    return autoregressive.masked_conv(x, kernel, 0.0 * bias, mask)


@mistake(
    "pixelcnn_mask",
    kind="axis",
    function="masked_conv",
    hint="With same padding, the result is as high and as wide as x.",
)
def conv_valid_padding(x, kernel, bias, mask):
    return tf.nn.conv2d(x, kernel * mask, strides=1, padding="VALID") + bias


@mistake(
    "pixelcnn_mask",
    kind="concept",
    function="masked_conv",
    hint="The kernel is not turned: tf.nn.conv2d already is what is meant.",
)
def conv_flips_the_kernel(x, kernel, bias, mask):
    turned = (kernel * mask)[::-1, ::-1]
    return tf.nn.conv2d(x, turned, strides=1, padding="SAME") + bias


@mistake(
    "pixelcnn_mask",
    kind="scale",
    function="masked_conv",
    hint="The mask cuts weights; nothing is divided by how many are left.",
)
def conv_divides_by_the_mask(x, kernel, bias, mask):
    return autoregressive.masked_conv(x, kernel, bias, mask / tf.reduce_mean(mask))


@mistake(
    "pixelcnn_mask",
    kind="numerics",
    function="masked_conv",
    hint="float64 arguments stay float64 all the way.",
)
def conv_in_float32(x, kernel, bias, mask):
    narrow = [tf.cast(array, tf.float32) for array in (x, kernel, bias, mask)]
    return tf.cast(autoregressive.masked_conv(*narrow), x.dtype)


@mistake(
    "pixelcnn_mask",
    kind="numerics",
    function="masked_conv",
    hint="No gradient passes through NumPy.",
)
def conv_through_numpy(x, kernel, bias, mask):
    fixed = tf.constant(np.asarray(kernel) * np.asarray(mask))
    return tf.nn.conv2d(x, fixed, strides=1, padding="SAME") + bias


@alternative("pixelcnn_mask")
def mask_by_loops(kernel_height, kernel_width, channels_in, channels_out, n_colors, mask_type):
    mask = np.zeros((kernel_height, kernel_width, channels_in, channels_out), dtype="float32")
    for row in range(kernel_height):
        for column in range(kernel_width):
            place = row * kernel_width + column
            centre = (kernel_height // 2) * kernel_width + kernel_width // 2
            for i in range(channels_in):
                for o in range(channels_out):
                    color_in = i // (channels_in // n_colors)
                    color_out = o // (channels_out // n_colors)
                    own = color_in < color_out or (mask_type == "B" and color_in == color_out)
                    mask[row, column, i, o] = place < centre or (place == centre and own)
    return mask


@alternative("pixelcnn_mask")
def mask_from_ones(kernel_height, kernel_width, channels_in, channels_out, n_colors, mask_type):
    mask = np.ones((kernel_height, kernel_width, channels_in, channels_out), np.float32)
    y, x = kernel_height // 2, kernel_width // 2
    mask[y + 1 :] = 0.0
    mask[y, x + 1 :] = 0.0
    for color in range(n_colors):
        first = color if mask_type == "A" else color + 1
        rows = slice(first * channels_in // n_colors, None)
        out = slice(color * channels_out // n_colors, (color + 1) * channels_out // n_colors)
        mask[y, x, rows, out] = 0.0
    return mask


@alternative("pixelcnn_mask")
def mask_by_kron(kernel_height, kernel_width, channels_in, channels_out, n_colors, mask_type):
    colors = np.triu(np.ones((n_colors, n_colors)), 1 if mask_type == "A" else 0)
    block = np.ones((channels_in // n_colors, channels_out // n_colors))
    flat = np.zeros((kernel_height * kernel_width, channels_in, channels_out))
    centre = kernel_height * kernel_width // 2
    flat[:centre] = 1.0
    flat[centre] = np.kron(colors, block)
    shape = kernel_height, kernel_width, channels_in, channels_out
    return tf.constant(flat.reshape(shape), tf.float32)


@alternative("pixelcnn_mask", function="masked_conv")
def conv_by_keras(x, kernel, bias, mask):
    masked = tf.multiply(kernel, mask)
    return tf.keras.ops.conv(x, masked, padding="same") + tf.reshape(bias, (1, 1, 1, -1))


@alternative("pixelcnn_mask", function="masked_conv")
def conv_by_shifts(x, kernel, bias, mask):
    height, width = kernel.shape[0], kernel.shape[1]
    up, left = height // 2, width // 2
    padded = tf.pad(x, [[0, 0], [up, up], [left, left], [0, 0]])
    out = bias
    for row in range(height):
        for column in range(width):
            part = padded[:, row : row + x.shape[1], column : column + x.shape[2]]
            out += tf.einsum("bhwi,io->bhwo", part, kernel[row, column] * mask[row, column])
    return out


@alternative("pixelcnn_mask", function="masked_conv")
def conv_by_padding_and_cropping(x, kernel, bias, mask):
    masked = tf.where(mask > 0.5, kernel, tf.zeros_like(kernel))
    up, left = kernel.shape[0] // 2, kernel.shape[1] // 2
    padding = [[0, 0], [up, up], [left, left], [0, 0]]
    return tf.nn.bias_add(tf.nn.conv2d(x, masked, 1, padding), bias)
