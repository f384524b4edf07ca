"""What tests stand on: databases, a small world of stores and staff, signed events."""
