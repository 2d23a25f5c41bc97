"""The models of the course, one module per family, and the data they learn from."""
