"""The game behind the payoff: whoever chooses a policy plays a game against whoever chooses the opponent.

Everything here is a function of an antisymmetric matrix: `advantage[i, j]` is what policy i gains on policy j, and
`advantage[j, i]` its opposite. For mean results it is `score - 1/2`.
"""
