"""Services against a real database."""
