"""The outside world's words, turned into ours."""
