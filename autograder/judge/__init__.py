"""The trusted side: runs the hidden checks against a submission, and alone makes the score.

Read in this order: `student` (what a check speaks to), `catalogue` and `reference` (texts of wrong
and right answers), `session` (pytest, collected once), `run` (one submission's process, kept
alive), `follow_through`, `diagnosis`, `process` (the judge itself), `grader` (how the coordinator
starts one).
"""
