"""SQL that earns a name: set-based statements and read models."""
