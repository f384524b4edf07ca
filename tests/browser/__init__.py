"""The pages for explorers, in a real browser."""
