"""Request and response bodies. Inputs forbid unknown fields; outputs have no defaults."""
