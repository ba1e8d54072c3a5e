"""Coupons, budgets, quotas and limits: held for orders, used up, given back; claimed by users.

Read ``state.py``, then ``decide.py``; ``evolve.py`` folds what was decided, ``react.py`` tells it.
"""
