"""Proves or refutes on one machine that vgg_slim works on its GPU: `make gpu-check`."""
