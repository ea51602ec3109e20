"""Training loops as people write them: what `make bench` measures the package against.

Each is a plain script of one's own: data from a `DataLoader`, `zero_grad`, `backward`, `step`, a line of losses now and
then. They use what a user of PyTorch would find in its tutorials, and nothing of this package but the embedded images.
"""
