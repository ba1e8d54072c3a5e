"""The independent auditor: what must hold over the public facts, checked from outside.

It shares no code with what it audits: it reads the three public event topics like any other company
would, decodes them with the schemas that the registry has, and has its own idea of what is legal.
"""
