"""What an answer costs.

Counted: `shapes` (a model's sizes), `table1` (the paper's columns), `counting` (everything), `tables`. Measured: `timing`
(the clock), `decoder` (random weights), `measuring`, `rivals` and `bench` (other ways to choose), `floor` (the machine's
best), `records` (files). For the book: `reports`, `pricing`.
"""
