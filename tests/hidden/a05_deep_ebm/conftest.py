"""Students of this assignment work on TensorFlow tensors."""

ARRAYS = "tensorflow"
