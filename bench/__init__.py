"""What ``make bench`` runs: the hot paths, measured on a generated chain."""
