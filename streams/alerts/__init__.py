"""Alerts about stock: rules, which are data, over a fold of the movements of each sku.

``rules`` says what rules there are and when they are met, ``watch`` what is remembered of a sku,
and ``flow`` raises and clears.
"""
