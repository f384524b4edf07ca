"""The demo chain: an invented bookshop chain whose year reproduces a published distribution.

Everything but `load` is pure: the same seed and load day give the same values, to the last fen.
"""
