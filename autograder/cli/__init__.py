"""The `lgm` command."""
