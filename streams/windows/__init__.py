"""Live reports: pure folds of facts into windows of event time.

A report counts facts in tallies (``tally``: zero, add, merge), one for each window, and closes a
tally into a row (``rows``). ``windowing`` keeps the tallies as state; ``sales`` and ``stock`` say
which fact counts as what.
"""
