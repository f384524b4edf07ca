"""What the documents say is tried: examples are run, links followed, tables compared."""
