"""Webhooks (Standard Webhooks): a shop's endpoints are told its order facts.

``routing`` reads the facts and owes each to the endpoints that want it, ``queue`` keeps what is
owed, ``delivery`` posts it. Endpoints are records of ``webhook.endpoints``; ``endpoints`` follows
them.
"""
