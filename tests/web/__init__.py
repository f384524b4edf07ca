"""HTTP as Huike speaks it: refusals, limits, repetition, pages."""
