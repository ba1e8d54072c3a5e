"""Payments: every attempt, every refund and every movement of money of one order, under its key."""

from streams.payments.stage import payments_stage

__all__ = ["payments_stage"]
