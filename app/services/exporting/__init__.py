"""Lists as tables for people: which columns each has, and how it is read page by page."""
