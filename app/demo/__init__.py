"""The demo chain: an invented bookshop chain whose year reproduces a published distribution.

Everything but `load` is pure: the same seed and load day give the same values, to the last fen.
"""

from app.demo.chain import DEMO_SEED as DEMO_SEED
from app.demo.chain import build_chain as build_chain
from app.demo.values import DemoChain as DemoChain
