"""Stock of skus in warehouses: held for orders, deducted, released, restocked and corrected.

Read ``state.py``, then ``decide.py``; ``evolve.py`` folds what was decided, ``react.py`` tells it.
"""
