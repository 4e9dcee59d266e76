"""Policies that always take one action, as a file of one's own."""

from __future__ import annotations

BOTS = """
import torch

class Fixed:
    action = 0

    def __init__(self, role, spec):
        self.role, self.actions = role, spec.role(role).actions.n

    def logits(self, rows):
        return 30.0 * torch.nn.functional.one_hot(torch.tensor(self.action), self.actions).expand(len(rows.seat), -1)

class Zero(Fixed): action = 0
class One(Fixed): action = 1
class Two(Fixed): action = 2
class Three(Fixed): action = 3
class Four(Fixed): action = 4
"""
