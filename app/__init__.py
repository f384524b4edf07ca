"""Huike (惠客): the customer-relationship service of a retail chain."""
