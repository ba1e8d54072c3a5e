"""Whether every store says what the facts say, of all orders and of all stock.

What should be there is folded from the public facts by code of its own (``facts``), which shares
nothing with the stages nor with the sinks.
"""
