"""The paper's printed numbers, held against each other, against arithmetic and against its released annotations.

Nothing here needs a model or a recording. `makeup`: what SPIRAL's recordings are; `accuracies`: which cells can be counts, and what they imply; `blind`: beside
what needs no listening; `rates`: what a pruning rate is a share of; `left_out`: what Table I's costs do not count;
`remarks`: the numbers in the text.
"""
