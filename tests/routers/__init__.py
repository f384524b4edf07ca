"""Routes, called over HTTP."""
