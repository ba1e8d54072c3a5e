"""Explaining what happened: one order's story, and who got the last units of a sku.

Everything is joined from the log: facts and refusals by the cause that each of them carries, in
words (``words``) that need no knowledge of the system.
"""
