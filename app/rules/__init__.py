"""Pure functions over values and frozen policies. No clock, no database, no framework."""
