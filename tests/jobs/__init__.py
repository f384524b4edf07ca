"""What workers and the clock start."""
