"""Payment gateways as they call us: one adapter each, verification without any I/O.

They live at the edge and not in ``streams.payments``: which bytes prove what is the gateway's affair
and takes certificates and calendars; the payments stage judges reports and knows neither.
"""
