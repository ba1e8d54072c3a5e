"""The live page: what the shop does now, and how old each figure is, pushed to who looks."""
