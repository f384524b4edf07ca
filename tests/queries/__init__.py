"""Statements and what they rest on."""
