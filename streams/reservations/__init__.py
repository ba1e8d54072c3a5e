"""The one engine for whatever can run out: stock, coupons, budgets, quotas, limits per user.

A **resource** has a capacity; a **hold** takes part of it for a while. ``phases`` owns the hold's
transitions, ``protocol`` judges requests, ``records`` are what a stage keeps. Pure.
"""
