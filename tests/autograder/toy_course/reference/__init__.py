"""The models of the toy course."""
