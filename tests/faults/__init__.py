"""What Huike survives."""
