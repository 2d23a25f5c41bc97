"""The grading framework; it knows no particular model.

Its rooms, from the ground up: `errors`, `results`, `course`, `checks`, `sandbox`, `judge`,
`intake`, `term`, `gradebook`, `report`, `batch`, `verify`, `cli`. Imports point one way only.
"""
