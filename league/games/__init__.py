"""What is played: the contract of a batched game (`core`), and everything that fulfils it, by name (`registry`).

`native` holds games in batched torch, `pettingzoo` adapts environments, `openspiel` and `exact` serve search and exact
traversal, and `conformance` tests any game against the contract.
"""
