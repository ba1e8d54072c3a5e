"""Payment gateways as they call us: one adapter each, verification without any I/O.

They live at the edge and not in ``streams.payments``: what proves a message is each gateway's own
affair, and takes certificates and calendars. The payments stage judges reports and knows neither.
"""
