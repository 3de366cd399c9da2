"""Checks of what could stop a training run: the machine, the data set, the network."""
