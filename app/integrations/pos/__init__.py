"""Formats and signatures of tills and web shops, one file a sender."""
