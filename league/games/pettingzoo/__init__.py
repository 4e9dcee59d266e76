"""Any PettingZoo environment as a batched game. The files in the order in which data passes:

1. `sources`: an id such as `pettingzoo:classic/chess-v6` becomes a `Source`, which builds bare environments. Two kinds
   are converted on the way: Gymnasium's with tuple spaces (`tuple_env`) and parallelizable AEC (`aec_to_parallel`).
2. `options`: the user's options are split into the adapter's own and the environment's.
3. `spaces`: each agent's Gymnasium spaces become an `Encoding`, which turns observations into arrays and actions back.
4. `driver`: one environment and its episode, whether its agents act in turn (AEC) or at once (Parallel).
5. `roles`: which agents share a policy (roles) and which share an outcome (sides).
6. `probe`: a few random episodes settle what cannot be asked; the result is a `GameSpec` and a `BatchSpec`.
7. `shared_buffer`, `vector_env`: B environments are stepped in a loop that reads and writes one block of memory.
8. `workers`, `worker_messages`: the same in several processes, on shared memory.
9. `turn_view`, `game`: the block of memory as a `Turn` of tensors, and `PettingZooGame`, which keeps the contract.
"""
