"""The API document, and those who believe it: fuzzers, generated clients."""
