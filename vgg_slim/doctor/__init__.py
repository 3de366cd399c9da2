"""What could stop a run, looked at one by one: the machine, the data set, the network."""
