"""What happens to an image between its file and the network: one description, two implementations.

`description` says what is done, `host` does it with Pillow and NumPy and is the reference, `graph`
does it with TensorFlow. Every command takes its steps from here.
"""
